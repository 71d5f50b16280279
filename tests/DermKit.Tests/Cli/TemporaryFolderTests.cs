using DermKit.Tests.Notebooks;

namespace DermKit.Tests.Cli;

/// <summary>A TMPDIR that is long, missing or not writable.</summary>
public sealed class TemporaryFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Kinds => ["long", "missing", "a file"];

    private string Of(string kind) => kind switch
    {
        "long" => Directory.CreateDirectory(Path.Combine(folder.Path, new string('l', 120))).FullName,
        "missing" => Path.Combine(folder.Path, "missing"),
        _ => folder.Write("file", [1]),
    };

    [Theory, MemberData(nameof(Kinds))]
    public async Task ANotebookRunsWhateverTmpdirIs(string kind)
    {
        using GeneratedNotebook notebook = new GeneratedNotebook().Code("Console.WriteLine(6 * 7)");
        (int code, string text, string error) = await KitProcess.Run(["run", notebook.Save("one"), "--out",
            notebook.Out], new Dictionary<string, string> { ["TMPDIR"] = Of(kind) });
        Assert.True(code == 0, text + error);
        Assert.Contains("42", string.Concat(Directory.GetFiles(notebook.Out, "*.html").Select(File.ReadAllText)));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task TheDoctorNamesIt(string kind)
    {
        string path = Of(kind);
        (_, string text, string error) = await KitProcess.Run(["doctor"], new Dictionary<string,
            string>
        {
            ["TMPDIR"] = path,
            ["KIT_CACHE_DIR"] = folder.Path
        });
        string line = Assert.Single(text.Split('\n'), l => l.Contains(" temporary "));
        Assert.StartsWith("WARN", line);
        Assert.Contains(path, line);
        Assert.Contains("  ->  set TMPDIR to a folder", line);
        Assert.DoesNotContain("Unhandled", error);
    }
}
