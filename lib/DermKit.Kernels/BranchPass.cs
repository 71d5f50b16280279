namespace DermKit.Kernels;

/// <summary>Float32 weights of a branch, or room for their gradients: norm [dim], first layer [inner, dim], second layer [dim, outer].</summary>
internal unsafe struct BranchWeights
{
    public float* NormWeight, NormBias, Weight1, Bias1, Weight2, Bias2;
}

/// <summary>What the backward pass needs of the forward one, for each row: statistics and result of the norm, what the first layer gave, what the second took, and shares of attention.</summary>
internal unsafe struct BranchTrace
{
    public float* Means, Inverses;
    public ushort* Normed, Inner, Outer, Shares;
}

/// <summary>
/// A branch of a pre-norm transformer block with what goes past it, y = x + scale layer2(middle(layer1(norm(x)))), and its gradients, in bfloat16 with
/// float32 sums, norms and weights. A thread takes some hundred rows through all of it, so that what lies between the products stays in its cache.
/// The order of every sum depends on the number of threads only.
/// </summary>
/// <param name="items">Items that are not divided among threads.</param>
/// <param name="tokens">Rows of an item.</param>
/// <param name="pictureRows">Rows of a picture, which share a scale.</param>
/// <param name="dim">Numbers of a row, a multiple of 64.</param>
/// <param name="inner">Outputs of the first layer, a multiple of 64.</param>
/// <param name="outer">Inputs of the second layer, a multiple of 64.</param>
/// <param name="eps">Of the norm.</param>
/// <param name="threads">Most threads.</param>
/// <param name="firstOnly">y holds only the first row of each item.</param>
internal abstract unsafe class BranchPass(int items, int tokens, int pictureRows, int dim, int inner, int outer, float eps, int threads, bool firstOnly = false) : IDisposable
{
    /// <summary>Columns that are worked on at a time.</summary>
    protected const int Slab = MicroKernel.Slab;

    /// <summary>About as many rows as a thread takes at a time.</summary>
    private const int Rows = 256;

    private const int Parameters = 6;

    // Gradients of weights are summed in parts of their own, more than threads, so that a thread on a busy core leaves some to the others.
    private readonly int workers = Math.Min(threads, Groups(items, tokens)), parts = Math.Min(2 * threads, Groups(items, tokens)), unit = Math.Max(1, Rows / tokens);

    private Workspace? kept;
    private BranchTrace trace;

    /// <summary>Numbers of a row.</summary>
    protected int Dim => dim;

    /// <summary>Rows of an item.</summary>
    protected int Tokens => tokens;

    /// <summary>Inputs of the second layer.</summary>
    protected int Outer => outer;

    /// <summary>Whether y holds only the first row of each item.</summary>
    public bool FirstOnly => firstOnly;

    /// <summary>Rows of y for an item.</summary>
    protected int Asked => firstOnly ? 1 : tokens;

    /// <summary>Rows from one of y's to the next.</summary>
    protected int Step => firstOnly ? tokens : 1;

    /// <summary>Numbers of shares of attention for each row.</summary>
    protected virtual int Shares => 0;

    /// <summary>Memory that a thread needs beside <see cref="Scratch"/>.</summary>
    protected virtual void Place(Arena arena, int worker) { }

    /// <summary>From <see cref="BranchTrace.Normed"/> to <see cref="BranchTrace.Outer"/>; what the backward pass needs goes to <see cref="BranchTrace.Inner"/>, which is null without one.</summary>
    protected abstract void Middle(int rows, BranchWeights w, uint* packed1, BranchTrace t, Scratch s, int worker);

    /// <summary>From the gradient of the second layer's result, <see cref="Scratch.Gradient"/>, to that of the first's, <see cref="Scratch.Inner"/>, and to sums for both weights and the first bias.</summary>
    protected abstract void MiddleBackward(int rows, uint* packed2, BranchTrace t, Scratch s, BranchWeights sums, bool add, int worker);

    /// <summary>x [items * tokens, dim] to y.</summary>
    /// <param name="w">Weights.</param>
    /// <param name="x">Rows.</param>
    /// <param name="scales">Of the branch, for each picture; null for 1.</param>
    /// <param name="y">Rows, written.</param>
    /// <param name="keep">Keeps what the backward pass needs, until it ran or the pass is disposed.</param>
    public void Forward(BranchWeights w, float* x, float* scales, float* y, bool keep)
    {
        if (keep) kept = Workspace.Of(arena => Trace(arena, items * tokens, inner), out trace);
        uint* packed1 = null, packed2 = null;
        Scratch* scratch = stackalloc Scratch[workers];
        BranchTrace* own = stackalloc BranchTrace[workers];
        using Workspace space = Workspace.Of(arena =>
        {
            packed1 = arena.Take<uint>((long)inner * dim / 2);
            packed2 = arena.Take<uint>((long)dim * outer / 2);
            for (int k = 0; k < workers; k++)
            {
                scratch[k] = new() { Product = arena.Take<float>((long)Padded * Slab), Scales = arena.Take<float>(Padded) };
                if (!keep) own[k] = Trace(arena, unit * tokens, InnerWithoutBackward);
                Place(arena, k);
            }
        });
        MicroKernel.Run(workers, worker =>
        {
            for (int j = worker; j < inner / Slab; j += workers) PackedWeights.Transposed(w.Weight1, dim, j, packed1);
            for (int j = worker; j < dim / Slab; j += workers) PackedWeights.Transposed(w.Weight2, outer, j, packed2);
        });
        int next = 0;
        MicroKernel.Run(workers, worker =>
        {
            for (int first; (first = Interlocked.Add(ref next, unit) - unit) < items;)
            {
                long row = (long)first * tokens;
                int rows = Math.Min(unit, items - first) * tokens;
                Forward(rows, w, packed1, packed2, x + row * dim, ScalesOf(scales, first, rows, scratch[worker]), y + (long)first * Asked * dim, keep ? From(row) : own[worker], scratch[worker], worker);
            }
        });
    }

    /// <summary>Gradient of y to that of x and of the weights, which are written. Gives back what the forward pass kept; a second call makes it again.</summary>
    public void Backward(BranchWeights w, float* x, float* scales, float* gradient, float* toX, BranchWeights to)
    {
        // Its own result is of no use here; the room for it is filled below.
        if (kept is null) Forward(w, x, scales, toX, keep: true);
        uint* packed1 = null, packed2 = null;
        Scratch* scratch = stackalloc Scratch[workers];
        float** sums = stackalloc float*[Parameters * parts];
        int[] sizes = [inner * dim, dim * outer, inner, dim, dim, dim];
        using Workspace space = Workspace.Of(arena =>
        {
            packed1 = arena.Take<uint>((long)inner * dim / 2);
            packed2 = arena.Take<uint>((long)dim * outer / 2);
            for (int k = 0; k < workers; k++)
            {
                scratch[k] = new(arena, Padded, dim, inner);
                Place(arena, k);
            }
            for (int i = 0; i < Parameters; i++)
                for (int k = 0; k < parts; k++) sums[i * parts + k] = arena.Take<float>(sizes[i]);
        });
        MicroKernel.Run(workers, worker =>
        {
            for (int j = worker; j < dim / Slab; j += workers) PackedWeights.Plain(w.Weight1, inner, dim, j, packed1);
            for (int j = worker; j < outer / Slab; j += workers) PackedWeights.Plain(w.Weight2, dim, outer, j, packed2);
        });
        int next = 0;
        MicroKernel.Run(workers, worker =>
        {
            for (int part; (part = Interlocked.Increment(ref next) - 1) < parts;)
            {
                BranchWeights sum = new() { Weight1 = sums[part], Weight2 = sums[parts + part], Bias1 = sums[2 * parts + part], Bias2 = sums[3 * parts + part], NormWeight = sums[4 * parts + part], NormBias = sums[5 * parts + part] };
                for (int i = 2; i < Parameters; i++) new Span<float>(sums[i * parts + part], sizes[i]).Clear();
                int start = Slabs.First(items, Group(tokens), parts, part), end = Slabs.First(items, Group(tokens), parts, part + 1);
                for (int first = start; first < end; first += unit)
                {
                    long row = (long)first * tokens;
                    int rows = Math.Min(unit, end - first) * tokens;
                    Backward(rows, w, packed1, packed2, x + row * dim, ScalesOf(scales, first, rows, scratch[worker]), From(row), gradient + (long)first * Asked * dim, toX + row * dim, scratch[worker], sum, first > start, worker);
                }
            }
        });
        MicroKernel.Run(workers, worker =>
        {
            for (int j = worker; j < inner / Slab; j += workers) Slabs.GatherTransposed(sums, parts, j, dim, to.Weight1);
            for (int j = worker; j < outer / Slab; j += workers) Slabs.Gather(sums + parts, parts, j, dim, outer, to.Weight2);
        });
        Slabs.Gather(sums + 2 * parts, parts, inner, to.Bias1);
        Slabs.Gather(sums + 3 * parts, parts, dim, to.Bias2);
        Slabs.Gather(sums + 4 * parts, parts, dim, to.NormWeight);
        Slabs.Gather(sums + 5 * parts, parts, dim, to.NormBias);
        Dispose();
    }

    /// <summary>Gives back what was kept.</summary>
    public void Dispose()
    {
        kept?.Dispose();
        kept = null;
    }

    /// <summary>Rows of a unit as the longest sum over rows takes them.</summary>
    protected int Padded => Slabs.Up(unit * tokens, 32);

    /// <summary>Numbers that the first layer's results take for each row where no backward pass follows.</summary>
    protected virtual int InnerWithoutBackward => inner;

    /// <summary>Items that a thread takes whole: rows of a product come in groups of 16.</summary>
    private static int Group(int tokens) => tokens == 1 ? 16 : 1;

    private static int Groups(int items, int tokens) => (items + Group(tokens) - 1) / Group(tokens);

    private void Forward(int rows, BranchWeights w, uint* packed1, uint* packed2, float* x, float* scales, float* y, BranchTrace t, Scratch s, int worker)
    {
        Norm.Forward(x, rows, dim, w.NormWeight, w.NormBias, eps, t.Normed, t.Means, t.Inverses);
        Middle(rows, w, packed1, t, s, worker);
        for (int j = 0; j < dim; j += Slab)
        {
            // Rows behind the last asked one may lie outside of memory where they lie far apart.
            MicroKernel.Multiply(firstOnly ? rows / tokens : Slabs.Up(rows, 16), Slab, outer, t.Outer, outer * Step, packed2 + (long)j * outer / 2, s.Product, Slab);
            Epilogue.Add(s.Product, rows / Step, w.Bias2 + j, scales, x + j, dim * Step, y + j, dim);
        }
    }

    private void Backward(int rows, BranchWeights w, uint* packed1, uint* packed2, float* x, float* scales, BranchTrace t, float* gradient, float* toX, Scratch s, BranchWeights sums, bool add, int worker)
    {
        int asked = rows / Step;
        Epilogue.Scaled(gradient, asked, dim, scales, s.Gradient, sums.Bias2);
        Slabs.Transposed(s.Gradient, dim, asked, Slabs.Up(asked, 32), dim, s.Pairs, s.GradientT);
        Slabs.Transposed(t.Normed, dim, rows, Slabs.Up(rows, 32), dim, s.Pairs, s.NormedT);
        MiddleBackward(rows, packed2, t, s, sums, add, worker);
        Slabs.Multiply(Slabs.Up(rows, 16), inner, dim, s.Inner, inner, packed1, s.Product);
        Norm.Backward(x, s.Product, rows, dim, w.NormWeight, t.Means, t.Inverses, gradient, Step, toX, sums.NormWeight, sums.NormBias);
    }

    private float* ScalesOf(float* scales, int first, int rows, Scratch s)
    {
        if (scales == null) return null;
        for (int r = 0; r < rows / Step; r++) s.Scales[r] = scales[((long)first * tokens + r * Step) / pictureRows];
        return s.Scales;
    }

    private BranchTrace From(long row) => new()
    {
        Means = trace.Means + row,
        Inverses = trace.Inverses + row,
        Normed = trace.Normed + row * dim,
        Inner = trace.Inner + row * inner,
        Outer = trace.Outer + row * outer,
        Shares = trace.Shares + row * Shares,
    };

    /// <summary>A product takes rows in groups of 16, so that it may read behind the last one.</summary>
    private BranchTrace Trace(Arena arena, long rows, int innerNumbers) => new()
    {
        Means = arena.Take<float>(rows),
        Inverses = arena.Take<float>(rows),
        Normed = arena.Take<ushort>((rows + 16) * dim),
        Inner = innerNumbers == 0 ? null : arena.Take<ushort>((rows + 16) * innerNumbers),
        Outer = arena.Take<ushort>((rows + 16) * outer),
        Shares = arena.Take<ushort>((rows + 16) * Shares),
    };

    /// <summary>Memory of a thread: a product, gradients in bfloat16 as rows and as columns, and pairs of rows.</summary>
    protected struct Scratch(Arena arena, int rows, int dim, int inner)
    {
        public float* Product = arena.Take<float>((long)rows * dim), Scales = arena.Take<float>(rows);
        public ushort* Gradient = arena.Take<ushort>((long)rows * dim), Inner = arena.Take<ushort>((long)rows * inner);
        public ushort* GradientT = arena.Take<ushort>((long)rows * dim), NormedT = arena.Take<ushort>((long)rows * dim);
        public uint* Pairs = arena.Take<uint>((long)rows / 2 * dim);
    }
}
