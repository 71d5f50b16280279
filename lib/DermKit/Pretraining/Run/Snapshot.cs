using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>What some tensors were at one time. It moves those of one type into one block, so that keeping them is one call.</summary>
internal sealed class Snapshot : IDisposable
{
    private readonly (Tensor Now, Tensor Kept)[] blocks;

    /// <summary>For tensors of any types and shapes on one device.</summary>
    public Snapshot(IEnumerable<Tensor> tensors)
    {
        using var noGrad = no_grad();
        blocks = [.. tensors.GroupBy(t => t.dtype).Select(group =>
        {
            Tensor[] alike = [.. group];
            using var layout = new TensorRows(alike);
            Tensor now = layout.Move(alike).DetachFromDisposeScope();
            return (now, now.clone().DetachFromDisposeScope());
        })];
    }

    /// <summary>Keeps the tensors as they are.</summary>
    public void Take()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach ((Tensor now, Tensor kept) in blocks) kept.copy_(now);
    }

    /// <summary>Makes the tensors what they were.</summary>
    public void Restore()
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach ((Tensor now, Tensor kept) in blocks) now.copy_(kept);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((Tensor now, Tensor kept) in blocks)
        {
            now.Dispose();
            kept.Dispose();
        }
    }
}
