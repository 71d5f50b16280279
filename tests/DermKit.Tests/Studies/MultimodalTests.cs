using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Reporting;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class MultimodalTests
{
    private const int Images = 240;

    private static readonly MultimodalPlan Plan = new() { Folds = 3, Cs = [0.01, 1] };

    /// <summary>Age tells the class, sex does not; every eighth image has no metadata at all.</summary>
    private static ProbeTask Task()
    {
        string[] ids = [.. Enumerable.Range(0, Images).Select(i => $"img-{i:D4}")];
        int[] labels = [.. Enumerable.Range(0, Images).Select(i => i / 2 % 2)];
        string? Of(int i, string value) => i % 8 == 0 ? null : value;
        var random = new Random(1);
        var table = new ImageTable("made-up", ("image", ids.Select(i => $"/{i}.png")), ("image_id", ids),
            ("patient_id", Enumerable.Range(0, Images).Select(i => $"p{i / 2}")),
            ("age", Enumerable.Range(0, Images).Select(i => Of(i, $"{40 + 20 * labels[i] + random.Next(15)}"))
                .ToArray()),
            ("sex", Enumerable.Range(0, Images).Select(i => Of(i, random.Next(2) == 0 ? "male" : "female")).ToArray()),
            ("site", Enumerable.Range(0, Images)
                .Select(i => Of(i, i == 5 ? "HAND" : i % 3 == 0 ? "ARM" : i % 3 == 1 ? "NECK" : "UNK")).ToArray()));
        var definition = new TaskDefinition
        {
            Name = "both",
            Version = 1,
            Title = "Both",
            DataSets = new() { ["made-up"] = null },
            Label = "diagnosis",
            ClassCount = 2,
            Positive = "b",
            Split = SplitKind.Frozen,
            Unit = "patient_id",
            InPretraining = false,
            Stamp = "SYNTHETIC",
        };
        return new(definition, table, labels, ["a", "b"], [.. Enumerable.Range(0, Images).Select(i => i >= 160)]);
    }

    /// <summary>A weak sign of the class among noise.</summary>
    private static Tensor Features(ProbeTask task)
    {
        var random = new Random(2);
        float[] values = new float[task.Labels.Length * 6];
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(random.NextDouble() - 0.5) + (i % 6 == 0 ? 0.3f * task.Labels[i / 6] : 0);
        return tensor(values, [task.Labels.Length, 6]);
    }

    [Fact]
    public void EncodingsAreLearnedFromTrainingRowsAlone()
    {
        ProbeTask task = Task();
        IReadOnlyList<MetadataGroup> groups = MetadataGroup.In(task.Table);
        Assert.Equal(["age", "sex", "body site"], groups.Select(g => g.Name));
        int[] train = [.. Enumerable.Range(0, 160)];
        MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, train, groups);
        // HAND stands once, too seldom for a column.
        Assert.Equal(["age", "age missing", "sex FEMALE", "sex MALE", "sex missing", "site ARM", "site NECK",
            "site other", "site missing"], encoder.Names);
        // The same rows with other test rows below them give the same columns and numbers.
        string?[] ages = task.Table.Column("age");
        var changed = new ImageTable("made-up",
            [.. task.Table.Frame.Columns.Select(c => (c.Name,
                (IEnumerable<string?>)task.Table.Column(c.Name)
                    .Select((v, i) =>
                        i >= 160 && c.Name == "age" ? "900" : i >= 160 && c.Name == "site" ? "FOOT" : v)))]);
        MetadataEncoder other = MetadataEncoder.Fit(changed, train, groups);
        Assert.Equal(encoder.Names, other.Names);
        Assert.Equal(encoder.Encode(task.Table, train).Cast<float>(), other.Encode(changed, train).Cast<float>());
        Assert.Equal(1, other.Encode(changed, [161])[0, 7]);

        double[] known = [.. train.Where(i => ages[i] is not null).Select(i => double.Parse(ages[i]!))];
        double mean = known.Average(), spread = Math.Sqrt(known.Average(v => (v - mean) * (v - mean)));
        float[,] rows = encoder.Encode(task.Table, [1, 0, 2, 5]);
        Assert.Equal((float)((double.Parse(ages[1]!) - mean) / spread), rows[0, 0], 1e-5f);
        Assert.Equal((float)((Bootstrap.Percentile([.. known.Order()], 0.5) - mean) / spread), rows[1, 0], 1e-5f);
        Assert.Equal([0, 1, 1, 1], new[] { rows[0, 1], rows[1, 1], rows[2, 8], rows[3, 7] });
        Assert.Contains("no training image has a value",
            Assert.Throws<KitException>(() => MetadataEncoder.Fit(task.Table, [0, 8], groups)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void ImagesWithoutMetadataTakeNoPart()
    {
        ProbeTask all = Task(), kept = Multimodal.WithMetadata(all, Plan);
        Assert.Equal(Images - Images / 8, kept.Labels.Length);
        Assert.DoesNotContain("img-0000", kept.Table.Ids);
        // Only images of the first class are without: 30 of 120 and 0 of 120.
        Assert.Equal(["75 %", "100 %"], MultimodalReport.Recorded(all, kept).Rows.Select(r => r[3]));
        Table missing = MultimodalReport.Missing(kept);
        Assert.Equal((0, kept.Table.Column("site").Count(s => s == "UNK")),
            ((int)missing.Rows[0][2]!, (int)missing.Rows[2][2]!));
        Assert.Contains("no image has values",
            Assert.Throws<KitException>(() => Multimodal.WithMetadata(all, Plan with { Recorded = 1.1 })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void MetadataThatTellsTheClassIsFoundToHelpAndTheRestIsNot()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Multimodal.WithMetadata(Task(), Plan);
        ArmRows[] arms = [.. new[] { 1, 9 }.SelectMany(seed => Multimodal.Run(Features(task), "m", task, seed, Plan))];
        Assert.Equal(8, arms.Length);
        double F1(string arm) => Bootstrap.Mean([.. arms.Where(a => a.Arm == arm).Select(a => a.Rows)], null, 1).Value;
        string scored = string.Join(", ", Multimodal.Arms.Select(a => $"{a} {F1(a)}"));
        Assert.True(F1("metadata") > F1("image") + 0.1, scored);
        Assert.True(F1("late fusion") > F1("image") && F1("concatenation") > F1("image"), scored);
        Assert.All(arms, a => Assert.Contains(a.C, Plan.Cs));

        IReadOnlyList<GroupRows> groups = Multimodal.WhichHelps(task, Plan, 1);
        Assert.Equal(7, groups.Count);
        int[] train = task.SplitFor(1).Train;
        Assert.All(groups, g => Assert.Equal(train.Select(i => task.Labels[i]), g.Rows.Truth));
        TestRows Rows(string kind, string group) => groups.Single(g => g.Kind == kind && g.Group == group).Rows;
        Assert.True(
            PairedTest.Difference([Rows("all", "")], [Rows("without", "age")], resamples: 200).Difference.Low > 0.1);
        Assert.True(PairedTest.Difference([Rows("all", "")], [Rows("without", "sex")], resamples: 200).Difference
            is { Low: <= 0, High: >= 0 });

        var run = new MultimodalRun(task, arms, groups, new([], [task], [], []));
        Table scores = MultimodalReport.Scores(run, 100), which = MultimodalReport.Groups(run, 100);
        Assert.Equal(4, scores.Rows.Count);
        Assert.Matches(
            @"^\[SYNTHETIC\] both: m with metadata by (late fusion|concatenation), F1 [01]\.\d\d .*n = \d+ test patients\.$", scores.Headline);
        Assert.Equal("age", which.Rows[0][0]);
        Assert.Matches(
            @"^n: \d+ test images of \d+ patients\. Seeds: 2, averaged\. Intervals: 95 %, .* Holm over the 5 differences\.$", scores.Footnote!.ToString());
        Assert.Contains("training images of", which.Footnote!.N, StringComparison.Ordinal);
        Assert.Equal(Multimodal.Arms, MultimodalReport.Figure(run, 100).Categories);
    }

    [Fact]
    public void EveryArmChoosesItsPenaltyOutOfFoldWithoutTheTestRows()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Multimodal.WithMetadata(Task(), Plan);
        Tensor features = Features(task);
        int[] train = task.SplitFor(1).Train, test = task.SplitFor(1).Test;
        IReadOnlyList<ArmRows> arms = Multimodal.Run(features, "m", task, 1, Plan);
        // Turned labels of the test rows change no call and no penalty.
        bool[] frozen = [.. Enumerable.Range(0, task.Labels.Length).Select(i => test.Contains(i))];
        int[] others = [.. task.Labels.Select((l, i) => frozen[i] ? 1 - l : l)];
        ProbeTask turned = new(task.Definition, task.Table, others, task.ClassNames, frozen);
        static IEnumerable<(string, double, string)> Found(IReadOnlyList<ArmRows> arms) =>
            arms.Select(a => (a.Arm, a.C, string.Join("", a.Rows.Predicted)));
        Assert.Equal(Found(arms), Found(Multimodal.Run(features, "m", turned, 1, Plan)));

        // By hand: probabilities of each penalty out of fold, for the fusion their mean at one penalty of both.
        int[] labels = Array.ConvertAll(train, i => task.Labels[i]);
        int[] fold = CrossFolds.Assign(Array.ConvertAll(train, task.UnitOf), labels, Plan.Folds, 1);
        double[,] Held(bool image, double c)
        {
            double[,] held = new double[train.Length, 2];
            for (int f = 0; f < Plan.Folds; f++)
            {
                int[] own = [.. Enumerable.Range(0, train.Length).Where(i => fold[i] == f)];
                int[] fit = [.. train.Where((_, i) => fold[i] != f)], scored = Array.ConvertAll(own, i => train[i]);
                MetadataEncoder encoder = MetadataEncoder.Fit(task.Table, fit, MetadataGroup.In(task.Table));
                Tensor Rows(int[] rows) => image
                    ? features.index_select(0, ProbeInput.ToTensor(rows, CPU))
                    : tensor(encoder.Encode(task.Table, rows));
                int[] fitted = Array.ConvertAll(fit, i => task.Labels[i]);
                LinearProbe probe = new(c, Standardise: true);
                double[,] found = probe.Run(Rows(fit), fitted, Rows(scored), 2).Probabilities;
                foreach ((int i, int row) in own.Index())
                    for (int k = 0; k < 2; k++) held[row, k] = found[i, k];
            }
            return held;
        }
        double F1(params double[][,] parts)
        {
            bool Positive(int i) => parts.Sum(p => p[i, 1]) > parts.Sum(p => p[i, 0]);
            return ClassCounts.Of(labels, [.. train.Select((_, i) => Positive(i) ? 1 : 0)], 2).PaperF1();
        }
        double Best(params bool[] images) => Plan.Cs.MaxBy(c => F1([.. images.Select(i => Held(i, c))]));
        Assert.Equal((Best(true), Best(false), Best(true, false)), (arms[0].C, arms[1].C, arms[2].C));
    }

    [Fact]
    public void NoRowThatScoresAGroupOfMetadataChoosesItsPenalty()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = Multimodal.WithMetadata(Task(), Plan);
        int[] train = task.SplitFor(1).Train;
        int[] labels = Array.ConvertAll(train, i => task.Labels[i]);
        int[] fold = CrossFolds.Assign(Array.ConvertAll(train, task.UnitOf), labels, Plan.Folds, 1);
        // Ages of the first fold that are turned round, but for every fourth: if no row of a fold takes part in its
        // fit, encoding or penalty, the calls of those stay.
        int[] kept = [.. Enumerable.Range(0, train.Length).Where(n => fold[n] == 0 && n % 4 == 0)];
        HashSet<int> turned = [.. train.Where((_, n) => fold[n] == 0 && !kept.Contains(n))];
        IEnumerable<string?> Changed(string column) => task.Table.Column(column)
            .Select((v, i) => column == "age" && v is not null && turned.Contains(i) ? $"{114 - int.Parse(v)}" : v);
        string[] columns = [.. task.Table.Frame.Columns.Select(c => c.Name)];
        var changed = new ImageTable("made-up", [.. columns.Select(c => (c, Changed(c)))]);
        bool[] frozen = [.. Enumerable.Range(0, task.Labels.Length).Select(i => !train.Contains(i))];
        ProbeTask other = new(task.Definition, changed, task.Labels, task.ClassNames, frozen);
        int[] before = Multimodal.WhichHelps(task, Plan, 1)[0].Rows.Predicted;
        int[] after = Multimodal.WhichHelps(other, Plan, 1)[0].Rows.Predicted;
        Assert.NotEmpty(kept);
        Assert.NotEqual(before, after);
        Assert.All(kept, n => Assert.Equal(before[n], after[n]));
    }

    [Fact]
    public void OneTaskAtATime()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        Assert.Contains("expected one task, found 2",
            Assert.Throws<KitException>(
                () => Multimodal.Open(settings, suite, new() { Suite = new() { Tasks = ["a", "b"] } })).Message,
            StringComparison.Ordinal);
        Assert.Contains("none of the columns",
            Assert.Throws<KitException>(() => MetadataGroup.In(new("bare", ("image", ["/a.png"]), ("image_id", ["a"]))))
                .Message, StringComparison.Ordinal);
    }
}
