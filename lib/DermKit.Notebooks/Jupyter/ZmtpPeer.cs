using System.Buffers.Binary;
using System.Net.Sockets;
using System.Threading.Channels;

namespace DermKit.Notebooks;

/// <summary>The listening side of ZMTP 3.0 over TCP with the NULL mechanism (https://rfc.zeromq.org/spec/23/). A
/// hostile peer can end its own connection only: memory follows the received bytes, not an announced length, and
/// parsing uses no recursion.</summary>
internal sealed class ZmtpPeer : IDisposable
{
    private const int MoreFlag = 1;
    private const int LongFlag = 2;
    private const int CommandFlag = 4;

    // Counted for each frame, so that empty frames reach a message's limit.
    private const int FrameCost = 64;

    private static readonly byte[] Mechanism = Encoding.ASCII.GetBytes("NULL".PadRight(20, '\0'));
    private static readonly TimeSpan GreetingTime = TimeSpan.FromSeconds(10);
    private readonly NetworkStream _stream;
    private readonly long _mostWaiting;
    private readonly Channel<byte[]> _outgoing = Channel.CreateUnbounded<byte[]>();
    private readonly Task _writing;
    private readonly List<byte[]> _topics = [];
    private long _waiting;

    internal ZmtpPeer(Socket socket, int id, long mostWaiting)
    {
        Id = id;
        _mostWaiting = mostWaiting;
        socket.NoDelay = true;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _writing = WriteAsync();
    }

    // Assigned by the port: no peer can use another's name.
    internal int Id { get; }

    // Takes messages until the peer disconnects, breaks the protocol or sends a message longer than the limit, which
    // are exceptions.
    internal async Task ServeAsync(string type, int limit, Action<List<byte[]>> take, CancellationToken cancellation)
    {
        await using var input = new BufferedStream(_stream, 1 << 14);
        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
        {
            patience.CancelAfter(GreetingTime);
            await GreetAsync(input, type, patience.Token);
        }
        while (true) take(await ReadAsync(input, limit, cancellation));
    }

    private async Task GreetAsync(Stream input, string type, CancellationToken cancellation)
    {
        byte[] greeting = new byte[64];
        greeting[0] = 0xff;
        greeting[9] = 0x7f;
        greeting[10] = 3;
        Mechanism.CopyTo(greeting, 12);
        Send(greeting);
        byte[] value = Encoding.ASCII.GetBytes(type);
        Send(Frame(CommandFlag, [.. "\u0005READY\u000bSocket-Type\0\0\0"u8, (byte)value.Length, .. value]));

        byte[] theirs = new byte[greeting.Length];
        await input.ReadExactlyAsync(theirs, cancellation);
        bool speaks = theirs[0] == 0xff && (theirs[9] & 1) == 1 && theirs[10] >= 3;
        if (!speaks || !theirs.AsSpan(12, 20).SequenceEqual(Mechanism))
            throw new InvalidDataException("no ZMTP 3 with NULL");
        (int flags, byte[] ready) = await ReadFrameAsync(input, limit: 1 << 16, cancellation);
        if ((flags & CommandFlag) == 0 || !ready.AsSpan().StartsWith("\u0005READY"u8))
            throw new InvalidDataException("no READY");
    }

    private async Task<List<byte[]>> ReadAsync(Stream input, int limit, CancellationToken cancellation)
    {
        var frames = new List<byte[]>();
        for (long left = limit; ;)
        {
            (int flags, byte[] body) = await ReadFrameAsync(input, left, cancellation);
            if ((flags & CommandFlag) != 0)
            {
                // A pong repeats the context after the time to live; other commands need no answer.
                if (body.Length >= 7 && body.AsSpan().StartsWith("\u0004PING"u8))
                    Send(Frame(CommandFlag, [.. "\u0004PONG"u8, .. body.AsSpan(7, Math.Min(16, body.Length - 7))]));
                continue;
            }
            left -= body.Length + FrameCost;
            frames.Add(body);
            if ((flags & MoreFlag) == 0) return frames;
        }
    }

    internal static byte[] Encode(IReadOnlyList<byte[]> frames)
    {
        using var bytes = new MemoryStream();
        for (int i = 0; i < frames.Count; i++) bytes.Write(Frame(i < frames.Count - 1 ? MoreFlag : 0, frames[i]));
        return bytes.ToArray();
    }

    internal void Send(byte[] bytes)
    {
        if (Interlocked.Add(ref _waiting, bytes.Length) - bytes.Length > _mostWaiting) Dispose();
        else _outgoing.Writer.TryWrite(bytes);
    }

    // Ends the connection after what waits has been sent.
    internal Task EndAsync()
    {
        _outgoing.Writer.TryComplete();
        return _writing;
    }

    // 1 and a topic subscribes, 0 and a topic unsubscribes.
    internal void Subscribe(IReadOnlyList<byte[]> message)
    {
        if (message is not [[0 or 1, ..] change]) return;
        lock (_topics)
        {
            int at = _topics.FindIndex(t => t.AsSpan().SequenceEqual(change.AsSpan(1)));
            if (change[0] == 1) _topics.Add(change[1..]);
            else if (at >= 0) _topics.RemoveAt(at);
            if (_topics.Count > 1000) throw new InvalidDataException("more than 1000 subscriptions");
        }
    }

    internal bool Wants(byte[] topic)
    {
        lock (_topics) return _topics.Any(t => topic.AsSpan().StartsWith(t));
    }

    public void Dispose()
    {
        _outgoing.Writer.TryComplete();
        _stream.Dispose();
    }

    private static byte[] Frame(int flags, byte[] body)
    {
        bool isLong = body.Length > 255;
        byte[] frame = new byte[body.Length + (isLong ? 9 : 2)];
        frame[0] = (byte)(flags | (isLong ? LongFlag : 0));
        if (isLong) BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(1), body.Length);
        else frame[1] = (byte)body.Length;
        body.CopyTo(frame, frame.Length - body.Length);
        return frame;
    }

    private static async Task<(int Flags, byte[] Body)> ReadFrameAsync(Stream input, long limit,
        CancellationToken cancellation)
    {
        byte[] head = new byte[9];
        await input.ReadExactlyAsync(head.AsMemory(0, 2), cancellation);
        int flags = head[0];
        long size = head[1];
        if ((flags & LongFlag) != 0)
        {
            await input.ReadExactlyAsync(head.AsMemory(2), cancellation);
            size = BinaryPrimitives.ReadInt64BigEndian(head.AsSpan(1));
        }
        if (size < 0 || size > limit)
            throw new InvalidDataException($"a frame of {size} bytes, at most {limit} expected");
        byte[] body = [];
        for (int read = 0; read < size; read = body.Length)
        {
            Array.Resize(ref body, (int)Math.Min(size, Math.Max(1 << 16, read * 2L)));
            await input.ReadExactlyAsync(body.AsMemory(read), cancellation);
        }
        return (flags, body);
    }

    private async Task WriteAsync()
    {
        try
        {
            await foreach (byte[] bytes in _outgoing.Reader.ReadAllAsync())
            {
                await _stream.WriteAsync(bytes);
                Interlocked.Add(ref _waiting, -bytes.Length);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The peer has disconnected; the reading side notices too.
        }
        Dispose();
    }
}
