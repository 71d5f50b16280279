using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>softmax(q k^T / sqrt(d)) v. The fused form has no meta kernel in libtorch and is five to ten times slower
/// in bfloat16 on a CPU without AMX.</summary>
internal static class DotProduct
{
    public static bool IsExplicit(Tensor x) => x.device_type == DeviceType.META
        || (x.device_type == DeviceType.CPU && x.dtype == bfloat16);

    // [B, heads, Tq, d] and twice [B, heads, T, d] to [B, heads, Tq, d].
    public static Tensor Attend(Tensor q, Tensor k, Tensor v, bool causal = false) => IsExplicit(q)
        ? matmul(Weights(q, k, causal), v)
        : nn.functional.scaled_dot_product_attention(q, k, v, is_casual: causal);

    public static Tensor Weights(Tensor q, Tensor k, bool causal = false)
    {
        // The queries are fewer than the weights.
        Tensor scores = matmul(q * Kept(1 / Math.Sqrt(q.shape[^1])), k.transpose(-2, -1));
        if (!causal) return scores.softmax(-1);
        Tensor mask = zeros([q.shape[^2], k.shape[^2]], scores.dtype, scores.device);
        return scores.Plus(mask.fill_(Kept(double.NegativeInfinity)).triu(1)).softmax(-1);
    }
}

internal static class TransformerSteps
{
    // Last n of depth blocks, earliest first; disposes the input.
    public static List<Tensor> LastBlocks(Tensor tokens, int depth, int n, Func<Tensor, int, Tensor> block)
    {
        if (n < 1 || n > depth) throw new ArgumentOutOfRangeException(nameof(n), n, $"Expected 1 to {depth} blocks.");
        var kept = new List<Tensor>(n);
        for (int i = 0; i < depth; i++)
        {
            Tensor next = block(tokens, i);
            // A dispose scope around all blocks would keep each in memory.
            if (kept.Count == 0) tokens.Dispose();
            if (i >= depth - n) kept.Add(next);
            tokens = next;
        }
        return kept;
    }

    // CLS of n blocks [B, T, D], normed unless norm is null: [B, n * D].
    public static Tensor ConcatenatedCls(IEnumerable<Tensor> blocks, TokenNorm? norm)
    {
        Tensor cls = stack(blocks.Select(t => t.select(1, 0)), 1);
        return (norm?.forward(cls) ?? cls).flatten(1);
    }

    // In the type of x, and in the branch's memory where no gradient needs it.
    public static Tensor Add(Tensor x, Tensor branch) =>
        is_grad_enabled() || branch.dtype != x.dtype ? x.Plus(branch) : branch.PlusInPlace(x);

    // [B, T, D] to [B, heads, T, D / heads].
    public static Tensor Heads(Tensor x, int heads) => x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2);
}

/// <summary>Multi-head self-attention with timm's keys (qkv, proj).</summary>
internal sealed class VitAttention : nn.Module<Tensor, Tensor>
{
    private readonly int heads;
    private readonly long dim;
    private readonly Dense qkv;
    private readonly Dense proj;

    public VitAttention(VitConfig config, Device device) : base(nameof(VitAttention))
    {
        heads = config.Heads;
        dim = config.Dim;
        qkv = new Dense(dim, 3 * dim, config.QkvBias, device);
        proj = new Dense(dim, dim, true, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Attend(x, clsOnly: false);

    // [B, T, D] to [B, T, D], or to CLS alone, [B, 1, D].
    public Tensor Attend(Tensor x, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        (Tensor q, Tensor k, Tensor v) = Project(x, clsOnly);
        Tensor mixed = DotProduct.Attend(q, k, v).transpose(1, 2).reshape(x.shape[0], -1, dim);
        return proj.forward(mixed).MoveToOuterDisposeScope();
    }

    public Tensor Weights(Tensor x)
    {
        using var scope = NewDisposeScope();
        (Tensor q, Tensor k, _) = Project(x, clsOnly: false);
        return DotProduct.Weights(q, k).MoveToOuterDisposeScope();
    }

    private (Tensor Q, Tensor K, Tensor V) Project(Tensor x, bool clsOnly)
    {
        Tensor Split(Tensor y) => TransformerSteps.Heads(y, heads);
        if (clsOnly)
        {
            Tensor[] rest = qkv.Part(x, dim, 2 * dim).chunk(2, -1);
            return (Split(qkv.Part(x.narrow(1, 0, 1), 0, dim)), Split(rest[0]), Split(rest[1]));
        }
        Tensor all = qkv.forward(x);
        // Unlike three selections, both forms join gradients in one pass. Explicit products want contiguous heads.
        Tensor[] parts = DotProduct.IsExplicit(all)
            ? all.reshape(x.shape[0], x.shape[1], 3, heads, -1).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
            : Array.ConvertAll(all.chunk(3, -1), Split);
        return (parts[0], parts[1], parts[2]);
    }
}

/// <summary>A block's perceptron with exact GELU or CLIP's QuickGELU, x sigmoid(1.702 x).</summary>
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
        Tensor hidden = fc1.forward(x), active;
        if (!quick) active = nn.functional.gelu(hidden, inplace: !is_grad_enabled());
        else if (is_grad_enabled()) active = hidden * (hidden * Kept(1.702)).sigmoid();
        else active = (hidden * Kept(1.702)).sigmoid_().mul_(hidden);
        return fc2.forward(active).MoveToOuterDisposeScope();
    }
}

/// <summary>x + attn(norm1(x)), then x + mlp(norm2(x)), with stochastic depth on both branches.</summary>
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

    // [B, T, D] to [B, T, D], or to CLS alone, [B, 1, D].
    public Tensor Forward(Tensor x, bool clsOnly, Generator? generator)
    {
        using var scope = NewDisposeScope();
        Tensor attended = Add(clsOnly ? x.narrow(1, 0, 1) : x, attn.Attend(norm1.forward(x), clsOnly), generator);
        return Add(attended, mlp.forward(norm2.forward(attended)), generator).MoveToOuterDisposeScope();
    }

    public Tensor AttentionWeights(Tensor x)
    {
        using var scope = NewDisposeScope();
        return attn.Weights(norm1.forward(x)).MoveToOuterDisposeScope();
    }

    // timm's DropPath: an image loses a branch with probability dropPath; kept branches are scaled up.
    private Tensor Add(Tensor x, Tensor branch, Generator? generator)
    {
        if (!training || dropPath <= 0) return TransformerSteps.Add(x, branch);
        Scalar kept = Kept(1 - dropPath);
        Tensor drawn = rand([x.size(0), 1, 1], x.dtype, x.device, generator: generator);
        return x.Plus(branch * drawn.PlusInPlace(kept).floor_().div_(kept));
    }
}
