using DermKit.Notebooks;
using System.Diagnostics;

namespace DermKit.Tests.Notebooks;

public sealed class NotebookRunnerTests : IDisposable
{
    private static readonly RunOptions Options =
        new() { Root = GeneratedNotebook.Root, Grace = TimeSpan.FromSeconds(0.5) };
    private readonly GeneratedNotebook _notebook = new();

    public void Dispose() => _notebook.Dispose();

    private static string Plain(NotebookCell cell) =>
        string.Concat(
            cell.Outputs.Select(o => NotebookCell.Text(o!["text"]) + NotebookCell.Text(o["data"]?["text/plain"])));

    [Fact]
    public async Task TheChildHasOneCopyOfEachDllAndItIsThatOfLibBin()
    {
        string relative = Path.GetRelativePath(_notebook.Folder, Path.Combine(GeneratedNotebook.LibBin, "DermKit.dll"))
            .Replace('\\', '/');
        _notebook.Code($"#r \"{relative}\"\nusing DermKit;\nusing DermKit.Reporting;")
            .Code("typeof(KitSettings).Assembly.Location")
            .Code("KitSettings.FromEnvironment().TorchDevice().ToString()")
            .Code("string.Join(' ', AppDomain.CurrentDomain.GetAssemblies().Select(a => a.GetName().Name).Where(n => "
                + "n.StartsWith(\"DermKit\") || n == \"TorchSharp\").Order())")
            .Code("Provenance.Note(\"seeds\", \"1, 9\");\nvar shown = Display.Html(\"<b>1</b>\", \"one\");")
            .Code("shown.Update(\"<b>2</b>\", \"two\");\nEnvironment.GetEnvironmentVariable(\"KIT_MODE\") + "
                + "Environment.CurrentDirectory");
        NotebookRun run = await _notebook.RunAsync(Options with { Mode = "workshop" });
        Assert.Null(run.Error);
        Assert.Equal(Path.Combine(GeneratedNotebook.LibBin, "DermKit.dll"), Plain(run.Executed.Cells[1]));
        Assert.Equal("cpu", Plain(run.Executed.Cells[2]));
        Assert.Equal("DermKit DermKit.Cli DermKit.Notebooks TorchSharp", Plain(run.Executed.Cells[3]));
        Assert.Equal("two", Plain(run.Executed.Cells[4]));
        Assert.Equal("workshop" + _notebook.Folder, Plain(run.Executed.Cells[5]));
        Assert.Equal("1, 9", run.Provenance["seeds"]);
        Assert.Matches(@"^\d+\.\d\d GiB$", run.Provenance["peak memory"]);
        Assert.Equal([1, 2, 3, 4, 5, 6], run.Executed.Cells.Select(c => c.ExecutionCount));
        Assert.DoesNotContain("transient", run.Executed.ToJson());
    }

    [Fact]
    public async Task AFailingCellStopsTheNotebook()
    {
        NotebookRun run = await _notebook.Code("1").Code("throw new Exception(\"expected\");", "raises-exception")
            .Code("int a = 0;\nConsole.Write(1 / a);").Code("3").RunAsync(Options);
        Assert.Equal("cell-3, line 2: DivideByZeroException: Attempted to divide by zero.", run.Error);
        Assert.Equal(["execute_result", "error", "error"],
            run.Executed.Cells.Take(3).Select(c => (string?)c.Outputs.Single()!["output_type"]));
        Assert.Empty(run.Executed.Cells[3].Outputs);
        Assert.Null(run.Executed.Cells[3].ExecutionCount);
    }

    [Fact]
    public async Task ACellThatLooksAtTheTokenEndsAtItsLimit()
    {
        NotebookRun run = await _notebook.Code("1")
            .Code("Console.WriteLine(\"began\");\nawait Task.Delay(60000, "
                + "(System.Threading.CancellationToken)AppContext.GetData(\"DermKit.Cancellation\"));").Limit(5)
            .RunAsync(Options with { Grace = TimeSpan.FromSeconds(30) });
        Assert.StartsWith("cell-2: CellTimeout: Ran longer than its limit of 5 s", run.Error);
        Assert.Equal("began\n", Plain(run.Executed.Cells[1]));
        // The cell ended by itself: a process that is killed reports no interruption.
        Assert.Equal(["Interrupted", "CellTimeout"],
            run.Executed.Cells[1].Outputs.TakeLast(2).Select(o => (string?)o!["ename"]));
    }

    [Fact]
    public async Task ACellThatDoesNotIsEndedWithItsProcess()
    {
        NotebookRun run = await _notebook.Code("Environment.ProcessId").Code("while (true) { }").Limit(2)
            .RunAsync(Options with { Timeout = TimeSpan.FromMinutes(5) });
        Assert.Contains("CellTimeout", run.Error);
        int child = int.Parse(Plain(run.Executed.Cells[0]));
        Assert.DoesNotContain(Process.GetProcesses(), p => p.Id == child);
    }

    [Fact]
    public async Task CancellingLeavesWhatRan()
    {
        using var cancel = new CancellationTokenSource();
        string path = _notebook.Code("1")
            .Code("await Task.Delay(60000, "
                + "(System.Threading.CancellationToken)AppContext.GetData(\"DermKit.Cancellation\"));")
            .Code("3").Save();
        NotebookRun run = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, Options.Set), path, Options, p =>
        {
            if (p is { Cell: 2, Elapsed: null }) cancel.CancelAfter(300);
        }, cancel.Token);
        Assert.Equal("cell-2: Cancelled: The run was cancelled.", run.Error);
        Assert.Equal("1", Plain(run.Executed.Cells[0]));
        Assert.Empty(run.Executed.Cells[2].Outputs);
    }

    [Fact]
    public async Task ADeadProcessIsReportedWithWhatItSaid()
    {
        NotebookRun run = await _notebook.Code("1").Code("Environment.FailFast(\"the end\");").RunAsync(Options);
        Assert.StartsWith("cell-2: ProcessEnded: The notebook's process ended with code", run.Error);
        Assert.Contains("the end", Plain(run.Executed.Cells[1]));
        Assert.Equal("error", (string?)run.Executed.Cells[1].Outputs[^1]!["output_type"]);
    }

    [Theory]
    [InlineData("FPE", 136)]
    [InlineData("SEGV", 139)]
    [InlineData("ILL", 132)]
    [InlineData("ABRT", 134)]
    [InlineData("KILL", 137)]
    public async Task AProcessThatASignalEndsSaysWhichAndWhatToDo(string signal, int code)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs signals");
        // The runtime gives back the signals of faults at the first one that no instruction of its own made;
        // the second one ends the process.
        string twice = $"kill -{signal} {{Environment.ProcessId}}; sleep 0.2; kill -{signal} {{Environment.ProcessId}}";
        string kill = $"System.Diagnostics.Process.Start(\"sh\", [\"-c\", $\"{twice}\"]).WaitForExit();\nawait "
            + "Task.Delay(60000);";
        NotebookRun run = await _notebook.Code("await Task.Delay(1500);").Code(kill).RunAsync(Options);
        Assert.Contains($"ended with code {code} (SIG{signal})", run.Error);
        Assert.Contains("kit doctor", run.Error);
        if (signal == "KILL")
            Assert.Matches(@"its memory was 0\.\d GiB, and \d+\.\d of the machine's \d+\.\d GiB were free", run.Error);
        Assert.Contains($"SIG{signal}", HtmlReport.Render(run));
    }

    [Fact]
    public async Task TheWarningOfAnAbsentNnpackIsInNoReportAndTheLinesAroundItAre()
    {
        const string Warning =
            "[W1129 21:18:18.123456789 NNPACK.cpp:57] Could not initialize NNPACK! Reason: Unsupported hardware.";
        string say = $"System.Diagnostics.Process.Start(\"sh\", new[] {{ \"-c\", \"echo before >&2; echo '{Warning}' "
            + ">&2; echo >&2; echo after >&2\" }).WaitForExit();\nawait Task.Delay(300);";
        NotebookRun run = await _notebook.Code(say).RunAsync(Options);
        Assert.Equal("before\n\nafter\n", Plain(run.Executed.Cells[0]));
    }

    [Theory]
    [InlineData("Console.WriteLine(\"kept\");\nEnvironment.Exit(0);", "ended with code 0", "kept\n")]
    [InlineData("Console.Write(\"kept\");\nEnvironment.Exit(0);", "ended with code 0", "kept")]
    [InlineData("Console.WriteLine(\"kept\");\nSystem.Diagnostics.Process.GetCurrentProcess().Kill();\nawait "
        + "Task.Delay(60000);", "ended with code", "kept\n")]
    [InlineData("Console.Write(\"kept\");\nawait Task.Delay(3000);\n"
        + "System.Diagnostics.Process.GetCurrentProcess().Kill();\nawait Task.Delay(60000);",
        "ended with code", "kept")]
    public async Task ACellThatEndsItsProcessKeepsWhatWasPrinted(string source, string expected, string printed)
    {
        NotebookRun run = await _notebook.Code("1").Code(source).Code("3").RunAsync(Options);
        Assert.StartsWith("cell-2: ProcessEnded: ", run.Error);
        Assert.Contains(expected, run.Error);
        Assert.Equal(printed, Plain(run.Executed.Cells[1]));
        string report = HtmlReport.Render(run);
        Assert.Contains("<strong>Stopped.</strong> cell-2: ProcessEnded", report);
        Assert.Contains("kept", report);
    }

    [Theory]
    [InlineData("for (int i = 0; i < 1000; i++) Console.WriteLine(new string('x', 100_000));")]
    [InlineData("for (int i = 0; i < 1000; i++) Console.Write(new string('x', 100_000));")]
    [InlineData("Console.Write(new string('x', 100_000_000));")]
    public async Task AHundredMegabytesOfTextAreCut(string source)
    {
        NotebookRun run = await _notebook.Code($"{source}\n\"end\"").RunAsync(Options);
        Assert.Null(run.Error);
        Assert.EndsWith("characters\nend", Plain(run.Executed.Cells[0]));
        Assert.True(HtmlReport.Render(run).Length < 2 * StreamLimit.MaxCharacters);
    }

    [Fact]
    public async Task ANotebookWithoutIdsRuns()
    {
        string path = Path.Combine(_notebook.Folder, "old.ipynb");
        File.WriteAllText(path,
            NotebookDocumentTests.Old(4)
                .Replace("\"source\": \"int n = 1;\"\n  }\n ]", "\"source\": \"n + 40\"\n  }\n ]"));
        var options = Options with { Set = new Dictionary<string, string> { ["n"] = "2" } };
        NotebookRun run = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options,
            _ => { }, TestContext.Current.CancellationToken);
        Assert.Null(run.Error);
        Assert.Equal("42", Plain(run.Executed.Cells[^1]));
        Assert.DoesNotContain("\"id\"", run.Executed.ToJson());
        Assert.Contains("42", HtmlReport.Render(run));
    }

    [Theory]
    [InlineData(null, "names no kernel")]
    [InlineData("""{"name": "python3", "language": "python"}""", "is for the kernel 'python3'")]
    public void ANotebookOfNoKernelOrAnotherIsRefused(string? kernel, string expected)
    {
        NotebookDocument notebook = NotebookDocument.Create();
        if (kernel is null) notebook.Root["metadata"]!.AsObject().Remove("kernelspec");
        else notebook.Root["metadata"]!["kernelspec"] = System.Text.Json.Nodes.JsonNode.Parse(kernel);
        string path = Path.Combine(_notebook.Folder, "other.ipynb");
        notebook.Save(path);
        Assert.Contains(expected, Assert.Throws<KitException>(() => NotebookRunner.Prepare(path, Options.Set)).Message);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("\"soon\"")]
    [InlineData("1e300")]
    [InlineData("[1]")]
    public void ATimeLimitThatIsNoneIsRefusedBeforeTheRun(string limit)
    {
        string path = _notebook.Code("1").Limit(2).Save();
        NotebookDocument notebook = NotebookDocument.Load(path);
        notebook.Cells[0].Metadata["kit"]!["timeout"] = System.Text.Json.Nodes.JsonNode.Parse(limit);
        notebook.Save(path);
        Assert.Contains($"has kit.timeout {limit} in its metadata",
            Assert.Throws<KitException>(() => NotebookRunner.Prepare(path, Options.Set)).Message);
    }

    [Fact]
    public async Task AMessageThatCannotBeTakenEndsTheCellAtOnce()
    {
        await using SessionClient client = await SessionClient.StartAsync(GeneratedNotebook.Root, _notebook.Folder,
            new Dictionary<string, string?>(),
            _ => throw new System.Text.Json.JsonException("no JSON"), TestContext.Current.CancellationToken);
        string? error = await client.RunAsync("1", "cell-1").WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains("no JSON", error);
        Assert.True(client.HasEnded);
        Assert.NotNull(await client.RunAsync("2", "cell-2").WaitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task NativeOutputIsKept()
    {
        NotebookRun run = await _notebook
            .Code("using (var native = Console.OpenStandardOutput()) native.Write(Encoding.UTF8.GetBytes(\"from below "
                + "ä\\n\"));\nawait Task.Delay(500);").RunAsync(Options);
        Assert.Equal("from below ä\n", Plain(run.Executed.Cells[0]));
    }

    [Fact]
    public void OtherLanguagesAreRefused()
    {
        string path = _notebook.Code("1").Save();
        File.WriteAllText(path,
            File.ReadAllText(path).Replace("\"kernelName\": \"csharp\"", "\"kernelName\": \"fsharp\""));
        Assert.Contains("'fsharp'",
            Assert.Throws<KitException>(() => NotebookRunner.Prepare(path, Options.Set)).Message);
    }
}
