using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

internal static class ProbeBenchmarks
{
    /// <summary>Nearest neighbours by cosine, k = 200; the limit is the bare matrix
    /// product of the same sizes.</summary>
    public static IEnumerable<Row> Knn()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        const int Train = 10_000, Queries = 1_500, Width = 768, K = 200;
        Tensor train = randn(Train, Width), query = randn(Queries, Width);
        double[] seconds = Measure.Medians(5,
            () => { foreach (var _ in CosineSearch.Nearest(train, query, K)) { } },
            () => matmul(query, train.t()));
        yield return new("kNN 10,000 x 768, k 200", Queries / seconds[0], "queries/s", seconds[1] / seconds[0]);
    }
}
