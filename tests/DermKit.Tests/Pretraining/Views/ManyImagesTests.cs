using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Tests.Cli;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace DermKit.Tests.Pretraining;

/// <summary>Start-up, memory and time of a step on 10,000, 100,000 and 250,000 images of noise, drawn on the fly and
/// deleted (about 7 GB in the temporary folder).</summary>
public sealed class ManyImagesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Set => Path.Combine(folder.Path, "data", "noise");

    /// <summary>Adds images up to a number; 25,000 lie in each folder.</summary>
    private void Grow(int from, int to)
    {
        Parallel.For(from, to, i =>
        {
            byte[] pixels = new byte[3 * 64 * 64];
            new Random(i).NextBytes(pixels);
            string path = Path.Combine(Set, Name(i));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, ImageCodec.EncodePng(new RgbImage(64, 64, pixels)));
        });
        File.WriteAllLines(Path.Combine(Set, "labels.csv"),
            ["image,label", .. Enumerable.Range(0, to).Select(i => $"{Name(i)},{i % 2}")]);
    }

    private static string Name(int i) => string.Create(CultureInfo.InvariantCulture, $"{i / 25_000}/{i}.png");

    /// <summary>One start of kit pretrain: seconds until it is ready, RssAnon in MiB after some hundred steps,
    /// milliseconds of a step.</summary>
    private async Task<(double Ready, double Memory, double Step)> Start(string name)
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        string output = Path.Combine(folder.Path, "runs", name), log = Path.Combine(output, "log.jsonl");
        var environment = new Dictionary<string, string>
        {
            ["KIT_DATA_DIR"] = Path.Combine(folder.Path, "data"),
            ["KIT_CACHE_DIR"] = Path.Combine(folder.Path, "cache"),
            ["OMP_NUM_THREADS"] = "1",
            ["DOTNET_GCgen0size"] = "0x400000",
            ["DOTNET_gcConcurrent"] = "0"
        };
        var clock = Stopwatch.StartNew();
        using Process process =
            KitProcess.Start(["pretrain", Path.Combine(folder.Path, "noise.json"), "--out", output], environment);
        Task<string> error = process.StandardError.ReadToEndAsync(token);
        string? line;
        do line = await process.StandardOutput.ReadLineAsync(token);
        while (line is not null && !line.Contains(" steps of 8 images, ", StringComparison.Ordinal));
        Assert.True(line is not null, line is null ? await error : "");
        double ready = clock.Elapsed.TotalSeconds;
        Task rest = process.StandardOutput.ReadToEndAsync(token);
        int Steps() => File.Exists(log) ? File.ReadLines(log).Count() : 0;
        while (Steps() < 200) await Task.Delay(50, token);
        var looks = new List<double>();
        while (Steps() < 700)
        {
            looks.Add(
                double.Parse(File.ReadLines($"/proc/{process.Id}/status")
                    .First(l => l.StartsWith("RssAnon:", StringComparison.Ordinal))
                    .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)
                    / 1024);
            await Task.Delay(50, token);
        }
        process.Kill();
        await Task.WhenAll(process.WaitForExitAsync(token), rest);
        double[] rates = [.. TrainingLog.Read(log).Skip(100).Select(s => s.ImagesPerSecond).Order()];
        return (ready, looks.Order().ElementAt(looks.Count / 2), 8000 / rates[rates.Length / 2]);
    }

    [Fact]
    public async Task NothingGrowsWithTheNumberOfImages()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("KIT_LARGE") == "1",
            "250,000 images, 7 GB and some ten minutes: set KIT_LARGE=1 to run it");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        Directory.CreateDirectory(Set);
        PretrainOptions options = TinyPretraining.Options with
        {
            Sets = ["noise"],
            SourceSize = 64,
            Batch = 8,
            Epochs = 2,
            CheckpointEvery = 50,
            MonitorEvery = 1000
        };
        File.WriteAllText(Path.Combine(folder.Path, "noise.json"),
            JsonSerializer.Serialize((object)options,
                new JsonSerializerOptions
                {
                    PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
                    IgnoreReadOnlyProperties = true
                }));
        int before = 0;
        var found =
            new List<(int Images, double First, double FirstMemory, double Ready, double Memory, double Step)>();
        foreach (int images in (int[])[10_000, 100_000, 250_000])
        {
            Grow(before, before = images);
            (double first, double firstMemory, _) = await Start($"{images}-first");
            // The middle of three, because other work on the machine comes and goes.
            var starts = new List<(double Ready, double Memory, double Step)>();
            for (int i = 0; i < 3; i++) starts.Add(await Start($"{images}-{i}"));
            double Middle(Func<(double Ready, double Memory, double Step), double> of) => starts.Select(of)
                .Order().ElementAt(1);
            found.Add((images, first, firstMemory, Middle(s => s.Ready), Middle(s => s.Memory), Middle(s => s.Step)));
        }
        string table = string.Join("; ",
            found.Select(f =>
                FormattableString.Invariant(
                    $"{f.Images} images: first start {f.First:f1} s and {f.FirstMemory:f1} MiB, later ones {f.Ready:f2} s, anonymous memory {f.Memory:f1} MiB, step {f.Step:f2} ms")));
        TestContext.Current.SendDiagnosticMessage(table);
        TestContext.Current.TestOutputHelper?.WriteLine(table);
        // A start that decodes keeps the threads and buffers of that: some 20 MiB, whatever the number.
        // The times in the table are for its reader.
        Assert.All(found,
            f => Assert.True(f.Memory < 1.05 * found[0].Memory && f.FirstMemory < 1.3 * found[0].FirstMemory, table));
    }
}
