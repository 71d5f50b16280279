using DermKit.Data;
using System.Text.Json.Serialization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>k nearest neighbours by cosine distance, each with one vote; the defaults are the paper's protocol. Chooses
/// the k with the best F1 (<see cref="ClassCounts.PaperF1"/>; the smallest of equals) on a stratified part of the
/// training rows, fits on the rest and scores that fit on the test rows without a refit. Skips a k above the fitted
/// rows. Ties go to the smallest class, as in scikit-learn. <para>Where scikit-learn's train_test_split refuses, the
/// outcome's note names the kit's rule: a class with one row takes no part in the choice; if the validation part has
/// fewer rows than classes with two or more, or one such class exists, k is 1 on all training rows.</para></summary>
public sealed record KnnProbe() : Probe("knn")
{
    /// <summary>The k to choose from.</summary>
    public IReadOnlyList<int> Ks { get; init; } = [1, 5, 10, 20, 30, 50, 100, 200];

    /// <summary>Share of training rows that chooses k.</summary>
    public double ValidationShare { get; init; } = 0.15;

    // Constants in the keys of stored results.
    [JsonInclude]
    internal int Vote => 0;

    [JsonInclude]
    internal double Temperature => 0.07;

    /// <inheritdoc/>
    public override ProbeOutcome Run(Tensor train, int[] labels, Tensor test, int classes, int seed = 1)
    {
        ProbeInput.Check(train, labels, test, classes);
        int[] counts = ProbeInput.CountClasses(labels, classes);
        if (SplitToChooseK(labels, classes, seed) is not var (fit, validation))
        {
            return Classify(train, labels, test, classes, [1])[1] with
            {
                Note = $"k = 1 without a choice: {(int)Math.Round(100 * ValidationShare)} % of {labels.Length} "
                    + $"training images are too few to hold back one of each of the {counts.Count(c => c > 1)} classes "
                    + "with two or more (a rule of this kit, not of the paper).",
            };
        }
        using var scope = NewDisposeScope();
        int[] fitLabels = Array.ConvertAll(fit, r => labels[r]);
        int[] validationLabels = Array.ConvertAll(validation, r => labels[r]);
        // One pass over validation and test rows serves both.
        Tensor queries = cat([ProbeInput.Rows(train, validation), test], 0);
        var outcomes = Classify(ProbeInput.Rows(train, fit), fitLabels, queries, classes, Ks);
        if (outcomes.Count == 0) throw EveryKTooLarge(fit.Length);
        var scores = outcomes.ToDictionary(o => o.Key, o =>
            ClassCounts.Of(validationLabels, o.Value.Predicted[..validation.Length], classes).PaperF1());
        ProbeOutcome best = outcomes[BestK(scores)];
        double[,] probabilities = new double[test.shape[0], classes];
        Array.Copy(best.Probabilities, validation.Length * classes, probabilities, 0, probabilities.Length);
        int single = counts.Count(c => c == 1);
        return best with
        {
            Predicted = best.Predicted[validation.Length..],
            Probabilities = probabilities,
            ValidationF1 = scores,
            Note = single == 0 ? ""
                : $"Classes with one training image ({single}) are fitted and take no part in the choice of k "
                    + "(a rule of this kit, not of the paper).",
        };
    }

    /// <inheritdoc/>
    public override IReadOnlyList<DrawOutcome> RunDraws(Tensor train, int[] labels, Tensor test, int classes,
        IReadOnlyList<LabelDraw> draws, CancellationToken cancellation = default)
    {
        ProbeInput.Check(train, labels, test, classes);
        return KnnDraws.Run(this, train, labels, test, classes, draws, cancellation);
    }

    // Rows to fit (train) and to choose k (test); null where k cannot be chosen.
    internal Split? SplitToChooseK(int[] labels, int classes, int seed)
    {
        int divisible = ProbeInput.CountClasses(labels, classes).Count(c => c > 1);
        // Rounded up, as in scikit-learn.
        bool useful = divisible > 1 && Math.Ceiling(labels.Length * ValidationShare - 1e-9) >= divisible;
        return useful ? Splits.Stratified(labels, seed, ValidationShare) : null;
    }

    internal static int BestK(IEnumerable<KeyValuePair<int, double>> scores) =>
        scores.OrderBy(s => s.Key).MaxBy(s => s.Value).Key;

    internal KitException EveryKTooLarge(int rows) =>
        new($"kNN: every k of [{string.Join(", ", Ks)}] is larger than the {rows} fitted rows; add a smaller k.");

    // Classifies every query row for each k up to the training rows; probabilities are vote shares. One product and
    // one top-k serve all k.
    internal static SortedDictionary<int, ProbeOutcome> Classify(Tensor train, int[] labels, Tensor query, int classes,
        IReadOnlyList<int> ks)
    {
        using var scope = NewDisposeScope();
        ProbeInput.Check(train, labels, query, classes);
        if (ks.Any(k => k < 1)) throw new KitException($"kNN: k is {ks.Min()}; expected 1 or more.");
        int[] usable = Usable(ks, labels.Length);
        if (usable.Length == 0) return [];
        var shares = usable.ToDictionary(k => k, _ => new double[query.shape[0], classes]);
        int row = 0;
        foreach ((Tensor index, _) in CosineSearch.Nearest(train, query, usable[^1]))
            foreach (long[] nearest in index.cpu().data<long>().ToArray().Chunk(usable[^1]))
            {
                int[] votes = new int[classes];
                int counted = 0;
                foreach (int k in usable)
                {
                    while (counted < k) votes[labels[nearest[counted++]]]++;
                    for (int c = 0; c < classes; c++) shares[k][row, c] = votes[c] / (double)k;
                }
                row++;
            }
        return new(shares.ToDictionary(s => s.Key, s => new ProbeOutcome(s.Value) { K = s.Key }));
    }

    internal static int[] Usable(IReadOnlyList<int> ks, int rows) => [.. ks.Where(k => k <= rows).Distinct().Order()];
}
