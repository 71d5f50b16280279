using static System.FormattableString;

namespace DermKit.Studies;

/// <summary>Tables of the paper's claim that a small model suffices.</summary>
public static class SizeReport
{
    /// <summary>Points of F1 above the most frequent class, also per unit of cost.</summary>
    public static Table PerUnit(IReadOnlyList<QualityAboveMajority> rows, IReadOnlyList<ModelDefinition> models,
        IReadOnlyList<MeasuredCost> measured)
    {
        var known = rows.Select(r => (Row: r, models.First(m => m.Name == r.Model).Cost));
        return Tables.From("Points of F1 above the most frequent class, for what they cost", known,
            ("Model", k => k.Row.Model),
            ("Probe", k => k.Row.Probe),
            ("Tasks (n)", k => $"{StudyReport.MeanOver(k.Row.Task, k.Row.Tasks)} ({k.Row.Units})"),
            ("Points [95 %]", k => Points(k.Row, 1)),
            ("per M parameters", k => Points(k.Row, k.Cost?.Parameters * 1e-6)),
            ("per GMAC", k => Points(k.Row, k.Cost?.GigaMacs)),
            ("per s for 1,000 images", k => Points(k.Row, Seconds(k.Cost)))) with
        {
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
            Footnote = new($"{TableFootnote.Units} of all tasks of a mean, with the tasks",
                TableFootnote.Mean(rows.Select(r => r.Seeds)),
                $"{TableFootnote.Bootstrap()}, divided by the cost, which is taken as exact",
                "each model minus the most frequent class of the test images, on the same resamples; no p"),
            Note = "A point is 0.01 of F1. The most frequent class needs no model; a network without training scores "
                + "above it too. Seconds: fp32, the best batch of this run; – where not measured. Scores have a "
                + "ceiling and costs have none, so the smaller of two useful models nearly always looks better here: "
                + $"compare the scores too. {StudyReport.SeenNote}{CostReport.Warning(measured)}",
        };

        double? Seconds(ModelCost? cost) =>
            cost is not null && CostReport.Best(measured, cost) is { } best ? 1000 / best.ImagesPerSecond : null;

        static Estimate Points(QualityAboveMajority row, double? cost)
        {
            if (cost is not > 0) return double.NaN;
            Interval above = row.Above.Difference;
            double points = 100 / cost.Value;
            return new(points * above.Value, points * above.Low, points * above.High);
        }
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
