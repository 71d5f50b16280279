namespace DermKit.Evaluation;

/// <summary>Exact search by cosine similarity, on the device of the features.</summary>
internal static class CosineSearch
{
    // Similarities in memory at once.
    private const long ChunkElements = 16_000_000;

    // The k most similar training rows of each query row, best first, in chunks: indices and cosines [m, k], disposed
    // by the caller.
    public static IEnumerable<(Tensor Index, Tensor Cosine)> Nearest(Tensor train, Tensor query, int k)
    {
        foreach (Tensor similarity in Similarities(train, query))
        {
            (Tensor cosine, Tensor index) = similarity.topk(k, dim: 1, largest: true, sorted: true);
            yield return (index, cosine);
        }
    }

    // Cosines [m, N] of chunks of query rows; the next step disposes a chunk.
    public static IEnumerable<Tensor> Similarities(Tensor train, Tensor query)
    {
        ProbeInput.CheckColumns(train.shape[1], query);
        Tensor unit = Normalise(train).t();
        int chunk = (int)Math.Max(1, ChunkElements / train.shape[0]);
        for (long start = 0; start < query.shape[0]; start += chunk)
        {
            Tensor rows = query.narrow(0, start, Math.Min(chunk, query.shape[0] - start));
            using Tensor similarity = Normalise(rows).mm(unit);
            yield return similarity;
        }
    }

    // A row of zeros keeps cosine 0, as in scikit-learn.
    private static Tensor Normalise(Tensor rows)
    {
        using var scope = NewDisposeScope();
        Tensor wide = rows.dtype == ScalarType.Float64 ? rows : rows.to(float32);
        Tensor norm = wide.norm(1, keepdim: true);
        return (wide / norm.masked_fill(norm == Kept(0), Kept(1))).MoveToOuterDisposeScope();
    }
}
