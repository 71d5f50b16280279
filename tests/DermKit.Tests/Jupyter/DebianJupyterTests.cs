using DermKit.Cli.Notebooks;
using DermKit.Data.Synthetic;
using DermKit.Tests.Cli;
using DermKit.Tests.Notebooks;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Jupyter;

/// <summary>The kernel under Jupyter's own client and its test suite for kernels, as Debian packages them.</summary>
public sealed partial class DebianJupyterTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task ItPassesJupytersTestSuiteInEverySectionThatApplies()
    {
        await DebianJupyter.InstallKernelAsync(folder.Path, "jupyter_kernel_test");
        File.WriteAllText(Path.Combine(folder.Path, "test_kit.py"), """
            import jupyter_kernel_test

            class KitKernel(jupyter_kernel_test.KernelTests):
                kernel_name = ".net-csharp"
                language_name = "C#"
                file_extension = ".cs"
                code_hello_world = 'Console.WriteLine("hello, world");'
                code_stderr = 'Console.Error.WriteLine("oops");'
                completion_samples = [{"text": "Console.Wri", "matches": {"Write", "WriteLine"}}, {"text": "foreac", "matches": {"foreach"}}]
                complete_code_samples = ["1 + 1", "Console.WriteLine(1);", "int Twice(int n) => 2 * n;"]
                incomplete_code_samples = ["if (true) {", "for (int i = 0;", "int Twice(int n)\n{"]
                invalid_code_samples = ["}"]
                code_generate_error = 'throw new Exception("planned");'
                code_execute_result = [{"code": "1 + 2", "result": "3"}, {"code": "new[] { 1, 2 }", "mime": "text/html"}]
                code_display_data = [{"code": 'display(new[] { 1, 2 });', "mime": "text/html"}]
                code_inspect_sample = "Console.WriteLine"
            """);
        (int code, string text) = await DebianJupyter.PythonAsync(folder.Path, "-m", "unittest", "-v", "test_kit");
        Assert.True(code == 0, text);
        string[] skipped = [.. Skipped().Matches(text).Select(m => m.Groups[1].Value).Distinct().Order(StringComparer.Ordinal)];
        // No pager and no clear_output, because a display is updated in place; history is kept by the clients.
        Assert.Equal(["clear_output", "history", "pager"], skipped);
        Assert.Equal(9, Passed().Count(text));
    }

    [Fact]
    public async Task TheFirstResultIsThereInTimeAndARestartForgetsTheVariables()
    {
        await DebianJupyter.InstallKernelAsync(folder.Path, "jupyter_client");
        File.WriteAllText(Path.Combine(folder.Path, "client.py"), """
            import time
            from jupyter_client.manager import start_new_kernel
            start = time.time()
            manager, client = start_new_kernel(kernel_name=".net-csharp", startup_timeout=60)
            client.execute_interactive("1 + 1", output_hook=lambda message: None, timeout=60)
            print("first result", time.time() - start)
            client.execute_interactive("int a = 1;", timeout=60)
            manager.restart_kernel()
            client.wait_for_ready(timeout=60)
            print("after restart", client.execute_interactive("a", output_hook=lambda message: None, timeout=60)["content"]["ename"])
            client.stop_channels()
            manager.shutdown_kernel()
            print("alive", manager.is_alive())
            """);
        (int code, string text) = await DebianJupyter.PythonAsync(folder.Path, "client.py");
        Assert.True(code == 0, text);
        Assert.Contains("after restart CompilationError", text);
        Assert.Contains("alive False", text);
        // 3 s on a machine that has nothing else to do; the tests beside this one take their part of it.
        Assert.InRange(double.Parse(FirstResult().Match(text).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture), 0, 15);
    }

    public static TheoryData<string> Notebooks() => new(Directory.GetFiles(Path.Combine(GeneratedNotebook.Root, "notebooks"), "*.ipynb").Order(StringComparer.Ordinal).Select(f => Path.GetFileName(f)));

    [Theory]
    [MemberData(nameof(Notebooks))]
    public async Task ANotebookHasTheSameResultsUnderNbconvertAndHeadless(string file)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("KIT_JUPYTER") == "1", "each notebook twice, in minutes: set KIT_JUPYTER=1 to run it");
        await DebianJupyter.InstallKernelAsync(folder.Path, "nbconvert");
        string path = Path.Combine(GeneratedNotebook.Root, "notebooks", file), drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir);
        string Cache(string name)
        {
            string cache = Directory.CreateDirectory(Path.Combine(folder.Path, name)).FullName;
            foreach (string shared in new[] { Path.GetFileName(drawn), "images", "features" })
                Directory.CreateSymbolicLink(Path.Combine(cache, shared), Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(drawn)!, shared)).FullName);
            return cache;
        }
        var options = new RunOptions { Root = GeneratedNotebook.Root, Environment = new Dictionary<string, string?> { ["KIT_DATA_DIR"] = null, ["KIT_CACHE_DIR"] = Cache("headless") } };
        NotebookRun headless = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options, _ => { }, TestContext.Current.CancellationToken);
        Assert.True(headless.Error is null, headless.Error);
        (int code, string text) = await DebianJupyter.PythonAsync(folder.Path, new Dictionary<string, string> { ["KIT_DATA_DIR"] = "", ["KIT_CACHE_DIR"] = Cache("jupyter"), ["KIT_MODE"] = "quick", ["KIT_DEVICE"] = "cpu" },
            "-m", "nbconvert", "--to", "notebook", "--execute", "--ExecutePreprocessor.timeout=3600", "--output-dir", folder.Path, path);
        Assert.True(code == 0, text);
        string[] expected = Figures(headless.Executed);
        Assert.NotEmpty(expected);
        Assert.Equal(expected, Figures(NotebookDocument.Load(Path.Combine(folder.Path, file))));
    }

    /// <summary>The numbers of every figure; those of what was timed differ from run to run.</summary>
    private static string[] Figures(NotebookDocument notebook) => [.. notebook.Cells.Where(c => c.IsCode && c.Id is not ("measure" or "rates" or "cost"))
        .SelectMany(c => c.Outputs).Select(o => NotebookCell.Text(o!["data"]?["text/plain"])).Where(t => FigureText().IsMatch(t))];

    [GeneratedRegex(@"^(\[[A-Z +]+\] )?Figure ")]
    private static partial Regex FigureText();

    [GeneratedRegex(@"^ *test_(\w+) .* skipped", RegexOptions.Multiline)]
    private static partial Regex Skipped();

    [GeneratedRegex(@"^test_\w+ .* ok$", RegexOptions.Multiline)]
    private static partial Regex Passed();

    [GeneratedRegex(@"first result ([0-9.]+)")]
    private static partial Regex FirstResult();
}

/// <summary>Debian's Python with its Jupyter packages.</summary>
internal static class DebianJupyter
{
    private const string Python = "/usr/bin/python3";
    private const string Packages = "python3-jupyter-kernel-test jupyter-nbconvert python3-nbclient";

    /// <summary>Installs the kit's kernel into a folder; skips the test where the machine lacks a package.</summary>
    internal static async Task InstallKernelAsync(string folder, string module)
    {
        Assert.SkipUnless(File.Exists(Python) && (await PythonAsync(folder, "-c", $"import {module}")).Code == 0, $"No {module} in {Python}: apt-get install --no-install-recommends {Packages}");
        (int code, _, string error) = await KitProcess.Run(["jupyter", "install", "--prefix", folder]);
        Assert.True(code == 0, error);
    }

    /// <summary>Runs Python in a folder whose kernels are the only ones of the user.</summary>
    /// <returns>Exit code, and both streams of text.</returns>
    internal static async Task<(int Code, string Text)> PythonAsync(string folder, params string[] arguments) => await PythonAsync(folder, new Dictionary<string, string>(), arguments);

    internal static async Task<(int Code, string Text)> PythonAsync(string folder, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Python, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        (start.Environment["JUPYTER_DATA_DIR"], start.Environment["JUPYTER_RUNTIME_DIR"], start.Environment["PYTHONDONTWRITEBYTECODE"]) = (Path.Combine(folder, "share", "jupyter"), Path.Combine(folder, "runtime"), "1");
        foreach ((string key, string value) in environment) start.Environment[key] = value;
        using Process process = Process.Start(start)!;
        Task<string> text = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await text + await error);
    }
}
