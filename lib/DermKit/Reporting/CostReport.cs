using DermKit.Evaluation;
using static System.FormattableString;

namespace DermKit.Reporting;

/// <summary>Tables and figures of the cost and the scores of models, for the comparison with MONET.</summary>
public static class CostReport
{
    private const double Mebi = 1 << 20;

    // Rates are not reliable when the fastest round is more than so many times as fast as the slowest.
    private const double Steady = 1.5;

    /// <summary>Parameters, operations and feature sizes.</summary>
    public static Table Ladder(IReadOnlyList<ModelCost> models) => Tables.From("The ladder, counted", models,
        ("Model", m => m.Name),
        ("Parameters, M", m => m.Parameters * 1e-6),
        ("x first", m => m.Parameters / (double)models[0].Parameters),
        ("GMACs", m => m.GigaMacs),
        ("x first", m => m.GigaMacs / models[0].GigaMacs),
        ("Tokens", m => m.Tokens),
        ("Features", m => m.Features),
        ("Bytes of features", m => m.FeatureBytes)) with
    {
        Note = "For one image of 224 x 224. One MAC is one multiplication with its addition, about two floating-point "
            + "operations. Features: CLS tokens of the last 4 blocks, for ResNet-50 the average of the last map, in "
            + "float32. CLIP ViT-L/14 is MONET's image tower.",
    };

    /// <summary>Parameters and operations as multiples of the first model's.</summary>
    public static BarFigure Growth(IReadOnlyList<ModelCost> models)
    {
        ModelCost first = models[0];
        Estimate[] parameters = [.. models.Select(m => new Estimate((double)m.Parameters / first.Parameters))];
        Estimate[] macs = [.. models.Select(m => new Estimate(m.GigaMacs / first.GigaMacs))];
        IEnumerable<string> times = models.Select((m, i) => $"{m.Name} {Tables.Number(parameters[i].Value)} times the "
            + $"parameters and {Tables.Number(macs[i].Value)} times the operations");
        return new("cost-growth", $"Size of each model as a multiple of {first.Name}",
            $"Counted for one image of 224 x 224: {first.Name} has {Tables.Number(first.Parameters * 1e-6)} million "
            + $"parameters and takes {Tables.Number(first.GigaMacs)} GMACs. CLIP ViT-L/14 is MONET's image tower.",
            $"Two bars for each of {models.Count} models: {string.Join("; ", times)}.",
            [.. models.Select(m => m.Name)], [new("parameters", parameters), new("operations", macs)], "Model",
            $"Multiple of {first.Name}")
        {
            Horizontal = true
        };
    }

    /// <summary>GMACs of each kind of layer.</summary>
    public static Table Layers(IReadOnlyList<ModelCost> models)
    {
        IEnumerable<string> layers = models.SelectMany(m => m.Layers).Where(l => l.Macs > 0).Select(l => l.Layer);
        IReadOnlyList<object?>[] rows = [.. layers.Distinct().Select(Row)];
        return new("GMACs, layer by layer", ["Layer", .. models.Select(m => m.Name)],
            [.. rows, ["all", .. models.Select(m => (object?)m.GigaMacs)]])
        {
            Note = "–: the model has no such layer. Layers without multiplications that count (norms, CLS token and "
                + "positions) are left out.",
        };

        IReadOnlyList<object?> Row(string layer) => [layer, .. models.Select(m => (object?)Macs(m, layer))];
        static double Macs(ModelCost m, string layer) =>
            m.Layers.FirstOrDefault(l => l.Layer == layer)?.Macs * 1e-9 ?? double.NaN;
    }

    /// <summary>Measured rate and memory.</summary>
    public static Table Measured(IReadOnlyList<MeasuredCost> measured, CostPlan plan, string device)
    {
        int least = plan.Batches.Min();
        int most = plan.Batches.Max();
        MeasuredCost first = Best(measured, measured[0].Model) ?? measured[0];
        (MeasuredCost Small, MeasuredCost Best, MeasuredCost Large)[] rows = [.. measured
            .GroupBy(m => (m.Model, m.Precision))
            .Select(g => (g.First(m => m.Batch == least), Fastest(g), g.First(m => m.Batch == most)))];
        string bf16 = rows.Any(r => r.Best.Precision == "bf16")
            ? "bf16: matrix products in bfloat16; weights are kept in float32 and converted in each pass."
            : "bf16 is not measured: this run leaves it out, or the processor has no instructions for it.";
        bool isUnread = rows.All(r => r.Large.PeakBytes is null);
        return Tables.From("The ladder, measured side by side", rows,
            ("Model", r => r.Best.Model.Name),
            ("Precision", r => r.Best.Precision),
            ($"Images/s, batch {least}", r => Rate(r.Small)),
            ("Best batch", r => r.Best.Batch),
            ("Images/s, best batch", r => Rate(r.Best)),
            ("Time, x first", r => first.ImagesPerSecond / r.Best.ImagesPerSecond),
            ("GFLOP/s", r => 2 * r.Best.Model.GigaMacs * r.Best.ImagesPerSecond),
            ($"Peak MiB, batch {most}", r => r.Large.PeakBytes / Mebi ?? double.NaN)) with
        {
            Note = $"Batches {string.Join(", ", plan.Batches)}, {device}, {Environment.ProcessorCount} hardware "
                + $"threads; median [slowest, fastest] of {plan.Rounds} rounds in which the models take turns, from "
                + "normalised images to features, without decoding. The best batch is the fastest one measured; time "
                + $"and GFLOP/s belong to it. {bf16} The last block is computed for the CLS token only, so GFLOP/s, "
                + "which uses the full count, is slightly too high. Peak memory: growth of the process's anonymous "
                + "memory from before the model is made to the most during one pass, weights and activations "
                + $"together. {Gpu(device, isUnread)}Random weights: no file is needed.{Warning(measured)}",
        };

        static Estimate Rate(MeasuredCost m) => new(m.ImagesPerSecond, m.Slowest, m.Fastest);
    }

    /// <summary>Rate over operations, on logarithmic axes: the smallest and the best batch of each precision.</summary>
    public static LineFigure Rates(IReadOnlyList<MeasuredCost> measured)
    {
        int least = measured.Min(m => m.Batch);
        var lines = new List<LineSeries>();
        foreach (IGrouping<string, MeasuredCost> precision in measured.GroupBy(m => m.Precision))
        {
            lines.Add(Line($"{precision.Key}, batch {least}", precision.Where(m => m.Batch == least)));
            lines.Add(Line($"{precision.Key}, best batch", precision.GroupBy(m => m.Model).Select(Fastest)));
        }
        IEnumerable<string> names = measured.OrderBy(m => m.Model.GigaMacs).Select(m => m.Model.Name).Distinct();
        IEnumerable<string> ends = lines.Select(l => $"{l.Name} from {Tables.Number(l.Y[0])} images/s at "
            + $"{Tables.Number(l.X[0])} GMACs to {Tables.Number(l.Y[^1])} at {Tables.Number(l.X[^1])}");
        return new("cost-rate", "Images per second over operations",
            $"From left to right: {string.Join(", ", names)}. The bands span the slowest and the fastest "
            + $"round.{Warning(measured)} On a straight falling line, twice the operations take twice the time; a "
            + "flatter start means that small matrices use the processor less.",
            $"{lines.Count} falling lines: {string.Join("; ", ends)}.", lines, "GMACs for one image",
            "Images per second")
        { LogX = true, LogY = true };

        static LineSeries Line(string name, IEnumerable<MeasuredCost> costs)
        {
            MeasuredCost[] ordered = [.. costs.OrderBy(m => m.Model.GigaMacs)];
            return new(name, Array.ConvertAll(ordered, m => m.Model.GigaMacs),
                Array.ConvertAll(ordered, m => m.ImagesPerSecond), Array.ConvertAll(ordered, m => m.Slowest),
                Array.ConvertAll(ordered, m => m.Fastest));
        }
    }

    /// <summary>Mean score over cost for one probe, knn or linear.</summary>
    /// <exception cref="KitException">No mean has that probe.</exception>
    public static ScatterFigure Quality(
        IReadOnlyList<ComparisonRow> means, IReadOnlyList<ModelDefinition> models, string probe)
    {
        var points = new List<(ComparisonRow Row, double Cost)>();
        foreach (ComparisonRow row in means.Where(m => m.Probe == probe))
            if (models.FirstOrDefault(m => m.Name == row.Model)?.Cost is { } cost) points.Add((row, cost.GigaMacs));
        if (points.Count == 0)
            throw new KitException(
                $"No mean over tasks with the {probe} probe; probe tasks that count in means (see the cards in "
                    + $"data/tasks).");
        bool hasMonet = points.Any(p => p.Row.Model == "monet");
        ScatterGroup[] groups = [.. points.GroupBy(p => p.Row.Task).Select(g => new ScatterGroup(g.Key,
            [.. g.Select(p => p.Cost)], [.. g.Select(p => p.Row.Score.Value)], [.. g.Select(p => p.Row.Name)],
            [.. g.Select(p => p.Row.Score.Low)], [.. g.Select(p => p.Row.Score.High)]))];
        IEnumerable<string> said = points.Select(p => $"{p.Row.Name}, {p.Row.Task}: {Tables.Number(p.Cost)} GMACs, F1 "
            + $"{Tables.Interval(p.Row.Score)}");
        string absent = hasMonet ? "" : "; the dashed line marks the cost of MONET";
        return new("cost-quality", "Score over cost",
            $"Mean F1 over tasks with the {probe} probe; bars are 95 % bootstrap intervals over {TableFootnote.Units}. "
            + $"Only models whose weights are present have a point{absent}.",
            $"{points.Count} points: {string.Join("; ", said)}.", groups, "GMACs for one image", "Mean F1 (0-1)")
        {
            LogX = true,
            ShowLabels = true,
            Mark = hasMonet ? null : (ModelCost.Ladder[^1].GigaMacs, "MONET: not in this run"),
            Stamp = Stamps.Join(points.Select(p => p.Row.Stamp)),
        };
    }

    /// <summary>Points of F1 above the most frequent class, also per unit of cost.</summary>
    public static Table PerUnit(IReadOnlyList<QualityAboveMajority> rows, IReadOnlyList<ModelDefinition> models,
        IReadOnlyList<MeasuredCost> measured)
    {
        var known = rows.Select(r => (Row: r, models.First(m => m.Name == r.Model).Cost));
        return Tables.From("Points of F1 above the most frequent class, for what they cost", known,
            ("Model", k => k.Row.Model),
            ("Probe", k => k.Row.Probe),
            ("Tasks (n)", k => $"{ProbingReport.MeanOver(k.Row.Task, k.Row.Tasks)} ({k.Row.Units})"),
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
            Note = "A point is 0.01 of F1. Predicting the most frequent class needs no image and no model; a network "
                + "without training scores above it too. Seconds: fp32, the best batch of this run; – where the "
                + "architecture was not measured. Scores have a ceiling and costs have none, so the smaller of two "
                + $"useful models nearly always looks better here: compare the scores too. {ProbingReport.SeenNote}"
                + Warning(measured),
        };

        double? Seconds(ModelCost? cost) =>
            cost is not null && Best(measured, cost) is { } best ? 1000 / best.ImagesPerSecond : null;

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
        string unsteady = Warning(measured).Trim();
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
            string tasks = $"{m.Tasks} task{(m.Tasks == 1 ? "" : "s")}";
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
        if (Best(measured, tiny)?.ImagesPerSecond is not { } fast) return "";
        if (Best(measured, monet)?.ImagesPerSecond is not { } slow) return "";
        return $"{Tables.Number(fast)} against {Tables.Number(slow)} images/s ({Tables.Number(fast / slow)} times)";
    }

    // The fastest float32 batch; null where not measured. Compares counts, because names differ.
    private static MeasuredCost? Best(IReadOnlyList<MeasuredCost> measured, ModelCost model) => measured
        .Where(m => m.Precision == "fp32" && m.Model.Parameters == model.Parameters
            && m.Model.GigaMacs == model.GigaMacs)
        .MaxBy(m => m.ImagesPerSecond);

    private static MeasuredCost Fastest(IEnumerable<MeasuredCost> costs) => costs.MaxBy(m => m.ImagesPerSecond)!;

    // How peak memory is measured on a GPU; empty for the CPU.
    private static string Gpu(string device, bool isUnread)
    {
        if (device == "cpu") return "";
        return isUnread
            ? "On this device it is not read, because nvidia-smi is not here or reports nothing: –. "
            : "On this device: growth of the memory in use, by nvidia-smi, from before the first model, smaller "
                + "models first, so at most what a model reserved; – for one that needed no more than those before "
                + "it. Other programs on the GPU count too. ";
    }

    // Warns of a busy machine, on which small matrices lose more time than large ones; else empty.
    private static string Warning(IReadOnlyList<MeasuredCost> measured)
    {
        MeasuredCost? worst = measured.MaxBy(m => m.Fastest / m.Slowest);
        if (worst is null || worst.Fastest <= Steady * worst.Slowest) return "";
        return $" The machine was busy: the fastest round of {worst.Model.Name} ({worst.Precision}, batch "
            + $"{worst.Batch}) was {Tables.Number(worst.Fastest / worst.Slowest)} times as fast as its slowest, so "
            + "these rates are not to be quoted; measure again on an idle machine.";
    }
}
