using DermKit.Data;
using System.Numerics;

namespace DermKit.Evaluation;

/// <summary><see cref="KnnProbe"/> on many small draws from the same rows. A query row is compared with all drawn rows
/// and sorted once; a draw is a mask over that order, which saves a product and a sort for each.</summary>
internal static class KnnDraws
{
    // Columns of the pool to fit and to choose k with, and the k to choose from.
    private sealed record Columns(int[] Fit, int[] Validation, int[] Ks);

    public static DrawOutcome[] Run(KnnProbe probe, Tensor train, int[] labels, Tensor test, int classes,
        IReadOnlyList<LabelDraw> draws, CancellationToken cancellation)
    {
        int[] pool = [.. draws.SelectMany(d => d.Rows).Distinct().Order()];
        int[] poolLabels = Array.ConvertAll(pool, r => labels[r]);
        int[] columnOf = new int[labels.Length];
        for (int c = 0; c < pool.Length; c++) columnOf[pool[c]] = c;
        using var scope = NewDisposeScope();
        Tensor features = ProbeInput.Rows(train, pool);
        Columns[] sets = [.. draws.AsParallel().AsOrdered().Select(Divide)];
        if (sets.FirstOrDefault(s => s.Ks.Length == 0) is { } none) throw probe.EveryKTooLarge(none.Fit.Length);

        // A validation row is a query only of the draws that hold it back.
        var asked = sets.SelectMany((s, d) => s.Validation.Select((column, place) => (column, d, place)))
            .ToLookup(a => a.column);
        int[] queries = [.. asked.Select(a => a.Key).Order()];
        int[][][] validated = [.. sets.Select(s => Array.ConvertAll(s.Validation, _ => new int[s.Ks.Length]))];
        if (queries.Length > 0)
            ForEachRow(features, ProbeInput.Rows(features, queries), poolLabels, classes, (row, nearest) =>
            {
                foreach ((_, int d, int place) in asked[queries[row]])
                    nearest.Classify(sets[d].Fit, sets[d].Ks, validated[d][place]);
            }, cancellation);
        int[] best = [.. sets.Select((s, d) => s.Validation.Length == 0 ? s.Ks[0] : BestK(s, validated[d]))];

        int[][] predicted = [.. sets.Select(_ => new int[test.shape[0]])];
        ForEachRow(features, test, poolLabels, classes, (row, nearest) =>
        {
            for (int d = 0; d < sets.Length; d++)
                nearest.Classify(sets[d].Fit, best.AsSpan(d, 1), predicted[d].AsSpan(row, 1));
        }, cancellation);
        return [.. predicted.Zip(best, (p, k) => new DrawOutcome(p, k))];

        Columns Divide(LabelDraw draw)
        {
            int[] columns = Array.ConvertAll(draw.Rows, r => columnOf[r]);
            Split? split = probe.SplitToChooseK(Array.ConvertAll(draw.Rows, r => labels[r]), classes, draw.Seed);
            if (split is not var (fit, validation)) return new(columns, [], [1]);
            return new(Array.ConvertAll(fit, i => columns[i]), Array.ConvertAll(validation, i => columns[i]),
                KnnProbe.Usable(probe.Ks, fit.Length));
        }

        int BestK(Columns set, int[][] predictions)
        {
            int[] truth = Array.ConvertAll(set.Validation, c => poolLabels[c]);
            return KnnProbe.BestK(set.Ks.Select((k, i) => KeyValuePair.Create(k,
                ClassCounts.Of(truth, Array.ConvertAll(predictions, p => p[i]), classes).PaperF1())));
        }
    }

    private static void ForEachRow(Tensor pool, Tensor queries, int[] labels, int classes, Action<int, Nearest> act,
        CancellationToken cancellation)
    {
        int start = 0, columns = labels.Length;
        foreach (Tensor similarities in CosineSearch.Similarities(pool, queries))
        {
            using Tensor flat = similarities.to(float32).cpu().contiguous();
            float[] values = flat.data<float>().ToArray();
            int first = start, count = values.Length / columns;
            Parallel.For(0, count, new ParallelOptions { CancellationToken = cancellation },
                () => new Nearest(labels, classes), (row, _, nearest) =>
                {
                    nearest.Sort(values.AsSpan(row * columns, columns));
                    act(first + row, nearest);
                    return nearest;
                }, _ => { });
            start += count;
        }
    }

    // All rows of the pool in the order of one query row; not thread-safe.
    private sealed class Nearest(int[] labels, int classes)
    {
        private readonly ulong[] keys = new ulong[labels.Length];
        private readonly ulong[] mask = new ulong[(labels.Length + 63) / 64];
        private readonly int[] placeOf = new int[labels.Length];
        private readonly int[] labelAt = new int[labels.Length];
        private readonly int[] votes = new int[classes];

        // Greatest similarity first; equal ones keep their order.
        public void Sort(ReadOnlySpan<float> similarities)
        {
            for (int c = 0; c < keys.Length; c++)
            {
                // Inverted float bits: larger numbers have smaller keys.
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

        // The majority of the nearest columns for each ascending k; the smallest class wins ties.
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
