using DermKit.Imaging;
using System.Collections.Concurrent;

namespace DermKit.Data;

internal sealed record SimilarPair(int First, int Second, double Similarity);

/// <summary>Rows of two compared images, cosine of their features, and highest pixel correlation (-1 to 1) over turns,
/// mirrors and small shifts.</summary>
public sealed record MatchedPair(int First, int Second, double Similarity, double Correlation);

/// <summary>Near-duplicates within a set or between two: features rank candidates, pixels confirm them, a person
/// judges. Photographs of one lesion that look different are not found.</summary>
public static class Leakage
{
    // Correlation from which two images count as one photograph. Chosen on ISIC-2017: by eye all 43 pairs above it are
    // copies, and the first that is not has 0.61; against ham10000-lesions the highest is 0.58. Some crops lie below.
    internal const double Same = 0.7;

    private const int RowBlock = 1024, ColumnBlock = 8192;

    // Pairs of rows of float32 [N, D] and [M, D] (null: within the first, each once) by cosine, ties by row. Works in
    // blocks of some 200 MB at 768 features. Throws on a row that is zero or not finite.
    internal static IReadOnlyList<SimilarPair> Rank(Tensor first, Tensor? second = null, int most = 1000,
        double least = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(most);
        Tensor columns = second ?? first;
        if (first.dim() != 2 || columns.dim() != 2 || first.shape[1] != columns.shape[1])
            throw new KitException($"Leakage: expected two matrices of one width, found {first.Shape()} and "
                + $"{columns.Shape()}; take the features of both sets from one model.");
        var kept = new PriorityQueue<SimilarPair, double>();
        using var scope = NewDisposeScope();
        for (long left = 0; left < columns.shape[0]; left += ColumnBlock)
        {
            using var inner = NewDisposeScope();
            Tensor right = Normalised(columns, left, ColumnBlock).t();
            for (long top = 0; top < first.shape[0] && (second is not null || top < left + ColumnBlock);
                top += RowBlock)
            {
                cancellation.ThrowIfCancellationRequested();
                using var block = NewDisposeScope();
                Tensor cosine = Normalised(first, top, RowBlock).matmul(right);
                // Within one matrix each pair counts once, with j the larger row.
                if (second is null && top + RowBlock > left)
                    cosine = cosine.triu(top - left + 1).PlusInPlace(ones_like(cosine).tril(top - left).mul_(Kept(-2)));
                double bar = kept.Count < most ? least : Math.Max(least, kept.Peek().Similarity);
                using Scalar limit = bar;
                Tensor places = cosine.flatten().ge(limit).nonzero().flatten();
                // Sorting a whole block is slow; only the first blocks hold so many.
                if (places.numel() > 8L * most) places = cosine.flatten().topk(most).indexes;
                float[] found = cosine.flatten().index_select(0, places).data<float>().ToArray();
                long[] at = places.data<long>().ToArray();
                for (int i = 0; i < found.Length; i++)
                {
                    if (found[i] < bar) continue;
                    kept.Enqueue(new((int)(top + at[i] / cosine.shape[1]), (int)(left + at[i] % cosine.shape[1]),
                        found[i]), found[i]);
                    if (kept.Count > most) kept.Dequeue();
                    if (kept.Count == most) bar = Math.Max(least, kept.Peek().Similarity);
                }
            }
        }
        return [.. kept.UnorderedItems.Select(i => i.Element).OrderByDescending(p => p.Similarity).ThenBy(p => p.First)
            .ThenBy(p => p.Second)];
    }

    // Features [turns * N, 256] without a model, with 8 turns in all orientations. An unreadable image counts as flat.
    internal static Tensor Thumbnails(IReadOnlyList<string> paths, Func<string, RgbImage> decode, int turns,
        CancellationToken cancellation)
    {
        const int Side = 16, Values = Side * Side;
        var rows = new float[(long)paths.Count * turns * Values];
        ImageCache.InParallel(paths.Count, cancellation, i =>
        {
            RgbImage? image = Read(paths[i], decode);
            float[] square = image is null ? new float[Values] : PixelMatch.Thumbnail(image, Side, 3);
            for (int t = 0; t < turns; t++)
            {
                long row = ((long)i * turns) + t;
                PixelMatch.Turn(square, Side, t).CopyTo(rows, row * Values);
                // A flat image gets one pixel, far from every other thumbnail.
                if (square.AsSpan().IndexOfAnyExcept(0f) < 0) rows[(row * Values) + (row % Values)] = 1;
            }
        });
        return tensor(rows, [(long)paths.Count * turns, Values]);
    }

    // Compares pixels in order, decoding each image once. Unreadable images are in no pair.
    internal static IReadOnlyList<MatchedPair> Confirm(IReadOnlyList<SimilarPair> pairs, IReadOnlyList<string> first,
        IReadOnlyList<string> second, double least, Func<string, RgbImage> decode, CancellationToken cancellation)
    {
        var thumbnails = new ConcurrentDictionary<string, Lazy<PixelMatch?>>();
        PixelMatch? Of(string path) => thumbnails.GetOrAdd(path,
            _ => new(() => Read(path, decode) is { } image ? PixelMatch.Of(image) : null)).Value;
        MatchedPair? Compare(SimilarPair pair) =>
            Of(first[pair.First]) is { } a && Of(second[pair.Second]) is { } b && a.Correlation(b) is var found
                && found >= least ? new(pair.First, pair.Second, pair.Similarity, found) : null;
        return [.. pairs.AsParallel().AsOrdered().WithCancellation(cancellation).Select(Compare).OfType<MatchedPair>()];
    }

    /// <summary>Finds near-duplicates among some ten thousand images without a model: thumbnails rank, pixels confirm;
    /// highest correlation first. A null <paramref name="second"/> takes pairs within the first set, smaller row first;
    /// a null <paramref name="decode"/> reads the files. Rows of one file are no pair.</summary>
    public static IReadOnlyList<MatchedPair> Find(IReadOnlyList<string> first, IReadOnlyList<string>? second = null,
        double least = Same, CancellationToken cancellation = default, Func<string, RgbImage>? decode = null)
    {
        decode ??= path => ImageCodec.Decode(path);
        using Tensor plain = Thumbnails(first, decode, 1, cancellation);
        using Tensor turned = Thumbnails(second ?? first, decode, 8, cancellation);
        SimilarPair[] ranked = [.. Rank(plain, turned, most: 20_000, least: 0.9, cancellation)
            .Select(p => p with { Second = p.Second / 8 })
            .Where(p => second is not null || (p.First < p.Second && first[p.First] != first[p.Second]))
            .DistinctBy(p => (p.First, p.Second))];
        return [.. Confirm(ranked, first, second ?? first, least, decode, cancellation)
            .OrderByDescending(p => p.Correlation)];
    }

    /// <summary>The test rows of a split that have a partner among the training rows.</summary>
    public static int[] Touched(IReadOnlyList<MatchedPair> pairs, Split split)
    {
        HashSet<int> train = [.. split.Train], test = [.. split.Test];
        return [.. pairs.SelectMany(p => new[] { (Row: p.First, Other: p.Second), (Row: p.Second, Other: p.First) })
            .Where(p => test.Contains(p.Row) && train.Contains(p.Other)).Select(p => p.Row).Distinct().Order()];
    }

    private static RgbImage? Read(string path, Func<string, RgbImage> decode)
    {
        try
        {
            return decode(path);
        }
        catch (ImageUnreadableException)
        {
            return null;
        }
    }

    private static Tensor Normalised(Tensor matrix, long from, long count)
    {
        Tensor rows = matrix.narrow(0, from, Math.Min(count, matrix.shape[0] - from)).to(float32);
        Tensor length = rows.Norm(1);
        float[] lengths = length.data<float>().ToArray();
        int wrong = Array.FindIndex(lengths, l => !float.IsFinite(l) || l == 0);
        return wrong < 0 ? rows.div(length)
            : throw new KitException($"Leakage: features of row {from + wrong} "
                + $"are {(lengths[wrong] == 0 ? "all zero" : "not finite")}; expected finite ones that are not all "
                + "zero. Take them from the model again.");
    }
}
