using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Many tensors as rows of one matrix [rows, 256], each from a row of its own on, the rest of its last row zero: an update of all of them is a
/// handful of calls, whatever their number, where a call for each would cost a GPU more than its arithmetic.
/// </summary>
internal sealed class TensorRows : IDisposable
{
    private const int Width = 256;
    private readonly long[][] shapes;
    private readonly long[] numbers, counts;
    private readonly Tensor owner, zero;

    /// <summary>Room for tensors of these shapes, all of one type on one device.</summary>
    /// <exception cref="ArgumentException">They differ in type or device.</exception>
    public TensorRows(IReadOnlyList<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        if (tensors.Any(t => t.dtype != tensors[0].dtype || t.device.ToString() != tensors[0].device.ToString()))
            throw new ArgumentException("Tensors that are updated together have one type and lie on one device.", nameof(tensors));
        shapes = [.. tensors.Select(t => t.shape)];
        numbers = [.. tensors.Select(t => t.numel())];
        counts = [.. numbers.Select(n => (n + Width - 1) / Width)];
        owner = tensor([.. counts.SelectMany((count, i) => Enumerable.Repeat((long)i, (int)count))], device: tensors[0].device).DetachFromDisposeScope();
        zero = zeros(Math.Max(Width, numbers.Max()), tensors[0].dtype, tensors[0].device).DetachFromDisposeScope();
    }

    /// <summary>A copy of tensors of these shapes as rows; one that is null is all zero.</summary>
    public Tensor Gather(IEnumerable<Tensor?> tensors)
    {
        using var scope = NewDisposeScope();
        var parts = new List<Tensor>();
        foreach ((Tensor? value, int i) in tensors.Select((t, i) => (t, i)))
        {
            parts.Add(value?.reshape(-1) ?? zero.narrow(0, 0, numbers[i]));
            parts.Add(zero.narrow(0, 0, counts[i] * Width - numbers[i]));
        }
        return cat(parts).view(-1, Width).MoveToOuterDisposeScope();
    }

    /// <summary>The tensors inside rows, in their shapes, without a copy.</summary>
    public Tensor[] Inside(Tensor rows)
    {
        using var scope = NewDisposeScope();
        Tensor all = rows.view(-1);
        var inside = new Tensor[shapes.Length];
        long first = 0;
        for (int i = 0; i < inside.Length; first += counts[i++] * Width)
            inside[i] = all.narrow(0, first, numbers[i]).view(shapes[i]).MoveToOuterDisposeScope();
        return inside;
    }

    /// <summary>Moves tensors of these shapes into rows, which they share from then on.</summary>
    public Tensor Move(IReadOnlyList<Tensor> tensors)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Tensor rows = Gather(tensors);
        foreach ((Tensor moved, Tensor place) in tensors.Zip(Inside(rows))) moved.set_(place);
        return rows.MoveToOuterDisposeScope();
    }

    /// <summary>Square root of the sum of squares of each tensor inside rows, [tensors].</summary>
    public Tensor Norms(Tensor rows)
    {
        using var scope = NewDisposeScope();
        // Sums of rows come in any order on a GPU, which float64 hides.
        Tensor sums = rows.Squared().sum(1).to(ScalarType.Float64);
        return zeros(shapes.Length, ScalarType.Float64, rows.device).index_add_(0, owner, sums, Kept(1)).sqrt_().to(rows.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>A number of each tensor, [tensors], as a column [rows, 1] that scales its rows.</summary>
    public Tensor Column(Tensor numbers) => numbers.gather(0, owner).unsqueeze_(1);

    /// <summary>Columns [rows, 1] of the numbers that the host has, as many for each tensor.</summary>
    public Tensor[] Columns(double[][] numbers)
    {
        using var scope = NewDisposeScope();
        Tensor table = OnDevice(numbers).gather(0, owner.unsqueeze(1).expand(-1, numbers[0].Length));
        return [.. Enumerable.Range(0, numbers[0].Length).Select(i => table.narrow(1, i, 1).MoveToOuterDisposeScope())];
    }

    /// <summary>Numbers that the host has, as many for each tensor, [tensors, numbers].</summary>
    public Tensor OnDevice(double[][] numbers) => tensor([.. numbers.SelectMany(n => n)], zero.dtype).view(numbers.Length, -1).to(zero.device);

    /// <inheritdoc/>
    public void Dispose()
    {
        owner.Dispose();
        zero.Dispose();
    }
}
