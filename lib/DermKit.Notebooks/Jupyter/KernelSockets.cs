using System.Net;
using System.Net.Sockets;
using System.Numerics;

namespace DermKit.Notebooks;

/// <summary>The five ports of a kernel: takes signed requests, sends from any thread, gives back heartbeats.</summary>
internal sealed class KernelSockets : IDisposable
{
    /// <summary>
    /// Most bytes of a request: far more than any cell, and what each stranger may make the kernel keep.
    /// </summary>
    private const int LargestRequest = 64 << 20;

    /// <summary>Outputs that wait for a slow client; the text that a cell prints is limited elsewhere.</summary>
    private const long MostWaiting = 256 << 20;

    private static readonly ZmtpLimits Requests = new(LargestRequest, MostWaiting), Small = new(1 << 16, 1 << 20);
    private readonly ZmtpPort _shell, _control, _publish;
    private readonly List<ZmtpPort> _ports = [];
    private readonly byte[] _key;
    private int _dropped;

    /// <param name="connection">Addresses and key.</param>
    /// <param name="shell">Takes requests of the shell channel, on any thread: it must not wait.</param>
    /// <param name="control">Takes requests of the control channel, likewise.</param>
    /// <exception cref="KitException">A port is in use.</exception>
    internal KernelSockets(ConnectionFile connection, Action<JupyterMessage> shell, Action<JupyterMessage> control)
    {
        _key = connection.Key;
        ZmtpPort Open(int port, string type, ZmtpLimits limits, Action<ZmtpPeer, List<byte[]>> take)
        {
            try
            {
                _ports.Add(new ZmtpPort(new IPEndPoint(connection.Address, port), type, limits, take));
                return _ports[^1];
            }
            catch (SocketException e)
            {
                Dispose();
                string found = $"Port {port} on {connection.Address} is unavailable ({e.SocketErrorCode})";
                const string Remedy = "is another kernel running on the same connection file? Each kernel needs a file of its own.";
                throw new KitException($"{found}; {Remedy}", e);
            }
        }

        _shell = Open(connection.Shell, "ROUTER", Requests, (peer, frames) => Receive(peer, frames, shell));
        ZmtpLimits outputs = Small with { Waiting = MostWaiting };
        _publish = Open(connection.Publish, "PUB", outputs, (peer, frames) => peer.Subscribe(frames));
        // No cell of this kernel asks the user, so nothing that comes on this port is an answer.
        Open(connection.Input, "ROUTER", Small, (_, _) => { });
        _control = Open(connection.Control, "ROUTER", Requests, (peer, frames) => Receive(peer, frames, control));
        // A router and no reply socket: it gives back what comes, in whatever form, and waits for no peer.
        Open(connection.Heartbeat, "ROUTER", Small, (peer, frames) => peer.Send(ZmtpPeer.Encode(frames)));
    }

    /// <summary>Begins to take and to send; who takes requests may send from then on.</summary>
    internal void Start() => _ports.ForEach(p => p.Start());

    /// <summary>How many messages were no messages or had another key's signature.</summary>
    internal int Dropped => _dropped;

    internal void Reply(bool control, JupyterMessage message)
    {
        int peer = BitConverter.ToInt32(message.Identities[0]);
        (control ? _control : _shell).Send(peer, ZmtpPeer.Encode([.. message.ToFrames(_key).Skip(1)]));
    }

    internal void Publish(JupyterMessage message)
    {
        IReadOnlyList<byte[]> frames = message.ToFrames(_key);
        byte[] bytes = ZmtpPeer.Encode(frames);
        foreach (ZmtpPeer peer in _publish.Peers.Where(p => p.Wants(frames[0]))) peer.Send(bytes);
    }

    /// <summary>
    /// Ends when all that was handed over before is on its way; a peer that reads nothing for a second is not waited
    /// for.
    /// </summary>
    internal Task FlushAsync()
    {
        IEnumerable<Task> sent = _ports.SelectMany(p => p.Peers).Select(p => p.FlushAsync());
        return Task.WhenAny(Task.WhenAll(sent), Task.Delay(TimeSpan.FromSeconds(1)));
    }

    public void Dispose() => _ports.ForEach(p => p.Dispose());

    private void Receive(ZmtpPeer peer, List<byte[]> frames, Action<JupyterMessage> take)
    {
        if (JupyterMessage.Read([BitConverter.GetBytes(peer.Id), .. frames], _key) is { } message)
        {
            take(message);
            return;
        }
        // Not a line for each, or a stranger could fill the client's log.
        int dropped = Interlocked.Increment(ref _dropped);
        if (!BitOperations.IsPow2(dropped)) return;
        const string What = "kit jupyter: dropped a message without the signature of this kernel's key";
        Console.Error.WriteLine($"{What}; {dropped} so far.");
    }
}
