using DermKit.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>A branch of a transformer block with its sum, by <see cref="BranchPass"/>, as one node of the graph.</summary>
internal sealed unsafe class FusedBranch : autograd.SingleTensorFunction<FusedBranch>
{
    private const string PassKey = "pass";

    /// <inheritdoc/>
    public override string Name => nameof(FusedBranch);

    /// <summary>[..., D] to the same.</summary>
    /// <param name="pass">One for each call.</param>
    /// <param name="x">float32 on the cpu.</param>
    /// <param name="scales">Of the branch for each row, contiguous; null for 1.</param>
    /// <param name="weights">Weight and bias of the norm, of the first layer and of the second.</param>
    public static Tensor Run(BranchPass pass, Tensor x, Tensor? scales, Tensor[] weights)
    {
        Tensor rows = x.contiguous();
        return is_grad_enabled() ? apply([pass, scales!, rows, .. weights]) : Forward(pass, rows, scales, Weights(weights), keep: false);
    }

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        (var pass, var scales, Tensor[] tensors) = ((BranchPass)vars[0], (Tensor?)vars[1], [.. vars[2..].Cast<Tensor>()]);
        ctx.save_for_backward(scales is null ? [.. tensors] : [.. tensors, scales]);
        ctx.save_data(PassKey, pass);
        return Forward(pass, tensors[0], scales, Weights(tensors.AsSpan(1)), keep: true);
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        Tensor[] saved = [.. ctx.get_saved_variables()], to = [.. saved.Take(7).Select(t => empty_like(t))];
        Tensor gradient = grad_output.contiguous();
        ((BranchPass)ctx.get_data(PassKey)).Backward(Weights(saved.AsSpan(1)), Address(saved[0]), Address(saved.ElementAtOrDefault(7)), Address(gradient), Address(to[0]), Weights(to.AsSpan(1)));
        return [null!, null!, .. to];
    }

    private static Tensor Forward(BranchPass pass, Tensor x, Tensor? scales, BranchWeights weights, bool keep)
    {
        Tensor y = empty_like(x);
        pass.Forward(weights, Address(x), Address(scales), Address(y), keep);
        return y;
    }

    private static BranchWeights Weights(ReadOnlySpan<Tensor> w) => new() { NormWeight = Address(w[0]), NormBias = Address(w[1]), Weight1 = Address(w[2]), Bias1 = Address(w[3]), Weight2 = Address(w[4]), Bias2 = Address(w[5]) };

    private static float* Address(Tensor? tensor)
    {
        if (tensor is null) return null;
        fixed (byte* at = tensor.bytes) return (float*)at;
    }
}
