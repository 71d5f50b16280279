using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>An image that was found.</summary>
/// <param name="Row">Its row among the features.</param>
/// <param name="Cosine">Its cosine with the image that was asked for.</param>
public readonly record struct Neighbour(int Row, float Cosine);

/// <summary>Images that a model finds most alike, by the cosine of their frozen features, for any model.</summary>
public static class Retrieval
{
    private const int Block = 256;

    /// <summary>The nearest images of some, nearest first; an image is not its own neighbour.</summary>
    /// <param name="features">Of all images.</param>
    /// <param name="queries">Rows of the images that are asked for.</param>
    /// <param name="k">Neighbours of each; fewer where there are no more.</param>
    /// <param name="sources">Where each image comes from, one for each row: only images of another source are found then. Null for all images.</param>
    /// <param name="device">Where to compute; cpu when null.</param>
    /// <exception cref="ArgumentException">No neighbour asked for, or not one source for each image.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public static Neighbour[][] Nearest(FeatureSet features, IReadOnlyList<int> queries, int k, IReadOnlyList<string>? sources = null, Device? device = null)
    {
        if (k < 1) throw new ArgumentException($"Expected at least one neighbour, found {k}.", nameof(k));
        if (sources is not null && sources.Count != features.Count) throw new ArgumentException($"Expected {features.Count} sources, one for each image, found {sources.Count}.", nameof(sources));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Dictionary<string, long> number = [];
        foreach (string source in sources ?? []) number.TryAdd(source, number.Count);
        Tensor all = ClipModel.Unit(features.ToTensor(device));
        // What an image must not share with the one that is asked for: its source, or its row.
        long[] group = sources is null ? [.. Enumerable.Range(0, features.Count).Select(i => (long)i)] : [.. sources.Select(s => number[s])];
        Tensor of = tensor(group, device: device);
        int width = Math.Min(k, features.Count);
        var found = new List<Neighbour[]>(queries.Count);
        foreach (int[] rows in queries.Chunk(Block))
        {
            using var step = NewDisposeScope();
            Tensor asked = ClipModel.Unit(features.Rows(rows, device)), own = tensor(Array.ConvertAll(rows, r => group[r]), [rows.Length, 1], device: device);
            Tensor cosine = matmul(asked, all.t()).masked_fill(of.eq(own), Kept(double.NegativeInfinity));
            (Tensor values, Tensor indices) = cosine.topk(width, dim: 1, largest: true, sorted: true);
            float[] value = values.cpu().data<float>().ToArray();
            long[] index = indices.cpu().data<long>().ToArray();
            for (int i = 0; i < rows.Length; i++)
                found.Add([.. Enumerable.Range(i * width, width).Select(j => new Neighbour((int)index[j], value[j])).Where(n => float.IsFinite(n.Cosine))]);
        }
        return [.. found];
    }
}
