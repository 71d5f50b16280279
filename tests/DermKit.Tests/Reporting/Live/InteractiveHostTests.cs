using System.Text.Json;
using DermKit.Tests.Notebooks;

namespace DermKit.Tests.Reporting;

/// <summary>Display in the genuine .NET Interactive, which the typed bridge serves.</summary>
public sealed class InteractiveHostTests : IDisposable
{
    private const string Interactive = "KIT_DOTNET_INTERACTIVE";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Installs the genuine host as a kernel; skips the test without it.</summary>
    internal static async Task InstallAsync(string folder, string module)
    {
        string? tool = Environment.GetEnvironmentVariable(Interactive);
        Assert.SkipWhen(string.IsNullOrEmpty(tool), "dotnet tool install Microsoft.dotnet-interactive "
            + $"--tool-path DIR, then set {Interactive}=DIR/dotnet-interactive");
        Assert.True(File.Exists(tool), $"{Interactive}: there is no {tool}.");
        await DebianJupyter.NeedAsync(folder, module);
        string kernel = Path.Combine(folder, "share", "jupyter", "kernels", ".net-csharp");
        Directory.CreateDirectory(kernel);
        File.WriteAllText(Path.Combine(kernel, "kernel.json"), JsonSerializer.Serialize(new
        {
            argv = new[] { tool, "jupyter", "--default-kernel", "csharp", "{connection_file}" },
            display_name = ".NET (C#)",
            language = "C#",
        }));
    }

    [Fact]
    public async Task TheBridgeShowsUpdatesAndCancels()
    {
        await InstallAsync(_folder.Path, "jupyter_client");
        string library = Path.Combine(GeneratedNotebook.Root, "lib", "bin", "DermKit.dll");
        File.WriteAllText(Path.Combine(_folder.Path, "client.py"), $$"""
            from jupyter_client.manager import start_new_kernel
            manager, client = start_new_kernel(kernel_name=".net-csharp", startup_timeout=120)

            def run(code):
                identity = client.execute(code)
                while True:
                    message = client.get_iopub_msg(timeout=120)
                    kind, content = message["msg_type"], message["content"]
                    if message["parent_header"].get("msg_id") != identity:
                        continue
                    if kind == "status" and content["execution_state"] == "idle":
                        return
                    if "data" in content:
                        yield kind, content["data"], content["transient"].get("display_id")
                    if kind == "stream":
                        yield content["text"]

            list(run('#r "{{library}}"\nusing DermKit;\nusing DermKit.Reporting;'))
            ids = set()
            shown = 'var shown = Display.Html("<b>one</b>", "one"); shown.Update("<b>two</b>", "two");'
            for code in [shown, 'shown.Update("<b>three</b>", "three");']:
                for kind, data, identity in run(code):
                    print("KIT", kind, data["text/html"], data["text/plain"])
                    ids.add(identity)
            print("KIT ids", len(ids))
            for kind, data, _ in run('new Table("Sizes", new[] { "Task" }, new[] { new object[] { "one" } })'):
                print("KIT", kind, "<caption>Sizes</caption>" in data["text/html"])
            # This host takes no interrupt while a cell runs; a command stops a cell.
            list(run('''
                System.Threading.CancellationToken token = Display.Cancellation;
                var kernel = Microsoft.DotNet.Interactive.Kernel.Root;
                var cancel = new Microsoft.DotNet.Interactive.Commands.Cancel();
                _ = System.Threading.Tasks.Task.Run(() => kernel.SendAsync(cancel));
                AppContext.SetData("seen", token.WaitHandle.WaitOne(60_000));
                '''))
            print("KIT cancelled", *run('Console.Write(AppContext.GetData("seen"));'))
            loaded = 'AppDomain.CurrentDomain.GetAssemblies().Count(a => a.GetName().Name == "NAME")'
            for name in ["DermKit", "DermKit.Interactive"]:
                print("KIT loaded", *run("Console.Write(" + loaded.replace("NAME", name) + ");"))
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            """);
        (int code, string text) = await DebianJupyter.PythonAsync(_folder.Path, "client.py");
        Assert.True(code == 0, text);
        IEnumerable<string> lines = text.Split('\n').Where(l => l.StartsWith("KIT ", StringComparison.Ordinal));
        string[] expected =
        [
            "KIT display_data <b>one</b> one", "KIT update_display_data <b>two</b> two",
            "KIT update_display_data <b>three</b> three", "KIT ids 1", "KIT execute_result True",
            "KIT cancelled True", "KIT loaded 1", "KIT loaded 1",
        ];
        Assert.Equal(expected, lines.Select(l => l.Trim()));
    }
}
