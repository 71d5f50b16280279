using DermKit.Pretraining;
using DermKit.Tests.Pretraining;
using System.Text.Json;

namespace DermKit.Tests.Cli;

/// <summary>Options of kit pretrain, each by what it changes.</summary>
public sealed class PretrainCommandTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    public PretrainCommandTests() => File.WriteAllText(Config,
        JsonSerializer.Serialize(TinyPretraining.Options,
            new JsonSerializerOptions
            {
                PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
                IgnoreReadOnlyProperties = true
            }));

    private string Config => tiny.Folder("tiny.json");

    public void Dispose() => tiny.Dispose();

    private Task<(int Code, string Out, string Error)> Run(string folder, params string[] options) =>
        KitProcess.Run(["pretrain", Config, "--out", tiny.Folder(folder), .. options],
            new Dictionary<string, string>
            {
                ["KIT_DATA_DIR"] = tiny.Settings.DataDir,
                ["KIT_CACHE_DIR"] = tiny.Settings.CacheDir,
                ["OMP_NUM_THREADS"] = "1"
            });

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
        Assert.NotEmpty(
            Directory.GetFiles(Path.Combine(tiny.Folder("run"), "events"), "*tfevents*", SearchOption.AllDirectories));

        (code, text, error) = await Run("run", "--set", "epochs=3", "--set", "warmupEpochs=0");
        Assert.Equal(2, code);
        Assert.Contains("epochs was 2, is 3", text + error);
        (code, text,
            error) = await Run("run", "--set", "epochs=2", "--set", "warmupEpochs=0", "--resume", "--export",
                tiny.Folder("made"), "--name", "small");
        Assert.True(code == 0, text + error);
        using (JsonDocument made =
            JsonDocument.Parse(File.ReadAllText(Path.Combine(tiny.Folder("made"), "small.json"))))
            Assert.Equal($"kit pretrain {Config} --set 'epochs=2' --set 'warmupEpochs=0'",
                made.RootElement.GetProperty("provenance").GetProperty("command").GetString());
        Assert.Contains("6 steps of 4 images, 6 done", text);

        (code, text, error) = await Run("other", "--set", "epoch=2");
        Assert.Equal(2, code);
        Assert.Contains("did you mean 'epochs'?", text + error);
        (code, text, error) = await Run("other", "--monitor", "isic2017-diagnosi");
        Assert.Equal(2, code);
        Assert.Contains("isic2017-diagnosis", text + error);
    }

    [Fact]
    public async Task TheLogSaysWhichPrecisionAutoIsAndACheckpointKeepsIt()
    {
        string chosen = Processor.MultipliesBFloat16 ? "bf16" : "fp32";
        string other = chosen == "bf16" ? "fp32" : "bf16";
        (int code, string text, string error) = await Run("auto", "--set", "precision=auto");
        Assert.True(code == 0, text + error);
        Assert.Contains($"precision {chosen} (auto: ", text);
        (code, text, error) = await Run("auto", "--set", $"precision={other}");
        Assert.Equal(2, code);
        Assert.Contains($"precision was \"{chosen}\", is \"{other}\"", text + error);
        (code, text, error) = await Run("auto", "--set", $"precision={chosen}");
        Assert.True(code == 0, text + error);
        Assert.Contains($"precision {chosen};", text);
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
