using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// Scaled dot-product attention, softmax(q k^T / sqrt(d)) v. libtorch has no meta kernel for the fused form, which in bfloat16 on a CPU
/// without AMX is five to ten times slower than the explicit one.
/// </summary>
internal static class DotProduct
{
    /// <summary>Whether the explicit form is in use for a tensor's device and type; its products want heads that lie together.</summary>
    public static bool IsExplicit(Tensor x) => x.device_type == DeviceType.META || (x.device_type == DeviceType.CPU && x.dtype == ScalarType.BFloat16);

    /// <summary>[B, heads, Tq, d], [B, heads, T, d] and [B, heads, T, d] to [B, heads, Tq, d]; causal: a token sees itself and those before it.</summary>
    public static Tensor Attend(Tensor q, Tensor k, Tensor v, bool causal = false) => IsExplicit(q)
        ? matmul(Weights(q, k, causal), v)
        : nn.functional.scaled_dot_product_attention(q, k, v, is_casual: causal);

    /// <summary>The softmax weights [B, heads, Tq, T]; queries are scaled because they are fewer than the weights.</summary>
    public static Tensor Weights(Tensor q, Tensor k, bool causal = false)
    {
        Tensor scores = matmul(q * Kept(1 / Math.Sqrt(q.shape[^1])), k.transpose(-2, -1));
        if (causal) scores = scores.Plus(zeros([q.shape[^2], k.shape[^2]], scores.dtype, scores.device).fill_(Kept(double.NegativeInfinity)).triu(1));
        return scores.softmax(-1);
    }
}

/// <summary>Multi-head self-attention with timm's key names (qkv, proj).</summary>
internal sealed class VitAttention : nn.Module<Tensor, Tensor>
{
    private readonly int heads;
    private readonly long dim;
    private readonly Dense qkv;
    private readonly Dense proj;

    public VitAttention(VitConfig config, Device device) : base(nameof(VitAttention))
    {
        (heads, dim) = (config.Heads, config.Dim);
        qkv = new Dense(dim, 3 * dim, config.QkvBias, device);
        proj = new Dense(dim, dim, true, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Attend(x, clsOnly: false);

    /// <summary>[B, T, D] to [B, T, D], or to [B, 1, D] when only the CLS token asks.</summary>
    public Tensor Attend(Tensor x, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        (Tensor q, Tensor k, Tensor v) = Project(x, clsOnly);
        return proj.forward(DotProduct.Attend(q, k, v).transpose(1, 2).reshape(x.shape[0], -1, dim)).MoveToOuterDisposeScope();
    }

    /// <summary>Softmax attention of every query, [B, heads, T, T].</summary>
    public Tensor Weights(Tensor x)
    {
        using var scope = NewDisposeScope();
        (Tensor q, Tensor k, _) = Project(x, clsOnly: false);
        return DotProduct.Weights(q, k).MoveToOuterDisposeScope();
    }

    private (Tensor Q, Tensor K, Tensor V) Project(Tensor x, bool clsOnly)
    {
        if (clsOnly)
        {
            Tensor[] rest = qkv.Part(x, dim, 2 * dim).chunk(2, -1);
            return (Heads(qkv.Part(x.narrow(1, 0, 1), 0, dim)), Heads(rest[0]), Heads(rest[1]));
        }
        Tensor all = qkv.forward(x);
        // Either way the gradients of the three are joined in one pass, which those of three selections are not.
        Tensor[] parts = DotProduct.IsExplicit(all)
            ? all.reshape(x.shape[0], x.shape[1], 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
            : [.. all.chunk(3, -1).Select(Heads)];
        return (parts[0], parts[1], parts[2]);
    }

    /// <summary>[B, T, D] to [B, heads, T, D / heads].</summary>
    private Tensor Heads(Tensor x) => x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2);
}

/// <summary>The two-layer perceptron of a block (fc1, fc2), with exact GELU or with CLIP's QuickGELU, x sigmoid(1.702 x).</summary>
internal sealed class Mlp : nn.Module<Tensor, Tensor>
{
    private readonly bool quick;
    private readonly Dense fc1;
    private readonly Dense fc2;

    public Mlp(long dim, long hidden, bool quick, Device device) : base(nameof(Mlp))
    {
        this.quick = quick;
        fc1 = new Dense(dim, hidden, true, device);
        fc2 = new Dense(hidden, dim, true, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor hidden = fc1.forward(x);
        Tensor active = !quick ? nn.functional.gelu(hidden, inplace: !is_grad_enabled())
            : is_grad_enabled() ? hidden * (hidden * Kept(1.702)).sigmoid() : (hidden * Kept(1.702)).sigmoid_().mul_(hidden);
        return fc2.forward(active).MoveToOuterDisposeScope();
    }
}

/// <summary>Pre-norm block: x + attn(norm1(x)), then x + mlp(norm2(x)), with stochastic depth on both branches.</summary>
internal sealed class VitBlock : nn.Module<Tensor, Tensor>
{
    private readonly double dropPath;
    private readonly TokenNorm norm1;
    private readonly VitAttention attn;
    private readonly TokenNorm norm2;
    private readonly Mlp mlp;

    public VitBlock(VitConfig config, double dropPath, Device device) : base(nameof(VitBlock))
    {
        this.dropPath = dropPath;
        norm1 = new TokenNorm(config.Dim, device);
        attn = new VitAttention(config, device);
        norm2 = new TokenNorm(config.Dim, device);
        mlp = new Mlp(config.Dim, (long)(config.Dim * config.MlpRatio), quick: false, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Forward(x, clsOnly: false, null);

    /// <summary>[B, T, D] to [B, T, D]; with <paramref name="clsOnly"/> to the CLS row [B, 1, D], which spares most of a last block.</summary>
    public Tensor Forward(Tensor x, bool clsOnly, Generator? generator)
    {
        using var scope = NewDisposeScope();
        Tensor attended = Add(clsOnly ? x.narrow(1, 0, 1) : x, attn.Attend(norm1.forward(x), clsOnly), generator);
        Tensor result = Add(attended, mlp.forward(norm2.forward(attended)), generator);
        return result.MoveToOuterDisposeScope();
    }

    public Tensor AttentionWeights(Tensor x)
    {
        using var scope = NewDisposeScope();
        return attn.Weights(norm1.forward(x)).MoveToOuterDisposeScope();
    }

    private Tensor Add(Tensor x, Tensor branch, Generator? generator) => Scales(x, generator) is { } scales ? x.Plus(branch * scales) : Residual.Add(x, branch);

    /// <summary>In training each image loses a branch with probability dropPath and the rest is scaled up (timm's DropPath): factors [B, 1, 1], or null for 1.</summary>
    private Tensor? Scales(Tensor x, Generator? generator) => training && dropPath > 0
        ? rand([x.size(0), 1, 1], x.dtype, x.device, generator: generator).PlusInPlace(Kept(1 - dropPath)).floor_().div_(Kept(1 - dropPath)) : null;
}

/// <summary>The sum behind a branch.</summary>
internal static class Residual
{
    /// <summary>x + branch in the type of x, in the branch's memory where no gradient needs it.</summary>
    public static Tensor Add(Tensor x, Tensor branch) => is_grad_enabled() || branch.dtype != x.dtype ? x.Plus(branch) : branch.PlusInPlace(x);
}
