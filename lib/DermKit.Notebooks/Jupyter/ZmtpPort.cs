using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace DermKit.Notebooks;

/// <summary>What a port takes from a peer.</summary>
/// <param name="Message">Most bytes of a message.</param>
/// <param name="Waiting">Most bytes that wait for a peer to read them.</param>
internal sealed record ZmtpLimits(int Message, long Waiting);

/// <summary>A listening ZeroMQ socket: every peer is served by itself, so that none waits for another.</summary>
internal sealed class ZmtpPort : IDisposable
{
    private static readonly TimeSpan GreetingTime = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<int, ZmtpPeer> _peers = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener;
    private readonly string _type;
    private readonly ZmtpLimits _limits;
    private readonly Action<ZmtpPeer, List<byte[]>> _take;
    private int _last;

    /// <param name="address">Address and port to listen on.</param>
    /// <param name="type">Type of the socket, such as ROUTER.</param>
    /// <param name="limits">What is taken from a peer.</param>
    /// <param name="take">Takes each message of a peer, on any thread; it must not wait.</param>
    /// <exception cref="SocketException">The port is in use.</exception>
    internal ZmtpPort(IPEndPoint address, string type, ZmtpLimits limits, Action<ZmtpPeer, List<byte[]>> take)
    {
        _type = type;
        _limits = limits;
        _take = take;
        _listener = new TcpListener(address);
        _listener.Start();
    }

    /// <summary>The peers whose greeting was read.</summary>
    internal IEnumerable<ZmtpPeer> Peers => _peers.Values;

    /// <summary>Begins to take connections.</summary>
    internal void Start() => _ = Task.Run(AcceptAsync);

    /// <summary>Sends to one peer; a peer that has left gets nothing.</summary>
    internal void Send(int id, byte[] bytes)
    {
        if (_peers.TryGetValue(id, out ZmtpPeer? peer)) peer.Send(bytes);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        foreach (ZmtpPeer peer in _peers.Values) peer.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                _ = ServeAsync(new ZmtpPeer(socket, Interlocked.Increment(ref _last), _limits.Waiting));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // The peer has left already, or this process has no file descriptor free: the next one is still to be
                // taken.
                await Task.Delay(50);
            }
        }
    }

    private async Task ServeAsync(ZmtpPeer peer)
    {
        try
        {
            using (var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token))
            {
                patience.CancelAfter(GreetingTime);
                await peer.GreetAsync(_type, patience.Token);
            }
            _peers[peer.Id] = peer;
            while (true) _take(peer, await peer.ReadAsync(_limits.Message, _stop.Token));
        }
        catch (Exception e) when (e is IOException or InvalidDataException
            or OperationCanceledException or ObjectDisposedException)
        {
            // The peer has left, never spoke, or speaks another protocol; its connection ends and no other.
        }
        finally
        {
            _peers.TryRemove(peer.Id, out _);
            peer.Dispose();
        }
    }
}
