using DermKit.Imaging;
using System.Collections.Concurrent;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Data;

/// <summary>Two rows whose features point the same way.</summary>
/// <param name="First">Row of the first matrix.</param>
/// <param name="Second">Row of the second; within one matrix the larger row.</param>
/// <param name="Similarity">Cosine, -1 to 1.</param>
public sealed record SimilarPair(int First, int Second, double Similarity);

/// <summary>A pair that was looked at pixel by pixel.</summary>
/// <param name="First">Row of the first table.</param>
/// <param name="Second">Row of the second.</param>
/// <param name="Similarity">Cosine of the features.</param>
/// <param name="Correlation">From <see cref="PixelMatch.Correlation"/>.</param>
public sealed record MatchedPair(int First, int Second, double Similarity, double Correlation);

/// <summary>
/// Near-duplicates within a set, between two, or between pre-training and downstream data: features rank the candidates, pixels confirm them, and a person judges the images.
/// What no candidate is made of is not found: two photographs of one lesion that look different stay hidden.
/// </summary>
public static class Leakage
{
    /// <summary>
    /// Correlation from which <see cref="Confirm"/> calls two images the same photograph. Chosen on ISIC-2017, where each of the 43 pairs above it is one by eye, and the first that is not comes at 0.61;
    /// between ISIC-2017 and HAM10000 the highest of 14,453 candidates has 0.67. Some copies that were cropped lie below it.
    /// </summary>
    public const double Same = 0.7;

    private const int RowBlock = 1024, ColumnBlock = 8192;

    /// <summary>The most similar pairs of rows, the most similar first; ties by row. Works block by block: besides the matrices it takes some 200 MB at 768 features, however many rows there are.</summary>
    /// <param name="first">float32 [N, D], not normalised.</param>
    /// <param name="second">float32 [M, D]; null for the pairs within <paramref name="first"/>, each once.</param>
    /// <param name="most">Pairs to return at most.</param>
    /// <param name="least">Pairs of a lower cosine are left out.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    /// <exception cref="KitException">The widths differ, or a row is zero or not finite; it is named.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<SimilarPair> Rank(Tensor first, Tensor? second = null, int most = 1000, double least = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(most);
        Tensor columns = second ?? first;
        if (first.dim() != 2 || columns.dim() != 2 || first.shape[1] != columns.shape[1])
            throw new KitException($"Leakage: expected two matrices of one width, found [{string.Join(", ", first.shape)}] and [{string.Join(", ", columns.shape)}]; take the features of both sets from one model.");
        var kept = new PriorityQueue<SimilarPair, double>();
        using var scope = NewDisposeScope();
        for (long left = 0; left < columns.shape[0]; left += ColumnBlock)
        {
            using var inner = NewDisposeScope();
            Tensor right = Normalised(columns, left, ColumnBlock).t();
            for (long top = 0; top < first.shape[0] && (second is not null || top < left + ColumnBlock); top += RowBlock)
            {
                cancellation.ThrowIfCancellationRequested();
                using var block = NewDisposeScope();
                Tensor cosine = Normalised(first, top, RowBlock).matmul(right);
                // Row i, column j of a block of one matrix is a pair once, where j is the larger row.
                if (second is null && top + RowBlock > left) cosine = cosine.triu(top - left + 1).PlusInPlace(ones_like(cosine).tril(top - left).mul_(Kept(-2)));
                double bar = kept.Count < most ? least : Math.Max(least, kept.Peek().Similarity);
                using Scalar limit = bar;
                Tensor places = cosine.flatten().ge(limit).nonzero().flatten();
                // Sorting a whole block is slow, and only the first blocks have that many.
                if (places.numel() > 8L * most) places = cosine.flatten().topk(most).indexes;
                float[] found = cosine.flatten().index_select(0, places).data<float>().ToArray();
                long[] at = places.data<long>().ToArray();
                for (int i = 0; i < found.Length; i++)
                {
                    if (found[i] < bar) continue;
                    kept.Enqueue(new((int)(top + at[i] / cosine.shape[1]), (int)(left + at[i] % cosine.shape[1]), found[i]), found[i]);
                    if (kept.Count > most) kept.Dequeue();
                    if (kept.Count == most) bar = Math.Max(least, kept.Peek().Similarity);
                }
            }
        }
        return [.. kept.UnorderedItems.Select(i => i.Element).OrderByDescending(p => p.Similarity).ThenBy(p => p.First).ThenBy(p => p.Second)];
    }

    /// <summary>Feature rows that need no model: thumbnails [N, 256] of the images, in the eight ways to turn and mirror them for the second of two sets. For some ten thousand images; a model's features are smaller and see more.</summary>
    /// <param name="paths">The images.</param>
    /// <param name="unread">Takes the rows that cannot be read and why; their features are as those of a flat image.</param>
    /// <param name="turns">1, or 8 for [8 N, 256] with row 8 i + t for turn t of image i.</param>
    /// <param name="cancellation">Stops between images.</param>
    public static Tensor Thumbnails(IReadOnlyList<string> paths, IDictionary<int, string> unread, int turns = 1,
        CancellationToken cancellation = default) =>
        Thumbnails(paths, unread, Decode, turns, cancellation);

    private static Tensor Thumbnails(IReadOnlyList<string> paths, IDictionary<int, string> unread, Func<string,
        RgbImage> decode, int turns, CancellationToken cancellation)
    {
        const int Side = 16;
        var rows = new float[(long)paths.Count * turns * Side * Side];
        var report = new Lock();
        Parallel.For(0, paths.Count, new() { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            float[] square = new float[Side * Side];
            try
            {
                square = PixelMatch.Thumbnail(decode(paths[i]), Side, 3);
            }
            catch (ImageUnreadableException e)
            {
                lock (report) unread[i] = e.Message;
            }
            for (int t = 0; t < turns; t++) PixelMatch.Turn(square, Side, t).CopyTo(rows, ((long)i * turns + t) * Side * Side);
        });
        // A flat image is like no other: one pixel alone, which no thumbnail comes near.
        for (long row = 0; row < (long)paths.Count * turns; row++)
            if (rows.AsSpan((int)(row * Side * Side), Side * Side).IndexOfAnyExcept(0f) < 0) rows[row * Side * Side + row % (Side * Side)] = 1;
        return tensor(rows, [(long)paths.Count * turns, Side * Side]);
    }

    /// <summary>Looks at the pixels of ranked pairs, in their order; an image is decoded once.</summary>
    /// <param name="pairs">From <see cref="Rank"/>.</param>
    /// <param name="first">Paths that <see cref="SimilarPair.First"/> counts in.</param>
    /// <param name="second">Paths that <see cref="SimilarPair.Second"/> counts in.</param>
    /// <param name="least">Lowest correlation of a pair that is returned.</param>
    /// <param name="unread">Takes images that cannot be read, and why; their pairs are in no result.</param>
    /// <param name="cancellation">Stops between images.</param>
    public static IReadOnlyList<MatchedPair> Confirm(IReadOnlyList<SimilarPair> pairs, IReadOnlyList<string> first,
        IReadOnlyList<string> second, double least = Same, IDictionary<string, string>? unread = null,
        CancellationToken cancellation = default) =>
        Confirmed(pairs, first, second, least, unread, Decode, cancellation);

    private static IReadOnlyList<MatchedPair> Confirmed(IReadOnlyList<SimilarPair> pairs, IReadOnlyList<string> first,
        IReadOnlyList<string> second, double least,
        IDictionary<string, string>? unread, Func<string, RgbImage> decode, CancellationToken cancellation)
    {
        var thumbnails = new ConcurrentDictionary<string, Lazy<PixelMatch?>>(StringComparer.Ordinal);
        PixelMatch? Of(string path) => thumbnails.GetOrAdd(path, _ => new(() =>
        {
            try
            {
                return PixelMatch.Of(decode(path));
            }
            catch (ImageUnreadableException e)
            {
                if (unread is not null)
                    lock (unread) unread.TryAdd(path, e.Message);
                return null;
            }
        })).Value;
        return [.. pairs.AsParallel().AsOrdered().WithCancellation(cancellation).Select(p => (p, a: Of(first[p.First]), b: Of(second[p.Second]))).Where(p => p.a is not null && p.b is not null)
            .Select(p => new MatchedPair(p.p.First, p.p.Second, p.p.Similarity, p.a!.Correlation(p.b!))).Where(p => p.Correlation >= least)];
    }

    /// <summary>Near-duplicates found without a model: thumbnails in all eight turns rank (the 20,000 most similar, of a cosine of 0.9 and more), pixels confirm; highest correlation first.</summary>
    /// <param name="first">Images, some ten thousand at most.</param>
    /// <param name="second">Images of another set; null for the pairs within <paramref name="first"/>, each once with
    /// the smaller row first; rows of one file are no pair.</param>
    /// <param name="least">Lowest correlation.</param>
    /// <param name="cancellation">Stops between images.</param>
    /// <param name="decode">Reads an image of either; null decodes the file.</param>
    public static IReadOnlyList<MatchedPair> Find(IReadOnlyList<string> first, IReadOnlyList<string>? second = null,
        double least = Same, CancellationToken cancellation = default,
        Func<string, RgbImage>? decode = null)
    {
        decode ??= Decode;
        var unread = new Dictionary<int, string>();
        using Tensor plain = Thumbnails(first, unread, decode, 1, cancellation),
            turned = Thumbnails(second ?? first, unread, decode, 8, cancellation);
        SimilarPair[] ranked = [.. Rank(plain, turned, most: 20_000, least: 0.9, cancellation).Select(p => p with { Second = p.Second / 8 })
            .Where(p => second is not null || p.First < p.Second && first[p.First] != first[p.Second])
                .DistinctBy(p => (p.First, p.Second))];
        return [.. Confirmed(ranked, first, second ?? first, least, null, decode, cancellation)
            .OrderByDescending(p => p.Correlation)];
    }

    /// <summary>The test rows of a split that have a partner among the training rows.</summary>
    /// <param name="pairs">Confirmed pairs within the split's table.</param>
    /// <param name="split">The split.</param>
    public static int[] Touched(IReadOnlyList<MatchedPair> pairs, Split split)
    {
        HashSet<int> train = [.. split.Train], test = [.. split.Test];
        return [.. pairs.SelectMany(p => new[] { (Row: p.First, Other: p.Second), (Row: p.Second, Other: p.First) }).Where(p => test.Contains(p.Row) && train.Contains(p.Other)).Select(p => p.Row).Distinct().Order()];
    }

    private static RgbImage Decode(string path) => ImageCodec.Decode(path);

    private static Tensor Normalised(Tensor matrix, long from, long count)
    {
        Tensor rows = matrix.narrow(0, from, Math.Min(count, matrix.shape[0] - from)).to(ScalarType.Float32);
        Tensor length = rows.Squared().sum(1, keepdim: true).sqrt();
        float[] lengths = length.data<float>().ToArray();
        int wrong = Array.FindIndex(lengths, l => !float.IsFinite(l) || l == 0);
        return wrong < 0 ? rows.div(length)
            : throw new KitException($"Leakage: features of row {from + wrong} are {(lengths[wrong] == 0 ? "all zero" : "not finite")}; expected finite ones that are not all zero. Take them from the model again.");
    }
}
