using DermKit.Cli;
using DermKit.Tests.Notebooks;
using DermKit.Notebooks;

namespace DermKit.Tests.Cli;

/// <summary>The command line as a user has it: exit codes, messages, files.</summary>
public sealed class RunCommandTests : IDisposable
{
    private readonly GeneratedNotebook _good = new GeneratedNotebook().Code("int epochs = 1;", "parameters")
        .Code("$\"epochs {epochs}\"");
    private readonly GeneratedNotebook _bad = new GeneratedNotebook()
        .Code("throw new Exception(\"planned <failure>\");");

    public void Dispose()
    {
        _good.Dispose();
        _bad.Dispose();
    }

    private static Task<(int Code, string Out, string Error)> Kit(params string[] arguments) =>
        KitProcess.Run(arguments);

    [Fact]
    public async Task AFailingNotebookHasItsReportAndTheOthersRun()
    {
        (int code, string text, string error) = await Kit("run", _bad.Save("broken"), _good.Save("works"), "--out",
            _good.Out, "--set", "epochs=4");
        Assert.True(code == 1, text + error);
        Assert.Contains("planned &lt;failure&gt;", File.ReadAllText(Path.Combine(_good.Out, "broken.html")));
        Assert.Contains("epochs 4", File.ReadAllText(Path.Combine(_good.Out, "works.html")));
        Assert.Equal("error",
            (string?)NotebookDocument.Load(Path.Combine(_good.Out, "broken.ipynb")).Cells[0].Outputs
                .Single()!["output_type"]);
        string index = File.ReadAllText(Path.Combine(_good.Out, "index.html"));
        Assert.Contains("broken", index);
        Assert.Contains("works", index);
        Assert.Contains("cell-1, line 1: Exception: planned <failure>", text);
        Assert.Contains("1 of 2 notebooks", text);
        Assert.Equal(2, System.Text.RegularExpressions.Regex.Count(text, @"\.html \d+:\d\d min after the start"));
        Assert.Empty(error);
    }

    [Fact]
    public async Task AReportThatCannotBeWrittenLeavesNoProcess()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads the command lines of /proc");
        string[] paths = [_good.Save("first"), _bad.Save("second")];
        // A folder is where the first report belongs; the process of the second notebook has been started by then.
        Directory.CreateDirectory(Path.Combine(_good.Out, "first.html", "full"));
        var reports = new NotebookReports(new RunOptions { Root = GeneratedNotebook.Root }, _good.Out);
        Exception error = await Assert.ThrowsAnyAsync<Exception>(
            () => reports.RunAsync(paths, TestContext.Current.CancellationToken));
        Assert.True(error is IOException or UnauthorizedAccessException, error.ToString());
        Assert.DoesNotContain(Directory.GetDirectories("/proc"), process => CommandLine(process).Contains(_bad.Folder));
    }

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No process, or one that has ended.
            return "";
        }
    }

    [Fact]
    public async Task ASuccessfulRunEndsWithZero()
    {
        (int code, string text, string error) = await Kit("run", _good.Save(), "--out", _good.Out);
        Assert.True(code == 0, text + error);
        Assert.Contains("epochs 1", File.ReadAllText(Path.Combine(_good.Out, "sample.html")));
    }

    [Fact]
    public async Task WrongUseIsOneLineWithoutAStackTrace()
    {
        string path = _good.Save();
        foreach ((string expected, string[] arguments) in new (string, string[])[]
        {
            ("did you mean epochs?", ["run", path, "--set", "epoch=2"]),
            ("expected name=value", ["run", path, "--set", "epochs"]),
            ("No notebook 'nosuch'", ["run", "nosuch"]),
        })
        {
            (int code, string text, string error) = await Kit(arguments);
            Assert.Equal((2, ""), (code, text));
            Assert.Contains(expected, error);
            Assert.Single(error.Trim().Split('\n'));
        }
        Assert.NotEqual(0, (await Kit("run", path, "--mode", "fast")).Code);
        Assert.Equal(2, (await Kit("run", path, "--all")).Code);
    }

    [Fact]
    public void NotebooksAreFoundByNameAndBeginning()
    {
        string root = _good.Folder, folder = Path.Combine(root, "notebooks");
        Assert.Contains("found none",
            Assert.Throws<KitException>(() => NotebookFiles.Default(root, all: true)).Message);
        Directory.CreateDirectory(folder);
        foreach (string name in new[] { "02-probing", "01-pretraining", "05-tone", "01-other" })
            File.WriteAllText(Path.Combine(folder, name + ".ipynb"), "{}");
        string Names(params string[] given) =>
            string.Join(' ', NotebookFiles.Find(root, given).Select(f => Path.GetFileNameWithoutExtension(f)));
        string Default(bool all) =>
            string.Join(' ', NotebookFiles.Default(root, all).Select(f => Path.GetFileNameWithoutExtension(f)));
        Assert.Equal("01-other 01-pretraining 02-probing", Default(all: false));
        Assert.Equal("01-other 01-pretraining 02-probing 05-tone", Default(all: true));
        Assert.Equal("02-probing 01-pretraining", Names("02", "01-pretraining.ipynb"));
        Assert.Equal("01-other", Names("notebooks/01-other.ipynb"));
        Assert.Contains("name one", Assert.Throws<KitException>(() => Names("01")).Message);
        Assert.Contains("did you mean 02-probing?", Assert.Throws<KitException>(() => Names("02-probin_")).Message);
    }
}
