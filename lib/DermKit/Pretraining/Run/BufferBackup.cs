namespace DermKit.Pretraining;

/// <summary>Copies of tensors that a step changes before it is known to be finite.</summary>
internal sealed class BufferBackup(IEnumerable<Tensor> buffers) : IDisposable
{
    private readonly (Tensor Now, Tensor Kept)[] all =
        [.. buffers.Select(b => (b, zeros_like(b).DetachFromDisposeScope()))];

    public void Take()
    {
        using var noGrad = no_grad();
        foreach ((Tensor now, Tensor kept) in all) kept.copy_(now);
    }

    public void Restore()
    {
        using var noGrad = no_grad();
        foreach ((Tensor now, Tensor kept) in all) now.copy_(kept);
    }

    public void Dispose()
    {
        foreach ((_, Tensor kept) in all) kept.Dispose();
    }
}
