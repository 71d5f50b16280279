using System.Net.Sockets;

namespace DermKit.Notebooks;

internal sealed record ZmtpLimits(int Message, long Waiting);

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

    internal ZmtpPort(IPEndPoint address, string type, ZmtpLimits limits, Action<ZmtpPeer, List<byte[]>> take)
    {
        _type = type;
        _limits = limits;
        _take = take;
        _listener = new TcpListener(address);
        _listener.Start();
    }

    internal IEnumerable<ZmtpPeer> Peers => _peers.Values;

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
                _ = ServeAsync(new ZmtpPeer(socket, Interlocked.Increment(ref _last), _limits.Waiting));
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
            // The peer disconnected, sent no greeting or uses another protocol; only its connection ends.
        }
        finally
        {
            _peers.TryRemove(peer.Id, out _);
            peer.Dispose();
        }
    }
}
