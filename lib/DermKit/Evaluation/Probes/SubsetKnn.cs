using DermKit.Data;
using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// <see cref="KnnProbe"/>'s protocol on many small sets drawn from the same training rows. What the sets share is done once: a query row is compared with all
/// rows that any set holds, and these are put into order. A set is then a mask over that order, and its nearest rows are the first set bits:
/// a set costs a pass over its rows instead of a similarity product and a sort.
/// </summary>
internal static class SubsetKnn
{
    /// <summary>The set of one draw as columns of the pool: what is fitted, what chooses k, and among which.</summary>
    private sealed record Fitted(int[] Columns, int[] Validation, int[] Ks);

    /// <summary>The predicted class of each test row and the k behind it, for each draw.</summary>
    /// <param name="train">[N, D] training features.</param>
    /// <param name="labels">N class indices.</param>
    /// <param name="test">[M, D] test features.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="draws">Rows of the training features.</param>
    /// <param name="options">Votes are uniform.</param>
    /// <param name="cancellation">Looked at between rows.</param>
    /// <exception cref="KitException">Features are not finite, sizes do not match, or every k is larger than a set.</exception>
    public static (int[] Predicted, int K)[] Predict(Tensor train, int[] labels, Tensor test, int classes, IReadOnlyList<LabelDraw> draws, KnnOptions options, CancellationToken cancellation = default)
    {
        ProbeInput.Check("training", train, labels, classes);
        ProbeInput.Check("test", test, null, classes);
        int[] pool = [.. draws.SelectMany(d => d.Rows).Distinct().Order()], poolLabels = Array.ConvertAll(pool, r => labels[r]);
        int[] columnOf = new int[labels.Length];
        for (int c = 0; c < pool.Length; c++) columnOf[pool[c]] = c;
        using var scope = NewDisposeScope();
        Tensor features = train.index_select(0, ProbeInput.ToTensor(pool, train.device));
        Fitted[] sets = [.. draws.AsParallel().AsOrdered().Select(d => Fit(d, labels, columnOf, classes, options))];
        if (sets.FirstOrDefault(s => s.Ks.Length == 0) is { } none)
            throw new KitException($"kNN: every k of [{string.Join(", ", options.Ks)}] is larger than the {none.Columns.Length} fitted rows; add a smaller k.");

        // Each validation row is a row of the pool, and asks only the sets that hold it back.
        var asked = sets.SelectMany((s, d) => s.Validation.Select((column, place) => (column, d, place))).ToLookup(a => a.column);
        int[] queries = [.. asked.Select(a => a.Key).Order()];
        int[][][] held = [.. sets.Select(s => Array.ConvertAll(s.Validation, _ => new int[s.Ks.Length]))];
        if (queries.Length > 0)
            ForEachRow(features, features.index_select(0, ProbeInput.ToTensor(queries, train.device)), poolLabels, classes, (row, nearest) =>
            {
                foreach ((_, int d, int place) in asked[queries[row]]) nearest.Classify(sets[d].Columns, sets[d].Ks, held[d][place]);
            }, cancellation);
        int[] best = [.. sets.Select((s, d) => s.Validation.Length == 0 ? s.Ks[0] : KnnProbe.Best(s.Ks.Select((k, i) =>
            KeyValuePair.Create(k, ClassCounts.Of(Array.ConvertAll(s.Validation, v => poolLabels[v]), Array.ConvertAll(held[d], p => p[i]), classes).PaperF1()))))];

        int[][] calls = [.. sets.Select(_ => new int[test.shape[0]])];
        ForEachRow(features, test, poolLabels, classes, (row, nearest) =>
        {
            for (int d = 0; d < sets.Length; d++) nearest.Classify(sets[d].Columns, best.AsSpan(d, 1), calls[d].AsSpan(row, 1));
        }, cancellation);
        return [.. calls.Zip(best)];
    }

    private static Fitted Fit(LabelDraw draw, int[] labels, int[] columnOf, int classes, KnnOptions options)
    {
        int[] columns = Array.ConvertAll(draw.Rows, r => columnOf[r]);
        if (KnnProbe.Choice(Array.ConvertAll(draw.Rows, r => labels[r]), classes, draw.Seed, options) is not var (fit, validation)) return new(columns, [], [1]);
        return new(Array.ConvertAll(fit, i => columns[i]), Array.ConvertAll(validation, i => columns[i]), [.. options.Ks.Where(k => k <= fit.Length).Distinct().Order()]);
    }

    private static void ForEachRow(Tensor pool, Tensor queries, int[] labels, int classes, Action<int, Nearest> act, CancellationToken cancellation)
    {
        int start = 0, columns = labels.Length;
        foreach (Tensor similarities in KnnProbe.Similarities(pool, queries))
        {
            using Tensor flat = similarities.to(float32).cpu().contiguous();
            float[] values = flat.data<float>().ToArray();
            int first = start, count = values.Length / columns;
            Parallel.For(0, count, new ParallelOptions { CancellationToken = cancellation }, () => new Nearest(labels, classes), (row, _, nearest) =>
            {
                nearest.Order(values.AsSpan(row * columns, columns));
                act(first + row, nearest);
                return nearest;
            }, _ => { });
            start += count;
        }
    }

    /// <summary>All rows of the pool in the order of one query row; used by one thread.</summary>
    private sealed class Nearest(int[] labels, int classes)
    {
        private readonly ulong[] keys = new ulong[labels.Length], mask = new ulong[(labels.Length + 63) / 64];
        private readonly int[] placeOf = new int[labels.Length], labelAt = new int[labels.Length], votes = new int[classes];

        /// <summary>Sorts by similarity, the greatest first; equal ones keep the order of the training rows.</summary>
        public void Order(ReadOnlySpan<float> similarities)
        {
            for (int c = 0; c < keys.Length; c++)
            {
                // Bits of a float, turned so that larger numbers have smaller keys.
                uint bits = BitConverter.SingleToUInt32Bits(similarities[c] + 0f);
                keys[c] = ((ulong)((bits & 0x80000000) != 0 ? bits : ~bits & 0x7FFFFFFF) << 32) | (uint)c;
            }
            Array.Sort(keys);
            for (int place = 0; place < keys.Length; place++)
            {
                int column = (int)(uint)keys[place];
                placeOf[column] = place;
                labelAt[place] = labels[column];
            }
        }

        /// <summary>The majority among the nearest rows of a set, for each k in ascending order; a tied vote goes to the smallest class.</summary>
        public void Classify(int[] columns, ReadOnlySpan<int> ks, Span<int> predicted)
        {
            foreach (int c in columns) mask[placeOf[c] >> 6] |= 1UL << (placeOf[c] & 63);
            Array.Clear(votes);
            int counted = 0, next = 0;
            for (int word = 0; next < ks.Length; word++)
                for (ulong left = mask[word]; left != 0 && next < ks.Length; left &= left - 1)
                {
                    votes[labelAt[(word << 6) + BitOperations.TrailingZeroCount(left)]]++;
                    if (++counted < ks[next]) continue;
                    predicted[next++] = Array.IndexOf(votes, votes.Max());
                }
            Array.Clear(mask);
        }
    }
}
