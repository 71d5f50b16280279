namespace DermKit.Kernels;

/// <summary>x + scale proj(attention(norm(x))) of pictures, with softmax(q k^T / sqrt(d)) v in each head.</summary>
/// <param name="pictures">Pictures.</param>
/// <param name="tokens">Tokens of each.</param>
/// <param name="dim">Numbers of a token, a multiple of 64.</param>
/// <param name="heads">Heads of 16, 32, 48 or 64 numbers.</param>
/// <param name="eps">Of the norm.</param>
/// <param name="threads">Most threads.</param>
/// <param name="firstOnly">Only the first token of each picture, CLS, asks, and y is [pictures, 1, dim].</param>
internal sealed unsafe class AttentionPass(int pictures, int tokens, int dim, int heads, float eps, int threads, bool firstOnly) : BranchPass(pictures, tokens, tokens, dim, 3 * dim, dim, eps, threads, firstOnly)
{
    private readonly int keys = Slabs.Up(tokens, 32), width = dim / heads;
    private readonly HeadPass pass = new(tokens, dim, dim / heads, 1 / MathF.Sqrt((float)dim / heads), firstOnly ? 1 : tokens);
    private readonly HeadPass.Scratch[] head = new HeadPass.Scratch[threads];

    /// <inheritdoc/>
    protected override int Shares => heads * keys;

    /// <inheritdoc/>
    protected override void Place(Arena arena, int worker) => head[worker] = new(arena, Padded * Dim, keys, width);

    /// <inheritdoc/>
    protected override void Middle(int rows, BranchWeights w, uint* packed1, BranchTrace t, Scratch s, int worker)
    {
        for (int j = 0; j < 3 * Dim; j += Slab)
        {
            // Of the queries only those of the tokens that ask.
            int step = j < Dim ? Step : 1;
            MicroKernel.Multiply(step > 1 ? rows / step : Slabs.Up(rows, 16), Slab, Dim, t.Normed, step * Dim, packed1 + (long)j * Dim / 2, s.Product, Slab);
            Epilogue.Store(s.Product, rows / step, Slab, w.Bias1 + j, t.Inner + j, step * 3 * Dim);
        }
        for (int i = 0; i < rows / Tokens * heads; i++)
        {
            long row = (long)(i / heads) * Tokens;
            int column = i % heads * width;
            pass.Forward(t.Inner + row * 3 * Dim + column, t.Shares + (long)i * Tokens * keys, t.Outer + row * Dim + column, head[worker]);
        }
    }

    /// <inheritdoc/>
    protected override void MiddleBackward(int rows, uint* packed2, BranchTrace t, Scratch s, BranchWeights sums, bool add, int worker)
    {
        int padded = Slabs.Up(rows, 32), asked = rows / Step, paddedAsked = Slabs.Up(asked, 32);
        ushort* attended = head[worker].Attended;
        for (int j = 0; j < Dim; j += Slab)
        {
            MicroKernel.Multiply(Slabs.Up(asked, 16), Slab, Dim, s.Gradient, Dim, packed2 + (long)j * Dim / 2, s.Product, Slab);
            Epilogue.Store(s.Product, asked, Slab, null, attended + j, Dim);
            Bf16.ToPairs(t.Outer + j, Dim * Step, asked, paddedAsked, Slab, s.Pairs);
            MicroKernel.Multiply(Dim, Slab, paddedAsked, s.GradientT, paddedAsked, s.Pairs, sums.Weight2 + (long)j * Dim, Slab, add);
        }
        // What did not ask has no gradient there.
        if (FirstOnly) for (int r = 0; r < rows; r++) new Span<ushort>(s.Inner + (long)r * 3 * Dim, Dim).Clear();
        for (int i = 0; i < rows / Tokens * heads; i++)
        {
            long row = (long)(i / heads) * Tokens, at = row * 3 * Dim + i % heads * width;
            pass.Backward(t.Inner + at, t.Shares + (long)i * Tokens * keys, attended + row / Step * Dim + i % heads * width, s.Inner + at, head[worker]);
        }
        for (int j = 0; j < 3 * Dim; j += Slab)
        {
            Bf16.ToPairs(s.Inner + j, 3 * Dim, rows, padded, Slab, s.Pairs);
            MicroKernel.Multiply(Dim, Slab, padded, s.NormedT, padded, s.Pairs, sums.Weight1 + (long)j * Dim, Slab, add);
            Epilogue.Sum(s.Inner + j, rows, 3 * Dim, sums.Bias1 + j);
        }
    }
}
