using System.Net.Sockets;
using System.Numerics;

namespace DermKit.Notebooks;

/// <summary>The five ports of a kernel; thread-safe.</summary>
internal sealed class KernelSockets : IDisposable
{
    // Any stranger may send requests.
    private static readonly ZmtpLimits Requests = new(Message: 64 << 20, Waiting: 256 << 20);
    private static readonly ZmtpLimits Small = new(Message: 1 << 16, Waiting: 1 << 20);
    private readonly ZmtpPort _shell;
    private readonly ZmtpPort _control;
    private readonly ZmtpPort _publish;
    private readonly List<ZmtpPort> _ports = [];
    private readonly byte[] _key;
    private int _dropped;

    internal KernelSockets(ConnectionFile connection, Action<JupyterMessage> shell, Action<JupyterMessage> control)
    {
        _key = connection.Key;
        ZmtpPort Open(int port, string type, ZmtpLimits limits, Action<ZmtpPeer, List<byte[]>> take)
        {
            try
            {
                _ports.Add(new ZmtpPort(new IPEndPoint(connection.Address, port), type, limits, take));
                _ports[^1].Listen();
                return _ports[^1];
            }
            catch (SocketException e)
            {
                Dispose();
                throw new KitException($"Port {port} on {connection.Address} is unavailable ({e.SocketErrorCode}); is "
                    + "another kernel running on the same connection file? Each kernel needs its own file.", e);
            }
        }

        _shell = Open(connection.Shell, "ROUTER", Requests, (peer, frames) => Receive(peer, frames, shell));
        ZmtpLimits outputs = Small with { Waiting = Requests.Waiting };
        _publish = Open(connection.Publish, "PUB", outputs, (peer, frames) => peer.Subscribe(frames));
        // No cell asks the user, so no message here is an answer.
        Open(connection.Input, "ROUTER", Small, (_, _) => { });
        _control = Open(connection.Control, "ROUTER", Requests, (peer, frames) => Receive(peer, frames, control));
        // Unlike a reply socket, a router echoes any message and waits for no peer.
        Open(connection.Heartbeat, "ROUTER", Small, (peer, frames) => peer.Send(ZmtpPeer.Encode(frames)));
    }

    internal void Start() => _ports.ForEach(p => p.Start());

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

    internal Task EndAsync()
    {
        IEnumerable<Task> sent = _ports.SelectMany(p => p.Peers).Select(p => p.EndAsync());
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
        // Fewer and fewer lines, or a stranger could fill the client's log.
        int dropped = Interlocked.Increment(ref _dropped);
        if (BitOperations.IsPow2(dropped))
            Console.Error.WriteLine(
                $"kit jupyter: dropped a message without the signature of this kernel's key; {dropped} so far.");
    }
}
