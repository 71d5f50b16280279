using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Studies;
using DermKit.Pretraining;

namespace DermKit.Tests.Cli;

/// <summary>kit evaluate and kit compare, on a fixture set of a hundred images.</summary>
public sealed class SuiteCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public SuiteCommandTests() => FixtureSets.Write(KitSettings.FromEnvironment(), Folder("data"), MedNode.Name);

    public void Dispose() => folder.Dispose();

    private string Folder(string name) => Path.Combine(folder.Path, name);

    private Task<(int Code, string Out, string Error)> Run(params string[] command) =>
        KitProcess.Run(command,
            new Dictionary<string, string>
            {
                ["KIT_DATA_DIR"] = Folder("data"),
                ["KIT_CACHE_DIR"] = Folder("cache"),
                ["KIT_MODE"] = "quick",
                ["OMP_NUM_THREADS"] = "1"
            });

    [Fact]
    public async Task EvaluateKeepsEveryResultGoesOnAndWritesTwoTables()
    {
        string[] command = ["evaluate", "--tasks", "med_node", "--models", "vit-tiny-random", "--out", Folder("out")];
        (int code, string text, string error) = await Run(command);
        Assert.True(code == 0, text + error);
        Assert.Contains("Seeds: 2, averaged. Intervals: 95 %, percentile bootstrap", text, StringComparison.Ordinal);
        Assert.Contains("[FIXTURE] No ranks and no signed-rank test over tasks: 0 distinct real data set(s)", text,
            StringComparison.Ordinal);
        Assert.Contains("[FIXTURE] No remark on any of 4 results", text, StringComparison.Ordinal);
        string[] kept = Directory.GetFiles(Path.Combine(Folder("cache"), "results"), "*.json",
            SearchOption.AllDirectories);
        Assert.Equal(4, kept.Length);
        string[] results = File.ReadAllLines(Path.Combine(Folder("out"), "results.csv")),
            leaderboard = File.ReadAllLines(Path.Combine(Folder("out"), "leaderboard.csv"));
        Assert.Equal(5, results.Length);
        Assert.StartsWith("task,task_version,split,geometry,model,features,probe,seed,f1,", results[0],
            StringComparison.Ordinal);
        Assert.All(results.Skip(1), line => Assert.Contains("FIXTURE", line));
        Assert.Contains(leaderboard,
            line => line.StartsWith("med_node,1,vit-tiny-random,linear,2,", StringComparison.Ordinal));

        // One is lost: it alone is made again, to the same numbers.
        DateTime[] written = Array.ConvertAll(kept, File.GetLastWriteTimeUtc);
        File.Delete(kept[0]);
        (code, text, error) = await Run(command);
        Assert.True(code == 0, text + error);
        Assert.Equal(results, File.ReadAllLines(Path.Combine(Folder("out"), "results.csv")));
        Assert.Equal(written[1..], kept[1..].Select(File.GetLastWriteTimeUtc));

        // Of images brought to one size first: results of their own, which say so.
        (code, text, error) = await Run([.. command, "--geometry", "64x48", "--split", "original"]);
        Assert.True(code == 0, text + error);
        Assert.All(File.ReadAllLines(Path.Combine(Folder("out"), "results.csv")).Skip(1),
            line => Assert.Contains("med_node,2,original,64x48,", line));
        Assert.Equal(8,
            Directory.GetFiles(Path.Combine(Folder("cache"), "results"), "*.json", SearchOption.AllDirectories).Length);
        (code, text, error) = await Run([.. command, "--precision", "bf16"]);
        Assert.True(code == 0, text + error);
        Assert.All(File.ReadAllLines(Path.Combine(Folder("out"), "results.csv")).Skip(1),
            line => Assert.Contains("vit-tiny-random,cls4-bf16,", line));
        (code, text, error) = await Run("evaluate", "--geometry", "64");
        Assert.NotEqual(0, code);
        Assert.Contains("200x150", text + error);

        (code, text, error) = await Run("evaluate", "--tasks", "med_nod");
        Assert.Equal(2, code);
        Assert.Contains("med_node", text + error);
    }

    [Fact]
    public async Task CompareTrainsProbesAndExportsTheTableAndTheLogs()
    {
        (int code, string text, string error) = await Run("compare", "SimCLR", "--epochs", "0");
        Assert.Equal(2, code);
        Assert.Contains("at least one epoch", text + error);

        string tiny = Path.Combine(Folder("data"), "tiny");
        Directory.CreateDirectory(tiny);
        for (int i = 0; i < 32; i++)
            File.WriteAllBytes(Path.Combine(tiny, $"{i}.png"),
                DermKit.Imaging.ImageCodec.EncodePng(DermKit.Tests.Imaging.TestImages.Draw(48, 40, i)));
        File.WriteAllLines(Path.Combine(tiny, "labels.csv"),
            ["image,label", .. Enumerable.Range(0, 32).Select(i => $"{i}.png,{i % 2}")]);
        string[] command = ["compare", "SimCLR", "--epochs", "1", "--seeds", "1", "--sets", "tiny", "--tasks",
            "med_node", "--out", Folder("runs"), "--export", Folder("export")];
        (code, text, error) = await Run(command);
        Assert.True(code == 0, text + error);
        MethodComparison made = MethodComparison.Load(Folder("export"));
        Assert.Equal(["SimCLR", "untrained"], made.Rows.Select(r => r.Model).Distinct().Order());
        Assert.All(made.Rows, r => Assert.Equal("FIXTURE", r.Stamp));
        Assert.Equal("kit compare SimCLR --epochs 1 --seeds 1 --sets tiny --tasks med_node",
            made.Provenance["command"]);
        Assert.Contains("1 epochs of 32 images", made.Provenance["budget"]);
        Assert.StartsWith("simclr-quick with ", made.Provenance["config SimCLR"]);
        Assert.Contains("epochs = 1 (not 5)", made.Provenance["config SimCLR"]);
        Assert.Contains("warmupEpochs = 0.1 (not 1)", made.Provenance["config SimCLR"]);
        Assert.Contains("sets = [\"tiny\"]", made.Provenance["config SimCLR"]);
        Assert.DoesNotContain("seed", made.Provenance["config SimCLR"]);
        TrainingStep step = Assert.Single(TrainingLog.Read(Path.Combine(Folder("export"), "simclr-1.log.jsonl")));

        // What is finished is taken up, not trained again.
        (code, text, error) = await Run(command);
        Assert.True(code == 0, text + error);
        Assert.Equal(step, Assert.Single(TrainingLog.Read(Path.Combine(Folder("export"), "simclr-1.log.jsonl"))));
        Assert.Contains("expected a comparison of methods",
            Assert.Throws<KitException>(() => MethodComparison.Load(Folder("nowhere"))).Message);
    }
}
