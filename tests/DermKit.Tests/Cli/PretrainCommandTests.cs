using DermKit.Pretraining;
using DermKit.Tests.Kernels;
using DermKit.Tests.Pretraining;
using System.Text.Json;

namespace DermKit.Tests.Cli;

/// <summary>Options of kit pretrain, each by what it changes.</summary>
public sealed class PretrainCommandTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    public PretrainCommandTests() => File.WriteAllText(Config, JsonSerializer.Serialize(TinyPretraining.Options, new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, IgnoreReadOnlyProperties = true }));

    private string Config => tiny.Folder("tiny.json");

    public void Dispose() => tiny.Dispose();

    private Task<(int Code, string Out, string Error)> Run(string folder, params string[] options) => KitProcess.Run(["pretrain", Config, "--out", tiny.Folder(folder), .. options],
        new Dictionary<string, string> { ["KIT_DATA_DIR"] = tiny.Settings.DataDir, ["KIT_CACHE_DIR"] = tiny.Settings.CacheDir, ["OMP_NUM_THREADS"] = "1" });

    [Fact]
    public async Task ValuesAreSetResumedMonitoredAndWrittenAsEvents()
    {
        (int code, string text, string error) = await Run("run", "--resume");
        Assert.Equal(2, code);
        Assert.Contains("no checkpoint to resume from", text + error);
        Assert.False(Directory.Exists(tiny.Folder("run")));

        (code, text, error) = await Run("run", "--set", "epochs=2", "--set", "warmupEpochs=0", "--tensorboard");
        Assert.True(code == 0, text + error);
        Assert.Equal(6, TrainingLog.Read(Path.Combine(tiny.Folder("run"), "log.jsonl")).Count);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(tiny.Folder("run"), "events"), "*tfevents*", SearchOption.AllDirectories));

        (code, text, error) = await Run("run", "--set", "epochs=3", "--set", "warmupEpochs=0");
        Assert.Equal(2, code);
        Assert.Contains("epochs was 2, is 3", text + error);
        (code, text, error) = await Run("run", "--set", "epochs=2", "--set", "warmupEpochs=0", "--resume", "--export", tiny.Folder("made"), "--name", "small");
        Assert.True(code == 0, text + error);
        using (JsonDocument made = JsonDocument.Parse(File.ReadAllText(Path.Combine(tiny.Folder("made"), "small.json"))))
            Assert.Equal($"kit pretrain {Config} --set 'epochs=2' --set 'warmupEpochs=0'", made.RootElement.GetProperty("provenance").GetProperty("command").GetString());
        Assert.Contains("6 steps of 4 pictures, 6 done", text);

        (code, text, error) = await Run("other", "--set", "epoch=2");
        Assert.Equal(2, code);
        Assert.Contains("did you mean 'epochs'?", text + error);
        (code, text, error) = await Run("other", "--monitor", "isic2017-diagnosi");
        Assert.Equal(2, code);
        Assert.Contains("isic2017-diagnosis", text + error);
    }

    [Theory]
    [InlineData("fp32", "KIT_MATMUL", "linear", "conv")]
    [InlineData("bf16", "KIT_BLOCK", "plain", "fused")]
    public async Task ARunGoesOnWithItsOwnKernelUnlessAnotherIsInsistedOn(string precision, string variable, string one, string other)
    {
        if (precision == "bf16") Processor.NeedsMicroKernel();
        Task<(int Code, string Out, string Error)> With(string? kernel, string folder, params string[] options)
        {
            var environment = new Dictionary<string, string> { ["KIT_DATA_DIR"] = tiny.Settings.DataDir, ["KIT_CACHE_DIR"] = tiny.Settings.CacheDir, ["OMP_NUM_THREADS"] = "1", [variable] = kernel ?? "" };
            return KitProcess.Run(["pretrain", Config, "--out", tiny.Folder(folder), "--set", "epochs=40", "--set", "checkpointEvery=1", "--set", $"precision={precision}", "--set", "dim=64", "--set", "heads=2", .. options], environment);
        }
        foreach (string kernel in (string[])[one, other])
        {
            Assert.Equal(0, (await With(kernel, $"whole-{kernel}")).Code);
            Assert.Equal(0, (await With(kernel, $"parts-{kernel}", "--minutes", "0.005")).Code);
            Assert.InRange(tiny.Result($"parts-{kernel}").Log.Length, 1, 119);
            (int code, string text, string error) = await With(kernel == other ? one : other, $"parts-{kernel}");
            Assert.Equal(2, code);
            Assert.Contains($"{variable}={kernel}", text + error);
            Assert.Equal(0, (await With(null, $"parts-{kernel}")).Code);
            Assert.Equal(tiny.Result($"whole-{kernel}").Checkpoint, tiny.Result($"parts-{kernel}").Checkpoint);
        }
        // The kernel's name stands in the file; what it rounds differently shows in the losses.
        Assert.NotEqual(tiny.Result($"whole-{one}").Log[^1].Loss, tiny.Result($"whole-{other}").Log[^1].Loss);
    }

    [Fact]
    public async Task ADeviceThatIsNotHereIsNamedBeforeAnythingIsWritten()
    {
        Assert.SkipWhen(TorchSharp.torch.cuda_is_available(), "a CUDA device is here");
        (int code, string text, string error) = await Run("cuda", "--device", "cuda");
        Assert.Equal(2, code);
        Assert.Contains("cuda", text + error);
        Assert.DoesNotContain("   at ", text + error);
        Assert.False(Directory.Exists(tiny.Folder("cuda")));
    }
}
