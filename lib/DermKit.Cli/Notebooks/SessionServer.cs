using System.Diagnostics;
using System.IO.Pipes;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace DermKit.Cli.Notebooks;

/// <summary>
/// The child's side: a script session behind a pipe of JSON lines. In: run {cell, source}, cancel. Out: output {output}, done {error, peak, provenance}.
/// The pipe is not stdout, because native libraries print there. When the parent goes, the pipe ends and so does this process.
/// </summary>
internal static class SessionServer
{
    internal static async Task<int> RunAsync(string pipeName, string folder)
    {
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
        Channel<JsonObject> runs = Channel.CreateUnbounded<JsonObject>();
        using var cancelled = new CancellationTokenSource();
        // On a pool thread: a cell that blocks must not hold up the reading of the pipe.
        _ = Task.Run(async () =>
        {
            await foreach (JsonObject run in runs.Reader.ReadAllAsync())
            {
                CellError? error = await session.RunAsync((string)run["source"]!, (string)run["cell"]!, cancelled.Token);
                Send(new JsonObject
                {
                    ["op"] = "done",
                    ["error"] = error?.Summary,
                    ["peak"] = PeakMemory(),
                    ["provenance"] = new JsonObject(session.Provenance.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
                });
            }
        });

        using var reader = new StreamReader(pipe, leaveOpen: true);
        while (await reader.ReadLineAsync() is { } line)
        {
            var message = (JsonObject)JsonNode.Parse(line)!;
            if ((string?)message["op"] == "cancel") await cancelled.CancelAsync();
            else await runs.Writer.WriteAsync(message);
        }
        // A cell that still runs has nobody to report to.
        return 0;
    }

    private static long PeakMemory()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
