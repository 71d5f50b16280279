using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Bicubic interpolation of a square grid of position embeddings to another number of patches.</summary>
internal static class PositionEmbedding
{
    /// <summary>Cubic convolution coefficient of torch's bicubic mode.</summary>
    private const double A = -0.75;

    /// <summary>
    /// Resizes the patch part as facebookresearch/dino does: scale factor (n + 0.1) / grid, whose inverse (and not grid / n)
    /// spaces the sampling positions; align_corners = false, border repeated, no antialiasing.
    /// </summary>
    /// <param name="embedding">[1, 1 + grid * grid, D], CLS first.</param>
    /// <param name="height">Of the image, in pixels.</param>
    /// <param name="width">Of the image, in pixels.</param>
    /// <param name="patch">Side of a patch, in pixels.</param>
    /// <returns>[1, 1 + rows * columns, D]; the embedding itself for a square image of as many patches.</returns>
    public static Tensor Resize(Tensor embedding, long height, long width, long patch)
    {
        long rows = height / patch, columns = width / patch;
        long patches = embedding.shape[1] - 1, dim = embedding.shape[2], grid = (long)Math.Round(Math.Sqrt(patches));
        // DINO compares pixels: 224 x 232 has the grid of 224 x 224 and is interpolated all the same.
        if (rows == grid && height == width) return embedding.alias();
        using var scope = NewDisposeScope();
        Tensor vertical = Weights(rows, grid, embedding), horizontal = Weights(columns, grid, embedding);
        Tensor square = embedding.narrow(1, 1, patches).reshape(grid, grid * dim);
        Tensor tall = matmul(vertical, square).reshape(rows, grid, dim);
        Tensor resized = matmul(horizontal, tall).reshape(1, rows * columns, dim);
        return cat([embedding.narrow(1, 0, 1), resized], 1).MoveToOuterDisposeScope();
    }

    /// <summary>Weights [n, grid] with which each of n positions reads its four neighbours.</summary>
    private static Tensor Weights(long n, long grid, Tensor like)
    {
        double step = grid / (n + 0.1);
        double[] weights = new double[n * grid];
        for (long i = 0; i < n; i++)
        {
            double position = step * (i + 0.5) - 0.5, first = Math.Floor(position), t = position - first;
            double[] cubic = [Outer(t + 1), Inner(t), Inner(1 - t), Outer(2 - t)];
            for (int k = 0; k < 4; k++) weights[i * grid + Math.Clamp((long)first - 1 + k, 0, grid - 1)] += cubic[k];
        }
        return tensor(weights, [n, grid], ScalarType.Float64).to(like.dtype).to(like.device);
    }

    private static double Inner(double x) => ((A + 2) * x - (A + 3)) * x * x + 1;

    private static double Outer(double x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
