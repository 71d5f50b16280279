using DermKit.Reporting;
using DermKit.Evaluation;
using MathNet.Numerics.Distributions;

namespace DermKit.Studies;

/// <summary>A test image that one model calls right and the other wrong.</summary>
/// <param name="Id">Id of the image in the task's table.</param>
/// <param name="Truth">Its class.</param>
/// <param name="First">What the first model says.</param>
/// <param name="Second">What the second model says.</param>
public sealed record OneRight(string Id, string Truth, string First, string Second);

/// <summary>How two models differ on the test images of one task, probe and seed.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Probe">knn or linear.</param>
/// <param name="Seed">Of the probe and of random weights.</param>
/// <param name="First">Name of the first model.</param>
/// <param name="Second">Name of the second model.</param>
/// <param name="BothRight">Images that both call right.</param>
/// <param name="BothWrong">Images that both call wrong.</param>
/// <param name="OnlyFirst">Images that only the first calls right.</param>
/// <param name="OnlySecond">Images that only the second calls right.</param>
/// <param name="P">McNemar's exact two-sided p (1947; the binomial form) over units: for each patient, lesion or image, which model calls more of its images right. It is the chance of so uneven a split if either were as likely.</param>
/// <param name="Stamp">That of task and models.</param>
public sealed record Disagreement(string Task, string Probe, int Seed, string First, string Second, int BothRight, int BothWrong,
    IReadOnlyList<OneRight> OnlyFirst, IReadOnlyList<OneRight> OnlySecond, double P, string Stamp)
{
    /// <summary>One for each task and probe that both models have a result of.</summary>
    /// <param name="results">Any results.</param>
    /// <param name="first">Name of a model.</param>
    /// <param name="second">Name of another.</param>
    /// <param name="seed">Whose predictions are compared.</param>
    /// <exception cref="KitException">The two were not scored on the same images.</exception>
    public static IReadOnlyList<Disagreement> Of(IReadOnlyList<TaskResult> results, string first, string second, int seed)
    {
        IEnumerable<TaskResult> By(string model) => results.Where(r => r.Model == model && r.Seed == seed);
        return [.. By(first).Join(By(second), r => (r.Task, r.Probe), r => (r.Task, r.Probe), (a, b) =>
        {
            if (!a.Ids.SequenceEqual(b.Ids)) throw new KitException($"Task '{a.Task}': {first} and {second} were scored on other test images; probe both with one split and the same seeds.");
            OneRight[] Right(TaskResult right, TaskResult wrong) => [.. Enumerable.Range(0, a.Ids.Length).Where(i => right.Predicted[i] == a.Truth[i] && wrong.Predicted[i] != a.Truth[i])
                .Select(i => new OneRight(a.Ids[i], a.ClassNames[a.Truth[i]], a.ClassNames[a.Predicted[i]], a.ClassNames[b.Predicted[i]]))];
            OneRight[] onlyA = Right(a, b), onlyB = Right(b, a);
            int Hit(TaskResult r, int i) => r.Predicted[i] == r.Truth[i] ? 1 : 0;
            int[] better = [.. Enumerable.Range(0, a.Ids.Length).GroupBy(i => a.Units[i]).Select(unit => Math.Sign(unit.Sum(i => Hit(a, i) - Hit(b, i))))];
            int both = Enumerable.Range(0, a.Ids.Length).Count(i => a.Predicted[i] == a.Truth[i] && b.Predicted[i] == a.Truth[i]);
            return new Disagreement(a.Task, a.Probe, seed, first, second, both, a.Ids.Length - both - onlyA.Length - onlyB.Length, onlyA, onlyB,
                McNemar(better.Count(s => s > 0), better.Count(s => s < 0)), Stamps.Join([a.BothStamps, b.BothStamps]));
        })];
    }

    internal static double McNemar(int first, int second) => first + second == 0 ? 1 : Math.Min(1, 2 * Binomial.CDF(0.5, first + second, Math.Min(first, second)));
}
