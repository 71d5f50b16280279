namespace DermKit.Pretraining;

/// <summary>Many tensors in one matrix [rows, 256], so that a few operations update all. Each starts in its own row,
/// its last row filled with zeros; a column [rows, 1] holds a factor of each.</summary>
internal sealed class TensorRows : IDisposable
{
    private const int Width = 256;

    // 4 MB of float32, which fit a CPU's cache.
    private const long PartRows = 4096;

    private readonly long[][] shapes;
    private readonly long[] numbers, counts;
    private readonly Tensor owner, zero;

    /// <exception cref="ArgumentException">The tensors differ in type or device.</exception>
    public TensorRows(IReadOnlyList<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        ScalarType type = tensors[0].dtype;
        Device device = tensors[0].device;
        if (tensors.Any(t => t.dtype != type || t.device.ToString() != device.ToString()))
            throw new ArgumentException("Expected tensors of one type on one device.", nameof(tensors));
        shapes = [.. tensors.Select(t => t.shape)];
        numbers = [.. tensors.Select(t => t.numel())];
        counts = [.. numbers.Select(n => (n + Width - 1) / Width)];
        long[] owners = [.. counts.SelectMany((count, i) => Enumerable.Repeat((long)i, (int)count))];
        owner = tensor(owners, device: device).DetachFromDisposeScope();
        zero = zeros(Math.Max(Width, numbers.Max()), type, device).DetachFromDisposeScope();
    }

    // Copies tensors into new rows; null becomes zeros.
    public Tensor Gather(IReadOnlyList<Tensor?> tensors)
    {
        using var scope = NewDisposeScope();
        var parts = new List<Tensor>();
        for (int i = 0; i < tensors.Count; i++)
        {
            parts.Add(tensors[i]?.reshape(-1) ?? zero.narrow(0, 0, numbers[i]));
            long rest = counts[i] * Width - numbers[i];
            if (rest > 0) parts.Add(zero.narrow(0, 0, rest));
        }
        return cat(parts).view(-1, Width).MoveToOuterDisposeScope();
    }

    // Views of the tensors inside rows.
    public Tensor[] Inside(Tensor rows)
    {
        using var scope = NewDisposeScope();
        Tensor all = rows.view(-1);
        var inside = new Tensor[shapes.Length];
        long first = 0;
        for (int i = 0; i < inside.Length; i++)
        {
            inside[i] = all.narrow(0, first, numbers[i]).view(shapes[i]).MoveToOuterDisposeScope();
            first += counts[i] * Width;
        }
        return inside;
    }

    // Moves the tensors into new rows and shares their memory.
    public Tensor Move(IReadOnlyList<Tensor> tensors)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor rows = Gather(tensors);
        foreach ((Tensor moved, Tensor place) in tensors.Zip(Inside(rows))) moved.set_(place);
        return rows.DetachFromDisposeScope();
    }

    // L2 norm of each tensor, [tensors].
    public Tensor Norms(Tensor rows) => Scoped(() =>
    {
        // A GPU adds the rows in any order; float64 hides the difference.
        Tensor squares = rows.norm(1).to(float64).Squared();
        Tensor sums = zeros(shapes.Length, float64, rows.device).index_add_(0, owner, squares, Kept(1));
        return sums.sqrt_().to(rows.dtype);
    });

    // A number of each tensor, [tensors], as a column [rows, 1].
    public Tensor Column(Tensor numbers) => numbers.gather(0, owner).unsqueeze_(1);

    // Columns [rows, 1] of host numbers [tensors][columns].
    public Tensor[] Columns(double[][] numbers)
    {
        using var scope = NewDisposeScope();
        int columns = numbers[0].Length;
        Tensor host = tensor([.. numbers.SelectMany(n => n)], zero.dtype).view(-1, columns);
        Tensor table = host.to(zero.device).gather(0, owner.unsqueeze(1).expand(-1, columns));
        return [.. Enumerable.Range(0, columns).Select(i => table.narrow(1, i, 1).MoveToOuterDisposeScope())];
    }

    // Runs the body on one part of all tensors' rows after the other: each part stays in the cache.
    public static void InParts(Tensor[] tensors, Action<Tensor[]> body)
    {
        long rows = tensors[0].shape[0];
        for (long first = 0; first < rows; first += PartRows)
        {
            using var scope = NewDisposeScope();
            long count = Math.Min(PartRows, rows - first);
            body(Array.ConvertAll(tensors, t => t.narrow(0, first, count)));
        }
    }

    public void Dispose()
    {
        owner.Dispose();
        zero.Dispose();
    }
}
