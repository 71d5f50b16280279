using DermKit.Data;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>How a neighbour votes.</summary>
public enum KnnVote
{
    /// <summary>One vote each (scikit-learn weights="uniform"); the paper's protocol.</summary>
    Uniform,
    /// <summary>1 / cosine distance; neighbours at distance 0 outvote all others (scikit-learn weights="distance").</summary>
    InverseDistance,
    /// <summary>exp(cosine / temperature) (DINO's eval_knn.py).</summary>
    Softmax,
}

/// <summary>Settings of <see cref="KnnProbe"/>; the defaults are the paper's protocol.</summary>
public sealed record KnnOptions
{
    /// <summary>The k to choose from.</summary>
    public IReadOnlyList<int> Ks { get; init; } = [1, 5, 10, 20, 30, 50, 100, 200];

    /// <summary>Share of the training rows that chooses k, drawn stratified.</summary>
    public double ValidationShare { get; init; } = 0.15;

    /// <summary>Vote of a neighbour.</summary>
    public KnnVote Vote { get; init; } = KnnVote.Uniform;

    /// <summary>Temperature of <see cref="KnnVote.Softmax"/>.</summary>
    public double Temperature { get; init; } = 0.07;
}

/// <summary>
/// k nearest neighbours by cosine distance, on the device of the features. All k come from one similarity product and one
/// top-k: the votes of a larger k are those of the smaller one plus the neighbours between.
/// A tied vote goes to the smallest class index, as in scikit-learn.
/// </summary>
public static class KnnProbe
{
    /// <summary>Similarities held at once, so that a large training set does not fill the memory.</summary>
    private const long ChunkElements = 16_000_000;

    /// <summary>
    /// The paper's protocol: k with the best F1 (<see cref="ClassCounts.PaperF1"/>; the smallest of equals) on a stratified part
    /// of the training rows, fitted on the rest, and that fit scored on the test rows without a refit. A k larger than the
    /// fitted set is skipped. What the paper leaves open is the kit's own rule, and the outcome has a note where one
    /// of the last two applies: every class with two or more rows has at least one among those held back; a class
    /// with a single row is fitted and takes no part in the choice; and where the share has fewer rows than there are
    /// classes to hold back from, or only one such class, k = 1 on all training rows. (scikit-learn's train_test_split
    /// refuses both cases; nothing else changes the paper's choice.)
    /// </summary>
    /// <param name="train">[N, D] training features.</param>
    /// <param name="trainLabels">N class indices.</param>
    /// <param name="test">[M, D] test features.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="seed">Draws the validation part.</param>
    /// <param name="options">Defaults to the paper's protocol.</param>
    /// <param name="positive">Positive class of a two-class task.</param>
    /// <exception cref="KitException">Features are not finite, labels are out of range, or sizes do not match.</exception>
    public static ProbeOutcome Run(Tensor train, int[] trainLabels, Tensor test, int classes, int seed, KnnOptions? options = null, int positive = 1)
    {
        options ??= new();
        ProbeInput.Check("training", train, trainLabels, classes);
        ProbeInput.Check("test", test, null, classes);
        ProbeInput.CheckColumns(train.shape[1], test);
        int[] counts = ProbeInput.CountClasses(trainLabels, classes);
        if (Choice(trainLabels, classes, seed, options) is not var (fit, validation))
        {
            return Classify(train, trainLabels, test, classes, [1], options.Vote, options.Temperature)[1] with
            {
                Note = $"k = 1 without a choice: {(int)Math.Round(100 * options.ValidationShare)} % of "
                    + $"{trainLabels.Length} training images are too few to hold back one of each of the "
                    + $"{counts.Count(c => c > 1)} classes with two or more "
                    + "(a rule of this kit, not of the paper).",
            };
        }
        int single = counts.Count(c => c == 1);
        using var scope = NewDisposeScope();
        int[] fitLabels = Take(trainLabels, fit), validationLabels = Take(trainLabels, validation);
        Tensor fitted = train.index_select(0, ProbeInput.ToTensor(fit, train.device));
        Tensor held = train.index_select(0, ProbeInput.ToTensor(validation, train.device));
        // One pass over validation and test rows together: the chosen k's test votes are then there already.
        var outcomes = Classify(fitted, fitLabels, cat([held, test], 0), classes, options.Ks, options.Vote, options.Temperature);
        if (outcomes.Count == 0) throw new KitException($"kNN: every k of [{string.Join(", ", options.Ks)}] is larger than the {fit.Length} fitted rows; add a smaller k.");
        var scores = outcomes.ToDictionary(o => o.Key, o =>
            ClassCounts.Of(validationLabels, o.Value.Predicted[..validation.Length], classes).PaperF1(positive));
        int best = Best(scores);
        return Rows(outcomes[best], validation.Length, (int)test.shape[0]) with
        {
            ValidationF1 = scores,
            Note = single == 0 ? ""
                : $"Classes with one training image ({single}) are fitted and take no part in the choice of k "
                    + "(a rule of this kit, not of the paper).",
        };
    }

    /// <summary>
    /// The rows to fit (train) and those that choose k (test); null where no useful part can be held back: a choice
    /// takes two classes with two rows or more, and a share with at least as many rows as there are such classes.
    /// </summary>
    internal static Split? Choice(int[] labels, int classes, int seed, KnnOptions options)
    {
        int able = ProbeInput.CountClasses(labels, classes).Count(c => c > 1);
        // scikit-learn rounds the share up, too.
        bool useful = able > 1 && Math.Ceiling(labels.Length * options.ValidationShare - 1e-9) >= able;
        return useful ? Splits.Stratified(labels, seed, options.ValidationShare) : null;
    }

    /// <summary>The k with the best score, the smallest of equals.</summary>
    internal static int Best(IEnumerable<KeyValuePair<int, double>> scores) => scores.OrderByDescending(s => s.Value).ThenBy(s => s.Key).First().Key;

    /// <summary>Classifies every query row for every k at once; a k larger than the training set is left out.</summary>
    /// <returns>Outcome by k; probabilities are the votes divided by their sum.</returns>
    /// <exception cref="KitException">Labels are out of range or sizes do not match.</exception>
    public static SortedDictionary<int, ProbeOutcome> Classify(Tensor train, int[] trainLabels, Tensor query, int classes, IReadOnlyList<int> ks,
        KnnVote vote = KnnVote.Uniform, double temperature = 0.07)
    {
        var outcomes = new SortedDictionary<int, ProbeOutcome>();
        foreach ((int k, double[,] votes) in Votes(train, trainLabels, query, classes, ks, vote, temperature))
        {
            int[] predicted = Metrics.ArgMax(votes);
            for (int i = 0; i < votes.GetLength(0); i++)
            {
                double sum = 0;
                for (int c = 0; c < classes; c++) sum += votes[i, c];
                for (int c = 0; c < classes; c++) votes[i, c] /= sum;
            }
            outcomes[k] = new ProbeOutcome(predicted, votes) { K = k };
        }
        return outcomes;
    }

    /// <summary>Summed votes [M, classes] of every query row by k.</summary>
    /// <exception cref="KitException">Labels are out of range, a k is below 1, or sizes do not match.</exception>
    public static SortedDictionary<int, double[,]> Votes(Tensor train, int[] trainLabels, Tensor query, int classes, IReadOnlyList<int> ks,
        KnnVote vote = KnnVote.Uniform, double temperature = 0.07)
    {
        using var scope = NewDisposeScope();
        ProbeInput.Check("training", train, trainLabels, classes);
        ProbeInput.Check("query", query, null, classes);
        if (ks.Any(k => k < 1)) throw new KitException($"kNN: k is {ks.Min()}; expected 1 or more.");
        int[] usable = [.. ks.Where(k => k <= trainLabels.Length).Distinct().Order()];
        var parts = usable.ToDictionary(k => k, _ => new List<Tensor>());
        if (usable.Length == 0) return [];
        Tensor labels = ProbeInput.ToTensor(trainLabels, train.device);
        foreach ((Tensor index, Tensor cosine) in Search(train, query, usable[^1]))
        {
            Tensor voted = labels.index_select(0, index.flatten()).reshape(index.shape);
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

    /// <summary>The k most similar training rows of every query row, most similar first, in chunks of query rows.</summary>
    /// <returns>For each chunk: training row indices [m, k] and their cosine similarities [m, k], which the caller's dispose scope owns.</returns>
    public static IEnumerable<(Tensor Index, Tensor Cosine)> Search(Tensor train, Tensor query, int k)
    {
        foreach (Tensor similarity in Similarities(train, query))
        {
            (Tensor cosine, Tensor index) = similarity.topk(k, dim: 1, largest: true, sorted: true);
            yield return (index, cosine);
        }
    }

    /// <summary>
    /// As <see cref="Search(Tensor, Tensor, int)"/>, over training rows that come in blocks, so that a pool larger than the memory is searched: what is held is
    /// the queries, a block, their similarities, and the best so far. Equal similarities keep the order of the rows, as far as top-k does.
    /// </summary>
    /// <param name="blocks">[n, D] each, disposed of by the caller when the next is asked for.</param>
    /// <param name="query">[M, D].</param>
    /// <param name="k">At least 1.</param>
    /// <returns>Row numbers over all blocks [M, k] (fewer columns where there are fewer rows), the most similar first, and their cosines [M, k].</returns>
    /// <exception cref="KitException">There is no block, widths differ, or k is below 1.</exception>
    public static (Tensor Index, Tensor Cosine) Search(IEnumerable<Tensor> blocks, Tensor query, int k)
    {
        if (k < 1) throw new KitException($"kNN: k is {k}; expected 1 or more.");
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor unit = Normalise(query);
        Tensor? index = null, cosine = null;
        long first = 0;
        foreach (Tensor block in blocks)
        {
            using var inner = NewDisposeScope();
            ProbeInput.CheckColumns(block.shape[1], query);
            Tensor similarity = unit.mm(Normalise(block).t());
            (Tensor best, Tensor at) = similarity.topk((int)Math.Min(k, block.shape[0]), dim: 1, largest: true, sorted: true);
            at = at.Plus(Kept(first));
            if (index is not null && cosine is not null)
            {
                (best, at) = (cat([cosine, best], 1), cat([index, at], 1));
                (best, Tensor chosen) = best.topk((int)Math.Min(k, best.shape[1]), dim: 1, largest: true, sorted: true);
                at = at.gather(1, chosen);
                index.Dispose();
                cosine.Dispose();
            }
            (index, cosine) = (at.MoveToOuterDisposeScope(), best.MoveToOuterDisposeScope());
            first += block.shape[0];
        }
        if (index is null || cosine is null) throw new KitException("kNN: there are no training rows; expected at least one block.");
        return (index.MoveToOuterDisposeScope(), cosine.MoveToOuterDisposeScope());
    }

    /// <summary>Cosine similarities of every query row to every training row, in chunks [m, N] of query rows, each disposed when the next is asked for.</summary>
    internal static IEnumerable<Tensor> Similarities(Tensor train, Tensor query)
    {
        ProbeInput.CheckColumns(train.shape[1], query);
        Tensor unit = Normalise(train).t();
        int chunk = (int)Math.Max(1, ChunkElements / train.shape[0]);
        for (long start = 0; start < query.shape[0]; start += chunk)
        {
            using Tensor similarity = Normalise(query.narrow(0, start, Math.Min(chunk, query.shape[0] - start))).mm(unit);
            yield return similarity;
        }
    }

    // A zero row stays zero and has cosine 0 with everything, as in scikit-learn.
    private static Tensor Normalise(Tensor rows)
    {
        using var scope = NewDisposeScope();
        Tensor wide = rows.dtype == ScalarType.Float64 ? rows : rows.to(float32);
        Tensor norm = wide.norm(1, keepdim: true);
        return (wide / norm.masked_fill(norm == Kept(0), Kept(1))).MoveToOuterDisposeScope();
    }

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

    private static ProbeOutcome Rows(ProbeOutcome outcome, int start, int count)
    {
        int classes = outcome.Probabilities.GetLength(1);
        double[,] part = new double[count, classes];
        Array.Copy(outcome.Probabilities, start * classes, part, 0, count * classes);
        return outcome with { Predicted = outcome.Predicted[start..(start + count)], Probabilities = part };
    }

    private static int[] Take(int[] values, int[] rows) => Array.ConvertAll(rows, r => values[r]);
}
