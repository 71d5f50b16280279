using DermKit.Pretraining;
using Runs = System.Collections.Generic.IReadOnlyList<(
    string Name, System.Collections.Generic.IReadOnlyList<DermKit.Pretraining.TrainingStep> Log)>;

namespace DermKit.Studies;

/// <summary>Collapse monitors of several pre-training runs.</summary>
public static class CollapseReport
{
    // One monitor of several runs. Runs of one name become their mean, in a band from lowest to highest.
    internal static LineFigure Monitor(string id, string title, string caption, string axis,
        Func<TrainingStep, double> value, Runs runs, string stamp = "")
    {
        var byName = runs.GroupBy(r => r.Name);
        LineSeries[] lines = [.. byName.Select(g =>
            Together([.. g.Select(r => PretrainingReport.Line(r.Name, r.Log, value))]))];
        string alt = $"{lines.Length} lines of {runs.Count} runs; {PretrainingReport.FirstToLast(lines)}.";
        return new(id, title, caption, alt, lines, "Step", axis) { Markers = false, Stamp = stamp };
    }

    /// <summary>Entropy of the teacher's output, which distinguishes collapsing from healthy runs.</summary>
    public static LineFigure Entropy(Runs runs, string stamp = "") =>
        Monitor("collapse-entropy", $"Teacher entropy of {runs.Count} runs",
            "Mean entropy of the teacher's answers / ln K. At 0 every image gets one and the same output, at 1 no "
            + "output is preferred; a run that learns stays between.",
            "Teacher entropy / ln K (0-1)", s => s.TeacherEntropy, runs, stamp);

    /// <summary>Spread of the teacher's features.</summary>
    public static LineFigure Spread(Runs runs, string stamp = "") =>
        Monitor("collapse-std", $"Feature spread of {runs.Count} runs",
            "Standard deviation of the teacher's normalised features over the batch, times the root of their width. "
            + "Near 0 all images have the same features.",
            "Feature standard deviation (0-1)", s => s.FeatureStd, runs, stamp);

    /// <summary>Effective rank of the features.</summary>
    public static LineFigure Rank(Runs runs, string stamp = "") =>
        Monitor("rank", "Effective rank of the runs",
            "Number of directions in which the features of a batch spread: mean over the runs of one name, in a band "
            + "from lowest to highest. Falling towards 1 is collapse; a higher rank need not be more useful.",
            "Effective rank", s => s.EffectiveRank, runs, stamp);

    /// <summary>The last value of each monitor in each run.</summary>
    public static Table Ends(Runs runs, string stamp = "") => Tables.From("The monitors at the last steps", runs,
        ("Run", r => r.Name),
        ("Loss / ln K", r => Last(r.Log, s => s.LossRatio)),
        ("Teacher entropy / ln K", r => Last(r.Log, s => s.TeacherEntropy)),
        ("Feature standard deviation", r => Last(r.Log, s => s.FeatureStd)),
        ("Effective rank", r => Last(r.Log, s => s.EffectiveRank))) with
    {
        Stamp = stamp,
        Note = "The last measured value of each; one run of each kind, so small differences mean nothing.",
    };

    private static LineSeries Together(LineSeries[] runs)
    {
        if (runs.Length == 1) return runs[0];
        var valueAt = Array.ConvertAll(runs, r => r.X.Zip(r.Y).ToDictionary(p => p.First, p => p.Second));
        double[] steps = [.. runs[0].X.Where(x => valueAt.All(v => v.ContainsKey(x)))];
        double[][] values = Array.ConvertAll(steps, x => Array.ConvertAll(valueAt, v => v[x]));
        return LineSeries.Of(runs[0].Name, steps,
            values.Select(v => new Estimate(v.Average(), v.Min(), v.Max())));
    }

    internal static double Last(IReadOnlyList<TrainingStep> log, Func<TrainingStep, double> value) =>
        log.Select(value).LastOrDefault(v => !double.IsNaN(v), double.NaN);
}
