using DermKit.Tests.Cli;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

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
        string[] skipped = [.. Skipped().Matches(text).Select(m => m.Groups[1].Value).Distinct()
            .Order(StringComparer.Ordinal)];
        // No pager and no clear_output, because a display is updated in place; history is kept by the clients.
        Assert.Equal(["clear_output", "history", "pager"], skipped);
        Assert.Equal(9, Passed().Count(text));
    }

    [Fact]
    public async Task ARestartForgetsTheVariables()
    {
        await DebianJupyter.InstallKernelAsync(folder.Path, "jupyter_client");
        File.WriteAllText(Path.Combine(folder.Path, "client.py"), """
            from jupyter_client.manager import start_new_kernel
            manager, client = start_new_kernel(kernel_name=".net-csharp", startup_timeout=60)
            client.execute_interactive("1 + 1", output_hook=lambda message: None, timeout=60)
            print("first result")
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
        Assert.Contains("first result", text);
        Assert.Contains("after restart CompilationError", text);
        Assert.Contains("alive False", text);
    }

    [GeneratedRegex(@"^ *test_(\w+) .* skipped", RegexOptions.Multiline)]
    private static partial Regex Skipped();

    [GeneratedRegex(@"^test_\w+ .* ok$", RegexOptions.Multiline)]
    private static partial Regex Passed();
}

/// <summary>Debian's Python with its Jupyter packages.</summary>
internal static class DebianJupyter
{
    private const string Python = "/usr/bin/python3";
    private const string Packages = "python3-jupyter-kernel-test jupyter-nbconvert python3-nbclient";

    /// <summary>Skips the test where the machine lacks a package.</summary>
    internal static async Task NeedAsync(string folder, string module) =>
        Assert.SkipUnless(File.Exists(Python) && (await PythonAsync(folder, "-c", $"import {module}")).Code == 0,
            $"No {module} in {Python}: apt-get install --no-install-recommends {Packages}");

    /// <summary>Installs the kit's kernel into a folder; skips the test where the machine lacks a package.</summary>
    internal static async Task InstallKernelAsync(string folder, string module)
    {
        await NeedAsync(folder, module);
        (int code, _, string error) = await KitProcess.Run(["jupyter", "install", "--prefix", folder]);
        Assert.True(code == 0, error);
    }

    /// <summary>Runs Python in a folder whose kernels are the only ones of the user.</summary>
    /// <returns>Exit code, and both streams of text.</returns>
    internal static async Task<(int Code, string Text)> PythonAsync(string folder, params string[] arguments) =>
        await PythonAsync(folder, new Dictionary<string, string>(), arguments);

    internal static async Task<(int Code, string Text)> PythonAsync(string folder,
        IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Python,
            arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder
        };
        start.Environment["JUPYTER_DATA_DIR"] = Path.Combine(folder, "share", "jupyter");
        start.Environment["JUPYTER_RUNTIME_DIR"] = Path.Combine(folder, "runtime");
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        foreach ((string key, string value) in environment) start.Environment[key] = value;
        using Process process = Process.Start(start)!;
        Task<string> text = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await text + await error);
    }
}
