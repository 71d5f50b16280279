using MathNet.Numerics.Distributions;

namespace DermKit.Studies;

/// <summary>A test image that one of two models predicts right.</summary>
public sealed record OneRight(string Id, string Truth, string First, string Second);

/// <summary>How two models differ on the test images of a task, probe and seed. P is McNemar's exact two-sided p (1947,
/// binomial form) over units, each counted for the model that predicts more of its images right.</summary>
public sealed record Disagreement(string Task, string Probe, int Seed, string First, string Second, int BothRight,
    int BothWrong, IReadOnlyList<OneRight> OnlyFirst, IReadOnlyList<OneRight> OnlySecond, double P, string Stamp)
{
    /// <summary>One for each task and probe that both models have.</summary>
    /// <exception cref="KitException">The two were scored on different images.</exception>
    public static IReadOnlyList<Disagreement> Of(IReadOnlyList<TaskResult> results, string first, string second,
        int seed)
    {
        IEnumerable<TaskResult> By(string model) => results.Where(r => r.Model == model && r.Seed == seed);
        return [.. By(first).Join(By(second), r => (r.Task, r.Probe), r => (r.Task, r.Probe), Between)];
    }

    private static Disagreement Between(TaskResult a, TaskResult b)
    {
        if (!a.Ids.SequenceEqual(b.Ids))
            throw new KitException($"Task '{a.Task}': {a.Model} and {b.Model} were scored on other test images; probe "
                + "both with one split and the same seeds.");
        int[] all = [.. Enumerable.Range(0, a.Ids.Length)];
        bool IsRight(TaskResult r, int i) => r.Predicted[i] == a.Truth[i];
        OneRight[] Only(TaskResult right, TaskResult wrong) =>
            [.. all.Where(i => IsRight(right, i) && !IsRight(wrong, i)).Select(i => new OneRight(a.Ids[i],
                a.ClassNames[a.Truth[i]], a.ClassNames[a.Predicted[i]], a.ClassNames[b.Predicted[i]]))];
        int Ahead(int i) => (IsRight(a, i) ? 1 : 0) - (IsRight(b, i) ? 1 : 0);
        int[] better = [.. all.GroupBy(i => a.Units[i]).Select(unit => Math.Sign(unit.Sum(Ahead)))];
        return new(a.Task, a.Probe, a.Seed, a.Model, b.Model, all.Count(i => IsRight(a, i) && IsRight(b, i)),
            all.Count(i => !IsRight(a, i) && !IsRight(b, i)), Only(a, b), Only(b, a),
            McNemar(better.Count(s => s > 0), better.Count(s => s < 0)), Stamps.Join([a.BothStamps, b.BothStamps]));
    }

    internal static double McNemar(int first, int second) => first + second == 0 ? 1
        : Math.Min(1, 2 * Binomial.CDF(0.5, first + second, Math.Min(first, second)));
}
