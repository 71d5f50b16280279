using DermKit.Evaluation;

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
        ("Tokens", m => Known(m.Tokens)),
        ("Features", m => Known(m.Features)),
        ("Bytes of features", m => Known(m.FeatureBytes))) with
    {
        Note = "For one image of 224 x 224. One MAC is a multiplication and an addition. Features: CLS tokens of the "
            + "last 4 blocks, for a ResNet the average of the last map. CLIP ViT-L/14 is MONET's image tower. –: not "
            + "known of an ONNX file, whose parameters are counted and whose GMACs are those that it declares.",
    };

    /// <summary>Parameters and operations as multiples of the first model's.</summary>
    public static BarFigure Growth(IReadOnlyList<ModelCost> models)
    {
        ModelCost first = models[0];
        Estimate[] parameters = [.. models.Select(m => (Estimate)((double)m.Parameters / first.Parameters))];
        Estimate[] macs = [.. models.Select(m => (Estimate)(m.GigaMacs / first.GigaMacs))];
        IEnumerable<string> times = models.Select((m, i) =>
            $"{m.Name} {parameters[i]} times the parameters and {macs[i]} times the operations");
        return new("cost-growth", $"Size of each model as a multiple of {first.Name}",
            $"For one image of 224 x 224: {first.Name} has {Tables.Number(first.Parameters * 1e-6)} million parameters "
            + $"and takes {Tables.Number(first.GigaMacs)} GMACs. CLIP ViT-L/14 is MONET's image tower.",
            $"Two bars for each of {models.Count} models: {string.Join("; ", times)}.",
            [.. models.Select(m => m.Name)], [new("parameters", parameters), new("operations", macs)], "Model",
            $"Multiple of {first.Name}")
        { Horizontal = true };
    }

    /// <summary>GMACs of each kind of layer.</summary>
    public static Table Layers(IReadOnlyList<ModelCost> models)
    {
        IEnumerable<string> layers = models.SelectMany(m => m.Layers).Where(l => l.Macs > 0).Select(l => l.Layer);
        IReadOnlyList<object?>[] rows = [.. layers.Distinct().Select(Row)];
        return new("GMACs, layer by layer", ["Layer", .. models.Select(m => m.Name)],
            [.. rows, ["all", .. models.Select(m => (object?)m.GigaMacs)]])
        {
            Note = "–: the model has no such layer. Norms, CLS token and positions multiply too little to count.",
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
        string bf16 = rows.Any(r => r.Best.Precision == Precision.Bf16)
            ? "bf16: products in bfloat16; weights are float32, converted in each pass."
            : "bf16 is not measured: this run leaves it out, or the processor has no instructions for it.";
        bool isUnread = rows.All(r => r.Large.PeakBytes is null);
        return Tables.From("The ladder, measured side by side", rows,
            ("Model", r => r.Best.Model.Name),
            ("Precision", r => r.Best.Precision.Spelled()),
            ($"Images/s, batch {least}", r => Rate(r.Small)),
            ("Best batch", r => r.Best.Batch),
            ("Images/s, best batch", r => Rate(r.Best)),
            ("Time, x first", r => first.ImagesPerSecond / r.Best.ImagesPerSecond),
            ("GFLOP/s", r => 2 * r.Best.Model.GigaMacs * r.Best.ImagesPerSecond),
            ($"Peak MiB, batch {most}", r => r.Large.PeakBytes / Mebi ?? double.NaN)) with
        {
            Note = $"Batches {string.Join(", ", plan.Batches)}, {device}, {Environment.ProcessorCount} hardware "
                + $"threads; median [slowest, fastest] of {plan.Rounds} rounds in which the models take turns, from "
                + $"normalised images to features. Time and GFLOP/s belong to the fastest batch. {bf16} GFLOP/s is "
                + "slightly too high: the last block is computed for the CLS token only. Peak memory: most growth of "
                + "the process's anonymous memory from before the model is made, weights and activations together. "
                + $"{Gpu(device, isUnread)}Random weights.{Warning(measured)}",
        };
    }

    /// <summary>Rate over operations, on logarithmic axes: the smallest and the best batch of each precision.</summary>
    public static LineFigure Rates(IReadOnlyList<MeasuredCost> measured)
    {
        int least = measured.Min(m => m.Batch);
        var lines = new List<LineSeries>();
        foreach (IGrouping<Precision, MeasuredCost> precision in measured.GroupBy(m => m.Precision))
        {
            lines.Add(Line($"{precision.Key.Spelled()}, batch {least}", precision.Where(m => m.Batch == least)));
            lines.Add(Line($"{precision.Key.Spelled()}, best batch", precision.GroupBy(m => m.Model).Select(Fastest)));
        }
        IEnumerable<string> names = measured.OrderBy(m => m.Model.GigaMacs).Select(m => m.Model.Name).Distinct();
        IEnumerable<string> ends = lines.Select(l => $"{l.Name} from {Tables.Number(l.Y[0])} images/s at "
            + $"{Tables.Number(l.X[0])} GMACs to {Tables.Number(l.Y[^1])} at {Tables.Number(l.X[^1])}");
        return new("cost-rate", "Images per second over operations",
            $"From left to right: {string.Join(", ", names)}. Bands span the slowest and the fastest "
            + $"round.{Warning(measured)} On a straight falling line, twice the operations take twice the time; a "
            + "flatter start means that small matrices use the processor less.",
            $"{lines.Count} falling lines: {string.Join("; ", ends)}.", lines, "GMACs for one image",
            "Images per second")
        { LogX = true, LogY = true };

        static LineSeries Line(string name, IEnumerable<MeasuredCost> costs)
        {
            MeasuredCost[] ordered = [.. costs.OrderBy(m => m.Model.GigaMacs)];
            return LineSeries.Of(name, ordered.Select(m => m.Model.GigaMacs), ordered.Select(Rate));
        }
    }

    /// <summary>Mean score over parameters, operations and measured time, for one probe; a row of panels for each mean
    /// over tasks. MONET is marked by its cost alone where the run has no score of it.</summary>
    /// <exception cref="KitException">No mean has that probe.</exception>
    public static PanelFigure Quality(IReadOnlyList<ComparisonRow> means, IReadOnlyList<ModelDefinition> models,
        IReadOnlyList<MeasuredCost> measured, string probe)
    {
        var rows = means.Where(m => m.Probe == probe)
            .Select(m => (Mean: m, models.FirstOrDefault(d => d.Name == m.Model)?.Cost)).ToArray();
        PanelPoint[] points = [.. rows.Where(r => r.Cost is not null)
            .Select(r => new PanelPoint(r.Mean.Name, r.Mean.Task, Places(r.Cost!), Estimate.Of(r.Mean.Score)))];
        if (points.Length == 0)
            throw new KitException(
                $"No mean over tasks with the {probe} probe; probe tasks that count in means (see data/tasks).");
        bool hasMonet = rows.Any(r => r.Mean.Model == "monet");
        IEnumerable<string> said = points.Select(p => $"{p.Name}, {p.Row}: {Tables.Number(p.X[0])} million parameters, "
            + $"{Tables.Number(p.X[1])} GMACs, {Tables.Number(p.X[2])} s, F1 {p.Y}");
        string absent = hasMonet ? "" : " MONET's weights are not in this run: the dashed line marks its cost, at no "
            + "score.";
        return new("cost-quality", "Score over cost",
            $"Mean F1 over tasks with the {probe} probe; bars are 95 % bootstrap intervals over {TableFootnote.Units}. "
            + $"Higher is better, further left is cheaper; models of one cost stand side by side.{absent} Time: fp32, "
            + $"the best batch measured above; a model that was not measured has no point there.{Warning(measured)}",
            $"{points.Length} points over three costs: {string.Join("; ", said)}.{absent}",
            hasMonet ? points : [.. points, new("MONET, cost only", "", Places(ModelCost.Ladder[^1]), double.NaN)],
            ["Parameters, M", "GMACs", "s for 1,000 images"], "Mean F1 (0-1)")
        { Stamp = Stamps.Join(rows.Select(r => r.Mean.Stamp)) };

        double[] Places(ModelCost cost) =>
            [cost.Parameters * 1e-6, cost.GigaMacs, 1000 / Best(measured, cost)?.ImagesPerSecond ?? double.NaN];
    }

    // The fastest float32 batch; null where not measured.
    internal static MeasuredCost? Best(IReadOnlyList<MeasuredCost> measured, ModelCost model) => measured
        .Where(m => m.Precision == Precision.Fp32 && m.Model.IsAs(model)).MaxBy(m => m.ImagesPerSecond);

    private static object Known(int size) => size > 0 ? size : double.NaN;

    internal static Estimate Rate(MeasuredCost? m) =>
        m is null ? double.NaN : new Estimate(m.ImagesPerSecond, m.Slowest, m.Fastest);

    private static MeasuredCost Fastest(IEnumerable<MeasuredCost> costs) => costs.MaxBy(m => m.ImagesPerSecond)!;

    // How peak memory is measured on a GPU; empty for the CPU.
    private static string Gpu(string device, bool isUnread)
    {
        if (device == "cpu") return "";
        return isUnread
            ? "On this device it is not read, because nvidia-smi is not here or reports nothing: –. "
            : "On this device: growth by nvidia-smi, from before the first model, smaller models first: an upper "
                + "bound; – where no more was needed than before. Other programs count too. ";
    }

    // Warns of a busy machine, on which small matrices lose more time than large ones; else empty.
    internal static string Warning(IReadOnlyList<MeasuredCost> measured)
    {
        MeasuredCost? worst = measured.MaxBy(m => m.Fastest / m.Slowest);
        if (worst is null || worst.Fastest <= Steady * worst.Slowest) return "";
        return $" The machine was busy: the fastest round of {worst.Model.Name} ({worst.Precision.Spelled()}, batch "
            + $"{worst.Batch}) was {Tables.Number(worst.Fastest / worst.Slowest)} times as fast as its slowest. These "
            + "rates are not to be quoted; measure again on an idle machine.";
    }
}
