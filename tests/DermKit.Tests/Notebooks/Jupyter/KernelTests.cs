using DermKit.Notebooks;
using NetMQ;
using NetMQ.Sockets;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

/// <summary>One kernel for all tests that leave it as it was.</summary>
public sealed class SharedKernel : IAsyncLifetime
{
    internal KernelClient Client { get; } = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => Client.DisposeAsync();
}

/// <summary>The protocol, message by message.</summary>
public sealed class KernelTests(SharedKernel shared) : IClassFixture<SharedKernel>
{
    private readonly KernelClient kernel = shared.Client;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void InfoNamesProtocolAndLanguage(bool control)
    {
        JsonObject info = kernel.Ask("kernel_info_request", [], control);
        Assert.Equal(("ok", "5.3", "C#", ".cs"),
            ((string?)info["status"], (string?)info["protocol_version"], (string?)info["language_info"]!["name"],
                (string?)info["language_info"]!["file_extension"]));
        Assert.Matches(@"^\d+\.0$", (string?)info["language_info"]!["version"]);
    }

    [Fact]
    public void OutputsArriveInTheirOrder()
    {
        KernelClient.Result result = kernel.Execute("Console.Write(\"a\"); Console.WriteLine('b');\nvar shown = "
            + "display(1);\nConsole.Error.WriteLine(\"oops\");\nshown.Update(2);\n\"last\"");
        Assert.Equal("ok", result.Status);
        Assert.Equal(["execute_input", "stream", "display_data", "stream", "update_display_data", "execute_result"],
            result.Published.Select(p => p.Type));
        Assert.Equal(("ab\n", "oops\n", "last"), (result.Printed(), result.Printed("stderr"), result.Value));
        Assert.Equal((string?)result.Of("display_data").Single()["transient"]!["display_id"],
            (string?)result.Of("update_display_data").Single()["transient"]!["display_id"]);
        Assert.Equal((int)result.Reply["execution_count"]!,
            (int)result.Of("execute_result").Single()["execution_count"]!);
    }

    [Fact]
    public void ADisplayIsUpdatedAtMostFourTimesASecondAndItsLastStateIsShown()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        KernelClient.Result result =
            kernel.Execute("var counter = display(0);\nfor (int i = 1; i <= 200; i++) { counter.Update(i); await "
                + "Task.Delay(5); }");
        string[] shown = [.. result.Of("update_display_data").Select(u => (string)u["data"]!["text/plain"]!)];
        Assert.InRange(shown.Length, 3, 3 + (int)(clock.Elapsed.TotalSeconds * 4));
        Assert.Equal("200", shown[^1]);
        Assert.Equal(shown.OrderBy(int.Parse), shown);
    }

    [Fact]
    public void ASilentCellPublishesNothingAndAnUnstoredOneIsNotCounted()
    {
        int count = (int)kernel.Execute("int quiet = 1;").Reply["execution_count"]!;
        KernelClient.Result silent = kernel.Execute("Console.WriteLine(1);\nquiet++; quiet",
            new() { ["silent"] = true });
        Assert.Equal("ok", silent.Status);
        Assert.Empty(silent.Published);
        KernelClient.Result unstored = kernel.Execute("quiet", new() { ["store_history"] = false });
        Assert.Equal("2", unstored.Value);
        Assert.Equal(count, (int)unstored.Reply["execution_count"]!);
        Assert.Equal(count + 1, (int)kernel.Execute("quiet").Reply["execution_count"]!);
    }

    [Fact]
    public void AnErrorNamesTheLineOfTheCellAndStopsTheCellsBehindIt()
    {
        string failing =
            kernel.Begin("int kept = 5;\nawait Task.Delay(300);\nthrow new System.IO.IOException(\"disk\");"),
            behind = kernel.Begin("kept = 6;"),
            info = kernel.Begin("int x = \nmissing;", new() { ["stop_on_error"] = false });
        KernelClient.Result error = kernel.Finish(failing);
        int count = (int)error.Reply["execution_count"]!;
        Assert.Equal(("error", "IOException", "disk"),
            (error.Status, (string?)error.Reply["ename"], (string?)error.Reply["evalue"]));
        Assert.Equal($"cell-{count}, line 3: IOException: disk", (string?)error.Of("error").Single()["traceback"]![0]);
        Assert.Equal("aborted", kernel.Finish(behind).Status);
        Assert.Equal("aborted", kernel.Finish(info).Status);
        Assert.Equal("5", kernel.Execute("kept").Value);

        failing = kernel.Begin("int y = 1;\n\ny.Nothing();", new() { ["stop_on_error"] = false });
        behind = kernel.Begin("kept = 7;");
        error = kernel.Finish(failing);
        Assert.StartsWith($"cell-{(int)error.Reply["execution_count"]!}, line 3: CompilationError: CS1061",
            (string?)error.Reply["traceback"]![0]);
        Assert.Equal("    y.Nothing();", (string?)error.Reply["traceback"]![1]);
        Assert.Equal("ok", kernel.Finish(behind).Status);
    }

    [Fact]
    public void UserExpressionsAreValues()
    {
        JsonObject values = kernel
            .Execute("int e = 20;",
                new() { ["user_expressions"] = new JsonObject { ["twice"] = "2 * e", ["wrong"] = "nowhere" } })
            .Reply["user_expressions"]!.AsObject();
        Assert.Equal("40", (string?)values["twice"]!["data"]!["text/plain"]);
        Assert.Equal(("ok", "error", "CompilationError"),
            ((string?)values["twice"]!["status"], (string?)values["wrong"]!["status"],
                (string?)values["wrong"]!["ename"]));
    }

    [Theory]
    [InlineData("1 + 1", "complete", null)]
    [InlineData("if (true)\n{\n    var a = 1;", "incomplete", "    ")]
    [InlineData("}", "invalid", null)]
    public void IsCompleteReadsTheSyntax(string code, string status, string? indent)
    {
        JsonObject reply = kernel.Ask("is_complete_request", new() { ["code"] = code });
        Assert.Equal((status, indent), ((string?)reply["status"], (string?)reply["indent"]));
    }

    [Theory]
    [InlineData("(", "")]
    [InlineData("[", "")]
    [InlineData("{", "}")]
    [InlineData("A<", ">")]
    [InlineData("!", "")]
    [InlineData("$\"{", "}\"")]
    public void TextThatIsTooDeepForTheCompilerCostsNoVariable(string opening, string closing)
    {
        string deep = string.Concat(Enumerable.Repeat(opening, 20_000)) + "1"
            + string.Concat(Enumerable.Repeat(closing, 20_000));
        string before = kernel.Execute("Environment.ProcessId").Value;
        Assert.Equal("invalid", (string?)kernel.Ask("is_complete_request", new() { ["code"] = deep })["status"]);
        Assert.Equal("error",
            (string?)kernel.Ask("complete_request", new() { ["code"] = deep, ["cursor_pos"] = 20_000 })["status"]);
        Assert.Equal("error",
            (string?)kernel.Ask("inspect_request", new() { ["code"] = deep, ["cursor_pos"] = 20_000 })["status"]);
        KernelClient.Result result = kernel.Execute(deep);
        Assert.Equal("CompilationError", (string?)result.Reply["ename"]);
        Assert.Contains("too deep for the compiler", (string?)result.Reply["evalue"]);
        Assert.Equal(before, kernel.Execute("Environment.ProcessId").Value);
    }

    [Fact]
    public void NamesAreCompletedFromTheCompilersView()
    {
        kernel.Execute("var lesions = new List<string> { \"naevus\" };");
        string[] Matches(string code, int? cursor = null) => [.. kernel
            .Ask("complete_request", new() { ["code"] = code, ["cursor_pos"] = cursor ?? code.Length })["matches"]!
            .AsArray().Select(m => (string)m!)];
        Assert.Equal(["lesions"], Matches("lesio"));
        Assert.Equal(["Write", "WriteLine"], Matches("Console.Wri"));
        Assert.Contains("FirstOrDefault", Matches("lesions.First"));
        Assert.Equal(["foreach"], Matches("forea"));
        Assert.Contains("IO", Matches("System."));
        Assert.DoesNotContain("Sort", Matches("List<int>."));
        Assert.Empty(Matches("// Console.Wri"));
        Assert.Empty(Matches("\"lesio"));
        // Beyond the basic plane the protocol counts characters, not halves.
        JsonObject reply = kernel.Ask("complete_request",
            new() { ["code"] = "\"😀\".Substr + 1", ["cursor_pos"] = 10 });
        Assert.Equal(("Substring", 4, 10),
            ((string?)reply["matches"]![0], (int)reply["cursor_start"]!, (int)reply["cursor_end"]!));
    }

    [Fact]
    public void InspectShowsSignatureValueAndDocumentation()
    {
        kernel.Execute("#r \"DermKit.dll\"\nusing DermKit;\nint size = 224;");
        string Text(string code, int cursor) => (string?)kernel.Ask("inspect_request",
            new() { ["code"] = code, ["cursor_pos"] = cursor, ["detail_level"] = 0 })["data"]!["text/plain"] ?? "";
        Assert.Equal("int size\n= 224", Text("size + 1", 4));
        Assert.Contains("KitSettings KitSettings.FromEnvironment()", Text("KitSettings.FromEnvironment(", 28));
        Assert.Contains("Reads the environment", Text("KitSettings.FromEnvironment(", 28));
        Assert.False((bool)kernel.Ask("inspect_request",
            new() { ["code"] = "nothing_of_this_name", ["cursor_pos"] = 3 })["found"]!);
    }

    [Fact]
    public void AFigureCarriesItsOwnScripts()
    {
        KernelClient.Result result = kernel.Execute("#r \"DermKit.dll\"\nusing DermKit.Reporting;\nnew "
            + "HeatmapFigure(\"map\", \"Map\", \"One field.\", \"One field of 0.5.\", new[] { \"a\" }, new[] { \"b\" "
            + "}, new double[,] { { 0.5 } })");
        Assert.True(result.Status == "ok", (string?)result.Reply["evalue"]);
        JsonNode data = result.Of("execute_result").Single()["data"]!;
        Assert.Contains("plotly.js v2", (string?)data["text/html"]);
        Assert.Contains("Figure map: Map.", (string?)data["text/plain"]);
    }

    [Fact]
    public void CommsAndHistoryAreEmpty()
    {
        Assert.Empty(kernel.Ask("comm_info_request", [])["comms"]!.AsObject());
        Assert.Empty(kernel
            .Ask("history_request",
                new() { ["output"] = false, ["raw"] = true, ["hist_access_type"] = "tail", ["n"] = 3 })["history"]!
            .AsArray());
        Assert.Equal("c1",
            (string?)kernel
                .Tell("comm_open",
                    new() { ["comm_id"] = "c1", ["target_name"] = "widget", ["data"] = new JsonObject() })
                .Single(p => p.Type == "comm_close").Content["comm_id"]);
        Assert.All(kernel.Tell("unheard_of", []), p => Assert.Equal("status", p.Type));
    }

    [Fact]
    public void ARequestThatCannotBeTakenIsAnError()
    {
        Assert.Equal("error", (string?)kernel.Ask("execute_request", new() { ["code"] = 7 })["status"]);
        Assert.Equal("2", kernel.Execute("1 + 1").Value);
    }

    [Fact]
    public void AWrongSignatureIsDroppedAndCounted()
    {
        int before = kernel.Dropped;
        JupyterMessage message = JupyterMessage.Create("execute_request", new() { ["code"] = "Environment.Exit(1);" },
            "stranger", null, []);
        kernel.SendRaw(message.ToFrames("another key"u8.ToArray()));
        IReadOnlyList<byte[]> changed = message.ToFrames(kernel.Key);
        changed[^1][^3] ^= 1;
        kernel.SendRaw(changed);
        kernel.SendRaw(["no"u8.ToArray(), "message"u8.ToArray()]);
        kernel.SendRaw(new JupyterMessage([], new JsonObject { ["msg_type"] = 7 }, [], []).ToFrames(kernel.Key));
        Assert.Equal("3", kernel.Execute("1 + 2").Value);
        Assert.Equal(before + 4, kernel.Dropped);
    }

    [Fact]
    public void TheSignatureIsThatOfTheProtocol() =>
        // python3 -c "import hmac; print(hmac.new(b'key', b'{}{}{}{}', 'sha256').hexdigest())"
        Assert.Equal("ca767b02c5bc061ed184a9a029e7f93a7f2f7ed4e8fe74120fc1212f0b008fa3",
            System.Text.Encoding.ASCII.GetString(new JupyterMessage([], [], [], []).ToFrames("key"u8.ToArray())[1]));

    [Fact]
    public void TheHeartIsHeardWhileACellRuns()
    {
        string running = kernel.Begin("await Task.Delay(1000);");
        using var request = new RequestSocket(kernel.HeartbeatAddress);
        request.SendFrame("ping");
        Assert.True(request.TryReceiveFrameString(TimeSpan.FromSeconds(20), out string? heard));
        Assert.Equal("ping", heard);
        Assert.Equal("ok", kernel.Finish(running).Status);
    }

    [Fact]
    public void AnInterruptStopsTheCellAndVariablesLiveOn()
    {
        string id = kernel.Begin("int done = 1;\nConsole.WriteLine(\"began\");\nawait Task.Delay(600000, "
            + "(System.Threading.CancellationToken)AppContext.GetData(\"DermKit.Cancellation\"));\ndone = 2;");
        List<(string, JsonObject)> published = kernel.UntilPrinted(id, "began");
        Assert.Equal("ok", (string?)kernel.Ask("interrupt_request", [], control: true)["status"]);
        KernelClient.Result result = kernel.Finish(id, published);
        Assert.Equal(("error", "Interrupted"), (result.Status, (string?)result.Reply["ename"]));
        Assert.Contains(", line 3:", (string?)result.Reply["traceback"]![0]);
        Assert.Equal("began\n", result.Printed());
        Assert.Equal("1", kernel.Execute("done").Value);
        // An interrupt with nothing to stop harms no later cell.
        kernel.Ask("interrupt_request", [], control: true);
        Assert.Equal("False",
            kernel.Execute(
                "((System.Threading.CancellationToken)AppContext.GetData(\"DermKit.Cancellation\")).IsCancellationRequested").Value);
    }

    [Fact]
    public void AHundredMegabytesOfTextAreCut()
    {
        KernelClient.Result result =
            kernel.Execute("for (int i = 0; i < 1000; i++) Console.WriteLine(new string('x', 100_000));\n\"end\"");
        Assert.Equal("end", result.Value);
        Assert.InRange(result.Printed().Length, StreamLimit.MaxCharacters, StreamLimit.MaxCharacters + 100);
        Assert.EndsWith($".. cut after {StreamLimit.MaxCharacters} characters\n", result.Printed());
    }
}
