namespace DermKit.Kernels;

/// <summary>x + scale fc2(gelu(fc1(norm(x)))).</summary>
/// <param name="pictures">Pictures.</param>
/// <param name="tokens">Rows of each.</param>
/// <param name="dim">Numbers of a row, a multiple of 64.</param>
/// <param name="hidden">A multiple of 64.</param>
/// <param name="eps">Of the norm.</param>
/// <param name="threads">Most threads.</param>
internal sealed unsafe class MlpPass(int pictures, int tokens, int dim, int hidden, float eps, int threads) : BranchPass(pictures * tokens, 1, tokens, dim, hidden, hidden, eps, threads)
{
    /// <inheritdoc/>
    protected override int InnerWithoutBackward => 0;

    /// <inheritdoc/>
    protected override void Middle(int rows, BranchWeights w, uint* packed1, BranchTrace t, Scratch s, int worker)
    {
        for (int j = 0; j < Outer; j += Slab)
        {
            MicroKernel.Multiply(Slabs.Up(rows, 16), Slab, Dim, t.Normed, Dim, packed1 + (long)j * Dim / 2, s.Product, Slab);
            Epilogue.Gelu(s.Product, rows, w.Bias1 + j, t.Outer + j, t.Inner == null ? null : t.Inner + j, Outer);
        }
    }

    /// <inheritdoc/>
    protected override void MiddleBackward(int rows, uint* packed2, BranchTrace t, Scratch s, BranchWeights sums, bool add, int worker)
    {
        int padded = Slabs.Up(rows, 32);
        for (int j = 0; j < Outer; j += Slab)
        {
            MicroKernel.Multiply(Slabs.Up(rows, 16), Slab, Dim, s.Gradient, Dim, packed2 + (long)j * Dim / 2, s.Product, Slab);
            Epilogue.TimesSlope(s.Product, rows, padded, t.Inner + j, s.Inner + j, Outer, s.Pairs, sums.Bias1 + j);
            MicroKernel.Multiply(Dim, Slab, padded, s.NormedT, padded, s.Pairs, sums.Weight1 + (long)j * Dim, Slab, add);
            Bf16.ToPairs(t.Outer + j, Outer, rows, padded, Slab, s.Pairs);
            MicroKernel.Multiply(Dim, Slab, padded, s.GradientT, padded, s.Pairs, sums.Weight2 + (long)j * Dim, Slab, add);
        }
    }
}
