using DermKit.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>A branch of a transformer block with its sum, by <see cref="BranchPass"/>, as one node of the graph.</summary>
internal sealed unsafe class FusedBranch : autograd.SingleTensorFunction<FusedBranch>
{
    /// <inheritdoc/>
    public override string Name => nameof(FusedBranch);

    /// <summary>[B, T, D] to the same, or to [B, 1, D] as the pass has it.</summary>
    /// <param name="pass">One for each call.</param>
    /// <param name="x">float32 on the cpu.</param>
    /// <param name="scales">Of the branch for each picture; null for 1.</param>
    /// <param name="weights">Weight and bias of the norm, of the first layer and of the second.</param>
    public static Tensor Run(BranchPass pass, Tensor x, Tensor? scales, Tensor[] weights)
    {
        if (!x.is_contiguous()) x = x.contiguous();
        return is_grad_enabled() && (x.requires_grad || Array.Exists(weights, w => w.requires_grad)) ? apply([pass, scales!, x, .. weights]) : Forward(pass, x, scales, Weights(weights), keep: false);
    }

    /// <inheritdoc/>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var (pass, scales, x, weights) = ((BranchPass)vars[0], (Tensor?)vars[1], (Tensor)vars[2], Array.ConvertAll(vars[3..], v => (Tensor)v));
        ctx.save_for_backward(scales is null ? [x] : [x, scales]);
        // Weights live longer than a step; a list of saved tensors would make new objects of them all for each branch.
        ctx.save_data(nameof(BranchPass), (pass, weights));
        return Forward(pass, x, scales, Weights(weights), keep: true);
    }

    /// <inheritdoc/>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        List<Tensor> saved = ctx.get_saved_variables();
        (BranchPass pass, Tensor[] weights) = ((BranchPass, Tensor[]))ctx.get_data(nameof(BranchPass));
        Tensor x = saved[0], gradient = grad_output.is_contiguous() ? grad_output : grad_output.contiguous(), toX = empty_like(x);
        Tensor[] to = Array.ConvertAll(weights, w => empty_like(w));
        pass.Backward(Weights(weights), Address(x), Address(saved.Count > 1 ? saved[1] : null), Address(gradient), Address(toX), Weights(to));
        return [null!, null!, toX, .. to];
    }

    private static Tensor Forward(BranchPass pass, Tensor x, Tensor? scales, BranchWeights weights, bool keep)
    {
        Tensor y = pass.FirstOnly ? empty(x.size(0), 1, x.size(2)) : empty_like(x);
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
