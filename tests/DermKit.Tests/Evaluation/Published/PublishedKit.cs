using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Studies;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Evaluation;

/// <summary>A root of its own with a set of 40 images, two tasks and two small networks, and a run of them that is
/// published.</summary>
public sealed class PublishedKit : IDisposable
{
    private static readonly string[] Tasks = ["own", "own-again"];

    private readonly TemporaryFolder folder = new();

    public PublishedKit()
    {
        string set = Directory.CreateDirectory(Path.Combine(Data, "dots")).FullName;
        for (int i = 0; i < 40; i++)
            File.WriteAllBytes(Path.Combine(set, $"{i}.png"), ImageCodec.EncodePng(TestImages.Draw(48, 40, i)));
        IEnumerable<string> rows = Enumerable.Range(0, 40)
            .Select(i => $"{i}.png,{i % 2},{(i < 20 ? "train" : "test")}");
        File.WriteAllLines(Path.Combine(set, "labels.csv"), ["image,label,split", .. rows]);
        foreach (string task in Tasks)
            Write($"tasks/{task}.json", $$"""
                {"name": "{{task}}", "version": 1, "title": "Dots, {{task}}", "dataSets": {"dots": null},
                 "classCount": 2, "label": "diagnosis", "classes": {"no": ["0"], "yes": ["1"]}, "positive": "yes", "split": "Frozen",
                 "inPretraining": false}
                """);
        Directory.CreateDirectory(Path.Combine(Data, "models"));
        foreach (int seed in new[] { 1, 2 }) Save($"net-{seed}", seed);
        Settings = KitSettings.FromEnvironment() with
        {
            Root = folder.Path,
            DataDir = Data,
            CacheDir = Path.Combine(folder.Path, "cache"),
        };
        Results = PublishedFile.Folder(Settings);
        Directory.CreateDirectory(Results);
        Plan = SuitePlan.For(RunMode.Quick) with
        {
            Tasks = Tasks,
            Models = ["net-1", "net-2"],
            Baseline = "net-1",
            MostTrain = 16,
        };
        IReadOnlyList<ProbeTask> open = SuiteRun.Open(Settings, TaskSuite.Load(Data), Plan);
        IReadOnlyList<ModelDefinition> models = SuiteRun.Choose(ModelRegistry.Load(Data), Plan);
        SuiteRun run = SuiteRun.Run(Settings, open, models, Plan);
        IReadOnlyList<ComparisonRow> table = Comparison.MeansAndTable(run.Results, Plan.Baseline);
        Published = Publisher.Of(Settings, Plan, open, models, run, table,
            [new("command", "kit evaluate --publish dots"), new("commit", "0123456789ab")]);
        PublishedRuns.Publish(Results, "dots", "Two networks on dots", Published);
    }

    internal string Data => Path.Combine(folder.Path, "data");

    internal string Results { get; }

    internal KitSettings Settings { get; }

    internal SuitePlan Plan { get; }

    internal Publication Published { get; }

    internal string FileOf(string name) => Path.Combine(Results, $"{name}.json");

    internal IReadOnlyList<PublishedCheck> Verify(bool isFull = false, double? tolerance = null) =>
        [.. PublishedRuns.Verify(Settings, Results, "dots", isFull, tolerance: tolerance)];

    /// <summary>Verifies another machine part.</summary>
    internal IReadOnlyList<PublishedCheck> Verify(Publication changed, bool isFull = false)
    {
        PublishedRuns.Publish(Results, "changed", null, changed);
        return [.. PublishedRuns.Verify(Settings, Results, "changed", isFull)];
    }

    internal void Write(string name, string text) =>
        AtomicFile.WriteAllText(Path.Combine(Data, name.Replace('/', Path.DirectorySeparatorChar)), text);

    internal void Save(string name, int seed)
    {
        var sizes = new ResNetConfig { Planes = [8, 8, 8, 8], Blocks = [1, 1, 1, 1], IsBasic = true };
        using ResNet network = ResNet.Random(sizes, seed);
        SafeTensors.Save(Path.Combine(Data, "weights", $"{name}.safetensors"), network.state_dict());
    }

    public void Dispose() => folder.Dispose();
}
