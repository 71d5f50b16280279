using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Tests.Imaging;
using TorchSharp;

namespace DermKit.Tests.Pretraining;

/// <summary>Twelve drawn images as a data set of the user's own, and a run on them that takes about a second: three
/// steps of four images in each epoch.</summary>
internal sealed class TinyPretraining : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public TinyPretraining(int images = 12)
    {
        Settings = KitSettings.FromEnvironment() with
        {
            DataDir = Path.Combine(folder.Path, "data"),
            CacheDir = Path.Combine(folder.Path, "cache"),
            Device = "cpu"
        };
        string set = Directory.CreateDirectory(Path.Combine(Settings.DataDir, "tiny")).FullName;
        for (int i = 0; i < images; i++)
            File.WriteAllBytes(Path.Combine(set, $"{i}.png"), ImageCodec.EncodePng(TestImages.Draw(48, 40, i)));
        File.WriteAllLines(Path.Combine(set, "labels.csv"),
            ["image,label", .. Enumerable.Range(0, images).Select(i => $"{i}.png,{i % 2}")]);
    }

    public static DinoOptions Options { get; } = (DinoOptions)SmallTeacher(new DinoOptions());

    /// <summary>Options of the same sizes for iBOT.</summary>
    public static IBotOptions IBot { get; } = (IBotOptions)SmallTeacher(new IBotOptions()) with
    {
        MinLearningRate = 1e-6,
        MaskRatio = 0.4,
    };

    /// <summary>The same sizes for another method.</summary>
    public static PretrainOptions For(string method) => method switch
    {
        "DINO" => Options,
        "iBOT" => IBot,
        _ => Small(PretrainOptions.For(method)),
    };

    /// <summary>The sizes that all methods have.</summary>
    public static PretrainOptions Small(PretrainOptions options) => options with
    {
        Sets = ["tiny"],
        SourceSize = 48,
        Network = NetworkKind.ViT,
        Depth = 2,
        Dim = 24,
        Heads = 3,
        Patch = 8,
        ImageSize = 32,
        Outputs = 16,
        HeadHidden = 32,
        GlobalSize = 32,
        Batch = 4,
        Epochs = 4,
        WarmupEpochs = 1,
        MonitorEvery = 2,
        Precision = Precision.Fp32,
    };

    private static TeacherStudentOptions SmallTeacher(TeacherStudentOptions options) =>
        (TeacherStudentOptions)Small(options) with
        {
            Outputs = 64,
            Bottleneck = 16,
            LocalSize = 16,
            LocalCrops = 2,
            BaseLearningRate = 0.02,
        };

    public KitSettings Settings { get; }

    public string Folder(string name) => Path.Combine(folder.Path, name);

    public PretrainData Data(PretrainOptions? options = null) => PretrainData.Open(Settings, options ?? Options);

    /// <summary>A run to its end.</summary>
    /// <returns>Bytes of its last checkpoint, and its log.</returns>
    public (byte[] Checkpoint, TrainingStep[] Log) Run(string name, PretrainOptions options)
    {
        using PretrainData data = Data(options);
        using var trainer = new Pretrainer(options, data, torch.CPU, Folder(name));
        trainer.Run();
        return Result(name);
    }

    /// <summary>What a folder holds: bytes of the checkpoint, and the log without its rates.</summary>
    public (byte[] Checkpoint, TrainingStep[] Log) Result(string name) =>
        (File.ReadAllBytes(Path.Combine(Folder(name), "checkpoint.safetensors")),
            [.. TrainingLog.Read(Path.Combine(Folder(name), "log.jsonl")).Select(s => s with { ImagesPerSecond = 0 })]);

    public void Dispose() => folder.Dispose();
}
