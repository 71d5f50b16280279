namespace DermKit.Kernels;

/// <summary>softmax(scale q k^T) v of one head of one picture, and its gradients. Rows of q, k and v lie 3 dim apart, dim between the three.</summary>
/// <param name="tokens">Tokens.</param>
/// <param name="dim">Numbers of a token.</param>
/// <param name="width">Numbers of a head.</param>
/// <param name="scale">Factor of the scores.</param>
/// <param name="queries">Tokens that ask, from the first on: all or one.</param>
internal readonly unsafe struct HeadPass(int tokens, int dim, int width, float scale, int queries)
{
    private readonly int stride = 3 * dim, keys = Slabs.Up(tokens, 32);

    /// <summary>Writes the shares [queries, tokens rounded up to 32] and what is attended to, rows dim apart.</summary>
    public void Forward(ushort* q, ushort* shares, ushort* attended, Scratch s)
    {
        ushort* k = q + dim, v = k + dim;
        Scores(q, stride, k, s);
        Activation.Softmax(s.Scores, queries, tokens, keys, scale, shares);
        Product(queries, shares, tokens, v, stride, attended, dim, s);
    }

    /// <summary>Gradient of what is attended to, rows dim apart, to those of q, k and v, laid out as these.</summary>
    public void Backward(ushort* q, ushort* shares, ushort* gradient, ushort* to, Scratch s)
    {
        ushort* k = q + dim, v = k + dim;
        Scores(gradient, dim, v, s);
        Activation.SoftmaxBackward(s.Scores, shares, queries, keys, scale, s.Rows, s.Pairs, s.SharePairs);
        Product(queries, s.Rows, tokens, k, stride, to, stride, s);
        Bf16.Transpose(s.Pairs, keys, Slabs.Up(queries, 32) / 2, keys, (uint*)s.Rows, keys / 2);
        Product(tokens, s.Rows, queries, q, stride, to + dim, stride, s);
        Bf16.Transpose(s.SharePairs, keys, Slabs.Up(queries, 32) / 2, keys, (uint*)s.Rows, keys / 2);
        Product(tokens, s.Rows, queries, gradient, dim, to + 2 * dim, stride, s);
    }

    /// <summary>Rows of a product: they come in groups of 16, but a single one has none behind it.</summary>
    private static int Rows(int count) => count == 1 ? 1 : Slabs.Up(count, 16);

    /// <summary>a [queries, width] times b [tokens, width] transposed, to the scores.</summary>
    private void Scores(ushort* a, int aStride, ushort* b, Scratch s)
    {
        uint* last = stackalloc uint[16 * MicroKernel.Slab / 2];
        for (int first = 0; first < keys; first += MicroKernel.Slab)
        {
            int columns = Math.Min(MicroKernel.Slab, keys - first);
            for (int c = 0; c < columns; c += 16)
            {
                int from = first + c, there = Math.Clamp(tokens - from, 0, 16);
                uint* rows = PointerOf(b, from);
                int rowStride = stride / 2;
                if (there < 16)
                {
                    new Span<uint>(last, 16 * width / 2).Clear();
                    for (int r = 0; r < there; r++) new Span<uint>(PointerOf(b, from + r), width / 2).CopyTo(new Span<uint>(last + r * width / 2, width / 2));
                    rows = last;
                    rowStride = width / 2;
                }
                Bf16.Transpose(rows, rowStride, 16, width / 2, s.Columns + c, columns);
            }
            MicroKernel.Multiply(Rows(queries), columns, width, a, aStride, s.Columns, s.Scores + first, keys);
        }
    }

    private uint* PointerOf(ushort* b, int row) => (uint*)(b + (long)row * stride);

    /// <summary>a [rows, sum] times b [sum, width] to bfloat16.</summary>
    private void Product(int rows, ushort* a, int sum, ushort* b, int bStride, ushort* to, int toStride, Scratch s)
    {
        int padded = Slabs.Up(sum, 32);
        Bf16.ToPairs(b, bStride, sum, padded, width, s.Columns);
        MicroKernel.Multiply(Rows(rows), width, padded, a, keys, s.Columns, s.Product, width);
        Epilogue.Store(s.Product, rows, width, null, to, toStride);
    }

    /// <summary>Memory of a thread.</summary>
    internal readonly struct Scratch(Arena arena, int attended, int keys, int width)
    {
        public readonly float* Product = arena.Take<float>((long)keys * width), Scores = arena.Take<float>((long)keys * keys);
        public readonly uint* Columns = arena.Take<uint>(keys * MicroKernel.Slab), Pairs = arena.Take<uint>((long)keys / 2 * keys), SharePairs = arena.Take<uint>((long)keys / 2 * keys);
        public readonly ushort* Attended = arena.Take<ushort>(attended), Rows = arena.Take<ushort>((long)keys * keys);
    }
}
