using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Reporting;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class SkinToneTests
{
    private const int Images = 300;

    private static readonly SkinTonePlan Plan =
        new() { Folds = 4, Suite = new() { Probing = new() { Resamples = 200 } } };

    /// <summary>Three images of each patient; types 1, 3 and 5 in turn by patient, and every tenth
    /// patient without one.</summary>
    private static ProbeTask Task(SplitKind split = SplitKind.Frozen, string column = "skin_type",
        Func<int, string?>? type = null)
    {
        string[] ids = [.. Enumerable.Range(0, Images).Select(i => $"img-{i:D4}")];
        type ??= p => p % 10 == 0 ? null : $"{1 + 2 * (p % 3)}";
        var table = new ImageTable("made-up", ("image", ids.Select(i => $"/{i}.png")), ("image_id", ids),
            ("patient_id", Enumerable.Range(0, Images).Select(i => $"p{i / 3}")),
            (column, Enumerable.Range(0, Images).Select(i => type(i / 3))));
        var definition = new TaskDefinition
        {
            Name = "typed",
            Version = 1,
            Title = "Typed",
            DataSets = new() { ["made-up"] = null },
            Label = "diagnosis",
            ClassCount = 2,
            Positive = "b",
            Split = split,
            Unit = "patient_id",
            Groups = [column],
            InPretraining = false,
        };
        return new(definition, table, [.. Enumerable.Range(0, Images).Select(i => i % 2)], ["a", "b"],
            [.. Enumerable.Range(0, Images).Select(i => split == SplitKind.Frozen && i / 3 % 5 == 0)]);
    }

    /// <summary>The label as first feature, drowned in noise for the given type.</summary>
    private static Tensor Features(ProbeTask task, string drowned)
    {
        var random = new Random(3);
        string?[] types = task.Table.Column("skin_type");
        float[] values = new float[Images * 4];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(random.NextDouble() - 0.5)
                + (i % 4 == 0 && types[i / 4] != drowned ? 4 * task.Labels[i / 4] : 0);
        return tensor(values, [Images, 4]);
    }

    private static FeatureSource Source => new("m", "cls4", "weights", "k");

    [Fact]
    public void EveryTypedImageIsScoredOnceByAProbeThatHasNotSeenItsPatient()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Task();
        var rows = SkinTone.Run(Features(task, ""), Source, task, 1, Plan);
        Assert.Equal([("knn", SkinTone.HeldOut), ("knn", SkinTone.AllTyped), ("linear", SkinTone.HeldOut),
            ("linear", SkinTone.AllTyped)], rows.Select(r => (r.Probe, r.Part)));
        int typed = task.Table.Column("skin_type").Count(t => t is not null);
        TypedRows all = rows[3], held = rows[2];
        Assert.Equal(typed, all.Types.Length);
        Assert.Equal(task.SplitFor(1).Test.Count(i => task.Table.Column("skin_type")[i] is not null),
            held.Types.Length);
        Assert.Equal(typed / 3, all.Rows.Units.Distinct().Count());
        // A patient's three images are in one fold.
        int[] fold = CrossFolds.Assign(task.Patients!, task.Labels, 4, 1);
        Assert.All(Enumerable.Range(0, Images).GroupBy(i => task.Patients![i]),
            p => Assert.Single(p.Select(i => fold[i]).Distinct()));
        Assert.InRange(fold.CountBy(f => f).Max(f => f.Value) - fold.CountBy(f => f).Min(f => f.Value), 0, 3);
        Assert.NotEqual(fold, CrossFolds.Assign(task.Patients!, task.Labels, 4, 2));
        Assert.Contains("2 patients",
            Assert.Throws<KitException>(() => CrossFolds.Assign(["a", "b"], [0, 1], 3, 1)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ATaskThatASeedSplitsIsScoredOutOfFoldAlone()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Task(SplitKind.Patient);
        TypedRows only =
            Assert.Single(SkinTone.Run(Features(task, ""), Source, task, 1,
                Plan with { Suite = new() { Probing = new() { Probes = ["linear"], Resamples = 50 } } }));
        Assert.Equal((SkinTone.AllTyped, 270), (only.Part, only.Types.Length));
        Assert.Contains("none of its",
            Assert.Throws<KitException>(() => SkinTone.Run(zeros(Images, 4), Source, Task(type: _ => null), 1, Plan))
                .Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AGapThatIsThereIsFoundAndOneThatIsNotIsNot()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Task();
        TypedRows[] rows = [SkinTone.Run(Features(task, "3"), Source, task, 1, Plan)
            .Single(r => r is { Probe: "linear", Part: SkinTone.AllTyped })];
        GroupGap found = GroupGaps.Gap(rows, "I-II", "III-IV", 10, 500)!,
            none = GroupGaps.Gap(rows, "I-II", "V-VI", 10, 500)!;
        Assert.True(found.Difference!.Difference.Low > 0.2 && found.Difference!.P < 0.01);
        Assert.True(none.Difference!.Difference.Low <= 0 && none.Difference!.Difference.High >= 0
            && none.Difference!.P > 0.05);
        var scores = GroupGaps.Scores(rows, t => SkinTypes.Group(t)!, 10, 200);
        Assert.Equal(["I-II", "III-IV", "V-VI"], scores.Select(s => s.Group));
        Assert.Equal(scores[0].F1!.Value - scores[1].F1!.Value, found.Difference!.Difference.Value, 12);
        Assert.Equal((scores[0].Units, scores[1].Units), (found.FirstUnits, found.SecondUnits));
        // With more patients asked for than there are, nothing is said.
        Assert.Null(GroupGaps.Gap(rows, "I-II", "III-IV", 1000));
        Assert.All(GroupGaps.Scores(rows, t => t, 1000, 50), s => Assert.Null(s.F1));
    }

    [Fact]
    public void TablesSayCountsPartsAndStamps()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Task();
        var run =
            new SkinToneRun([.. new[] { 1, 9 }
                .SelectMany(seed => SkinTone.Run(Features(task, "3"), Source, task, seed, Plan))
                .Select(r => r with { Stamp = "SYNTHETIC" })], new([], [task], [], []));
        Table counts = SkinToneReport.Counts(run);
        Assert.Equal(6, counts.Rows.Count);
        Assert.Equal(["I", "III", "V"], counts.Rows.Take(3).Select(r => r[2]));
        Assert.Equal("SYNTHETIC", counts.Stamp);
        Table scores = SkinToneReport.Scores(run, "typed", Plan);
        Assert.Equal((6, "m, knn", "m, linear"), (scores.Rows.Count, scores.Columns[4], scores.Columns[5]));
        // Type III, which is hard here, in the larger part.
        Assert.NotEqual(scores.Rows[4][5], SkinToneReport.Scores(run, "typed", Plan, balanced: true).Rows[4][5]);
        Assert.Equal(2, SkinToneReport.Figure(run, "typed", Plan).Series.Count);
        Assert.Equal("2, averaged", scores.Footnote!.Seeds);
        IReadOnlyList<GroupGap> gaps = SkinToneReport.Gaps(run, Plan);
        Assert.All(gaps, g => Assert.True(g.AdjustedP >= g.Difference!.P));
        Assert.All(gaps, g => Assert.Equal(gaps.Count, g.Family));
        Assert.Equal(4 * gaps[0].TimesTheUnits(0.1), gaps[0].TimesTheUnits(0.05), 9);
        // What could be found is asked of the test that is made: corrected over all gaps, of whichever a part is shown.
        Table allows = SkinToneReport.Allows([.. gaps.Where(g => g.Probe == "linear").Take(1)]);
        GroupGap first = gaps.First(g => g.Probe == "linear");
        Assert.Equal(DetectableDifference.ErrorsToFind(gaps.Count) * first.StandardError,
            (double)allows.Rows[0][6]!, 12);
        Assert.Contains($"over {gaps.Count} comparisons", allows.Note, StringComparison.Ordinal);
        // A gap that no resample contradicts is found in spite of the correction, and its p is a bound in cell and
        // headline.
        GroupGap wide = gaps.Where(g => g.IsBound).MaxBy(g => Math.Abs(g.Difference!.Difference.Value))!;
        Assert.InRange(wide.AdjustedP!.Value, 0, 0.02);
        Assert.StartsWith("≤ 0.0", (string)SkinToneReport.Gaps(gaps).Rows[gaps.ToList().IndexOf(wide)][7]!,
            StringComparison.Ordinal);
        Assert.Contains(", p ≤ 0.0", SkinToneReport.Gaps(gaps).Headline, StringComparison.Ordinal);
        Assert.Contains("≤: no resample", SkinToneReport.Gaps(gaps).Footnote!.Comparison, StringComparison.Ordinal);
        Assert.Equal(("2, averaged", "2, averaged"),
            (SkinToneReport.Gaps(gaps).Footnote!.Seeds, SkinToneReport.Allows(gaps).Footnote!.Seeds));
        Assert.StartsWith($"[SYNTHETIC] {gaps.Count(g => g.AdjustedP < 0.05)} of {gaps.Count} gaps",
            SkinToneReport.Gaps(gaps).Headline, StringComparison.Ordinal);
        Assert.Equal(gaps.Count(g => g.Probe == "linear"), SkinToneReport.Allows(gaps).Rows.Count);
        Assert.Contains("the run has typed",
            Assert.Throws<KitException>(() => SkinToneReport.Scores(run, "other", Plan)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", "I", "I-II")]
    [InlineData("4", "IV", "III-IV")]
    [InlineData("6", "VI", "V-VI")]
    [InlineData("34", "III-IV", "III-IV")]
    [InlineData("-1", null, null)]
    [InlineData(null, null, null)]
    public void TypesAreReadAsTheSetsWriteThem(string? value, string? type, string? group)
    {
        Assert.Equal(type, SkinTypes.Type(value));
        Assert.Equal(group, SkinTypes.Group(SkinTypes.Type(value)));
        Assert.Contains("'7'", Assert.Throws<KitException>(() => SkinTypes.Type("7")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void AllSetsWithSkinTypesHaveATask()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        string[] sets = [.. suite.Tasks.Where(t => SkinTypes.ColumnOf(t) is not null)
            .SelectMany(t => t.DataSets.Keys).Distinct()];
        Assert.Superset(new HashSet<string> { "pad-ufes-20", "ddi", "fitzpatrick17k", "passion", "synthetic" },
            sets.ToHashSet());
        Assert.Contains("names no column of skin types",
            Assert.Throws<KitException>(
                () => SkinTone.Open(settings, suite, new() { Suite = new() { Tasks = ["isic2017-melanoma"] } }))
                .Message, StringComparison.Ordinal);
    }
}
