using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Reporting;
using DermKit.Tests.Imaging;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class CrossSetTests
{
    private const int Images = 200;

    private static readonly FeatureSource Source = new("m", "cls4", "weights", "k");

    private static ProbeTask Task(string name, string[]? classes = null, string? ids = null)
    {
        string[] all = [.. Enumerable.Range(0, Images).Select(i => $"{ids ?? name}-{i:D4}")];
        var table = new ImageTable(name, ("image", all.Select(i => $"/{i}.png")), ("image_id", all),
            ("lesion_id", Enumerable.Range(0, Images).Select(i => $"{name} {i / 2}")));
        var definition = new TaskDefinition
        {
            Name = name,
            Version = 1,
            Title = name,
            DataSets = new() { [name] = null },
            Label = "diagnosis",
            ClassCount = 2,
            Positive = "melanoma",
            Split = SplitKind.Frozen,
            Unit = "lesion_id",
            InPretraining = false,
        };
        return new(definition, table, [.. Enumerable.Range(0, Images).Select(i => i / 2 % 4 == 0 ? 1 : 0)],
            classes ?? ["other", "melanoma"], [.. Enumerable.Range(0, Images).Select(i => i >= Images / 2)]);
    }

    /// <summary>Class in the first column, in the second set in the second column as well and turned round in the
    /// first: what is learned in one does not hold in the other.</summary>
    private static Tensor Features(ProbeTask task, bool turned)
    {
        var random = new Random(turned ? 5 : 4);
        float[] values = new float[2 * Images * 3];
        for (int i = 0; i < 2 * Images; i++)
        {
            int label = task.Labels[i % Images], sign = i >= Images && turned ? -1 : 1;
            for (int c = 0; c < 3; c++)
                values[3 * i + c] = (float)(random.NextDouble() - 0.5) + (c == 0 ? sign * 2 * label : 0);
        }
        return tensor(values, [2 * Images, 3]);
    }

    private static IReadOnlyList<CrossRows> Rows(bool turned)
    {
        ProbeTask[] tasks = [Task("one"), Task("two")];
        int[][] rowOf = [[.. Enumerable.Range(0, Images)], [.. Enumerable.Range(Images, Images)]];
        return [.. new[]
        {
            1, 9
        }.SelectMany(seed => CrossSet.Run(Features(tasks[0], turned), Source, tasks, rowOf, seed, new()))];
    }

    [Fact]
    public void CopiesAreTestImagesWhosePhotographIsInTrainingOfEitherSet()
    {
        using var folder = new TemporaryFolder();
        ProbeTask With(string name, Func<int, RgbImage> image)
        {
            ProbeTask few = Task(name).Only([0, 1, 100, 101]);
            return few.Brought([.. Enumerable.Range(0, 4)
                .Select(i => folder.Write($"{name}-{i}.png", ImageCodec.EncodePng(image(i))))], 96, 80);
        }
        // A test image of each set is a training image of the first one: smaller there, mirrored here.
        ProbeTask one = With("one",
            i => i == 3 ? PillowResize.Resize(TestImages.Draw(96, 80, 1), 64, 60, ResizeFilter.Bicubic)
                : TestImages.Draw(96, 80, i)),
            two = With("two", i => i == 2 ? Mirrored(TestImages.Draw(96, 80, 0)) : TestImages.Draw(96, 80, 10 + i));
        Assert.Equal([one.Table.Ids[3], two.Table.Ids[2]], CrossSet.Copies([one, two]).Order(StringComparer.Ordinal));

        static RgbImage Mirrored(RgbImage image)
        {
            byte[] pixels = [.. Enumerable.Range(0, image.Pixels.Length)
                .Select(i =>
                    image.Pixels[3 * (i / 3 / image.Width * image.Width + image.Width - 1 - i / 3 % image.Width)
                        + i % 3])];
            return new(image.Width, image.Height, pixels);
        }
    }

    [Fact]
    public void WhatDoesNotHoldInTheOtherSetIsADropAndWhatHoldsIsNone()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<CrossDrop> turned = CrossDrop.Of(Rows(turned: true), resamples: 200),
            same = CrossDrop.Of(Rows(turned: false), resamples: 200);
        Assert.Equal(2 * 2 * 2, turned.Count);
        Assert.All(turned.Where(d => d.Metric == "auroc"),
            d => Assert.True(d.Within.Value > 0.9 && d.Across.Value < 0.5 && d.Difference!.Difference.Low > 0.4
                && d.Difference!.P < 0.02));
        Assert.All(same.Where(d => d is { Metric: "auroc", Probe: "linear" }),
            d => Assert.InRange(d.Difference!.Difference.Value, -0.05, 0.05));
        Assert.All(turned, d => Assert.Equal(d.Within.Value - d.Across.Value, d.Difference!.Difference.Value, 12));
        Assert.All(turned, d => Assert.Equal((100, 50, d.Test == "one" ? "two" : "one"), (d.Images, d.Units, d.Train)));
    }

    [Fact]
    public void LeftOutImagesAreInNeitherSide()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<CrossRows> rows = Rows(turned: true);
        // The negatives that the crossing probe ranks highest.
        CrossRows crossing = rows.First(r => r is { Train: "two", Test: "one", Probe: "knn", Seed: 1 });
        string[] wrong = [.. Enumerable.Range(0, crossing.Ids.Length).Where(i => crossing.Truth[i] == 0)
            .OrderByDescending(i => crossing.Scores[i]).Take(30).Select(i => crossing.Ids[i])];
        IReadOnlyList<CrossDrop> all = CrossDrop.Of(rows, resamples: 100),
            less = CrossDrop.Of(rows, wrong.ToHashSet(), 100);
        CrossDrop Of(IReadOnlyList<CrossDrop> drops, string test) =>
            drops.Single(d => d is { Probe: "knn", Metric: "auroc" } && d.Test == test);
        Assert.Equal(70, Of(less, "one").Images);
        Assert.True(Of(less, "one").Across.Value > Of(all, "one").Across.Value);
        Assert.Equal(Of(all, "two").Across, Of(less, "two").Across);
        Assert.Contains("expected both classes",
            Assert.Throws<KitException>(
                () => CrossDrop.Of(rows, rows[0].Ids.Where((_, i) => rows[0].Truth[i] == 1).ToHashSet(), 10)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void TheStampIsThatOfBothSets()
    {
        using var scope = NewDisposeScope();
        ProbeTask one = Task("one"), plain = Task("two");
        ProbeTask two = new(plain.Definition with { Stamp = "FIXTURE" }, plain.Table, plain.Labels, plain.ClassNames,
            [.. Enumerable.Range(0, Images).Select(i => i >= Images / 2)]);
        int[][] rowOf = [[.. Enumerable.Range(0, Images)], [.. Enumerable.Range(Images, Images)]];
        ProbingOptions linear = new() { Probes = ["linear"] };
        IReadOnlyList<CrossRows> rows = CrossSet.Run(Features(one, false), Source, [one, two], rowOf, 1, linear);
        Assert.All(rows, r => Assert.Equal(r.Train == "one" && r.Test == "one" ? "" : "FIXTURE", r.Stamp));
        Assert.All(CrossDrop.Of(rows, resamples: 20), d => Assert.Equal("FIXTURE", d.Stamp));
    }

    [Fact]
    public void SetsThatDoNotGoTogetherAreRefused()
    {
        int[][] rowOf = [[.. Enumerable.Range(0, Images)], [.. Enumerable.Range(0, Images)]];
        string Message(params ProbeTask[] tasks) =>
            Assert.Throws<KitException>(() => CrossSet.Run(zeros(Images, 2), Source, tasks, rowOf, 1, new())).Message;
        Assert.Contains("expected two tasks, found 1", Message(Task("one")), StringComparison.Ordinal);
        Assert.Contains("same two classes", Message(Task("one"), Task("two", ["other", "cancer"])),
            StringComparison.Ordinal);
        // The test part of one under ids of the other's training part.
        ProbeTask one = Task("one"), shifted = Task("two", ids: "one").Only([.. Enumerable.Range(0, Images)]);
        ProbeTask crossed = new(shifted.Definition, shifted.Table, shifted.Labels, shifted.ClassNames,
            [.. Enumerable.Range(0, Images).Select(i => i < Images / 2)]);
        Assert.Contains("is a training image of one and a test image of two", Message(one, crossed),
            StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutBothSetsTheDrawnOneIsCrossedByModality()
    {
        using var empty = new TemporaryFolder();
        KitSettings settings = KitSettings.FromEnvironment() with { DataDir = empty.Path };
        CrossSetPlan plan = new() { Suite = new() { MostTrain = 60, MostTest = 40 } };
        var tasks = CrossSet.Open(settings, TaskSuite.Load(Path.Combine(settings.Root, "data")), plan);
        Assert.Equal(["synthetic, dermoscopic", "synthetic, clinical"], tasks.Select(t => t.Definition.Name));
        Assert.All(tasks, t => Assert.Equal((60, 40), (t.SplitFor(1).Train.Length, t.SplitFor(1).Test.Length)));
        Assert.Equal(["dermoscopic"], tasks[0].Table.Column("modality").Distinct());
        // No patient trains one set and tests the other.
        Assert.Empty(tasks[0].SplitFor(1).Train.Select(i => tasks[0].Patients![i])
            .Intersect(tasks[1].SplitFor(1).Test.Select(i => tasks[1].Patients![i])));
        Assert.Equal("SYNTHETIC", CrossSetReport.Sizes(tasks, plan).Stamp);
    }

    [Fact]
    public void TablesNameBothSetsAndTheLargestDrop()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<CrossDrop> drops = [.. CrossDrop.Of(Rows(turned: true), resamples: 100)
            .Select(d => d with { Stamp = "SYNTHETIC" })];
        Table table = CrossSetReport.Drops(drops, "Drops", headline: true);
        Assert.Equal(8, table.Rows.Count);
        Assert.Matches(
            @"^\[SYNTHETIC\] Trained on (one|two), tested on (one|two): AUROC 0\.\d\d .* the largest of 4 drops, .*n = 50 test units", table.Headline);
        Assert.Empty(CrossSetReport.Drops(drops, "Drops").Headline);
        Assert.Contains("Holm over the 8 rows", table.Footnote!.Comparison, StringComparison.Ordinal);
        // 100 resamples were asked for: with no more than that the least corrected p would be 0.16.
        var adjusted = PairedTest.Holm(drops.Select(d => d.Difference!));
        Assert.True(adjusted.Min(p => p.P) < 0.02 && adjusted.MinBy(p => p.P).IsBound);
        Assert.Contains(table.Rows, r => ((string)r[8]!).StartsWith("≤ 0.0", StringComparison.Ordinal));
        Assert.Equal(TableFootnote.Mean([drops[0].Seeds]), table.Footnote.Seeds);
        Assert.Equal(Rows(turned: true).Select(r => r.Seed).Distinct().Count(), drops[0].Seeds);
        Assert.Equal(4, CrossSetReport.Figure(drops).Categories.Count);
        Assert.Equal(2, CrossSetReport.Figure(drops).Series.Count);
    }

    [Fact]
    public void EveryRunBringsImagesToThePlansSizeAndFeaturesAreOthers()
    {
        using var folder = new TemporaryFolder();
        string data = Directory.CreateDirectory(Path.Combine(folder.Path, "data")).FullName;
        FixtureSets.Write(KitSettings.FromEnvironment(), data, PadUfes20.Name, Ham10000.Name);
        KitSettings settings =
            KitSettings.FromEnvironment() with { DataDir = data, CacheDir = Path.Combine(folder.Path, "cache") };
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        ModelDefinition model =
            ModelRegistry.Load(Path.Combine(settings.Root, "data"))["vit-tiny-random"] with { Side = 32 };
        SuitePlan plain = new()
        {
            Tasks = ["pad_ufes_20"],
            Seeds = [1],
            Probing = new() { Probes = ["knn"], Resamples = 10 }
        }, squeezed = plain with { Geometry = (24, 18) };
        IReadOnlyList<ProbeTask> tasks = SuiteRun.Open(settings, suite, plain);
        ProbeTask withMetadata = SuiteRun.Open(settings, suite, plain with { Tasks = ["ham10000-diagnosis"] })[0];
        SuiteRun[] Runs(SuitePlan plan)
        {
            LabelPlan few = new() { Suite = plan, Sizes = [1], Repeats = 1 };
            return
            [
                SuiteRun.Run(settings, tasks, [model], plan),
                LabelEfficiency.Run(settings, tasks, [model], few).Suite,
                SkinTone.Run(settings, tasks, [model], new() { Suite = plan, Folds = 2, FewestUnits = 1 }).Suite,
                Multimodal.Run(settings, withMetadata, [model], new() { Suite = plan, Folds = 2 }).Suite,
                RareConditions.Run(settings, tasks, [model], new() { Labels = few }).Suite,
            ];
        }
        SuiteRun[] asTheyCome = Runs(plain), brought = Runs(squeezed);
        Assert.All(asTheyCome, r => Assert.Equal("", Assert.Single(r.Tasks).Geometry));
        Assert.All(brought, r => Assert.Equal("24x18", Assert.Single(r.Tasks).Geometry));
        Assert.All(brought,
            r => Assert.All(r.Tasks[0].Table.Paths,
                p => Assert.Contains("geometry-24x18", p, StringComparison.Ordinal)));
        // Other images, so other features under another key and results of their own.
        Assert.All(asTheyCome.Zip(brought),
            p => Assert.NotEqual(p.First.Extractions[0].FeaturesHash, p.Second.Extractions[0].FeaturesHash));
        Assert.NotEqual(asTheyCome[0].Results[0].Key, brought[0].Results[0].Key);
        Assert.Equal(("", "24x18"), (asTheyCome[0].Results[0].Geometry, brought[0].Results[0].Geometry));
        // What extracts features without bringing the images first is caught.
        Assert.Contains("24x18",
            Assert.Throws<InvalidOperationException>(
                () => SuiteRun.Visit(settings, tasks, [model], squeezed, null, _ => { }, null, default))
                .Message, StringComparison.Ordinal);
        Assert.Contains("200x150", Assert.Throws<KitException>(() => SuitePlan.GeometryOf("200")).Message,
            StringComparison.Ordinal);
        Assert.Equal(("as they come", "24x18"), (plain.ImageSize, squeezed.ImageSize));
    }

    [Fact]
    public void ImagesAreBroughtToOneSizeOnceAndBrokenOnesStay()
    {
        using var folder = new TemporaryFolder();
        string[] paths = [
            .. new[] { (256, 256), (200, 150), (224, 224) }.Select((size, i) => Path.Combine(folder.Path, $"{i}.png"))];
        foreach ((int i, string path) in paths.Index())
            File.WriteAllBytes(path,
                ImageCodec.EncodePng(i == 1 ? TestImages.Draw(200, 150, i)
                    : TestImages.Draw(256 - 16 * i, 256 - 16 * i, i)));
        string broken = Path.Combine(folder.Path, "broken.png");
        File.WriteAllBytes(broken, [1, 2, 3]);
        string copy = Path.Combine(folder.Path, "copy.png");
        File.Copy(paths[0], copy);
        string[] made = OneGeometry.Bring(folder.Path, [.. paths, broken, copy], 200, 150);
        Assert.Equal(broken, made[3]);
        // A set may hold one image twice, in training and in test: two images still, which
        // the search for copies is to find.
        Assert.NotEqual(made[0], made[4]);
        Assert.Equal(ImageCodec.Decode(made[0]).Pixels, ImageCodec.Decode(made[4]).Pixels);
        Assert.All(made[..3], m => Assert.Equal((200, 150), (ImageCodec.Decode(m).Width, ImageCodec.Decode(m).Height)));
        Assert.Equal(PillowResize.Resize(ImageCodec.Decode(paths[0]), 200, 150, ResizeFilter.Bilinear).Pixels,
            ImageCodec.Decode(made[0]).Pixels);
        Assert.Equal(ImageCodec.Decode(paths[1]).Pixels, ImageCodec.Decode(made[1]).Pixels);
        DateTime written = File.GetLastWriteTimeUtc(made[0]);
        Assert.Equal(made, OneGeometry.Bring(folder.Path, [.. paths, broken, copy], 200, 150));
        Assert.Equal(written, File.GetLastWriteTimeUtc(made[0]));
    }
}
