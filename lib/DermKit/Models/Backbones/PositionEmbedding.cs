namespace DermKit.Models;

/// <summary>Bicubic interpolation of a square grid of positions to another number of patches.</summary>
internal static class PositionEmbedding
{
    private const double A = -0.75;

    // As facebookresearch/dino: the inverse scale (n + 0.1) / grid spaces the samples; align_corners = false, border
    // repeated, no antialiasing.
    public static Tensor Resize(Tensor embedding, long height, long width, long patch)
    {
        long rows = height / patch, columns = width / patch;
        long patches = embedding.shape[1] - 1, dim = embedding.shape[2], grid = (long)Math.Round(Math.Sqrt(patches));
        // DINO compares pixels: it interpolates 224 x 232 to the grid of 224 x 224.
        if (rows == grid && height == width) return embedding.alias();
        using var scope = NewDisposeScope();
        Tensor square = embedding.narrow(1, 1, patches).reshape(grid, grid * dim);
        Tensor tall = matmul(Weights(rows, grid, embedding), square).reshape(rows, grid, dim);
        Tensor resized = matmul(Weights(columns, grid, embedding), tall).reshape(1, rows * columns, dim);
        return cat([embedding.narrow(1, 0, 1), resized], 1).MoveToOuterDisposeScope();
    }

    // [n, grid]: weights of four neighbours of each of n positions.
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
        return tensor(weights, [n, grid], float64).to(like.dtype).to(like.device);
    }

    private static double Inner(double x) => ((A + 2) * x - (A + 3)) * x * x + 1;

    private static double Outer(double x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
