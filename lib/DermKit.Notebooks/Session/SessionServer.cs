using Microsoft.CodeAnalysis;
using System.Diagnostics;
using System.IO.Pipes;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace DermKit.Notebooks;

/// <summary>
/// The child's side: a script session behind a pipe of JSON lines. In: run {cell, source}, complete, inspect and isComplete {source, cursor}, cancel (the run that was asked for last).
/// Out: output {output}, done {error, peak, provenance}, answer {answer}.
/// The pipe is not stdout, because native libraries print there. When the parent goes, the pipe ends and so does this process.
/// </summary>
internal static class SessionServer
{
    /// <param name="pipeName">The parent's pipe.</param>
    /// <param name="folder">The notebook's folder.</param>
    /// <param name="live">True for a host whose page brings neither style nor scripts: each figure then carries its own.</param>
    internal static async Task<int> RunAsync(string pipeName, string folder, bool live)
    {
        if (live) AppContext.SetSwitch("DermKit.Report", false);
        // A terminal sends Ctrl-C to the whole group; the parent decides what becomes of this process.
        Console.CancelKeyPress += (_, e) => e.Cancel = true;
        Environment.CurrentDirectory = folder;
        await using var pipe = new NamedPipeClientStream(".", pipeName, PipeDirection.InOut, PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        await pipe.ConnectAsync(10_000);
        await using var writer = new StreamWriter(pipe) { AutoFlush = true, NewLine = "\n" };
        void Send(JsonObject message)
        {
            string line = message.ToJsonString();
            lock (writer) writer.WriteLine(line);
        }

        using var session = new ScriptSession(folder, output => Send(new JsonObject { ["op"] = "output", ["output"] = output }));
        Channel<(JsonObject Message, CancellationTokenSource Cancelled)> asked = Channel.CreateUnbounded<(JsonObject, CancellationTokenSource)>();
        // On a pool thread: a cell that blocks must not hold up the reading of the pipe.
        _ = Task.Run(async () =>
        {
            await foreach ((JsonObject message, CancellationTokenSource cancelled) in asked.Reader.ReadAllAsync())
                Send(message["cell"] is { } cell ? await RunAsync(session, message, (string)cell!, cancelled.Token) : new JsonObject { ["op"] = "answer", ["answer"] = Answer(session, message) });
        });

        using var reader = new StreamReader(pipe, leaveOpen: true);
        var last = new CancellationTokenSource();
        while (await reader.ReadLineAsync() is { } line)
        {
            var message = (JsonObject)JsonNode.Parse(line)!;
            if ((string?)message["op"] == "cancel")
            {
                // Not awaited: what is called on cancelling may take its time, and the pipe is to be read on.
                _ = last.CancelAsync();
                continue;
            }
            last = new CancellationTokenSource();
            await asked.Writer.WriteAsync((message, last));
        }
        // A cell that still runs has nobody to report to.
        return 0;
    }

    private static async Task<JsonObject> RunAsync(ScriptSession session, JsonObject message, string cell, CancellationToken cancellation)
    {
        CellError? error = await session.RunAsync((string)message["source"]!, cell, cancellation);
        return new()
        {
            ["op"] = "done",
            ["error"] = error?.Summary,
            ["peak"] = PeakMemory(),
            ["provenance"] = new JsonObject(session.Provenance.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
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
            // An unfinished cell may surprise the compiler; the session and its variables are not to go with it.
            return new() { ["error"] = e.Message };
        }
    }

    private static long PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
