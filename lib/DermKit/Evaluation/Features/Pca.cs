using MathNet.Numerics.LinearAlgebra;

namespace DermKit.Evaluation;

/// <summary>Reduction to principal components: their number, columns before, and share (0 to 1) of the training
/// variance.</summary>
public sealed record Reduction(int Width, int From, double Share);

/// <summary>Principal components (Hotelling 1933): centred, not scaled; the largest entry of each axis is
/// positive.</summary>
internal sealed class Pca
{
    // Largest matrix side; larger sets are thinned to evenly spaced rows.
    public const int Largest = 2048;

    private const double Rank = 1e-10;
    private readonly float[] mean, axes;

    private Pca(float[] mean, float[] axes, Reduction kept)
    {
        this.mean = mean;
        this.axes = axes;
        Kept = kept;
    }

    public Reduction Kept { get; }

    // Learns at most min(width, D, N - 1) axes from rows [N, D], by the smaller of covariance and Gram matrix.
    public static Pca Fit(Tensor train, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ProbeInput.Check("training", train, null, 1);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor rows = train.to(float64).cpu();
        long n = rows.shape[0], d = rows.shape[1];
        if (Math.Min(n, d) > Largest) rows = rows[TensorIndex.Slice(step: (n + Largest - 1) / Largest)];
        Tensor mean = rows.mean([0L]), centred = rows - mean;
        bool isTall = rows.shape[0] >= d;
        int side = (int)Math.Min(rows.shape[0], d);
        Tensor gram = isTall ? centred.t().mm(centred) : centred.mm(centred.t());
        var evd = Matrix<double>.Build.Dense(side, side, ProbeInput.ToFlatArray(gram)).Evd(Symmetricity.Symmetric);
        // Ascending; rounding can make a zero negative.
        double[] values = [.. evd.EigenValues.Select(v => Math.Max(0, v.Real))];
        int kept = Math.Min(width, values.Count(v => v > Rank * values[^1]));
        if (kept == 0)
            throw new KitException($"Principal components: expected rows that differ, found {n} equal ones.");
        double[] chosen = [.. values.Reverse().Take(kept)];
        Tensor axes = tensor(evd.EigenVectors.ToColumnMajorArray(), [side, side]).narrow(0, side - kept, kept).flip(0);
        if (!isTall) axes = axes.mm(centred) / tensor(chosen).sqrt().unsqueeze(1);
        axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim: true)).sign();
        return new(mean.to(float32).data<float>().ToArray(), axes.to(float32).contiguous().data<float>().ToArray(),
            new(kept, (int)d, chosen.Sum() / values.Sum()));
    }

    // Rows [N, D] to [N, width], float32.
    public Tensor Project(Tensor rows)
    {
        ProbeInput.CheckColumns(Kept.From, rows);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return (rows.to(float32) - tensor(mean, device: rows.device))
            .mm(tensor(axes, [Kept.Width, Kept.From], device: rows.device).t()).MoveToOuterDisposeScope();
    }
}
