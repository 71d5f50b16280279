using DermKit.Notebooks;
using DermKit.Data;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

/// <summary>The same notebooks, unchanged, under Jupyter's nbconvert: by the kit's kernel and by the
/// genuine .NET Interactive.</summary>
public sealed partial class NotebookHostTests : IDisposable
{
    private const string Interactive = "KIT_DOTNET_INTERACTIVE";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Notebooks() =>
        new(Directory.GetFiles(Path.Combine(GeneratedNotebook.Root, "notebooks"), "*.ipynb")
            .Order(StringComparer.Ordinal).Select(f => Path.GetFileName(f)));

    [Theory]
    [MemberData(nameof(Notebooks))]
    public async Task ANotebookHasTheSameResultsUnderNbconvertAndHeadless(string file)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("KIT_JUPYTER") == "1",
            "each notebook twice, in minutes: set KIT_JUPYTER=1 to run it");
        await DebianJupyter.InstallKernelAsync(folder.Path, "nbconvert");
        await CompareWithHeadless(file);
    }

    [Theory]
    [MemberData(nameof(Notebooks))]
    public async Task ANotebookHasTheSameResultsInTheGenuineNetInteractiveAndHeadless(string file)
    {
        string? tool = Environment.GetEnvironmentVariable(Interactive);
        Assert.SkipWhen(string.IsNullOrEmpty(tool),
            "each notebook twice, in minutes: dotnet tool install Microsoft.dotnet-interactive --tool-path DIR, then "
            + $"set {Interactive}=DIR/dotnet-interactive");
        Assert.True(File.Exists(tool), $"{Interactive}: there is no {tool}.");
        await DebianJupyter.NeedAsync(folder.Path, "nbconvert");
        string kernel =
            Directory.CreateDirectory(Path.Combine(folder.Path, "share", "jupyter", "kernels", ".net-csharp")).FullName;
        File.WriteAllText(Path.Combine(kernel, "kernel.json"),
            JsonSerializer.Serialize(new
            {
                argv = new[] { tool, "jupyter", "--default-kernel", "csharp", "{connection_file}" },
                display_name = ".NET (C#)",
                language = "C#"
            }));
        await CompareWithHeadless(file);
    }

    private async Task CompareWithHeadless(string file)
    {
        string path = Path.Combine(GeneratedNotebook.Root, "notebooks", file),
            drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir);
        string Cache(string name)
        {
            string cache = Directory.CreateDirectory(Path.Combine(folder.Path, name)).FullName;
            foreach (string shared in new[] { Path.GetFileName(drawn), "images", "features" })
                Directory.CreateSymbolicLink(Path.Combine(cache, shared),
                    Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(drawn)!, shared)).FullName);
            return cache;
        }
        var options = new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Environment = new Dictionary<string, string?>
            {
                ["KIT_DATA_DIR"] = null,
                ["KIT_CACHE_DIR"] = Cache("headless")
            }
        };
        NotebookRun headless = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options,
            _ => { }, TestContext.Current.CancellationToken);
        Assert.True(headless.Error is null, headless.Error);
        (int code, string text) = await DebianJupyter.PythonAsync(folder.Path,
            new Dictionary<string, string>
            {
                ["KIT_DATA_DIR"] = "",
                ["KIT_CACHE_DIR"] = Cache("jupyter"),
                ["KIT_MODE"] = "quick",
                ["KIT_DEVICE"] = "cpu",
                ["DOTNET_INTERACTIVE_CLI_TELEMETRY_OPTOUT"] = "1"
            },
            "-m", "nbconvert", "--to", "notebook", "--execute", "--ExecutePreprocessor.timeout=3600", "--output-dir",
            folder.Path, path);
        Assert.True(code == 0, text);
        string[] expected = Figures(headless.Executed);
        Assert.NotEmpty(expected);
        Assert.Equal(expected, Figures(NotebookDocument.Load(Path.Combine(folder.Path, file))));
    }

    /// <summary>The numbers of every figure; those of what was timed differ from run to run.</summary>
    private static string[] Figures(NotebookDocument notebook) => [.. notebook.Cells
        .Where(c => c.IsCode && c.Id is not ("measure" or "rates" or "cost"))
        .SelectMany(c => c.Outputs).Select(o => NotebookCell.Text(o!["data"]?["text/plain"]))
        .Where(t => FigureText().IsMatch(t))];

    [GeneratedRegex(@"^(\[[A-Z +]+\] )?Figure ")]
    private static partial Regex FigureText();
}
