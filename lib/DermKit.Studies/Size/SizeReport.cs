using static System.FormattableString;

namespace DermKit.Studies;

/// <summary>Tables of the paper's claim that a small model suffices.</summary>
public static class SizeReport
{
    /// <summary>Scores and costs of every mean over tasks, and points of F1 above the most frequent class for each
    /// unit of cost.</summary>
    public static Table PerUnit(IReadOnlyList<QualityAboveMajority> rows, IReadOnlyList<ComparisonRow> means,
        IReadOnlyList<ModelDefinition> models, IReadOnlyList<MeasuredCost> measured)
    {
        var known = rows.Select(r => (Row: r, models.First(m => m.Name == r.Model).Cost)).Select(k => (k.Row, k.Cost,
            Rate: k.Cost is null ? null : CostReport.Best(measured, k.Cost)));
        return Tables.From("Scores, costs, and points of F1 for what they cost", known,
            ("Model", k => k.Row.Model),
            ("Probe", k => k.Row.Probe),
            ("Tasks (n)", k => $"{StudyReport.MeanOver(k.Row.Task, k.Row.Tasks)} ({k.Row.Units})"),
            ("F1 [95 %]", k => Score(k.Row)),
            ("Parameters, M", k => k.Cost?.Parameters * 1e-6 ?? double.NaN),
            ("GMACs", k => k.Cost?.GigaMacs ?? double.NaN),
            ("Images/s", k => CostReport.Rate(k.Rate)),
            ("Points [95 %]", k => Points(k.Row)),
            ("per M", k => Per(k.Row, k.Cost?.Parameters * 1e-6)),
            ("per GMAC", k => Per(k.Row, k.Cost?.GigaMacs)),
            ("per s", k => Per(k.Row, 1000 / k.Rate?.ImagesPerSecond))) with
        {
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
            Footnote = new($"{TableFootnote.Units} of all tasks of a mean, with the tasks",
                TableFootnote.Mean(rows.Select(r => r.Seeds)),
                $"{TableFootnote.Bootstrap()}; of images/s the slowest and the fastest round",
                "points: each model minus the most frequent class of the test images, on the same resamples; no p"),
            Note = "A point is 0.01 of F1 above the most frequent class, which needs no model; a network without "
                + "training scores above it too. The last columns are points per million parameters, per GMAC and per "
                + "second for 1,000 images; the cost is taken as exact, so their intervals are those of the points, "
                + "divided. Images/s: fp32, the best batch of this run; – where not measured or not known. Scores have "
                + "a ceiling and costs have none, so the smaller of two useful models nearly always looks better for "
                + $"each unit: compare the scores too. {StudyReport.SeenNote}{CostReport.Warning(measured)}",
        };

        object Score(QualityAboveMajority row) => means.FirstOrDefault(m => (m.Model, m.Features, m.Probe, m.Task)
            == (row.Model, row.Features, row.Probe, row.Task)) is { } mean ? Estimate.Of(mean.Score) : double.NaN;

        static Estimate Points(QualityAboveMajority row)
        {
            Interval above = row.Above.Difference;
            return new(100 * above.Value, 100 * above.Low, 100 * above.High);
        }

        static double Per(QualityAboveMajority row, double? cost) =>
            cost is > 0 ? 100 * row.Above.Difference.Value / cost.Value : double.NaN;
    }

    /// <summary>The parts of the paper's claim about size: counted, measured or tested against a reference.</summary>
    public static Table Claim(IReadOnlyList<MeasuredCost> measured, IReadOnlyList<ComparisonRow> means,
        IReadOnlyList<ModelDefinition> models, string reference, ModelRegistry registry)
    {
        ModelCost tiny = ModelCost.Ladder[0];
        ModelCost monet = ModelCost.Ladder[^1];
        string unsteady = CostReport.Warning(measured).Trim();
        string speed = Speed(measured, tiny, monet);
        string parameters = Tables.Number((double)monet.Parameters / tiny.Parameters);
        string macs = Tables.Number(monet.GigaMacs / tiny.GigaMacs);
        List<(string Part, string Paper, string Here, string How)> rows =
        [
            ("parameters", "5.5 M against 303 M, 55 times",
                Invariant($"{tiny.Parameters:n0} against {monet.Parameters:n0}, {parameters} times"), "counted"),
            ("operations", "not given",
                Invariant($"{tiny.GigaMacs:0.00} against {monet.GigaMacs:0.0} GMACs, {macs} times"), "counted"),
            ("speed", "not given", speed.Length > 0 ? speed : "not measured in this run",
                speed.Length > 0 ? $"measured here, fp32, best batch of each. {unsteady}".TrimEnd() : ""),
            ("features", "768 against 4,096 numbers",
                Invariant($"{tiny.FeatureBytes:n0} against {monet.FeatureBytes:n0} bytes"), "counted"),
        ];
        const string close = "comes close; no number for single tasks is published";
        bool isReal = reference == "monet";
        bool isPaired = isReal || models.First(m => m.Name == reference).Stamp.Length > 0;
        ComparisonRow[] scored = [.. means.Where(m => isPaired && m.AgainstBaseline is not null)];
        foreach (ComparisonRow m in scored)
        {
            string difference = Tables.Interval(m.AgainstBaseline!.Difference);
            string tasks = Tables.Counted(m.Tasks, "task");
            rows.Add(($"score: {m.Name}, {m.Probe}", isReal ? close : "",
                $"{Stamps.Bracket(m.Stamp)}F1 minus {reference}'s: {difference}, {m.Task} ({tasks}, {m.Units})",
                "paired bootstrap"));
        }
        if (!isReal)
            rows.Add(("score against MONET", close, "not tested here", registry["monet"].Missing
                ?? "its weights are here, but this mode leaves models of its size out: run workshop or full mode, or "
                + "name it in modelNames"));
        string rate = speed.Length > 0 && unsteady.Length == 0 ? $"; measured here: {speed}" : "";
        string untested = isReal ? ""
            : " Whether ViT-T scores close to it is not tested here: MONET's weights are not in this run.";
        return Tables.From("ViT-T against MONET, part by part", rows,
            ("Part of the claim", r => r.Part),
            ("Paper", r => r.Paper),
            ("Here", r => r.Here),
            ("How", r => r.How)) with
        {
            Stamp = isPaired ? Stamps.Join(means.Select(m => m.Stamp)) : "",
            Footnote = scored.Length == 0 ? null : new($"{TableFootnote.Units} of all tasks of a mean, after the tasks",
                TableFootnote.Mean(scored.Select(m => m.Seeds)), TableFootnote.Bootstrap(),
                $"minus {reference}, on the same resamples; its p stands in the table of means"),
            Headline = $"MONET's image tower has {parameters} times the parameters and {macs} times the operations of "
                + $"ViT-T/16 (counted){rate}.{untested}",
        };
    }

    private static string Speed(IReadOnlyList<MeasuredCost> measured, ModelCost tiny, ModelCost monet)
    {
        if (CostReport.Best(measured, tiny)?.ImagesPerSecond is not { } fast) return "";
        if (CostReport.Best(measured, monet)?.ImagesPerSecond is not { } slow) return "";
        return $"{Tables.Number(fast)} against {Tables.Number(slow)} images/s ({Tables.Number(fast / slow)} times)";
    }
}
