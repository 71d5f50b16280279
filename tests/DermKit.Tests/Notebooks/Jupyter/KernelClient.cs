using DermKit.Notebooks;
using NetMQ;
using NetMQ.Sockets;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

/// <summary>A kernel on ports of its own, and a client that speaks to it over real sockets as Jupyter's does.</summary>
internal sealed class KernelClient : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly TemporaryFolder _folder = new();
    private readonly DealerSocket _shell = new(), _control = new();
    private readonly SubscriberSocket _published = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Kernel _kernel;
    private readonly Task _run;

    internal KernelClient(TimeSpan? grace = null)
    {
        ConnectionPath = Path.Combine(_folder.Path, "kernel.json");
        File.WriteAllText(ConnectionPath, Connection().ToJsonString());
        ConnectionFile file = ConnectionFile.Read(ConnectionPath);
        _kernel = new Kernel(file, GeneratedNotebook.Root,
            GeneratedNotebook.LibBin)
        {
            Grace = grace ?? TimeSpan.FromSeconds(5)
        };
        Key = file.Key;
        Ports = file;
        HeartbeatAddress = $"tcp://127.0.0.1:{file.Heartbeat}";
        _published.SubscribeToAnyTopic();
        _published.Connect($"tcp://127.0.0.1:{file.Publish}");
        _shell.Connect($"tcp://127.0.0.1:{file.Shell}");
        _control.Connect($"tcp://127.0.0.1:{file.Control}");
        // A subscription takes effect a moment after connecting: a request is repeated until its
        // status is published, as clients do.
        for (int i = 0; i < 100; i++)
        {
            string id = Send(_control, "kernel_info_request", []);
            Read(_control, id);
            if (_published.TryReceiveFrameBytes(TimeSpan.FromMilliseconds(50), out _)) break;
        }
        _run = _kernel.RunAsync(_stop.Token);
        while (_published.TryReceiveFrameString(TimeSpan.FromMilliseconds(200), out _)) { }
    }

    internal string ConnectionPath { get; }

    internal byte[] Key { get; }

    internal ConnectionFile Ports { get; }

    internal string HeartbeatAddress { get; }

    internal int Dropped => _kernel.Dropped;

    /// <summary>Ends when the kernel does.</summary>
    internal Task Ended => _run;

    /// <summary>A connection file with free ports, as a client writes it.</summary>
    internal static JsonObject Connection()
    {
        TcpListener[] free = [.. Enumerable.Range(0, 5).Select(_ => new TcpListener(IPAddress.Loopback, 0))];
        foreach (TcpListener listener in free) listener.Start();
        int[] ports = [.. free.Select(f => ((IPEndPoint)f.LocalEndpoint).Port)];
        foreach (TcpListener listener in free) listener.Dispose();
        return new()
        {
            ["shell_port"] = ports[0],
            ["iopub_port"] = ports[1],
            ["stdin_port"] = ports[2],
            ["control_port"] = ports[3],
            ["hb_port"] = ports[4],
            ["ip"] = "127.0.0.1",
            ["key"] = Guid.NewGuid().ToString(),
            ["transport"] = "tcp",
            ["signature_scheme"] = "hmac-sha256",
            ["kernel_name"] = "added by the client",
        };
    }

    /// <summary>What an execute request led to: its reply, and what was published for it but its status.</summary>
    internal sealed record Result(JsonObject Reply, IReadOnlyList<(string Type, JsonObject Content)> Published)
    {
        internal string Status => (string)Reply["status"]!;

        internal IEnumerable<JsonObject> Of(string type) => Published.Where(p => p.Type == type).Select(p => p.Content);

        internal string Printed(string stream = "stdout") =>
            string.Concat(Of("stream").Where(s => (string?)s["name"] == stream).Select(s => (string)s["text"]!));

        internal string Value => (string)Of("execute_result").Single()["data"]!["text/plain"]!;
    }

    internal Result Execute(string code, JsonObject? more = null) => Finish(Begin(code, more));

    /// <summary>Sends an execute request and does not wait.</summary>
    /// <returns>The request's id.</returns>
    internal string Begin(string code, JsonObject? more = null)
    {
        var content = new JsonObject
        {
            ["code"] = code,
            ["silent"] = false,
            ["store_history"] = true,
            ["user_expressions"] = new JsonObject(),
            ["allow_stdin"] = false,
            ["stop_on_error"] = true
        };
        foreach ((string key, JsonNode? value) in more ?? []) content[key] = value?.DeepClone();
        return Send(_shell, "execute_request", content);
    }

    /// <summary>Reads all that belongs to a request, from busy to idle.</summary>
    internal Result Finish(string id, List<(string, JsonObject)>? published = null)
    {
        published ??= [];
        while (true)
        {
            (string type, JsonObject content) = Published(id);
            if (type != "status") published.Add((type, content));
            else if ((string?)content["execution_state"] == "idle") return new(Read(_shell, id).Content, published);
        }
    }

    /// <summary>Reads what is published for a request until a text is printed.</summary>
    internal List<(string, JsonObject)> UntilPrinted(string id, string text, string stream = "stdout")
    {
        var published = new List<(string Type, JsonObject Content)>();
        while (!string.Concat(published.Where(p => p.Type == "stream" && (string?)p.Content["name"] == stream)
            .Select(p => (string)p.Content["text"]!)).Contains(text, StringComparison.Ordinal))
            if (Published(id) is var next && next.Type != "status") published.Add(next);
        return published;
    }

    /// <summary>A request and its reply.</summary>
    internal JsonObject Ask(string type, JsonObject content, bool control = false) =>
        Read(control ? _control : _shell, Send(control ? _control : _shell, type, content)).Content;

    /// <summary>What is published for a request that has no reply.</summary>
    internal IReadOnlyList<(string Type, JsonObject Content)> Tell(string type, JsonObject content)
    {
        string id = Send(_shell, type, content);
        var published = new List<(string, JsonObject)>();
        do published.Add(Published(id));
        while (published[^1] is not ("status", var status) || (string?)status["execution_state"] != "idle");
        return published;
    }

    /// <summary>Sends frames as they are.</summary>
    internal void SendRaw(IReadOnlyList<byte[]> frames) => _shell.SendMultipartBytes(frames);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        foreach (IDisposable part in new IDisposable[] { _shell, _control, _published, _kernel, _stop, _folder })
            part.Dispose();
    }

    private string Send(NetMQSocket socket, string type, JsonObject content)
    {
        JupyterMessage message = JupyterMessage.Create(type, content, "test", null, []);
        socket.SendMultipartBytes(message.ToFrames(Key));
        return (string)message.Header["msg_id"]!;
    }

    private JupyterMessage Read(NetMQSocket socket, string parent)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < Patience)
        {
            var frames = new NetMQMessage();
            if (!socket.TryReceiveMultipartMessage(TimeSpan.FromSeconds(1), ref frames)) continue;
            JupyterMessage message = JupyterMessage.Read([.. frames.Select(f => f.ToByteArray())], Key)
                ?? throw new InvalidOperationException("The kernel sent a message that is not signed with its key.");
            if ((string?)message.Parent["msg_id"] == parent) return message;
        }
        throw new TimeoutException($"No answer to {parent} within {Patience}.");
    }

    private (string Type, JsonObject Content) Published(string parent)
    {
        JupyterMessage message = Read(_published, parent);
        if (Encoding.ASCII.GetString(message.Identities.Single()) != message.Type)
            throw new InvalidOperationException($"The topic of {message.Type} is another.");
        return (message.Type, message.Content);
    }
}
