using DermKit.Evaluation;
using System.Globalization;

namespace DermKit.Reporting;

/// <summary>Tables and figures over what models cost and what they score, for the comparison with MONET.</summary>
public static class CostReport
{
    private const double Mebi = 1 << 20, Steady = 1.5;

    /// <summary>Parameters, operations and feature sizes, counted.</summary>
    public static Table Ladder(IReadOnlyList<ModelCost> models) => Tables.From("The ladder, counted", models,
        ("Model", m => m.Name), ("Parameters, M", m => m.Parameters * 1e-6), ("x first", m => m.Parameters / (double)models[0].Parameters), ("GMACs", m => m.GigaMacs), ("x first", m => m.GigaMacs / models[0].GigaMacs),
        ("Tokens", m => m.Tokens), ("Features", m => m.Features), ("Bytes of features", m => m.FeatureBytes)) with
    {
        Note = "For one image of 224 x 224. One MAC is one multiplication with its addition, about two floating-point operations. Features: CLS tokens of the last 4 blocks, of ResNet-50 the average of the last map, kept in float32. CLIP ViT-L/14 is MONET's image tower.",
    };

    /// <summary>Where the operations of every model go: GMACs of each kind of layer.</summary>
    public static Table Layers(IReadOnlyList<ModelCost> models) => new("GMACs, layer by layer", ["Layer", .. models.Select(m => m.Name)],
        [.. models.SelectMany(m => m.Layers).Where(l => l.Macs > 0).Select(l => l.Layer).Distinct().Select(layer => (IReadOnlyList<object?>)[layer, .. models.Select(m => (object?)(m.Layers.FirstOrDefault(l => l.Layer == layer)?.Macs * 1e-9 ?? double.NaN))]),
            ["all", .. models.Select(m => (object?)m.GigaMacs)]]) { Note = "–: the model has no such layer. Layers without multiplications that count (norms, CLS token and positions) are left out." };

    /// <summary>Rate and memory as measured.</summary>
    public static Table Measured(IReadOnlyList<MeasuredCost> measured, CostPlan plan, string device)
    {
        int least = plan.Batches.Min(), most = plan.Batches.Max();
        MeasuredCost first = Best(measured, measured[0].Model) ?? measured[0];
        var rows = measured.GroupBy(m => (m.Model, m.Precision)).Select(g => (Small: g.First(m => m.Batch == least), Best: g.MaxBy(m => m.ImagesPerSecond)!, Large: g.First(m => m.Batch == most))).ToArray();
        return Tables.From("The ladder, measured side by side", rows,
            ("Model", r => r.Best.Model.Name), ("Precision", r => r.Best.Precision), ($"Images/s, batch {least}", r => Rate(r.Small)), ("Best batch", r => r.Best.Batch), ("Images/s, best batch", r => Rate(r.Best)),
            ("Time, x first", r => first.ImagesPerSecond / r.Best.ImagesPerSecond), ("GFLOP/s", r => 2 * r.Best.Model.GigaMacs * r.Best.ImagesPerSecond),
            ($"Peak MiB, batch {most}", r => r.Large.PeakBytes is { } bytes ? bytes / Mebi : double.NaN)) with
        {
            Note = string.Create(CultureInfo.InvariantCulture, $"Batches {string.Join(", ", plan.Batches)}, {device}, {Environment.ProcessorCount} hardware threads; median [slowest, fastest] of {plan.Rounds} rounds in which the models take turns, from normalised images to features, decoding left out; the best batch is the fastest of those tried, and time and GFLOP/s are its. {(rows.Any(r => r.Best.Precision == "bf16") ? "bf16: matrix products in bfloat16, weights kept in float32 and converted in each pass." : "bf16 is not measured: this run leaves it out, or the processor has no instructions for it.")} The last block is computed for the CLS token only, so GFLOP/s, which divides the full count, flatters a little. Peak memory: growth of the process's anonymous memory from before the model is made to the most during one pass; weights and activations together. {Gpu(device, rows.All(r => r.Large.PeakBytes is null))}Random weights: no file is needed.{Warning(measured)}"),
        };
    }

    /// <summary>Rate over operations, both axes logarithmic: a line for each precision, with the smallest batch and with the best.</summary>
    public static LineFigure Rates(IReadOnlyList<MeasuredCost> measured)
    {
        int least = measured.Min(m => m.Batch);
        string[] names = [.. measured.OrderBy(m => m.Model.GigaMacs).Select(m => m.Model.Name).Distinct()];
        LineSeries[] lines = [.. measured.GroupBy(m => m.Precision).SelectMany(p => new[] { ($"{p.Key}, batch {least}", p.Where(m => m.Batch == least)), ($"{p.Key}, best batch", p.GroupBy(m => m.Model).Select(g => g.MaxBy(m => m.ImagesPerSecond)!)) }).Select(s =>
        {
            MeasuredCost[] ordered = [.. s.Item2.OrderBy(m => m.Model.GigaMacs)];
            return new LineSeries(s.Item1, [.. ordered.Select(m => m.Model.GigaMacs)], [.. ordered.Select(m => m.ImagesPerSecond)], [.. ordered.Select(m => m.Slowest)], [.. ordered.Select(m => m.Fastest)]);
        })];
        return new("cost-rate", "Images per second over operations",
            $"From left to right: {string.Join(", ", names)}. The bands span the slowest and the fastest round.{Warning(measured)} On a straight line down, twice the operations take twice the time; a flatter start means that small matrices keep the processor less busy.",
            $"{lines.Length} falling lines: {string.Join("; ", lines.Select(l => $"{l.Name} from {Tables.Number(l.Y[0])} images/s at {Tables.Number(l.X[0])} GMACs to {Tables.Number(l.Y[^1])} at {Tables.Number(l.X[^1])}"))}.",
            lines, "GMACs for one image", "Images per second") { LogX = true, LogY = true };
    }

    /// <summary>Mean score over cost, a point for each model and mean, for one probe.</summary>
    /// <param name="means">From <see cref="Comparison.Means"/>.</param>
    /// <param name="models">The models of the run.</param>
    /// <param name="probe">knn or linear.</param>
    /// <exception cref="KitException">No mean has that probe.</exception>
    public static ScatterFigure Quality(IReadOnlyList<ComparisonRow> means, IReadOnlyList<ModelDefinition> models, string probe)
    {
        var points = means.Where(m => m.Probe == probe)
            .Select(m => (Row: m, Model: models.FirstOrDefault(model => model.Name == m.Model)))
            .Where(p => p.Model?.Cost is not null).ToArray();
        if (points.Length == 0) throw new KitException($"No mean over tasks with the {probe} probe; probe tasks that count in means (see the cards in data/tasks).");
        bool monet = points.Any(p => p.Model!.Name == "monet");
        string Said(ComparisonRow row, ModelDefinition model) =>
            $"{row.Name}, {row.Task}: {Tables.Number(model.Cost!.GigaMacs)} GMACs, F1 {Tables.Interval(row.Score)}";
        ScatterGroup[] groups = [.. points.GroupBy(p => p.Row.Task).Select(g => new ScatterGroup(g.Key, [.. g.Select(p => p.Model!.Cost!.GigaMacs)], [.. g.Select(p => p.Row.Score.Value)],
            [.. g.Select(p => p.Row.Name)], [.. g.Select(p => p.Row.Score.Low)],
            [.. g.Select(p => p.Row.Score.High)]))];
        return new("cost-quality", "Score over cost",
            $"Mean F1 over tasks with the {probe} probe; bars are 95 % bootstrap intervals over test patients, lesions or images. Only models whose weights are here have a point{(monet ? "" : "; the dashed line is where MONET's would stand")}.",
            $"{points.Length} points: {string.Join("; ", points.Select(p => Said(p.Row, p.Model!)))}.",
            groups, "GMACs for one image", "Mean F1 (0-1)") { LogX = true, ShowLabels = true, Mark = monet ? null : (ModelCost.Ladder[^1].GigaMacs, "MONET: not in this run"), Stamp = Stamps.Join(points.Select(p => p.Row.Stamp)) };
    }

    /// <summary>Points of F1 above the most frequent class, and the same for each unit of cost.</summary>
    /// <param name="rows">From <see cref="QualityAboveMajority.Of"/>.</param>
    /// <param name="models">The models of the run.</param>
    /// <param name="measured">Rates by architecture.</param>
    public static Table PerUnit(IReadOnlyList<QualityAboveMajority> rows, IReadOnlyList<ModelDefinition> models, IReadOnlyList<MeasuredCost> measured)
    {
        var known = rows.Select(r => (Row: r, Cost: models.First(m => m.Name == r.Model).Cost)).ToArray();
        Estimate Points(QualityAboveMajority r, double? cost) => cost is > 0 and var c ? new(100 * r.Above.Difference.Value / c, 100 * r.Above.Difference.Low / c, 100 * r.Above.Difference.High / c) : new(double.NaN);
        return Tables.From("Points of F1 above the most frequent class, for what they cost", known,
            ("Model", k => k.Row.Model), ("Probe", k => k.Row.Probe), ("Tasks (n)", k => $"{ProbingReport.MeanOver(k.Row.Task, k.Row.Tasks)} ({k.Row.Units})"), ("Points [95 %]", k => Points(k.Row, 1)), ("per M parameters", k => Points(k.Row, k.Cost?.Parameters * 1e-6)),
            ("per GMAC", k => Points(k.Row, k.Cost?.GigaMacs)), ("per s for 1,000 images", k => Points(k.Row, k.Cost is { } cost && Best(measured, cost) is { } m ? 1000 / m.ImagesPerSecond : null))) with
        {
            Stamp = Stamps.Join(rows.Select(r => r.Stamp)),
            Basis = new($"{Basis.Units} of all tasks of a mean, with the tasks", Basis.Mean(rows.Select(r => r.Seeds)), $"{Basis.Bootstrap()}, divided by the cost, which is taken as exact", "each model minus the most frequent class of the test images, on the same resamples; no p"),
            Note = $"A point is 0.01 of F1. Above the most frequent class, because that answer needs no image and no model: what is left is what the model bought, and a network without training has it too. Seconds: fp32, the best batch of this run; – where the architecture was not measured. Score has a ceiling and cost has none, so the smaller of two useful models nearly always looks better here: read it beside the scores. {ProbingReport.SeenNote}{Warning(measured)}",
        };
    }

    /// <summary>The paper's claim about size, part by part: what is counted, what is measured, and what cannot be said without weights.</summary>
    /// <param name="measured">From <see cref="CostMeasurement"/>.</param>
    /// <param name="means">From <see cref="Comparison.Means"/> against <paramref name="reference"/>.</param>
    /// <param name="models">The models of the run.</param>
    /// <param name="reference">What the differences are taken to.</param>
    /// <param name="registry">Says why MONET is absent where it is.</param>
    public static Table Claim(IReadOnlyList<MeasuredCost> measured, IReadOnlyList<ComparisonRow> means, IReadOnlyList<ModelDefinition> models, string reference, ModelRegistry registry)
    {
        ModelCost tiny = ModelCost.Ladder[0], monet = ModelCost.Ladder[^1];
        MeasuredCost? fast = Best(measured, tiny), slow = Best(measured, monet);
        string unsteady = Warning(measured).Trim();
        string speed = fast is null || slow is null ? "" : $"{Tables.Number(fast.ImagesPerSecond)} against {Tables.Number(slow.ImagesPerSecond)} images/s ({Tables.Number(fast.ImagesPerSecond / slow.ImagesPerSecond)} times)";
        var rows = new List<(string Part, string Paper, string Here, string How)>
        {
            ("parameters", "5.5 M against 303 M, 55 times", Plain($"{tiny.Parameters:n0} against {monet.Parameters:n0}, {Tables.Number((double)monet.Parameters / tiny.Parameters)} times"), "counted"),
            ("operations", "not given", Plain($"{tiny.GigaMacs:0.00} against {monet.GigaMacs:0.0} GMACs, {Tables.Number(monet.GigaMacs / tiny.GigaMacs)} times"), "counted"),
            ("speed", "not given", speed.Length > 0 ? speed : "not measured in this run", speed.Length > 0 ? $"measured here, fp32, best batch of each. {unsteady}".TrimEnd() : ""),
            ("features", "768 against 4,096 numbers", Plain($"{tiny.FeatureBytes:n0} against {monet.FeatureBytes:n0} bytes"), "counted"),
        };
        ModelDefinition paired = models.First(m => m.Name == reference);
        bool real = reference == "monet";
        ComparisonRow[] scored = [.. means.Where(m => m.AgainstBaseline is not null && (real || paired.Stamp.Length > 0))];
        foreach (ComparisonRow m in scored)
            rows.Add(($"score: {m.Name}, {m.Probe}", real ? "comes close; no number for single tasks is published"
            : "", $"{Stamps.Bracket(m.Stamp)}F1 minus {reference}'s: "
            + $"{Tables.Interval(m.AgainstBaseline!.Difference)}, {m.Task} ({m.Tasks} "
            + $"task{(m.Tasks == 1 ? "" : "s")}, {m.Units})", "paired bootstrap"));
        if (!real) rows.Add(("score against MONET", "comes close; no number for single tasks is published", "not tested here", registry["monet"].Missing ?? "its weights are here, but this mode leaves models of its size out: run workshop or full mode, or name it in modelNames"));
        return Tables.From("ViT-T against MONET, part by part", rows, ("Part of the claim", r => r.Part), ("Paper", r => r.Paper), ("Here", r => r.Here), ("How", r => r.How)) with
        {
            Stamp = Stamps.Join(means.Where(_ => real || paired.Stamp.Length > 0).Select(m => m.Stamp)),
            Basis = scored.Length == 0 ? null : new($"{Basis.Units} of all tasks of a mean, after the tasks", Basis.Mean(scored.Select(m => m.Seeds)), Basis.Bootstrap(), $"minus {reference}, on the same resamples; its p stands in the table of means"),
            Headline = $"MONET's image tower has {Tables.Number((double)monet.Parameters / tiny.Parameters)} times the parameters and {Tables.Number(monet.GigaMacs / tiny.GigaMacs)} times the operations of ViT-T/16 (counted){(speed.Length > 0 && unsteady.Length == 0 ? $"; measured here: {speed}" : "")}.{(real ? "" : " Whether ViT-T scores close to it is not tested here: MONET's weights are not in this run.")}",
        };
    }

    /// <summary>The fastest batch of a model in float32; null where it was not measured. Architectures are compared by their counts, whatever the name.</summary>
    private static MeasuredCost? Best(IReadOnlyList<MeasuredCost> measured, ModelCost model) =>
        measured.Where(m => m.Precision == "fp32" && m.Model.Parameters == model.Parameters && m.Model.GigaMacs == model.GigaMacs).MaxBy(m => m.ImagesPerSecond);

    /// <summary>What peak memory is on a GPU; empty for the cpu.</summary>
    private static string Gpu(string device, bool isUnread) => device == "cpu" ? ""
        : isUnread ? "On this device it is not read, because nvidia-smi is not here or tells nothing: –. "
        : "On this device: growth of the memory in use, by nvidia-smi, from before the first model, smaller models first, so at most what a model reserved; – for one that needed no more than those before it. Other programs on the GPU count too. ";

    private static Estimate Rate(MeasuredCost m) => new(m.ImagesPerSecond, m.Slowest, m.Fastest);

    /// <summary>Empty, or why the rates are not to be quoted: small matrices suffer more from a busy machine than large ones.</summary>
    private static string Warning(IReadOnlyList<MeasuredCost> measured) => measured.MaxBy(m => m.Fastest / m.Slowest) is { } worst && worst.Fastest > Steady * worst.Slowest
        ? $" The machine was busy: the fastest round of {worst.Model.Name} ({worst.Precision}, batch {worst.Batch}) was {Tables.Number(worst.Fastest / worst.Slowest)} times as fast as its slowest, so these rates are not to be quoted; measure again on an idle machine." : "";

    private static string Plain(FormattableString text) => FormattableString.Invariant(text);
}
