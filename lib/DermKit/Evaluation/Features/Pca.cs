using MathNet.Numerics.LinearAlgebra;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>What principal components kept.</summary>
/// <param name="Width">Components.</param>
/// <param name="From">Columns before.</param>
/// <param name="Share">Share of the training rows' variance that the components hold, 0 to 1.</param>
public sealed record Reduction(int Width, int From, double Share);

/// <summary>Principal components of training rows (Hotelling 1933): centred, not scaled; each axis turned so that its largest entry is positive.</summary>
public sealed class Pca
{
    /// <summary>Side of the largest matrix that is decomposed; with more rows and more columns than this, evenly spaced rows are taken to fit.</summary>
    internal const int Largest = 2048;

    private const double Rank = 1e-10;
    private readonly float[] mean, axes;

    private Pca(float[] mean, float[] axes, Reduction kept) => (this.mean, this.axes, Kept) = (mean, axes, kept);

    /// <summary>Width, and what it holds of the training rows.</summary>
    public Reduction Kept { get; }

    /// <summary>Learns the axes. Of columns and rows the fewer decide the matrix whose eigenvectors are taken: the covariance, or the products of rows.</summary>
    /// <param name="train">[N, D].</param>
    /// <param name="width">Components wanted; there are at most D and at most N - 1.</param>
    /// <exception cref="KitException">The rows are no finite matrix, or all alike.</exception>
    public static Pca Fit(Tensor train, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ProbeInput.Check("training", train, null, 1);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor rows = train.to(float64).cpu();
        (long n, long d) = (rows.shape[0], rows.shape[1]);
        if (Math.Min(n, d) > Largest) rows = rows.index_select(0, arange(0, n, (n + Largest - 1) / Largest, int64));
        Tensor mean = rows.mean([0L]), centred = rows - mean;
        bool isTall = rows.shape[0] >= d;
        int side = (int)Math.Min(rows.shape[0], d);
        var evd = Matrix<double>.Build.Dense(side, side, (isTall ? centred.t().mm(centred) : centred.mm(centred.t())).contiguous().data<double>().ToArray()).Evd(Symmetricity.Symmetric);
        // Ascending; what rounding leaves of a zero is no component.
        double[] values = [.. evd.EigenValues.Select(v => Math.Max(0, v.Real))];
        int kept = Math.Min(width, values.Count(v => v > Rank * values[^1]));
        if (kept == 0) throw new KitException($"Principal components: expected rows that differ, found {n} equal ones.");
        double[] chosen = [.. values.Reverse().Take(kept)];
        Tensor axes = tensor(evd.EigenVectors.ToColumnMajorArray(), [side, side]).narrow(0, side - kept, kept).flip(0);
        if (!isTall) axes = axes.mm(centred) / tensor(chosen).sqrt().unsqueeze(1);
        axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim: true)).sign();
        return new(mean.to(float32).data<float>().ToArray(), axes.to(float32).contiguous().data<float>().ToArray(), new(kept, (int)d, chosen.Sum() / values.Sum()));
    }

    /// <summary>Rows [N, D] in the components: [N, width], float32 on their device.</summary>
    /// <exception cref="KitException">The rows have another number of columns than the training rows.</exception>
    public Tensor Project(Tensor rows)
    {
        ProbeInput.CheckColumns(Kept.From, rows);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return (rows.to(float32) - tensor(mean, device: rows.device)).mm(tensor(axes, [Kept.Width, Kept.From], device: rows.device).t()).MoveToOuterDisposeScope();
    }
}
