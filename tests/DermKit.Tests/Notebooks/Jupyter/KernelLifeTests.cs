using DermKit.Notebooks;
using DermKit.Tests.Cli;
using DermKit.Tests.Pretraining;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

/// <summary>What ends a cell or a kernel, and what does not.</summary>
public sealed class KernelLifeTests
{
    [Theory]
    [InlineData("Environment.Exit(3);", "ended with code 3")]
    [InlineData("Environment.FailFast(\"the end\");", "the end")]
    [InlineData("System.Diagnostics.Process.GetCurrentProcess().Kill();\nawait Task.Delay(60000);", "ended with code")]
    public async Task ACellThatEndsItsProcessIsAnErrorAndTheKernelGoesOn(string code, string said)
    {
        await using var kernel = new KernelClient();
        kernel.Execute("int before = 1;");
        KernelClient.Result result = kernel.Execute($"Console.WriteLine(\"kept\");\n{code}");
        Assert.Equal(("error", "ProcessEnded"), (result.Status, (string?)result.Reply["ename"]));
        Assert.Contains(said, (string?)result.Reply["evalue"] + result.Printed("stderr"));
        Assert.Contains("variables of all cells are lost", (string?)result.Reply["evalue"]);
        Assert.Equal("kept\n", result.Printed());
        Assert.Equal("CompilationError", (string?)kernel.Execute("before").Reply["ename"]);
        Assert.Equal("2", kernel.Execute("1 + 1").Value);
    }

    [Fact]
    public async Task ACellThatNeverEndsIsNamedAndEndsWithTheKernel()
    {
        await using var kernel = new KernelClient(TimeSpan.FromSeconds(0.5));
        int child = int.Parse(kernel.Execute("Environment.ProcessId").Value);
        string id = kernel.Begin("Console.WriteLine(\"began\");\nwhile (true) { }");
        kernel.UntilPrinted(id, "began");
        kernel.Ask("interrupt_request", [], control: true);
        kernel.UntilPrinted(id, "does not check Display.Cancellation", "stderr");
        JsonObject reply = kernel.Ask("shutdown_request", new() { ["restart"] = true }, control: true);
        Assert.Equal(("ok", true), ((string?)reply["status"], (bool)reply["restart"]!));
        await kernel.Ended.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.DoesNotContain(Process.GetProcesses(), p => p.Id == child);
    }

    [Fact]
    public async Task TrainingStopsAtItsNextStepWithACheckpointAndGoesOn()
    {
        using var tiny = new TinyPretraining();
        File.WriteAllText(tiny.Folder("tiny.json"),
            JsonSerializer.Serialize(TinyPretraining.Options with { Epochs = 20_000 },
                new JsonSerializerOptions
                {
                    PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
                    IgnoreReadOnlyProperties = true
                }));
        await using var kernel = new KernelClient();
        KernelClient.Result open = kernel.Execute($$"""
            #r "DermKit.dll"
            using DermKit; using DermKit.Pretraining; using DermKit.Reporting;
            var settings = KitSettings.FromEnvironment() with { DataDir = @"{{tiny.Settings.DataDir}}", CacheDir = @"{{tiny.Settings.CacheDir}}" };
            var options = PretrainOptions.Read(@"{{tiny.Folder("tiny.json")}}", new Dictionary<string, string>());
            var trainer = new Pretrainer(options, PretrainData.Open(settings, options), settings.TorchDevice(), @"{{tiny.Folder("run")}}");
            """);
        Assert.True(open.Status == "ok", (string?)open.Reply["evalue"]);
        string id = kernel.Begin(
            "trainer.Run(step => { if (step.Step == 3) Console.WriteLine(\"three\"); }, Display.Cancellation);");
        List<(string, JsonObject)> published = kernel.UntilPrinted(id, "three");
        kernel.Ask("interrupt_request", [], control: true);
        Assert.Equal("Interrupted", (string?)kernel.Finish(id, published).Reply["ename"]);
        int done = int.Parse(kernel.Execute("trainer.Done").Value);
        Assert.InRange(done, 3, 50_000);
        Assert.True(File.Exists(Path.Combine(tiny.Folder("run"), "checkpoint.safetensors")));
        // The checkpoint is that of the last step, and a trainer on the same folder takes it up.
        Assert.Equal(done.ToString(),
            kernel.Execute("new Pretrainer(options, PretrainData.Open(settings, options), settings.TorchDevice(), "
                + $"@\"{tiny.Folder("run")}\").Done").Value);
    }

    [Fact]
    public async Task TwoKernelsDoNotMeet()
    {
        await using var first = new KernelClient();
        await using var second = new KernelClient();
        first.Execute("int own = 1;");
        second.Execute("int own = 2;");
        string slow = first.Begin("await Task.Delay(500);\nown");
        Assert.Equal("2", second.Execute("own").Value);
        Assert.Equal("1", first.Finish(slow).Value);
        KitException taken =
            Assert.Throws<KitException>(
                () => new Kernel(ConnectionFile.Read(first.ConnectionPath), GeneratedNotebook.Root,
                    GeneratedNotebook.LibBin));
        Assert.Contains("another kernel", taken.Message);
        Assert.Equal("1", first.Execute("own").Value);
    }

    [Theory]
    [InlineData("shell_port", null, "'shell_port' is missing")]
    [InlineData("shell_port", "\"5\"", "expected a port")]
    [InlineData("hb_port", "70000", "expected a port")]
    [InlineData("iopub_port", "SHELL", "is named 2 times")]
    [InlineData("key", "\"\"", "unsigned")]
    [InlineData("key", "5", "expected text")]
    [InlineData("ip", "\"0.0.0.0\"", "loopback only")]
    [InlineData("ip", "\"example.org\"", "loopback only")]
    [InlineData("transport", "\"ipc\"", "supports tcp only")]
    [InlineData("signature_scheme", "\"hmac-md5\"", "hmac-sha256 only")]
    public void AConnectionFileWithWrongKeysIsNamed(string key, string? value, string expected)
    {
        using var folder = new TemporaryFolder();
        JsonObject file = KernelClient.Connection();
        if (value is null) file.Remove(key);
        else file[key] = JsonNode.Parse(value.Replace("SHELL", file["shell_port"]!.ToString()));
        string path = Path.Combine(folder.Path, "kernel.json");
        File.WriteAllText(path, file.ToJsonString());
        KitException error = Assert.Throws<KitException>(() => ConnectionFile.Read(path));
        Assert.StartsWith(path, error.Message);
        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public async Task AWrongConnectionFileIsOneLineAndExitCode2()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("kernel.json", "not json"u8.ToArray());
        (int code, _, string error) = await KitProcess.Run(["jupyter", "run", "--connection", path]);
        Assert.Equal(2, code);
        Assert.Contains("expected a connection file (JSON)", Assert.Single(error.Trim().Split('\n')));
        (code, _, error) = await KitProcess.Run(["jupyter", "run", "--connection", path + "x"]);
        Assert.Equal(2, code);
        Assert.Contains("is not readable", Assert.Single(error.Trim().Split('\n')));
    }

    [Fact]
    public async Task InstallWritesAKernelspecAndNoneOfOthersIsLost()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "share", "jupyter", "kernels", ".net-csharp", "kernel.json");
        (int code, string text, string error) = await KitProcess.Run(["jupyter", "install", "--prefix", folder.Path]);
        Assert.True(code == 0, error);
        Assert.StartsWith(file, text);
        JsonNode spec = JsonNode.Parse(File.ReadAllText(file))!;
        Assert.Equal("message", (string?)spec["interrupt_mode"]);
        Assert.Equal([Path.Combine(GeneratedNotebook.LibBin, "DermKit.Cli.dll"), "jupyter", "run", "--connection",
            "{connection_file}"], spec["argv"]!.AsArray().TakeLast(5).Select(a => (string?)a));
        // The kit's own is written anew, another's is not.
        Assert.Equal(0, (await KitProcess.Run(["jupyter", "install", "--prefix", folder.Path])).Code);
        const string Foreign = """{ "argv": ["other", "{connection_file}"], "display_name": "Another C#" }""";
        File.WriteAllText(file, Foreign);
        (code, _, error) = await KitProcess.Run(["jupyter", "install", "--prefix", folder.Path]);
        Assert.Equal(2, code);
        Assert.Contains("Another C#", error);
        Assert.Equal(Foreign, File.ReadAllText(file));
        Assert.Equal(0, (await KitProcess.Run(["jupyter", "install", "--prefix", folder.Path, "--force"])).Code);
        Assert.Contains("DermKit.Cli.dll", File.ReadAllText(file));

        (code, text,
            _) = await KitProcess.Run(["jupyter", "install", "--user", "--name", "kit"],
                new Dictionary<string, string> { ["JUPYTER_DATA_DIR"] = folder.Path });
        Assert.Equal(0, code);
        Assert.True(File.Exists(Path.Combine(folder.Path, "kernels", "kit", "kernel.json")));
        Assert.Equal(2,
            (await KitProcess.Run(["jupyter", "install", "--prefix", folder.Path, "--name", "../up"])).Code);
        Assert.Equal(2, (await KitProcess.Run(["jupyter", "install", "--prefix", folder.Path, "--user"])).Code);
    }
}
