using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Studies;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Evaluation;

/// <summary>A root with a set of 40 images, two tasks and two small networks, and a run of them that is published;
/// made once for a class of tests.</summary>
public sealed class PublishedOnce : IDisposable
{
    private static readonly string[] Tasks = ["own", "own-again"];

    private readonly TemporaryFolder folder = new();

    public PublishedOnce()
    {
        var kit = new PublishedKit(folder);
        string set = Directory.CreateDirectory(Path.Combine(kit.Data, "dots")).FullName;
        for (int i = 0; i < 40; i++)
            File.WriteAllBytes(Path.Combine(set, $"{i}.png"), ImageCodec.EncodePng(TestImages.Draw(48, 40, i)));
        IEnumerable<string> rows = Enumerable.Range(0, 40)
            .Select(i => $"{i}.png,{i % 2},{(i < 20 ? "train" : "test")}");
        File.WriteAllLines(Path.Combine(set, "labels.csv"), ["image,label,split", .. rows]);
        foreach (string task in Tasks)
            AtomicFile.WriteAllText(Path.Combine(kit.Data, "tasks", $"{task}.json"), $$"""
                {"name": "{{task}}", "version": 1, "title": "Dots, {{task}}", "dataSets": {"dots": null},
                 "classCount": 2, "label": "diagnosis", "classes": {"no": ["0"], "yes": ["1"]}, "positive": "yes",
                 "split": "Frozen", "inPretraining": false}
                """);
        Directory.CreateDirectory(Path.Combine(kit.Data, "models"));
        Directory.CreateDirectory(kit.Results);
        foreach (int seed in new[] { 1, 2 }) kit.Save($"net-{seed}", seed);
        SuitePlan plan = SuitePlan.For(RunMode.Quick) with
        {
            Tasks = Tasks,
            Models = ["net-1", "net-2"],
            Baseline = "net-1",
            MostTrain = 16,
        };
        IReadOnlyList<ProbeTask> open = SuiteRun.Open(kit.Settings, TaskSuite.Load(kit.Data), plan);
        IReadOnlyList<ModelDefinition> models = SuiteRun.Choose(ModelRegistry.Load(kit.Data), plan);
        SuiteRun run = SuiteRun.Run(kit.Settings, open, models, plan);
        IReadOnlyList<ComparisonRow> table = Comparison.MeansAndTable(run.Results, plan.Baseline);
        PublishedRuns.Publish(kit.Results, "dots", "Two networks on dots", Publisher.Of(kit.Settings, plan, open,
            models, run, table, [new("command", "kit evaluate --publish dots"), new("commit", "0123456789ab")]));
    }

    /// <summary>A copy that a test may change.</summary>
    internal PublishedKit Copy()
    {
        var copy = new TemporaryFolder();
        foreach (string file in Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories))
        {
            string to = Path.Combine(copy.Path, Path.GetRelativePath(folder.Path, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
        Directory.CreateDirectory(Path.Combine(copy.Path, "data", "models"));
        return new(copy);
    }

    public void Dispose() => folder.Dispose();
}

/// <summary>A root of <see cref="PublishedOnce"/> and what it published.</summary>
internal sealed class PublishedKit(TemporaryFolder folder) : IDisposable
{
    private Publication? published;

    internal string Data => Path.Combine(folder.Path, "data");

    internal KitSettings Settings => KitSettings.FromEnvironment() with
    {
        Root = folder.Path,
        DataDir = Data,
        CacheDir = Path.Combine(folder.Path, "cache"),
        Mode = RunMode.Quick,
    };

    internal string Results => PublishedFile.Folder(Settings);

    internal Publication Published => published ??= PublishedFile.Read(Results, "dots").Run!;

    internal string FileOf(string name) => Path.Combine(Results, $"{name}.json");

    internal IReadOnlyList<PublishedCheck> Verify(bool isFull = false) =>
        [.. PublishedRuns.Verify(Settings, Results, "dots", isFull)];

    /// <summary>Verifies another machine part.</summary>
    internal IReadOnlyList<PublishedCheck> Verify(Publication changed, bool isFull = false)
    {
        PublishedRuns.Publish(Results, "changed", null, changed);
        return [.. PublishedRuns.Verify(Settings, Results, "changed", isFull)];
    }

    internal void Save(string name, int seed)
    {
        var sizes = new ResNetConfig { Planes = [8, 8, 8, 8], Blocks = [1, 1, 1, 1], IsBasic = true };
        using ResNet network = ResNet.Random(sizes, seed);
        SafeTensors.Save(Path.Combine(Data, "weights", $"{name}.safetensors"), network.state_dict());
    }

    public void Dispose() => folder.Dispose();
}
