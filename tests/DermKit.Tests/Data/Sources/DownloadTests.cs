using DermKit.Cli;
using DermKit.Data;
using System.Net;
using System.Security.Cryptography;

namespace DermKit.Tests.Data;

/// <summary>Downloads from a server on this machine that breaks off, cheats, or knows no Range.</summary>
public sealed class DownloadTests : IDisposable
{
    private static readonly byte[] Body = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7919 >> 5))];
    private static readonly string Hash = Convert.ToHexStringLower(SHA256.HashData(Body));

    private readonly TemporaryFolder folder = new();
    private readonly HttpListener listener = new();
    private readonly HttpClient http = new();
    private readonly List<string> ranges = [];
    private readonly string address;

    public DownloadTests()
    {
        // A free port may be taken again before the listener has it.
        for (int attempt = 0; ; attempt++)
        {
            string prefix = $"http://127.0.0.1:{Random.Shared.Next(20_000, 60_000)}/";
            listener.Prefixes.Clear();
            listener.Prefixes.Add(prefix);
            try
            {
                listener.Start();
                address = prefix + "set.bin";
                return;
            }
            catch (HttpListenerException) when (attempt < 20)
            {
            }
        }
    }

    public void Dispose()
    {
        listener.Close();
        http.Dispose();
        folder.Dispose();
    }

    private string Target => Path.Combine(folder.Path, "set.bin");

    private string Part => Target + ".part";

    private SourceFile File(long? bytes = 300_000, string? hash = "") => new()
    {
        Name = "set.bin",
        Address = address,
        Bytes = bytes,
        Sha256 = hash == "" ? Hash : hash,
        Unverified = "test"
    };

    /// <summary>Answers each connection with the next handler, the last one for all that follow.</summary>
    private void Serve(params Action<HttpListenerContext>[] handlers) => Task.Run(() =>
    {
        for (int i = 0; listener.IsListening; i++)
        {
            HttpListenerContext context;
            try
            {
                context = listener.GetContext();
            }
            catch (Exception e)
                when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
            lock (ranges) ranges.Add(context.Request.Headers["Range"] ?? "");
            handlers[Math.Min(i, handlers.Length - 1)](context);
        }
    });

    private static Action<HttpListenerContext> Send(byte[] body, int breakAfter = int.MaxValue, bool ranged = true,
        string tag = "\"v1\"", bool chunked = false) => context =>
        {
            HttpListenerResponse response = context.Response;
            int from = 0;
            if (ranged && context.Request.Headers["Range"] is { } range
                && (context.Request.Headers["If-Range"] is not { } mark || mark == tag))
            {
                from = int.Parse(range.Split('=')[1].TrimEnd('-'), System.Globalization.CultureInfo.InvariantCulture);
                response.StatusCode = from < body.Length ? 206 : 416;
                response.AddHeader("Content-Range",
                    from < body.Length ? $"bytes {from}-{body.Length - 1}/{body.Length}" : $"bytes */{body.Length}");
            }
            if (tag.Length > 0) response.AddHeader("ETag", tag);
            int count = Math.Max(0, body.Length - from);
            if (chunked) response.SendChunked = true;
            else response.ContentLength64 = count;
            try
            {
                response.OutputStream.Write(body, Math.Min(from, body.Length), Math.Min(count, breakAfter));
                if (breakAfter < count) response.Abort();
                else response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or IOException)
            {
                // The client went away, which is its right.
            }
        };

    private Task<string> Fetch(SourceFile file, int attempts = 5) => new Download(http, attempts,
        TimeSpan.FromMilliseconds(5)).Fetch(file, folder.Path, cancellation: TestContext.Current.CancellationToken);

    private static Action<HttpListenerContext> Status(int code) => context =>
    {
        context.Response.StatusCode = code;
        context.Response.Close();
    };

    private void AssertWhole()
    {
        Assert.Equal(Body, System.IO.File.ReadAllBytes(Target));
        Assert.Equal([Target], Directory.GetFiles(folder.Path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ABrokenConnectionGoesOnWhereItStopped(bool known)
    {
        Serve(Send(Body, 100_000), Send(Body, 50_000), Status(503), Send(Body));
        Assert.Equal(Target, await Fetch(known ? File() : File(null, null)));
        AssertWhole();
        Assert.Equal(4, ranges.Count);
        Assert.Equal("", ranges[0]);
        Assert.All(ranges.Skip(1), r => Assert.StartsWith("bytes=", r));
        Assert.NotEqual(ranges[1], ranges[3]);
        // What is there and right is not fetched again.
        await Fetch(File());
        Assert.Equal(4, ranges.Count);
    }

    [Fact]
    public async Task AnotherProcessGoesOnAfterTheLastConnectionBroke()
    {
        Serve(Send(Body, 100_000), Status(500));
        string message = (await Assert.ThrowsAsync<KitException>(() => Fetch(File(), attempts: 2))).Message;
        Assert.Contains("the connection broke 2 times", message);
        Assert.Contains("of 300000 bytes are there; the same command continues", message);
        Assert.False(System.IO.File.Exists(Target));
        Assert.True(new FileInfo(Part).Length > 0);
    }

    [Fact]
    public async Task AServerWithoutRangeSendsEverythingAnew()
    {
        Serve(Send(Body, 100_000, ranged: false), Send(Body, ranged: false));
        await Fetch(File());
        AssertWhole();
        Assert.Equal(2, ranges.Count);
    }

    [Fact]
    public async Task TwoVersionsAreNeverJoined()
    {
        byte[] newer = [.. Body.Select(b => (byte)(b ^ 1))];
        Serve(Send(newer, 100_000, tag: "\"old\""), Send(Body));
        await Fetch(File(null, null));
        AssertWhole();
    }

    [Fact]
    public async Task WithoutMarkAndHashItBeginsAnew()
    {
        Serve(Send(Body, 100_000, tag: ""), Send(Body, tag: "W/\"weak\""));
        await Fetch(File(null, null));
        AssertWhole();
        Assert.Equal(["", ""], ranges);
    }

    [Fact]
    public async Task AWrongHashDeletesWhatArrived()
    {
        Serve(Send([.. Body.Select(b => (byte)(b ^ 1))]));
        string message = (await Assert.ThrowsAsync<KitException>(() => Fetch(File()))).Message;
        Assert.Contains($"expected SHA-256 {Hash}, found ", message);
        Assert.Contains("it was deleted; fetch again", message);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task ATruncatedBodyIsNoFile()
    {
        // A server that ends its chunks early looks as if it were done.
        Serve(Send(Body[..200_000], chunked: true, ranged: false));
        string message = (await Assert.ThrowsAsync<KitException>(() => Fetch(File(), attempts: 3))).Message;
        Assert.Contains("the body ended after 200000 of 300000 bytes", message);
        Assert.False(System.IO.File.Exists(Target));
    }

    [Fact]
    public async Task AnotherLengthIsRefusedBeforeAByteIsTaken()
    {
        Serve(Send(Body[..200_000]));
        Assert.Contains("expected 300000 bytes, the server offers 200000",
            (await Assert.ThrowsAsync<KitException>(() => Fetch(File()))).Message);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task MoreThanExpectedIsCutOff()
    {
        Serve(Send([.. Body, .. Body], chunked: true));
        Assert.Contains("the server sends more", (await Assert.ThrowsAsync<KitException>(() => Fetch(File()))).Message);
        Assert.False(System.IO.File.Exists(Target));
    }

    [Fact]
    public async Task AMissingPageIsSaidAtOnce()
    {
        Serve(Status(404));
        Assert.Contains("the server answers 404",
            (await Assert.ThrowsAsync<KitException>(() => Fetch(File()))).Message);
        Assert.Single(ranges);
    }

    [Fact]
    public async Task AnAlteredFileThatIsThereIsNotWrittenOver()
    {
        System.IO.File.WriteAllBytes(Target, Body[..10]);
        Assert.Contains("is there already, expected 300000 bytes, found 10; move it away",
            (await Assert.ThrowsAsync<KitException>(() => Fetch(File()))).Message);
    }

    [Fact]
    public async Task AFullDiskIsSaidAndWhatArrivedStays()
    {
        Assert.SkipUnless(System.IO.File.Exists("/dev/full"), "needs /dev/full, a device on which no byte finds room");
        System.IO.File.CreateSymbolicLink(Part, "/dev/full");
        Serve(Send(Body));
        string message = (await Assert.ThrowsAsync<KitException>(() => Fetch(File()))).Message;
        Assert.Contains("the disk is full", message);
        Assert.Contains("the same command continues", message);
        Assert.Single(ranges);
        Assert.Contains("bytes, ",
            (await Assert.ThrowsAsync<KitException>(() => Fetch(File(bytes: long.MaxValue / 2)))).Message);
    }

    [Theory]
    [InlineData(28)]
    [InlineData(122)]
    public async Task AFullDiskAndAUsedUpQuotaEndTheFirstConnectionAndTheNextCommandGoesOn(int errno)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the numbers of errors are Linux's");
        using var handler = new HalfThenError(new IOException("no room", errno));
        using var client = new HttpClient(handler);
        string message =
            (await Assert.ThrowsAsync<KitException>(() =>
                new Download(client, pause: TimeSpan.Zero).Fetch(File(), folder.Path))).Message;
        Assert.Contains($"{Part}: the disk is full, or a quota used up, after 150000 bytes; they stay. Make room, and "
            + "the same command continues.", message);
        Assert.Equal(1, handler.Connections);
        Assert.Equal(Body[..150_000], System.IO.File.ReadAllBytes(Part));
        Serve(context =>
        {
            context.Response.StatusCode = 206;
            context.Response.AddHeader("Content-Range", $"bytes 150000-299999/{Body.Length}");
            context.Response.OutputStream.Write(Body, 150_000, 150_000);
            context.Response.Close();
        });
        await Fetch(File());
        AssertWhole();
        Assert.Equal("bytes=150000-", Assert.Single(ranges));
    }

    /// <summary>A body that ends in an error half-way, as a write does that finds no room.</summary>
    private sealed class HalfThenError(IOException error) : HttpMessageHandler
    {
        public int Connections { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request,
            CancellationToken cancellationToken)
        {
            Connections++;
            var answer = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(new Half(error)) };
            answer.Content.Headers.ContentLength = Body.Length;
            return Task.FromResult(answer);
        }

        private sealed class Half(IOException error) : MemoryStream(Body[..150_000])
        {
            public override async ValueTask<int> ReadAsync(Memory<byte> buffer,
                CancellationToken cancellationToken = default) =>
                    await base.ReadAsync(buffer, cancellationToken) is > 0 and var read ? read : throw error;
        }
    }

    [Fact]
    public async Task CancellingKeepsWhatArrived()
    {
        using var stop = new CancellationTokenSource();
        Serve(context =>
        {
            context.Response.ContentLength64 = Body.Length;
            context.Response.AddHeader("ETag", "\"v1\"");
            context.Response.OutputStream.Write(Body, 0, 150_000);
            stop.CancelAfter(100);
        }, Send(Body));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            new Download(http).Fetch(File(), folder.Path, cancellation: stop.Token));
        await Fetch(File());
        AssertWhole();
        Assert.StartsWith("bytes=", ranges[1]);
    }

    [Fact]
    public async Task WeightsGoWhereTheRegistryLooksForThem()
    {
        System.IO.File.WriteAllText(
            Path.Combine(Directory.CreateDirectory(Path.Combine(folder.Path, "data")).FullName, "sources.json"), $$"""
            { "m": { "title": "The model M", "weights": true, "address": "{{address}}", "licence": "L",
            "citation": "C", "steps": "None.",
              "files": [ { "name": "m.pth", "address": "{{address}}", "bytes": 300000, "sha256": "{{Hash}}" },
              { "name": "m.pt", "address": "{{address}}", "bytes": null, "sha256": null, "unverified": "nobody says",
              "optional": true } ] } }
            """);
        KitSettings settings = MiniTrees.Settings(folder.Path) with { Root = folder.Path };
        DataSource source = DataSource.Of(Path.Combine(folder.Path, "data"), "m");
        var said = new List<string>();
        Task Get(bool accepted, string? only = null) => SourceFetch.Run(settings, "m", accepted, only,
            new Download(http, 5, TimeSpan.FromMilliseconds(5)), said.Add,
            cancellation: TestContext.Current.CancellationToken);
        Serve(Send(Body, 100_000), Send(Body));
        Assert.Contains("add --accept-licence", (await Assert.ThrowsAsync<KitException>(() => Get(false))).Message);
        Assert.Contains("licence:  L", Assert.Single(said));
        Assert.Empty(ranges);
        await Get(true);
        string weights = Path.Combine(folder.Path, "data", "weights");
        Assert.Equal(Body, System.IO.File.ReadAllBytes(Path.Combine(weights, "m.pth")));
        Assert.Contains($"{Path.Combine(weights, "m.pth")}: SHA-256 as expected", said);
        // Broken off once, gone on with, and the optional file not asked for.
        Assert.Equal(2, ranges.Count);
        Assert.StartsWith("bytes=", ranges[1]);
        Assert.Equal(["m.pth"], source.Present(settings, "m").Select(f => f.File.Name));
        await Get(true, "m.pt");
        Assert.Contains($"{Path.Combine(weights, "m.pt")}: not verified, nobody says", said);
        Assert.Contains("did you mean 'm.pth'",
            (await Assert.ThrowsAsync<KitException>(() => Get(true, "m.pthh"))).Message);
    }
}
