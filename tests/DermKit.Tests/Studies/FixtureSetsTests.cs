using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Pretraining;
using DermKit.Reporting;
using DermKit.Studies;

namespace DermKit.Tests.Studies;

/// <summary>The twelve tasks of the paper from folders with the published names and headers to scores.</summary>
public sealed class FixtureSetsTests(FixtureSetsTests.Tree tree) : IClassFixture<FixtureSetsTests.Tree>
{
    /// <summary>One fixture tree for all tests.</summary>
    public sealed class Tree : IDisposable
    {
        private readonly TemporaryFolder folder = new();

        public Tree()
        {
            Settings = KitSettings.FromEnvironment() with
            {
                DataDir = Path.Combine(folder.Path, "sets"),
                CacheDir = Path.Combine(folder.Path, "cache")
            };
            Directory.CreateDirectory(Settings.DataDir);
            FixtureSets.Write(Settings, Settings.DataDir);
            Suite = TaskSuite.Load(Path.Combine(Settings.Root, "data"));
        }

        internal KitSettings Settings { get; }

        internal TaskSuite Suite { get; }

        public void Dispose() => folder.Dispose();
    }

    private TaskDefinition[] Twelve => [.. tree.Suite.Tasks.Where(t => t.Paper is not null)];

    [Theory]
    [InlineData(MedNode.Name, 26, 2)]
    [InlineData(Ph2.Name, 30, 3)]
    [InlineData(Ddi.Name, 40, 2)]
    [InlineData(Derm7pt.Name, 102, 16)]
    [InlineData(PadUfes20.Name, 96, 6)]
    [InlineData(Sd128.Name, 384, 128)]
    [InlineData(Passion.Name, 96, 4)]
    [InlineData(Ham10000.Name, 119, 7)]
    [InlineData(Fitzpatrick17k.Name, 342, 114)]
    public void EverySetIsReadByItsAdapter(string set, int images, int classes)
    {
        Assert.True(DataSetCatalog.IsFixture(tree.Settings, set));
        ImageTable table = DataSetCatalog.Load(tree.Settings, set);
        Assert.Equal((images, classes), (table.Count, table.Column("diagnosis").Distinct().Count()));
        Assert.Empty(table.Absent);
        Assert.All(table.Paths.Take(3), p => Assert.True(ImageCodec.Decode(p).Width > 1));
        Assert.Equal(Ph2.Name == set ? "Bmp" : "Jpeg",
            ImageCodec.ReadHeader(table.Paths[0]).Format is "Png" ? "Jpeg"
                : ImageCodec.ReadHeader(table.Paths[0]).Format);
        Assert.Contains(set, DataSetCatalog.RealSets);
    }

    [Fact]
    public void TheSameFilesAreWrittenAgainAndRealDataNever()
    {
        using var folder = new TemporaryFolder();
        string[] some = [Ph2.Name, PadUfes20.Name];
        FixtureSets.Write(tree.Settings, folder.Path, some);
        Assert.All(some,
            set => Assert.Equal(DataSetCatalog.Hash(Path.Combine(tree.Settings.DataDir, set)),
                DataSetCatalog.Hash(Path.Combine(folder.Path, set))));
        File.Delete(Path.Combine(folder.Path, Ph2.Name, DataSetCatalog.FixtureMark));
        Assert.Contains("holds no FIXTURE",
            Assert.Throws<KitException>(() => FixtureSets.Write(tree.Settings, folder.Path, some)).Message);
    }

    [Fact]
    public void AllTwelveTasksOpenInBothVersionsAndSayFixture()
    {
        Assert.Equal(12, Twelve.Length);
        foreach (TaskDefinition definition in Twelve)
            foreach (SplitVersion version in Enum.GetValues<SplitVersion>())
            {
                ProbeTask task = TaskSuite.Open(definition, tree.Settings, version);
                Assert.Equal((Stamps.Fixture, definition.ClassCount),
                    (task.Definition.Stamp, task.Labels.Distinct().Count()));
                foreach (int seed in TaskSuite.Seeds)
                {
                    Split split = task.SplitFor(seed), again = task.SplitFor(seed);
                    Assert.Equal(Enumerable.Range(0, task.Table.Count), split.Train.Concat(split.Test).Order());
                    Assert.Equal(split.Test, again.Test);
                    if (version == SplitVersion.Strict) Splits.CheckLeaks(task.Table, split, definition.Name);
                }
            }
        // As in the genuine release, nine cases have one file as both of their images.
        Assert.Equal((93, 102),
            (TaskSuite.Open(tree.Suite["derm7pt"], tree.Settings).Table.Count,
                TaskSuite.Open(tree.Suite["derm7pt"], tree.Settings, SplitVersion.Original).Table.Count));
        // The two tasks whose original is another draw than the strict one; derm7pt's puts a case on both sides.
        Assert.Equal(["derm7pt", "pad_ufes_20"], Twelve.Where(t => t.Original is not null).Select(t => t.Name).Order());
        ProbeTask leaky = TaskSuite.Open(tree.Suite["derm7pt"], tree.Settings, SplitVersion.Original);
        Assert.Contains("its leaks included", leaky.Definition.Note);
        Assert.Contains("lesion_id on both sides",
            Assert.Throws<KitException>(() => Splits.CheckLeaks(leaky.Table, leaky.SplitFor(1), "derm7pt")).Message);
        Assert.NotEmpty(leaky.Redraw(1).Test);
        Assert.Equal(SplitVersion.Original, leaky.Limit(20, 20).Version);
    }

    [Fact]
    public void ACleaningListIsAppliedToTheStrictVersionAlone()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = tree.Settings with { DataDir = folder.Path };
        FixtureSets.Write(settings, folder.Path, MedNode.Name);
        string[] all = DataSetCatalog.Load(settings, MedNode.Name).Ids;
        File.WriteAllLines(Path.Combine(folder.Path, MedNode.Name, "MED-NODE_cleaned_file_list.csv"),
            all.Skip(4).Select(id => $"MED-NODE/{id}").Prepend("file_name"));
        ProbeTask strict = TaskSuite.Open(tree.Suite["med_node"], settings),
            original = TaskSuite.Open(tree.Suite["med_node"], settings, SplitVersion.Original);
        Assert.Equal((22, 26), (strict.Table.Count, original.Table.Count));
        Assert.Contains("4 of 26 images left out by MED-NODE_cleaned_file_list.csv", strict.Definition.Note);
        Assert.DoesNotContain("left out", original.Definition.Note);
    }

    [Fact]
    public void AllTwelveTasksRunFromImagesToScores()
    {
        ProbeTask[] tasks =
            [.. SuiteRun.Open(tree.Settings, tree.Suite, new() { Tasks = [.. Twelve.Select(t => t.Name)] })];
        string[] paths = [.. tasks.SelectMany(t => t.Table.Paths).Distinct()];
        using ImageCache cache = ImageCache.Build(tree.Settings.CacheDir, paths,
            new EvalTransform { Resize = 36, Crop = 32 });
        Assert.Empty(cache.Quarantine);
        using VisionTransformer model =
            VisionTransformer.Random(new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32 }, 1);
        FeatureSet features = FeatureExtractor.Extract(model, cache);
        var rowOf = paths.Select((p, i) => (p, cache.RowOf[i])).ToDictionary(p => p.p, p => p.Item2);
        using TorchSharp.torch.Tensor values = features.ToTensor();
        foreach (ProbeTask task in tasks)
        {
            IReadOnlyList<TaskResult> results = Probing.Run(values,
                new("tiny", "cls4", features.WeightsHash, features.Key), task, 1, new() { Resamples = 10 },
                rowOf: [.. task.Table.Paths.Select(p => rowOf[p])]);
            Assert.Equal(["knn", "linear"], results.Select(r => r.Probe));
            Assert.All(results,
                r => Assert.Equal((Stamps.Fixture, task.SplitFor(1).Test.Length), (r.BothStamps, r.Predicted.Length)));
            Assert.All(results, r => Assert.InRange(r.Metrics["f1"], 0, 1));
        }
    }

    [Fact]
    public void SkinTypesAreReportedForEverySetThatHasThem()
    {
        var plan = new SkinTonePlan
        {
            Suite = new() { Seeds = [1], Probing = new() { Probes = ["knn"], Resamples = 20 } },
            Folds = 2,
            FewestUnits = 1
        };
        IReadOnlyList<ProbeTask> tasks = [.. SkinTone.Open(tree.Settings, tree.Suite, plan)
            .Where(t => t.Definition.Paper is not null)];
        Assert.Equal(["ddi-malignant", "fitzpatrick17k-high", "fitzpatrick17k-low", "fitzpatrick17k-mid", "pad_ufes_20",
            "passion-conditions", "passion-impetigo"],
            tasks.Select(t => t.Definition.Name).Order(StringComparer.Ordinal));
        ModelDefinition model =
            ModelRegistry.Load(Path.Combine(tree.Settings.Root, "data"))["vit-tiny-random"] with { Side = 32 };
        SkinToneRun run = SkinTone.Run(tree.Settings, tasks, [model], plan);
        foreach (ProbeTask task in tasks)
        {
            Table scores = SkinToneReport.Scores(run, task.Definition.Name, plan);
            Assert.Equal((Stamps.Fixture, true), (scores.Stamp, scores.Rows.Count > 1));
            Assert.All(scores.Rows, r => Assert.NotEqual("–", r[^1]));
        }
        // A gap with its interval for every set; PASSION's fixture has one condition for each type, so that no two
        // types can be compared by condition.
        Assert.Superset(tasks.Select(t => t.Definition.Name).Where(n => n != "passion-conditions").ToHashSet(),
            SkinToneReport.Gaps(run, plan).Select(g => g.Task).ToHashSet());
    }

    [Fact]
    public void APartOfASetDoesNotCountBesideTheWhole()
    {
        // A fixture stands for the whole of PAD-UFES-20 and for its part.
        Assert.All(new[] { "pad_ufes_20", "pad-diagnosis" },
            name => Assert.Null(TaskSuite.Missing(tree.Suite[name], tree.Settings)));
        string[] Names(IEnumerable<ProbeTask> tasks) => [.. tasks.Select(t => t.Definition.Name)];
        Assert.Equal(["ham10000-diagnosis", "pad_ufes_20"],
            Names(RareConditions.Open(tree.Settings, tree.Suite, new())));
        string[] all = Names(SuiteRun.Open(tree.Settings, tree.Suite, new()));
        Assert.Contains("pad_ufes_20", all);
        Assert.DoesNotContain("pad-diagnosis", all);
        // Another question of the same part is not the same.
        Assert.Contains("pad-malignant", all);
        Assert.DoesNotContain("pad-diagnosis", Names(SkinTone.Open(tree.Settings, tree.Suite, new())));
        // Named by hand it is scored, and in no mean.
        IReadOnlyList<ProbeTask> both = SuiteRun.Open(tree.Settings, tree.Suite,
            new() { Tasks = ["pad-diagnosis", "pad_ufes_20"] });
        Assert.Equal([false, true], both.Select(t => t.Definition.InMeans));
        Assert.EndsWith("Part of pad_ufes_20: in no mean.", both[0].Definition.Note, StringComparison.Ordinal);
        Assert.True(SuiteRun.Open(tree.Settings, tree.Suite,
            new() { Tasks = ["pad-diagnosis"] })[0].Definition.InMeans);
    }

    [Fact]
    public void NothingIsPretrainedOnAFixture() => Assert.Contains("is a fixture", Assert.Throws<KitException>(() =>
        PretrainData.Open(tree.Settings, new DinoOptions { Sets = [PadUfes20.Name] })).Message);

    [Fact]
    public void FixturesAndRealImagesShareNoTable()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = tree.Settings with { DataDir = folder.Path };
        FixtureSets.Write(settings, folder.Path, Ddi.Name, MedNode.Name);
        File.Delete(Path.Combine(folder.Path, Ddi.Name, DataSetCatalog.FixtureMark));
        // Without its mark the tree is taken for the real set, and is not it.
        Assert.StartsWith("data not here: ddi", TaskSuite.Missing(tree.Suite["ddi-malignant"], settings));
        // The large synthetic set is drawn once for all tests.
        settings = settings with { CacheDir = KitSettings.FromEnvironment().CacheDir };
        Assert.Contains("drawn and real images share no table", Assert.Throws<KitException>(() =>
            SuiteRun.Open(settings, tree.Suite, new() { Tasks = ["med_node", "synthetic-malignancy"] })).Message);
    }
}
