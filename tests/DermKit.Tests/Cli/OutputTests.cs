using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Tests.Data;
using DermKit.Tests.Imaging;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using TorchSharp;

namespace DermKit.Tests.Cli;

/// <summary>What a command prints and writes, whatever the locale is and whatever names the files have.</summary>
public sealed class OutputTests : IDisposable
{
    private const string First = "néoplasie, ı", Second = "痣 中";
    private readonly TemporaryFolder folder = new();

    /// <summary>A kit of its own on the built library, with the task of the set "clinic" alone.</summary>
    public OutputTests()
    {
        Directory.CreateDirectory(Path.Combine(Root, "lib"));
        File.WriteAllText(Path.Combine(Root, "Kit.sln"), "");
        string own = KitSettings.FromEnvironment().Root;
        string bin = Directory.CreateDirectory(Path.Combine(Root, "lib", "bin")).FullName;
        foreach (string entry in Directory.GetFileSystemEntries(Path.Combine(own, "lib", "bin")))
        {
            // The host follows a link to the program, and would find the folder of the other kit.
            string link = Path.Combine(bin, Path.GetFileName(entry));
            if (Path.GetFileName(entry) == "DermKit.Cli.dll") File.Copy(entry, link);
            else File.CreateSymbolicLink(link, entry);
        }
        Directory.CreateDirectory(Path.Combine(Root, "data"));
        File.CreateSymbolicLink(Path.Combine(Root, "data", "sources.json"), Path.Combine(own, "data", "sources.json"));
        Directory.CreateSymbolicLink(Path.Combine(Root, "data", "models"), Path.Combine(own, "data", "models"));
        Task(First);
    }

    public void Dispose() => folder.Dispose();

    private string Root => Path.Combine(folder.Path, "kit é ı 中, a");

    private void Task(string first) => MiniTrees.Write(Root, "data/tasks/mine.json", $$"""
        { "name": "mine", "version": 1, "title": "Mine", "dataSets": { "clinic": null }, "label": "label",
            "classes": { "{{first}}": ["{{first}}"], "{{Second}}": ["{{Second}}"] },
          "classCount": 2, "positive": "{{Second}}", "split": "stratified", "inPretraining": false }
        """);

    private Task<(int Code, string Out, string Error)> Run(string[] command, params (string Name,
        string Value)[] variables)
    {
        var environment = new Dictionary<string, string>
        {
            ["KIT_CACHE_DIR"] = Path.Combine(folder.Path, "cache"),
            ["KIT_DATA_DIR"] = Path.Combine(folder.Path, "sets"),
            ["KIT_MODE"] = "quick",
            ["OMP_NUM_THREADS"] = "1",
            ["KIT_HERE"] = Root,
        };
        foreach ((string name, string value) in variables) environment[name] = value;
        return KitProcess.Run(command, environment,
            "dotnet=$1; shift 2; exec \"$dotnet\" \"$KIT_HERE/lib/bin/DermKit.Cli.dll\" \"$@\"");
    }

    private void Set(params string[] rows)
    {
        string set = Path.Combine(folder.Path, "sets", "clinic");
        for (int i = 0; i < rows.Length; i++) MiniTrees.Write(set, $"é ı, 中/{i}.png");
        for (int i = 0; i < rows.Length; i++)
        {
            RgbImage image = TestImages.Draw(40, 40, i);
            for (int p = 0; p < image.Pixels.Length; p++) image.Pixels[p] = (byte)(image.Pixels[p] / 4 + (i % 2 == 0
                ? 160 : 20));
            File.WriteAllBytes(Path.Combine(set, "é ı, 中", $"{i}.png"), ImageCodec.EncodePng(image));
        }
        MiniTrees.Write(set, "labels.csv", ["image,label", .. rows.Select((label, i) =>
            CsvFile.Line($"é ı, 中/{i}.png", label))]);
    }

    [Fact]
    public async Task NamesOfAnyScriptAreWrittenAndPrintedAsUtf8InEveryLocale()
    {
        Set([.. Enumerable.Range(0, 30).Select(i => i % 2 == 0 ? First : Second)]);
        string weights = Path.Combine(folder.Path, "modèle ı, 中.safetensors"), tables = Path.Combine(folder.Path,
            "tables ı 中");
        using (ResNet made = ResNet.Random(new() { Planes = [4, 5, 6, 7], Blocks = [1, 1, 1, 1] },
            5)) SafeTensors.Save(weights, made.state_dict());
        string[] command = ["evaluate", "--tasks", "mine", "--models", weights, "--baseline", weights, "--out", tables];
        byte[]? before = null;
        foreach ((string, string)[] locale in new (string, string)[][] { [("LANG", "C"), ("LC_ALL", "C")], [("LC_ALL",
            "tr_TR")], [("LC_ALL", "tr_TR.ISO-8859-9"), ("LANG", "tr_TR")] })
        {
            (int code, string text, string error) = await Run(command, locale);
            Assert.True(code == 0, text + error);
            Assert.Contains("modèle ı, 中", text);
            Assert.Contains("tables ı 中", text);
            byte[] bytes = File.ReadAllBytes(Path.Combine(tables, "leaderboard.csv"));
            Assert.Equal("task,"u8.ToArray(), bytes[..5]);
            Assert.Equal(before ?? bytes, bytes);
            before = bytes;
            CsvFile results = CsvFile.Read(Path.Combine(tables, "results.csv")),
                board = CsvFile.Read(Path.Combine(tables, "leaderboard.csv"));
            Assert.All(results.Column("model").Concat(board.Column("model")), model => Assert.Contains("modèle ı, 中",
                model));
            Assert.Equal(4, results.Count);
        }
        string[] kept = Directory.GetFiles(Path.Combine(folder.Path, "cache", "results"), "*.json",
            SearchOption.AllDirectories);
        Assert.Equal(4, kept.Length);
        Assert.All(kept, path => Assert.NotEqual(0xEF, File.ReadAllBytes(path)[0]));
        Assert.All(kept, path => Assert.Contains(Second,
            JsonNode.Parse(File.ReadAllText(path))!.ToJsonString(
            new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })));
    }

    [Fact]
    public async Task ControlCharactersOfFilesReachNoTerminalAndLongNamesAreCut()
    {
        string hostile = "a\u001b[2J\u0007b\u009bc\u202ed", wide = new('x', 300);
        Set([hostile, .. Enumerable.Repeat(First, 10), .. Enumerable.Repeat(Second, 10)]);
        (int code, string text, string error) = await Run(["evaluate", "--tasks", "mine", "--models",
            "vit-tiny-random"]);
        Assert.Equal(2, code);
        Assert.Contains(@"'a\u001b[2J\u0007b\u009bc\u202ed', which no class", error);
        Assert.DoesNotContain(text + error, c => char.IsControl(c) && c != '\n' || c == '\u202e');

        Set([wide, .. Enumerable.Repeat(First, 10), .. Enumerable.Repeat(Second, 10)]);
        (code, _, error) = await Run(["evaluate", "--tasks", "mine", "--models", "vit-tiny-random"]);
        Assert.Equal(2, code);
        Assert.Contains($"'{wide[..200]}... (300 characters)', which no class", error);

        // The header, and a line break in a name that would begin a line of its own.
        MiniTrees.Write(Path.Combine(folder.Path, "sets", "clinic"), "labels.csv",
            $"image,\"l{hostile}\nkit: all is well\"", "0.png,b");
        (code, text, error) = await Run(["data", "check", "clinic"]);
        Assert.NotEqual(0, code);
        Assert.Contains(@"\u001b[2J", text + error);
        Assert.Contains(@"\nkit: all is well", text + error);
        Assert.DoesNotContain(text + error, c => char.IsControl(c) && c != '\n');

        // One task file that is broken is named in one line; the others are there.
        MiniTrees.Write(Root, "data/tasks/broken.json", "{ \"name\": \"bro\u001b[31mken\" ");
        Set([.. Enumerable.Repeat(First, 5), "nobody's"]);
        (code, text, error) = await Run(["evaluate", "--tasks", "mine", "--models", "vit-tiny-random"]);
        Assert.Equal(2, code);
        Assert.Single(error.Split('\n'), line => line.Contains("broken.json"));
        Assert.Contains("Task 'mine': image", error);
        (code, text, error) = await Run(["evaluate", "--tasks", "broken", "--models", "vit-tiny-random"]);
        Assert.Equal(2, code);
        Assert.Matches(@"\nkit: \S.*broken\.json: ", error);
        Assert.DoesNotContain('\u001b', error);
    }

    [Fact]
    public void NamesAndTextsArePrintable()
    {
        Assert.Equal(@"a\u001b[2Jb", Printable.Text("a\u001b[2Jb"));
        Assert.Equal("a\nb\tc\\r", Printable.Text("a\nb\tc\r"));
        Assert.Equal(@"a\nb\t", Printable.Line("a\nb\t"));
        Assert.Equal("é ı 中 🙂", Printable.Of("é ı 中 🙂"));
        Assert.Equal(new string('n', 200), Printable.Of(new string('n', 200)));
        Assert.Equal(new string('n', 200) + "... (201 characters)", Printable.Of(new string('n', 201)));
        // No half of a character is left at the cut.
        Assert.Equal(new string('n', 199) + "... (201 characters)", Printable.Of(new string('n', 199) + "🙂"));
        string escapes = string.Concat(Enumerable.Repeat("\u001b", 201));
        Assert.Equal(string.Concat(Enumerable.Repeat(@"\u001b", 200)) + "... (201 characters)", Printable.Of(escapes));
        Assert.Equal($"key 'a\\nb': expected 1.5, found {new string('y', 200)}... (500 characters)",
            new KitException($"key '{"a\nb".ToString()}': expected {1.5}, found {new string('y', 500)}").Message);
        string path = "/" + new string('p', 240) + "/" + new string('q', 240);
        Assert.Equal($"{path}: no", new KitException($"{path}: no").Message);
        var inner = new StringWriter();
        using (var writer = new DermKit.Cli.TerminalWriter(inner))
        {
            writer.Write("\rloading\u001b[1m");
            writer.WriteLine("a\rb\r\nc");
            writer.Write('\u0007');
        }
        Assert.Equal("\rloading\\u001b[1ma\\rb\nc\n\\u0007", inner.ToString());
        Assert.Equal("Caption\nName      x\na\\u001bb  1",
            new DermKit.Reporting.Table("Caption", ["Name", "x"], [["a\u001bb", 1.0]]).ToString());
    }
}
