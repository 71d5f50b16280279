using System.IO.Pipes;

namespace DermKit.Notebooks;

/// <summary>The child's side: a script session behind a pipe of JSON lines. Requests: run {cell, source}; complete,
/// inspect and isComplete {source, cursor}; cancel. Messages: {output}; after a cell {error, peak, provenance}; after
/// a question {answer}. Native libraries print on stdout, so it is no pipe. The process ends with the pipe.</summary>
internal static class SessionServer
{
    internal static async Task<int> RunAsync(string pipeName, string folder, bool live)
    {
        if (live) AppContext.SetSwitch("DermKit.Report", false);
        // A terminal sends Ctrl-C to the whole process group; the parent decides.
        Console.CancelKeyPress += (_, e) => e.Cancel = true;
        Environment.CurrentDirectory = folder;
        await using var pipe = new NamedPipeClientStream(".", pipeName, PipeDirection.InOut,
            PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        await pipe.ConnectAsync(10_000);
        void Send(JsonObject message) => SessionPipe.Send(pipe, message);
        using var session = new ScriptSession(folder, output => Send(new() { ["output"] = output }));
        using var reader = new StreamReader(pipe, leaveOpen: true);
        CancellationTokenSource? last = null;
        Task running = Task.CompletedTask;
        while (await reader.ReadLineAsync() is { } line)
        {
            var message = (JsonObject)JsonNode.Parse(line)!;
            if ((string?)message["op"] == "cancel")
            {
                // Not awaited: callbacks may take time.
                _ = last?.CancelAsync();
                continue;
            }
#pragma warning disable CA2000 // A late cancel may reach a request that has ended.
            CancellationToken cancelled = (last = new()).Token;
#pragma warning restore CA2000
            Task previous = running;
            // On a pool thread, so that a blocking cell does not delay reading.
            running = Task.Run(async () =>
            {
                await previous;
                Send(message["cell"] is { } cell ? await RunAsync(session, message, (string)cell!, cancelled)
                    : new() { ["answer"] = Answer(session, message) });
            }, CancellationToken.None);
        }
        return 0;
    }

    private static async Task<JsonObject> RunAsync(ScriptSession session, JsonObject message, string cell,
        CancellationToken cancellation)
    {
        CellError? error = await session.RunAsync((string)message["source"]!, cell, cancellation);
        using var process = Process.GetCurrentProcess();
        var provenance = session.Provenance.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value));
        return new()
        {
            ["error"] = error?.Summary,
            ["peak"] = process.PeakWorkingSet64,
            ["provenance"] = new JsonObject(provenance),
        };
    }

    private static JsonObject Answer(ScriptSession session, JsonObject question)
    {
        try
        {
            string source = (string)question["source"]!;
            int cursor = (int)question["cursor"]!;
            return (string?)question["op"] switch
            {
                "isComplete" => CodeHelp.IsComplete(source),
                "complete" => CodeHelp.Complete(session.Compile(source), cursor),
                _ => CodeHelp.Inspect(session.Compile(source), cursor, session.Variable),
            };
        }
        catch (Exception e)
        {
            // The compiler may fail on an unfinished cell; the session survives.
            return new() { ["error"] = e.Message };
        }
    }
}
