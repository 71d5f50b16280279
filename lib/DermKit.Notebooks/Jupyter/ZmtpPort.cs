using System.Net.Sockets;

namespace DermKit.Notebooks;

internal sealed record ZmtpLimits(int Message, long Waiting);

internal sealed class ZmtpPort(IPEndPoint address, string type, ZmtpLimits limits,
    Action<ZmtpPeer, List<byte[]>> take) : IDisposable
{
    private readonly ConcurrentDictionary<int, ZmtpPeer> _peers = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener = new(address);
    private int _last;

    internal IEnumerable<ZmtpPeer> Peers => _peers.Values;

    // Throws when the port is not free.
    internal void Listen() => _listener.Start();

    internal void Start() => _ = Task.Run(AcceptAsync);

    internal void Send(int id, byte[] bytes)
    {
        if (_peers.TryGetValue(id, out ZmtpPeer? peer)) peer.Send(bytes);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        foreach (ZmtpPeer peer in _peers.Values) peer.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                _ = ServeAsync(new ZmtpPeer(socket, ++_last, limits.Waiting));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // The peer has disconnected, or this process has no free file descriptor.
                await Task.Delay(50);
            }
        }
    }

    private async Task ServeAsync(ZmtpPeer peer)
    {
        try
        {
            _peers[peer.Id] = peer;
            await peer.ServeAsync(type, limits.Message, frames => take(peer, frames), _stop.Token);
        }
        catch (Exception e) when (e is IOException or InvalidDataException
            or OperationCanceledException or ObjectDisposedException)
        {
            // The peer disconnected, sent no greeting or uses another protocol; only its connection ends.
        }
        finally
        {
            _peers.TryRemove(peer.Id, out _);
            peer.Dispose();
        }
    }
}
