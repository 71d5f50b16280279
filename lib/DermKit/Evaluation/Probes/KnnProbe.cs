using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Weight of a neighbour's vote.</summary>
public enum KnnVote
{
    /// <summary>1 (the paper; scikit-learn weights="uniform").</summary>
    Uniform,
    /// <summary>1 / cosine distance; distance 0 outvotes all others (scikit-learn weights="distance").</summary>
    InverseDistance,
    /// <summary>exp(cosine / temperature) (DINO's eval_knn.py).</summary>
    Softmax,
}

/// <summary>k nearest neighbours by cosine distance; the defaults are the paper's protocol. Chooses the k with the best
/// F1 (<see cref="ClassCounts.PaperF1"/>; the smallest of equals) on a stratified part of the training rows, fits on
/// the rest and scores that fit on the test rows without a refit. Skips a k above the fitted rows. Ties go to the
/// smallest class, as in scikit-learn. <para>Where scikit-learn's train_test_split refuses, the outcome's note names
/// the kit's rule: a class with one row takes no part in the choice; if the validation part has fewer rows than classes
/// with two or more, or only one such class exists, k is 1 on all training rows.</para></summary>
public sealed record KnnProbe() : Probe("knn")
{
    /// <summary>The k to choose from.</summary>
    public IReadOnlyList<int> Ks { get; init; } = [1, 5, 10, 20, 30, 50, 100, 200];

    /// <summary>Share of training rows that chooses k.</summary>
    public double ValidationShare { get; init; } = 0.15;

    /// <summary>Vote of a neighbour.</summary>
    public KnnVote Vote { get; init; } = KnnVote.Uniform;

    /// <summary>Temperature of <see cref="KnnVote.Softmax"/>.</summary>
    public double Temperature { get; init; } = 0.07;

    /// <inheritdoc/>
    public override ProbeOutcome Run(Tensor train, int[] labels, Tensor test, int classes, int seed = 1)
    {
        ProbeInput.Check(train, labels, test, classes);
        int[] counts = ProbeInput.CountClasses(labels, classes);
        if (SplitToChooseK(labels, classes, seed) is not var (fit, validation))
        {
            return Classify(train, labels, test, classes, [1], Vote, Temperature)[1] with
            {
                Note = $"k = 1 without a choice: {(int)Math.Round(100 * ValidationShare)} % of "
                    + $"{labels.Length} training images are too few to hold back one of each of the "
                    + $"{counts.Count(c => c > 1)} classes with two or more (a rule of this kit, not of the paper).",
            };
        }
        using var scope = NewDisposeScope();
        int[] fitLabels = Array.ConvertAll(fit, r => labels[r]);
        int[] validationLabels = Array.ConvertAll(validation, r => labels[r]);
        // One pass over validation and test rows serves both.
        Tensor queries = cat([ProbeInput.Rows(train, validation), test], 0);
        var outcomes = Classify(ProbeInput.Rows(train, fit), fitLabels, queries, classes, Ks, Vote, Temperature);
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
        return Vote == KnnVote.Uniform ? KnnDraws.Run(this, train, labels, test, classes, draws, cancellation)
            : base.RunDraws(train, labels, test, classes, draws, cancellation);
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

    // Classifies every query row for each k up to the training rows; probabilities are vote shares.
    internal static SortedDictionary<int, ProbeOutcome> Classify(Tensor train, int[] labels, Tensor query, int classes,
        IReadOnlyList<int> ks, KnnVote vote = KnnVote.Uniform, double temperature = 0.07)
    {
        var outcomes = new SortedDictionary<int, ProbeOutcome>();
        foreach ((int k, double[,] votes) in Votes(train, labels, query, classes, ks, vote, temperature))
        {
            int[] predicted = Metrics.ArgMax(votes);
            for (int i = 0; i < predicted.Length; i++)
            {
                double sum = 0;
                for (int c = 0; c < classes; c++) sum += votes[i, c];
                for (int c = 0; c < classes; c++) votes[i, c] /= sum;
            }
            outcomes[k] = new ProbeOutcome(predicted, votes) { K = k };
        }
        return outcomes;
    }

    // Votes [M, classes] by k. One product and one top-k serve all k, whose votes accumulate.
    internal static SortedDictionary<int, double[,]> Votes(Tensor train, int[] labels, Tensor query, int classes,
        IReadOnlyList<int> ks, KnnVote vote = KnnVote.Uniform, double temperature = 0.07)
    {
        using var scope = NewDisposeScope();
        ProbeInput.Check(train, labels, query, classes);
        if (ks.Any(k => k < 1)) throw new KitException($"kNN: k is {ks.Min()}; expected 1 or more.");
        int[] usable = Usable(ks, labels.Length);
        if (usable.Length == 0) return [];
        var parts = usable.ToDictionary(k => k, _ => new List<Tensor>());
        Tensor classOf = ProbeInput.ToTensor(labels, train.device);
        foreach ((Tensor index, Tensor cosine) in CosineSearch.Nearest(train, query, usable[^1]))
        {
            Tensor voted = classOf.index_select(0, index.flatten()).reshape(index.shape);
            Tensor weight = Weights(cosine, vote, temperature);
            Tensor sum = zeros([index.shape[0], classes], float64, train.device);
            int before = 0;
            foreach (int k in usable)
            {
                sum.scatter_add_(1, voted.narrow(1, before, k - before), weight.narrow(1, before, k - before));
                parts[k].Add(sum.cpu().clone());
                before = k;
            }
        }
        return new(parts.ToDictionary(p => p.Key, p => ProbeInput.ToArray(cat(p.Value, 0))));
    }

    internal static int[] Usable(IReadOnlyList<int> ks, int rows) => [.. ks.Where(k => k <= rows).Distinct().Order()];

    private static Tensor Weights(Tensor cosine, KnnVote vote, double temperature)
    {
        Tensor wide = cosine.to(float64);
        switch (vote)
        {
            case KnnVote.Uniform: return ones_like(wide);
            case KnnVote.Softmax: return (wide / Kept(temperature)).exp();
            default:
                Tensor distance = (Kept(1) - cosine).clamp(Kept(0), Kept(2)).to(float64);
                Tensor exact = distance == Kept(0);
                return where(exact.any(1, keepdim: true), exact.to(float64), Kept(1) / distance);
        }
    }
}
