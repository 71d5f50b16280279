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
        Note = "For one picture of 224 x 224. One MAC is one multiplication with its addition, about two floating-point operations. Features: CLS tokens of the last 4 blocks, float32. CLIP ViT-L/14 is MONET's image tower.",
    };

    /// <summary>Where the operations of two models go.</summary>
    public static Table Layers(ModelCost small, ModelCost large) => Tables.From($"{small.Name} and {large.Name}, layer by layer", small.Layers.Zip(large.Layers),
        ("Layer", p => p.First.Layer), ($"{small.Name}: times", p => p.First.Times), ("parameters, M", p => p.First.Parameters * 1e-6), ("GMACs", p => p.First.Macs * 1e-9),
        ($"{large.Name}: times", p => p.Second.Times), ("parameters, M", p => p.Second.Parameters * 1e-6), ("GMACs", p => p.Second.Macs * 1e-9)) with
    {
        Note = "Counted: every weight that meets a token, and both attention products (queries with keys, weights with values). Not counted: norms, softmax, activations, additions, and a projection behind the tower.",
    };

    /// <summary>Rate and memory as measured.</summary>
    public static Table Measured(IReadOnlyList<MeasuredCost> measured, CostPlan plan, string device) => Tables.From("The ladder, measured side by side", measured,
        ("Model", m => m.Model.Name), ("Images/s [slowest, fastest]", m => new Estimate(m.ImagesPerSecond, m.Slowest, m.Fastest)), ("x slower", m => measured[0].ImagesPerSecond / m.ImagesPerSecond),
        ("GFLOP/s", m => 2 * m.Model.GigaMacs * m.ImagesPerSecond), ("Weights, MiB", m => sizeof(float) * m.Model.Parameters / Mebi), ("Peak memory, MiB", m => m.PeakBytes is { } bytes ? bytes / Mebi : double.NaN)) with
    {
        Note = string.Create(CultureInfo.InvariantCulture, $"Batch {plan.Batch}, float32, {device}, {Environment.ProcessorCount} hardware threads; median of {plan.Rounds} rounds in which the models take turns, from normalised pictures to features, decoding left out; x slower than the first row. The last block is computed for the CLS token only, so GFLOP/s, which divides the full count, flatters a little. Peak memory: growth of the process's anonymous memory from before the model is made to the most during one pass; weights and activations together. Random weights: no file is needed.{Warning(measured)}"),
    };

    /// <summary>Rate over operations, both axes logarithmic.</summary>
    public static LineFigure Rates(IReadOnlyList<MeasuredCost> measured)
    {
        MeasuredCost[] ordered = [.. measured.OrderBy(m => m.Model.GigaMacs)];
        var series = new LineSeries("measured", [.. ordered.Select(m => m.Model.GigaMacs)], [.. ordered.Select(m => m.ImagesPerSecond)], [.. ordered.Select(m => m.Slowest)], [.. ordered.Select(m => m.Fastest)]);
        return new("cost-rate", "Images per second over operations",
            $"From left to right: {string.Join(", ", ordered.Select(m => m.Model.Name))}. The band spans the slowest and the fastest round.{Warning(measured)} On a straight line down, twice the operations take twice the time; a flatter start means that small matrices keep the processor less busy.",
            $"A falling line from {Tables.Number(ordered[0].ImagesPerSecond)} images/s at {Tables.Number(ordered[0].Model.GigaMacs)} GMACs to {Tables.Number(ordered[^1].ImagesPerSecond)} images/s at {Tables.Number(ordered[^1].Model.GigaMacs)} GMACs.",
            [series], "GMACs for one picture", "Images per second") { LogX = true, LogY = true };
    }

    /// <summary>Mean score over cost, a point for each model and mean, for one probe.</summary>
    /// <param name="means">From <see cref="Comparison.Means"/>.</param>
    /// <param name="models">The models of the run.</param>
    /// <param name="probe">knn or linear.</param>
    /// <exception cref="KitException">No mean has that probe.</exception>
    public static ScatterFigure Quality(IReadOnlyList<ComparisonRow> means, IReadOnlyList<ModelDefinition> models, string probe)
    {
        var points = means.Where(m => m.Probe == probe).Select(m => (Row: m, Model: ModelOf(m, models))).Where(p => p.Model?.Cost is not null).ToArray();
        if (points.Length == 0) throw new KitException($"No mean over tasks with the {probe} probe; probe tasks that count in means (see the cards in data/tasks).");
        bool monet = points.Any(p => p.Model!.Name == "monet");
        ScatterGroup[] groups = [.. points.GroupBy(p => p.Row.Task).Select(g => new ScatterGroup(g.Key, [.. g.Select(p => p.Model!.Cost!.GigaMacs)], [.. g.Select(p => p.Row.Score.Value)],
            [.. g.Select(p => p.Row.Model)], [.. g.Select(p => p.Row.Score.Low)], [.. g.Select(p => p.Row.Score.High)]))];
        return new("cost-quality", "Score over cost",
            $"Mean F1 over tasks with the {probe} probe; bars are 95 % bootstrap intervals over test patients, lesions or images. Only models whose weights are here have a point{(monet ? "" : "; the dashed line is where MONET's would stand")}.",
            $"{points.Length} points: {string.Join("; ", points.Select(p => $"{p.Row.Model}, {p.Row.Task}: {Tables.Number(p.Model!.Cost!.GigaMacs)} GMACs, F1 {Of(p.Row.Score)}"))}.",
            groups, "GMACs for one picture", "Mean F1 (0-1)") { LogX = true, ShowLabels = true, Mark = monet ? null : (ModelCost.Ladder[^1].GigaMacs, "MONET: not in this run"), Stamp = Stamps.Join(points.Select(p => p.Row.Stamp)) };
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
        MeasuredCost? fast = measured.FirstOrDefault(m => m.Model == tiny), slow = measured.FirstOrDefault(m => m.Model == monet);
        string unsteady = Warning(measured).Trim();
        string speed = fast is null || slow is null ? "" : $"{Tables.Number(fast.ImagesPerSecond)} against {Tables.Number(slow.ImagesPerSecond)} images/s ({Tables.Number(fast.ImagesPerSecond / slow.ImagesPerSecond)} times)";
        var rows = new List<(string Part, string Paper, string Here, string How)>
        {
            ("parameters", "5.5 M against 303 M, 55 times", Plain($"{tiny.Parameters:n0} against {monet.Parameters:n0}, {Tables.Number((double)monet.Parameters / tiny.Parameters)} times"), "counted"),
            ("operations", "not given", Plain($"{tiny.GigaMacs:0.00} against {monet.GigaMacs:0.0} GMACs, {Tables.Number(monet.GigaMacs / tiny.GigaMacs)} times"), "counted"),
            ("speed", "not given", speed.Length > 0 ? speed : "not measured in this run", speed.Length > 0 ? $"measured here. {unsteady}".TrimEnd() : ""),
            ("features", "768 against 4,096 numbers", Plain($"{tiny.FeatureBytes:n0} against {monet.FeatureBytes:n0} bytes"), "counted"),
        };
        ModelDefinition paired = models.First(m => m.Name == reference);
        bool real = reference == "monet";
        foreach (ComparisonRow m in means.Where(m => m.AgainstBaseline is not null && (real || paired.Stamp.Length > 0)))
            rows.Add(($"score: {m.Model}, {m.Probe}", real ? "comes close; no number for single tasks is published" : "", $"{(m.Stamp.Length > 0 ? $"[{m.Stamp}] " : "")}F1 minus {reference}'s: {Of(m.AgainstBaseline!.Difference)}, {m.Task} ({m.Tasks} task{(m.Tasks == 1 ? "" : "s")})", "paired bootstrap"));
        if (!real) rows.Add(("score against MONET", "comes close; no number for single tasks is published", "not tested here", registry["monet"].Missing ?? "its weights are here, but this mode leaves models of its size out: run workshop or full mode, or name it in modelNames"));
        return Tables.From("ViT-T against MONET, part by part", rows, ("Part of the claim", r => r.Part), ("Paper", r => r.Paper), ("Here", r => r.Here), ("How", r => r.How)) with
        {
            Stamp = Stamps.Join(means.Where(_ => real || paired.Stamp.Length > 0).Select(m => m.Stamp)),
            Headline = $"MONET's image tower has {Tables.Number((double)monet.Parameters / tiny.Parameters)} times the parameters and {Tables.Number(monet.GigaMacs / tiny.GigaMacs)} times the operations of ViT-T/16 (counted){(speed.Length > 0 && unsteady.Length == 0 ? $"; measured here: {speed}" : "")}.{(real ? "" : " Whether ViT-T scores close to it is not tested here: MONET's weights are not in this run.")}",
        };
    }

    private static ModelDefinition? ModelOf(ComparisonRow row, IReadOnlyList<ModelDefinition> models) =>
        models.FirstOrDefault(m => row.Model == m.Name || row.Model.StartsWith($"{m.Name} (", StringComparison.Ordinal));

    /// <summary>Empty, or why the rates are not to be quoted: small matrices suffer more from a busy machine than large ones.</summary>
    private static string Warning(IReadOnlyList<MeasuredCost> measured) => measured.MaxBy(m => m.Fastest / m.Slowest) is { } worst && worst.Fastest > Steady * worst.Slowest
        ? $" The machine was busy: the fastest round of {worst.Model.Name} was {Tables.Number(worst.Fastest / worst.Slowest)} times as fast as its slowest, so these rates are not to be quoted; measure again on an idle machine." : "";

    private static string Plain(FormattableString text) => FormattableString.Invariant(text);

    private static Estimate Of(Interval interval) => new(interval.Value, interval.Low, interval.High);
}
