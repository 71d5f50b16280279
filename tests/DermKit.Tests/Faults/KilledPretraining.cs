using DermKit.Pretraining;
using DermKit.Tests.Cli;
using DermKit.Tests.Pretraining;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace DermKit.Tests.Faults;

/// <summary>kit pretrain as a process that is ended from outside: killed, out of disk, out of
/// time; and its memory.</summary>
public sealed class KilledPretraining : IDisposable
{
    private readonly TinyPretraining tiny = new();

    public KilledPretraining() => Write(TinyPretraining.Options with { Epochs = 80, CheckpointEvery = 1 });

    /// <summary>One thread: small models on a busy machine spend their time waiting for the second one.</summary>
    private Dictionary<string, string> Environment => new()
    {
        ["KIT_DATA_DIR"] = tiny.Settings.DataDir,
        ["KIT_CACHE_DIR"] = tiny.Settings.CacheDir,
        ["OMP_NUM_THREADS"] = "1"
    };

    private string Config => tiny.Folder("tiny.json");

    public void Dispose() => tiny.Dispose();

    private void Write(PretrainOptions options) => File.WriteAllText(Config,
        JsonSerializer.Serialize((object)options, new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            IgnoreReadOnlyProperties = true,
        }));

    /// <summary>A process that has just begun to train; its texts are read and dropped from there.</summary>
    private async Task<Process> Training(string folder, CancellationToken token)
    {
        Process process = KitProcess.Start(Command(folder), Environment);
        Task<string> error = process.StandardError.ReadToEndAsync(token);
        string? line;
        do line = await process.StandardOutput.ReadLineAsync(token);
        while (line is not null && !line.Contains(" steps of 4 images, ", StringComparison.Ordinal));
        Assert.True(line is not null, line is null ? await error : "");
        _ = process.StandardOutput.ReadToEndAsync(token);
        return process;
    }

    private string[] Command(string folder) => ["pretrain", Config, "--out", tiny.Folder(folder)];

    [Fact]
    public async Task KilledAtSixRandomMomentsARunEndsWithTheSameBits()
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        Write(TinyPretraining.Options with { Epochs = 160, CheckpointEvery = 1, KeepLast = 2 });
        using Process whole = await Training("whole", token);
        await whole.WaitForExitAsync(token);
        Assert.Equal(0, whole.ExitCode);
        var random = new Random(11);
        var steps = new List<int>();
        for (int kill = 0; kill < 6; kill++)
        {
            using Process process = await Training("killed", token);
            // Some steps further and at any moment of a step: on average all six together come to an eighth of the run,
            // because on a busy machine a look at the log may be many steps late.
            for (int target = Done() + random.Next(1, 20); Done() < target && !process.HasExited;)
                await Task.Delay(1, token);
            await Task.Delay(random.Next(20), token);
            process.Kill();
            await process.WaitForExitAsync(token);
            Assert.Equal(128 + 9, process.ExitCode);
            steps.Add(Done());
        }
        (int code, string text, string error) = await KitProcess.Run(Command("killed"), Environment);
        Assert.True(code == 0, text + error);
        Assert.True(steps.Distinct().Count() == 6 && steps[^1] < 480,
            $"killed after steps {string.Join(", ", steps)}");
        Assert.Equal(tiny.Result("whole").Log, tiny.Result("killed").Log);
        Assert.Equal(tiny.Result("whole").Checkpoint, tiny.Result("killed").Checkpoint);
        // What a killed process was writing does not pile up.
        string[] epochs = ["epoch-0159.safetensors", "epoch-0160.safetensors"];
        Assert.Equal(["checkpoint.safetensors", .. epochs, "log.jsonl"],
            Directory.GetFiles(tiny.Folder("killed")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (string name in epochs)
            Assert.Equal(File.ReadAllBytes(Path.Combine(tiny.Folder("whole"), name)),
                File.ReadAllBytes(Path.Combine(tiny.Folder("killed"), name)));

        int Done()
        {
            string log = Path.Combine(tiny.Folder("killed"), "log.jsonl");
            return File.Exists(log) ? File.ReadLines(log).Count() : 0;
        }
    }

    [Fact]
    public async Task ATerminatedRunSavesAndGoesOn()
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        Assert.SkipWhen(OperatingSystem.IsWindows(), "SIGTERM is a signal of POSIX systems");
        // Only the stop itself can have saved a step before the last.
        Write(TinyPretraining.Options with { Epochs = 80, CheckpointEvery = 10_000 });
        using Process process = await Training("terminated", token);
        await Task.Delay(300, token);
        using (Process signal = Process.Start("kill", ["-TERM", $"{process.Id}"])) await signal.WaitForExitAsync(token);
        await process.WaitForExitAsync(token);
        Assert.Equal(130, process.ExitCode);
        int done = tiny.Result("terminated").Log.Length;
        (int code, string text, string error) = await KitProcess.Run(Command("terminated"), Environment);
        Assert.True(code == 0, text + error);
        Assert.Contains($"240 steps of 4 images, {done} done", text);
        Assert.InRange(done, 1, 239);
    }

    [Fact]
    public async Task AFullDiskStopsTheRunInWordsAndLeavesTheCheckpointWhole()
    {
        string full = Directory.CreateDirectory(tiny.Folder("full")).FullName, saved = tiny.Folder("saved"),
            left = Directory.CreateDirectory(tiny.Folder("left")).FullName;
        (int able, _, _) = await KitProcess.Run([], null, $"unshare -rm mount -t tmpfs none '{full}'");
        Assert.SkipUnless(able == 0,
            "mounts a small disk for one process, which this machine does not let it (unshare -rm)");
        PretrainOptions options = TinyPretraining.Options with { CheckpointEvery = 2 };
        Write(options);
        byte[] whole = tiny.Run("whole", options).Checkpoint;
        using (PretrainData data = tiny.Data())
        {
            using var trainer = new Pretrainer(options, data, TorchSharp.torch.CPU, saved);
            using var stop = new CancellationTokenSource();
            Assert.ThrowsAny<OperationCanceledException>(() =>
                trainer.Run(s => { if (s.Step == 4) stop.Cancel(); }, stop.Token));
        }
        byte[] before = tiny.Result("saved").Checkpoint;
        // Room for the checkpoint and half of the next one.
        string script = $"unshare -rm bash -c 'mount -t tmpfs -o size={before.Length * 3 / 2048}k none \"$0\" && cp "
            + $"{saved}/* \"$0\" && \"$@\"; code=$?; cp -a \"$0\"/. {left}; exit $code' {full} \"$@\"";
        var environment = new Dictionary<string, string>(Environment)
        {
            ["OMP_NUM_THREADS"] = $"{TorchSharp.torch.get_num_threads()}"
        };
        (int code, string text, string error) = await KitProcess.Run(Command("full"), environment, script);
        Assert.True(code == 2, $"{code}\n{text}{error}");
        Assert.Contains($"kit: {full}: step 6 cannot be saved (No space left on device", error);
        Assert.Single(error.Trim().Split('\n'));
        Assert.Equal(before, tiny.Result("left").Checkpoint);
        Assert.Equal(2, Directory.GetFiles(left).Length);
        (code, text, error) = await KitProcess.Run(Command("left"), environment);
        Assert.True(code == 0, text + error);
        Assert.Equal(whole, tiny.Result("left").Checkpoint);
    }

    [Fact]
    public async Task ARunWithALimitOfTimeStopsWithACheckpointAndGoesOn()
    {
        (int code, string text, string error) =
            await KitProcess.Run([.. Command("limited"), "--minutes", "0.01"], Environment);
        Assert.True(code == 0, text + error);
        Assert.Contains("Time is up after step", text);
        Assert.Contains("stopped after", text);
        int done = tiny.Result("limited").Log.Length;
        (code, text, error) = await KitProcess.Run([.. Command("limited"), "--minutes", "0.01"], Environment);
        Assert.True(code == 0, text + error);
        Assert.InRange(tiny.Result("limited").Log.Length, done, 240);
        Assert.Contains($"240 steps of 4 images, {done} done", text);
    }

    [Fact]
    public async Task AnonymousMemoryIsFlatOverTwoThousandSteps()
    {
        SlowTier.Need("4,200 steps of pre-training");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        Write(TinyPretraining.Options with { Epochs = 1400, CheckpointEvery = 10 });
        // A small youngest generation: what the collector has not come to yet would pass for growth.
        using Process process = KitProcess.Start(Command("memory"),
            new Dictionary<string, string>(Environment)
            {
                ["DOTNET_GCgen0size"] = "0x400000",
                ["DOTNET_gcConcurrent"] = "0"
            });
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var memory = new SortedDictionary<int, long>();
        string log = Path.Combine(tiny.Folder("memory"), "log.jsonl");
        while (!process.HasExited)
        {
            if (File.Exists(log) && Anonymous(process.Id) is { } bytes) memory[File.ReadLines(log).Count()] = bytes;
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        Assert.True(process.ExitCode == 0, await error);
        Assert.True(memory.Last().Key >= 4200, $"looked last at step {memory.Last().Key}");
        // Medians, because a look may meet a checkpoint on its way to the disk or the report at the end.
        long Median(int from, int to)
        {
            long[] looks = [.. memory.Where(m => m.Key >= from && m.Key < to).Select(m => m.Value).Order()];
            Assert.True(looks.Length >= 10, $"only {looks.Length} looks from step {from} to {to}");
            return looks[looks.Length / 2];
        }
        // A leak grows in every part of the run; the compiler and the allocator take a few MiB at once, at any time.
        long[] levels = [.. new[] { 600, 1400, 2200, 3000, 3800 }.Select(step => Median(step, step + 400))];
        long[] growths = [.. levels.Skip(1).Zip(levels, (after, before) => after - before).Order()];
        Assert.True(growths[1] + growths[2] < 0.02 * levels[0],
            $"anonymous memory at every 800th step: {string.Join(", ", levels.Select(l => $"{l >> 10} KiB"))}");
    }

    /// <summary>RssAnon of a process in bytes; null when it is gone.</summary>
    private static long? Anonymous(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status")
                .FirstOrDefault(l => l.StartsWith("RssAnon:", StringComparison.Ordinal));
            return line is null ? null
                : 1024 * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
                    CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
