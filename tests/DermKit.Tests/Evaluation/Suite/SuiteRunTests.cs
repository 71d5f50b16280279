using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Reporting;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Evaluation;

/// <summary>The whole way from a CSV of images to tables, on a set small enough for a real ViT-T.</summary>
public sealed class SuiteRunTests
{
    private const string Task = """
        { "name": "dots", "version": 1, "title": "Dots", "dataSets": { "dots": null }, "label": "label",
        "classes": { "pale": ["pale"], "dark": ["dark"] },
          "classCount": 2, "positive": "dark", "split": "patient", "unit": "patient_id", "groups": ["label"],
          "inPretraining": false }
        """;

    private static readonly string Root = KitSettings.FromEnvironment().Root;
    private static readonly ModelRegistry Models = ModelRegistry.Load(Path.Combine(Root, "data"));
    private static readonly SuitePlan Plan =
        new() { Tasks = ["dots"], Models = ["vit-tiny-random"], Seeds = [1, 9], Probing = new() { Resamples = 50 } };

    [Fact]
    public void FromImagesToTables()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = Kit(folder.Path, out TaskSuite suite);
        IReadOnlyList<ProbeTask> tasks = SuiteRun.Open(settings, suite, Plan);
        SuiteRun run = SuiteRun.Run(settings, tasks, SuiteRun.Choose(Models, Plan), Plan);

        Assert.Equal("00.png", Path.GetFileName(Assert.Single(run.Quarantine).Path));
        Assert.Equal([("knn", 1), ("linear", 1), ("knn", 9), ("linear", 9)],
            run.Results.Select(r => (r.Probe, r.Seed)));
        Assert.Equal([1, 9], run.Extractions.Select(e => e.Seed));
        Assert.All(run.Extractions, e => Assert.Equal(39, e.Images));
        Assert.Equal(2, run.Extractions.Select(e => e.WeightsHash).Distinct().Count());
        Assert.All(run.Results, r => Assert.Equal(39, r.TrainRows + r.Ids.Length));
        // Brightness alone tells the classes apart, which even random features carry.
        Assert.All(run.Results.Where(r => r.Probe == "linear"), r => Assert.Equal(1, r.Metrics["f1"]));

        // Weights of one seed serve every seed of the plan.
        SuiteRun once = SuiteRun.Run(settings, tasks, [Models["vit-tiny-random"] with { Seeds = [9] }], Plan);
        Assert.Equal(9, Assert.Single(once.Extractions).Seed);
        Assert.Equal([1, 1, 9, 9], once.Results.Select(r => r.Seed));

        SuiteRun again = SuiteRun.Run(settings, tasks, SuiteRun.Choose(Models, Plan), Plan);
        Assert.Equal(run.Results.Select(r => (r.Key, r.Seconds)), again.Results.Select(r => (r.Key, r.Seconds)));

        IReadOnlyList<ComparisonRow> rows = Comparison.Table(run.Results, "vit-tiny-random", resamples: 50);
        Assert.Contains("dots", ProbingReport.Scores("Scores", rows).ToString(), StringComparison.Ordinal);
        Assert.Equal(2, ProbingReport.Scores(rows).Series.Count);
        Table paired = ProbingReport.LinearAgainstKnn(run, 50);
        Assert.Equal($"dots ({run.Results.SelectMany(r => r.Units).Distinct().Count()})",
            Assert.Single(paired.Rows)[0]);
        Assert.Equal((TableFootnote.Mean([Plan.Seeds.Count]), true),
            (paired.Footnote!.Seeds,
                paired.Footnote.Comparison.StartsWith("linear minus kNN", StringComparison.Ordinal)));
        Assert.Equal(TableFootnote.Mean([Plan.Seeds.Count]), ProbingReport.Scores("Scores", rows).Footnote!.Seeds);
        Assert.Equal(2,
            Assert.IsType<Table>(ProbingReport.Groups(run, "vit-tiny-random", "linear", "label")).Rows.Count);
        Assert.Equal(run.Results.Where(r => r.Probe == "linear").Sum(r => r.Ids.Length),
            ProbingReport.Confusion(run, "dots", "vit-tiny-random", "linear").Values.Cast<double>().Sum());
        ComparisonRow[] means = [.. Comparison.Means(run.Results, null, resamples: 50)];
        Assert.All(means, m => Assert.InRange(m.Units, 1, run.Results.Sum(r => r.UnitCount)));
        Assert.Contains($"n = {means[0].Units} test patients", ProbingReport.Headline(means), StringComparison.Ordinal);
        Assert.DoesNotContain(ProbingReport.Images(tasks[0], each: 40).Images,
            tile => tile.Note == "00.png" || tile.Note == "00");
        Assert.Equal("00.png", Assert.Single(ProbingReport.Quarantine(run).Rows)[0]);
        Assert.Equal(run.Extractions.Select(e => e.FeaturesHash), again.Extractions.Select(e => e.FeaturesHash));
        Assert.All(run.Extractions, e => Assert.Equal(64, e.FeaturesHash.Length));

        // Test images ask, training images answer; one source has no others to search.
        ImageSearch search = ImageSearch.Run(settings, tasks, Models["vit-tiny-random"], Plan, k: 3, across: false);
        DermKit.Data.Split split = tasks[0].SplitFor(1);
        Assert.Equal(run.Results[0].Ids.Order(), search.Answers.Select(a => tasks[0].Table.Ids[a.Asked.Row]).Order());
        Assert.All(search.Answers,
            a => Assert.Equal((3, true), (a.Found.Count, a.Found.All(f => split.Train.Contains(f.Image.Row)))));
        Assert.All(search.Answers, a => Assert.Equal(a.Found.OrderByDescending(f => f.Cosine), a.Found));
        Assert.Equal(1, ImageSearch.Precision(search.Answers, 1, 50).Value);
        Assert.Equal(2 * 3, SearchReport.Images(search, count: 2, each: 2).Images.Count);
        Assert.Equal(search.Answers.Count, (int)SearchReport.Precision([search], [1, 3], 50).Rows[0][3]!);
        Assert.Empty(ImageSearch.Run(settings, tasks, Models["vit-tiny-random"], Plan).Answers);
        // A model against itself: nothing to show.
        Assert.Empty(DisagreementReport.Images(Disagreement.Of(run.Results, "vit-tiny-random", "vit-tiny-random", 1)[0],
            run).Images);

        Assert.Equal("No task of this run has the column seed.",
            ProbingReport.Groups(run, "vit-tiny-random", "linear", "seed"));
    }

    [Fact]
    public void ACancelledRunStopsAndTheNextOneGoesOn()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = Kit(folder.Path, out TaskSuite suite);
        IReadOnlyList<ProbeTask> tasks = SuiteRun.Open(settings, suite, Plan);
        using var stop = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            SuiteRun.Run(settings, tasks, SuiteRun.Choose(Models, Plan), Plan, (what, _, _) =>
            {
                if (what.EndsWith("seed 9", StringComparison.Ordinal)) stop.Cancel();
            }, stop.Token));
        Assert.Equal(4, SuiteRun.Run(settings, tasks, SuiteRun.Choose(Models, Plan), Plan).Results.Count);
    }

    [Fact]
    public void ALimitTakesTheSameImagesEveryTimeAndKeepsTheParts()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        ProbeTask whole = TaskSuite.Open(suite["synthetic-diagnosis"], settings), part = whole.Limit(100, 50);
        Split all = whole.SplitFor(1), few = part.SplitFor(1);
        Assert.Equal((100, 50), (few.Train.Length, few.Test.Length));
        Assert.Subset(all.Train.Select(i => whole.Table.Ids[i]).ToHashSet(),
            few.Train.Select(i => part.Table.Ids[i]).ToHashSet());
        Assert.Subset(all.Test.Select(i => whole.Table.Ids[i]).ToHashSet(),
            few.Test.Select(i => part.Table.Ids[i]).ToHashSet());
        Assert.Equal(part.Table.Ids, whole.Limit(100, 50).Table.Ids);
        Assert.Same(whole, whole.Limit(int.MaxValue, int.MaxValue));
    }

    [Fact]
    public void QuickModeIsTheSmallOne()
    {
        SuitePlan quick = SuitePlan.For(RunMode.Quick), full = SuitePlan.For(RunMode.Full);
        Assert.True(quick.MostTrain < full.MostTrain && quick.MostTest < full.MostTest
            && quick.MostParameters < full.MostParameters);
        Assert.Equal([1, 9], quick.Seeds);
        Assert.Equal([1, 9, 21, 42, 555], full.Seeds);
        Assert.Equal(["vit-tiny-random"],
            SuiteRun.Choose(Models, quick).Where(m => m.Source == "random").Select(m => m.Name));
        // Baselines take part whatever their size, beside models that are named or all.
        string[] Chosen(string models) => [.. SuiteRun.Choose(Models,
            quick.With(models: models, baselines: "resnet18-random, resnet18-imagenet")).Select(m => m.Name)];
        Assert.Equal(["vit-tiny-dino-kit", "resnet18-random", "resnet18-imagenet"], Chosen("vit-tiny-dino-kit"));
        Assert.Equal(SuiteRun.Choose(Models, quick).Select(m => m.Name).Append("resnet18-random")
            .Append("resnet18-imagenet").Order(), Chosen("").Order());
    }

    [Fact]
    public void APlanThatCannotBeRunIsRefusedBeforeAnyWork()
    {
        TaskSuite suite = TaskSuite.Load(Path.Combine(Root, "data"));
        KitSettings settings = KitSettings.FromEnvironment();
        Assert.Contains("'vit-tiny-random'",
            Message(() => SuiteRun.Choose(Models, Plan with { Baseline = "vit-tiny-randon" })),
            StringComparison.Ordinal);
        Assert.Contains("not among",
            Message(() => SuiteRun.Choose(Models, Plan with { Baseline = "vit-small-random" })),
            StringComparison.Ordinal);
        Assert.Contains("'resnet18-random' is not among",
            Message(() => SuiteRun.Choose(Models, Plan with { OtherBaselines = ["resnet18-random"] })),
            StringComparison.Ordinal);
        Assert.Contains("monet", Message(() => SuiteRun.Choose(Models, Plan with { Models = ["monet"] })),
            StringComparison.Ordinal);
        Assert.Contains("'pad-diagnosis'",
            Message(() => SuiteRun.Open(settings, suite, Plan with { Tasks = ["pad-diagnoses"] })),
            StringComparison.Ordinal);
        Assert.Contains("share no table",
            Message(() => SuiteRun.Open(settings, suite,
                Plan with { Tasks = ["synthetic-diagnosis", "pad-diagnosis"] })), StringComparison.Ordinal);
        static string Message(Action action) => Assert.Throws<KitException>(action).Message;
    }

    /// <summary>40 images of 20 patients, the first one broken, and one task.</summary>
    private static KitSettings Kit(string folder, out TaskSuite suite)
    {
        string set = Directory.CreateDirectory(Path.Combine(folder, "dots")).FullName,
            tasks = Directory.CreateDirectory(Path.Combine(folder, "tasks")).FullName;
        File.WriteAllText(Path.Combine(tasks, "dots.json"), Task);
        var csv = new List<string> { "image,label,patient_id" };
        for (int i = 0; i < 40; i++)
        {
            RgbImage image = TestImages.Draw(64, 64, i);
            for (int p = 0; p < image.Pixels.Length; p++)
                image.Pixels[p] = (byte)(image.Pixels[p] / 4 + (i % 2 == 0 ? 160 : 20));
            byte[] file = ImageCodec.EncodePng(image);
            File.WriteAllBytes(Path.Combine(set, $"{i:00}.png"), i == 0 ? file[..40] : file);
            csv.Add($"{i:00}.png,{(i % 2 == 0 ? "pale" : "dark")},p{i / 2}");
        }
        File.WriteAllLines(Path.Combine(set, "labels.csv"), csv);
        suite = TaskSuite.Load(folder);
        return new(RunMode.Quick, "cpu", Root, folder, Path.Combine(folder, "cache"));
    }
}
