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
    private const int GreetingSize = 64;
    private const int LargestReady = 1 << 16;

    // Counted for each frame, so that empty frames reach a message's limit.
    private const int FrameCost = 64;

    private static readonly byte[] Mechanism = Encoding.ASCII.GetBytes("NULL".PadRight(20, '\0'));
    private readonly NetworkStream _stream;
    private readonly byte[] _buffer = new byte[1 << 14];
    private readonly long _mostWaiting;
    private readonly Channel<(byte[] Bytes, TaskCompletionSource? Sent)> _outgoing =
        Channel.CreateUnbounded<(byte[], TaskCompletionSource?)>();

    private readonly List<byte[]> _topics = [];
    private long _waiting;
    private int _from;
    private int _to;

    internal ZmtpPeer(Socket socket, int id, long mostWaiting)
    {
        Id = id;
        _mostWaiting = mostWaiting;
        socket.NoDelay = true;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _ = WriteAsync();
    }

    // Assigned by the port: no peer can use another's name.
    internal int Id { get; }

    internal async Task GreetAsync(string type, CancellationToken cancellation)
    {
        byte[] greeting = new byte[GreetingSize];
        greeting[0] = 0xff;
        greeting[9] = 0x7f;
        greeting[10] = 3;
        Mechanism.CopyTo(greeting, 12);
        Send(greeting);
        byte[] value = Encoding.ASCII.GetBytes(type);
        Send(Frame(CommandFlag, [.. "\u0005READY\u000bSocket-Type\0\0\0"u8, (byte)value.Length, .. value]));

        byte[] theirs = new byte[GreetingSize];
        await FillAsync(theirs, cancellation);
        bool speaks = theirs[0] == 0xff && (theirs[9] & 1) == 1 && theirs[10] >= 3;
        if (!speaks || !theirs.AsSpan(12, 20).SequenceEqual(Mechanism))
            throw new InvalidDataException("no ZMTP 3 with NULL");
        (int flags, byte[] ready) = await ReadFrameAsync(LargestReady, cancellation);
        if ((flags & CommandFlag) == 0 || !ready.AsSpan().StartsWith("\u0005READY"u8))
            throw new InvalidDataException("no READY");
    }

    // Throws for a message longer than the limit.
    internal async Task<List<byte[]>> ReadAsync(int limit, CancellationToken cancellation)
    {
        var frames = new List<byte[]>();
        for (long left = limit; ;)
        {
            (int flags, byte[] body) = await ReadFrameAsync(left, cancellation);
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
        else _outgoing.Writer.TryWrite((bytes, null));
    }

    internal Task FlushAsync()
    {
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _outgoing.Writer.TryWrite(([], sent)) ? sent.Task : Task.CompletedTask;
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
        if (isLong) System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(1), body.Length);
        else frame[1] = (byte)body.Length;
        body.CopyTo(frame, frame.Length - body.Length);
        return frame;
    }

    private async Task<(int Flags, byte[] Body)> ReadFrameAsync(long limit, CancellationToken cancellation)
    {
        byte[] head = new byte[9];
        await FillAsync(head.AsMemory(0, 2), cancellation);
        int flags = head[0];
        long size = head[1];
        if ((flags & LongFlag) != 0)
        {
            await FillAsync(head.AsMemory(2), cancellation);
            size = System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(head.AsSpan(1));
        }
        if (size < 0 || size > limit)
            throw new InvalidDataException($"a frame of {size} bytes, at most {limit} expected");
        byte[] body = new byte[Math.Min(size, 1 << 16)];
        await FillAsync(body, cancellation);
        while (body.Length < size)
        {
            int read = body.Length;
            Array.Resize(ref body, (int)Math.Min(size, read * 2L));
            await FillAsync(body.AsMemory(read), cancellation);
        }
        return (flags, body);
    }

    private async Task FillAsync(Memory<byte> bytes, CancellationToken cancellation)
    {
        while (bytes.Length > 0)
        {
            if (_from == _to)
            {
                _from = 0;
                _to = await _stream.ReadAsync(_buffer, cancellation);
                if (_to == 0) throw new EndOfStreamException();
            }
            int count = Math.Min(bytes.Length, _to - _from);
            _buffer.AsMemory(_from, count).CopyTo(bytes);
            _from += count;
            bytes = bytes[count..];
        }
    }

    private async Task WriteAsync()
    {
        try
        {
            await foreach ((byte[] bytes, TaskCompletionSource? sent) in _outgoing.Reader.ReadAllAsync())
            {
                await _stream.WriteAsync(bytes);
                Interlocked.Add(ref _waiting, -bytes.Length);
                sent?.TrySetResult();
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The peer has disconnected; the reading side notices too.
        }
        Dispose();
        while (_outgoing.Reader.TryRead(out var left)) left.Sent?.TrySetResult();
    }
}
