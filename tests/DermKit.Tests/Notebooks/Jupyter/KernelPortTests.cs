using NetMQ;
using NetMQ.Sockets;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Notebooks;

/// <summary>What a local process without the key may send to a port, while a cell runs.</summary>
public sealed class KernelPortTests(SharedKernel shared) : IClassFixture<SharedKernel>
{
    private static readonly byte[] Greeting =
        [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, .. "NULL"u8, .. new byte[16], 0, .. new byte[31]];

    private static readonly byte[] Ready = Frame(4, [.. "\u0005READY\u000bSocket-Type\0\0\0\u0006DEALER"u8]);
    private readonly KernelClient kernel = shared.Client;

    private static byte[] Frame(int flags, byte[] body) => [(byte)flags, (byte)body.Length, .. body];

    private static byte[] Long(int flags, long size)
    {
        byte[] frame = new byte[9];
        frame[0] = (byte)(flags | 2);
        BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(1), size);
        return frame;
    }

    private static byte[] Noise(int length)
    {
        byte[] noise = new byte[length];
        new Random(1).NextBytes(noise);
        return noise;
    }

    /// <summary>Bytes that no ZeroMQ peer sends, or that claim what does not follow.</summary>
    private static IEnumerable<byte[]> Hostile() =>
    [
        [0],
        Noise(100_000),
        Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        Greeting[..10],
        Greeting,
        [.. Greeting[..10], 1, 0, .. Noise(500)],
        [.. Greeting[..12], .. "CURVE"u8, .. new byte[47], .. Noise(200)],
        [.. Greeting, .. Noise(1000)],
        // A command without a name, a READY whose value is of negative length, one that ends early.
        [.. Greeting, 4, 0],
        [.. Greeting, .. Frame(4, [.. "\u0005READY\u000bSocket-Type"u8, 0xff, 0xff, 0xff, 0xff])],
        [.. Greeting, .. Frame(4, [.. "\u0005READY\u000bSocket"u8])],
        [.. Greeting, .. Ready, 4, 0],
        [.. Greeting, .. Ready, .. Frame(4, [.. "\u0004PING"u8])],
        [.. Greeting, .. Ready, .. Frame(4, [.. "\u00ffPING"u8])],
        // Sizes that are announced only: 2 GB, beyond any array, negative.
        [.. Greeting, .. Ready, .. Long(0, 0x7fffffc7)],
        [.. Greeting, .. Ready, .. Long(0, 1L << 62), 1, 2, 3],
        [.. Greeting, .. Ready, .. Long(1, -1), .. Noise(1000)],
        [.. Greeting, .. Long(4, long.MinValue)],
        // Half a frame, half a message, empty frames without end, frames with every flag.
        [.. Greeting, .. Ready, 0, 200, 1, 2, 3],
        [.. Greeting, .. Ready, .. Frame(1, [1, 2]), .. Frame(1, [])],
        [.. Greeting, .. Ready, .. Enumerable.Repeat((byte[])[1, 0], 20_000).SelectMany(f => f)],
        [.. Greeting, .. Ready, .. Enumerable.Repeat((byte[])[0, 0], 20_000).SelectMany(f => f)],
        [.. Greeting, .. Ready, 255, .. Noise(100)],
        // A subscription to a very long topic, very many of them, the end of one that never was.
        [.. Greeting, .. Ready, .. Long(0, 60_000), 1, .. new byte[59_999]],
        [.. Greeting, .. Ready, .. Long(0, 2_000_000), 1, .. new byte[1_999_999]],
        [.. Greeting, .. Ready,
            .. Enumerable.Range(0, 5000).SelectMany(i => Frame(0, [1, .. BitConverter.GetBytes(i)]))],
        [.. Greeting, .. Ready, .. Frame(0, [0, 7])],
    ];

    private int Port(string name) => name switch
    {
        "shell" => kernel.Ports.Shell,
        "control" => kernel.Ports.Control,
        "stdin" => kernel.Ports.Input,
        "iopub" => kernel.Ports.Publish,
        _ => kernel.Ports.Heartbeat,
    };

    private static TcpClient Connect(int port) => new("127.0.0.1", port);

    /// <summary>Sends what a connection takes; the kernel may end it in between.</summary>
    private static void Send(TcpClient client, byte[] bytes)
    {
        try
        {
            client.GetStream().Write(bytes);
        }
        catch (IOException)
        {
            // The kernel has cut this stranger off.
        }
    }

    private void AssertAlive(string running)
    {
        using var heart = new RequestSocket(kernel.HeartbeatAddress);
        heart.SendFrame("ping");
        Assert.True(heart.TryReceiveFrameString(TimeSpan.FromSeconds(20), out string? heard));
        Assert.Equal("ping", heard);
        Assert.Equal("ok", (string?)kernel.Ask("kernel_info_request", [], control: true)["status"]);
        Assert.Equal("ran on", kernel.Finish(running).Value);
        Assert.Equal("2", kernel.Execute("1 + 1").Value);
    }

    [Theory]
    [InlineData("shell")]
    [InlineData("control")]
    [InlineData("stdin")]
    [InlineData("iopub")]
    [InlineData("heartbeat")]
    public void APortOutlivesBytesThatAreNoMessages(string name)
    {
        string running = kernel.Begin("await Task.Delay(500);\n\"ran on\"");
        var strangers = new List<TcpClient>();
        foreach (byte[] bytes in Hostile())
        {
            // One stays and leaves its bytes as they are, one leaves.
            strangers.Add(Connect(Port(name)));
            Send(strangers[^1], bytes);
            using TcpClient gone = Connect(Port(name));
            Send(gone, bytes);
        }
        // Many that never speak.
        for (int i = 0; i < 300; i++) strangers.Add(Connect(Port(name)));
        AssertAlive(running);
        strangers.ForEach(s => s.Dispose());
        Assert.Equal("3", kernel.Execute("1 + 2").Value);
    }

    [Theory]
    [InlineData("shell")]
    [InlineData("control")]
    [InlineData("stdin")]
    [InlineData("iopub")]
    [InlineData("heartbeat")]
    public void APortOutlivesMessagesOfAnyForm(string name)
    {
        string running = kernel.Begin("await Task.Delay(500);\n\"ran on\"");
        using NetMQSocket stranger = name == "iopub" ? new XSubscriberSocket() : new DealerSocket();
        stranger.Connect($"tcp://127.0.0.1:{Port(name)}");
        foreach (byte[][] frames in new byte[][][]
        {
            [[]], [[], []], [[1]], [[], [1]], [[0]], [[2, 3]], ["ping"u8.ToArray()], [[], [], "ping"u8.ToArray()],
            [new byte[70_000]],
            ["<IDS|MSG>"u8.ToArray()], [[], "<IDS|MSG>"u8.ToArray(), [], [], [], [], []],
            [.. Enumerable.Repeat(Array.Empty<byte>(), 500)],
        }) stranger.SendMultipartBytes(frames);
        AssertAlive(running);
    }

    [Fact]
    public void TheHeartGivesBackAnyForm()
    {
        using var dealer = new DealerSocket();
        dealer.Connect(kernel.HeartbeatAddress);
        foreach (byte[][] frames in new byte[][][] { [[7]], [[], [1, 2]], [[1], [], [3]] })
        {
            dealer.SendMultipartBytes(frames);
            var answer = new NetMQMessage();
            Assert.True(dealer.TryReceiveMultipartMessage(TimeSpan.FromSeconds(20), ref answer));
            Assert.Equal(frames, answer!.Select(f => f.ToByteArray()));
        }
    }

    [Fact]
    public void AReplyGoesToItsClientAndNotToAStrangerOfTheSameName()
    {
        using var first = new DealerSocket();
        using var second = new DealerSocket();
        foreach (DealerSocket socket in new[] { second, first })
        {
            socket.Options.Identity = "same"u8.ToArray();
            socket.Connect($"tcp://127.0.0.1:{kernel.Ports.Shell}");
        }
        var request = DermKit.Notebooks.JupyterMessage.Create("kernel_info_request", [], "first", null, []);
        first.SendMultipartBytes(request.ToFrames(kernel.Key));
        var answer = new NetMQMessage();
        Assert.True(first.TryReceiveMultipartMessage(TimeSpan.FromSeconds(20), ref answer));
        Assert.False(second.TryReceiveFrameBytes(TimeSpan.Zero, out _));
    }

    [Fact]
    public void LargeOutputsAndRequestsArriveWhole()
    {
        string text = new('x', 3_000_000);
        Assert.Equal("3000000", kernel.Execute($"\"{text}\".Length").Value);
        JsonObject shown = kernel.Execute("new string('y', 5_000_000)").Of("execute_result").Single();
        Assert.Equal(5_000_000, ((string)shown["data"]!["text/plain"]!).Length);
    }

    [Theory]
    [InlineData("content")]
    [InlineData("header")]
    public void ASignedRequestOfManyBracketsIsDropped(string part)
    {
        int before = kernel.Dropped;
        byte[] deep = Encoding.ASCII.GetBytes($"{{\"code\":{new string('[', 20_000)}{new string(']', 20_000)}}}");
        byte[] header = Encoding.ASCII.GetBytes("{\"msg_id\":\"1\",\"msg_type\":\"comm_msg\"}"),
            none = "{}"u8.ToArray();
        byte[][] parts = part == "header" ? [deep, none, none, none] : [header, none, none, deep];
        byte[] signature = System.Security.Cryptography.HMACSHA256.HashData(kernel.Key,
            parts.SelectMany(p => p).ToArray());
        kernel.SendRaw(["<IDS|MSG>"u8.ToArray(),
            Encoding.ASCII.GetBytes(Convert.ToHexStringLower(signature)), .. parts]);
        Assert.Equal("3", kernel.Execute("1 + 2").Value);
        Assert.Equal(before + 1, kernel.Dropped);
    }
}
