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

/// <summary>Multi-head self-attention with timm's keys (qkv, proj) or those of Hugging Face's CLIP.</summary>
internal sealed class Attention : nn.Module<Tensor, Tensor>
{
    private readonly int heads;
    private readonly bool causal;
    private readonly Dense? qkv, query, key, value;
    private readonly Dense output;

    public Attention(VitConfig config, Device device) : base(nameof(Attention))
    {
        // First: no field gives its name to a key.
        RegisterComponents();
        heads = config.Heads;
        register_module("qkv", qkv = new Dense(config.Dim, 3L * config.Dim, config.QkvBias, device));
        register_module("proj", output = new Dense(config.Dim, config.Dim, true, device));
    }

    public Attention(ClipTowerConfig config, bool causal, Device device) : base(nameof(Attention))
    {
        RegisterComponents();
        heads = config.Heads;
        this.causal = causal;
        Dense Part(string name)
        {
            var part = new Dense(config.Dim, config.Dim, true, device);
            register_module(name, part);
            return part;
        }
        key = Part("k_proj");
        value = Part("v_proj");
        query = Part("q_proj");
        output = Part("out_proj");
    }

    public override Tensor forward(Tensor x) => Attend(x, clsOnly: false);

    // [B, T, D] to [B, T, D], or to CLS alone, [B, 1, D].
    public Tensor Attend(Tensor x, bool clsOnly) => Scoped(() =>
    {
        (Tensor q, Tensor k, Tensor v) = Project(x, clsOnly);
        Tensor mixed = DotProduct.Attend(q, k, v, causal).transpose(1, 2);
        return output.forward(mixed.reshape(x.shape[0], -1, x.shape[2]));
    });

    public Tensor Weights(Tensor x) => Scoped(() =>
    {
        (Tensor q, Tensor k, _) = Project(x, clsOnly: false);
        return DotProduct.Weights(q, k);
    });

    private (Tensor Q, Tensor K, Tensor V) Project(Tensor x, bool clsOnly)
    {
        // [B, T, D] to [B, heads, T, D / heads].
        Tensor Split(Tensor y) => y.reshape(y.shape[0], y.shape[1], heads, -1).transpose(1, 2);
        Tensor asking = clsOnly ? x.narrow(1, 0, 1) : x;
        if (qkv is null) return (Split(query!.forward(asking)), Split(key!.forward(x)), Split(value!.forward(x)));
        long dim = x.shape[2];
        if (clsOnly)
        {
            Tensor[] rest = qkv.Part(x, dim, 2 * dim).chunk(2, -1);
            return (Split(qkv.Part(asking, 0, dim)), Split(rest[0]), Split(rest[1]));
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

    public override Tensor forward(Tensor x) => Scoped(() =>
    {
        Tensor hidden = fc1.forward(x), active;
        if (!quick) active = nn.functional.gelu(hidden, inplace: !is_grad_enabled());
        else if (is_grad_enabled()) active = hidden * (hidden * Kept(1.702)).sigmoid();
        else active = (hidden * Kept(1.702)).sigmoid_().mul_(hidden);
        return fc2.forward(active);
    });
}

/// <summary>x + attention(norm(x)), then x + mlp(norm(x)), with stochastic depth on both branches; keys of timm or of
/// Hugging Face's CLIPEncoderLayer.</summary>
internal sealed class TransformerBlock : nn.Module<Tensor, Tensor>
{
    // CLIP's; a ViT has TokenNorm's default.
    public const double ClipEpsilon = 1e-5;

    private readonly double dropPath;
    private readonly TokenNorm norm1, norm2;
    private readonly Attention attention;
    private readonly Mlp mlp;

    public TransformerBlock(VitConfig config, double dropPath, Device device) : base(nameof(TransformerBlock))
    {
        RegisterComponents();
        this.dropPath = dropPath;
        register_module("norm1", norm1 = new TokenNorm(config.Dim, device));
        register_module("attn", attention = new Attention(config, device));
        register_module("norm2", norm2 = new TokenNorm(config.Dim, device));
        register_module("mlp", mlp = new Mlp(config.Dim, (long)(config.Dim * config.MlpRatio), quick: false, device));
    }

    // Causal: a token attends to itself and those before it.
    public TransformerBlock(ClipTowerConfig config, bool causal, Device device) : base(nameof(TransformerBlock))
    {
        RegisterComponents();
        bool quick = config.Activation == ClipActivation.QuickGelu;
        register_module("self_attn", attention = new Attention(config, causal, device));
        register_module("layer_norm1", norm1 = new TokenNorm(config.Dim, device, ClipEpsilon));
        register_module("mlp", mlp = new Mlp(config.Dim, config.Hidden, quick, device));
        register_module("layer_norm2", norm2 = new TokenNorm(config.Dim, device, ClipEpsilon));
    }

    public override Tensor forward(Tensor x) => Forward(x, clsOnly: false, null);

    public Tensor AttentionWeights(Tensor x) => Scoped(() => attention.Weights(norm1.forward(x)));

    // [B, T, D] of the last n blocks, earliest first; clsOnly makes the last [B, 1, D]. Disposes the input.
    public static List<Tensor> Last(
        IList<TransformerBlock> blocks, Tensor tokens, int n, bool clsOnly, Generator? generator = null)
    {
        int depth = blocks.Count;
        if (n < 1 || n > depth) throw new ArgumentOutOfRangeException(nameof(n), n, $"Expected 1 to {depth} blocks.");
        var kept = new List<Tensor>(n);
        for (int i = 0; i < depth; i++)
        {
            Tensor next = blocks[i].Forward(tokens, clsOnly && i == depth - 1, generator);
            // A dispose scope around all blocks would keep each in memory.
            if (kept.Count == 0) tokens.Dispose();
            if (i >= depth - n) kept.Add(next);
            tokens = next;
        }
        return kept;
    }

    // CLS of n blocks [B, T, D], normed unless norm is null: [B, n * D].
    public static Tensor Cls(IEnumerable<Tensor> blocks, TokenNorm? norm)
    {
        Tensor cls = stack(blocks.Select(t => t.select(1, 0)), 1);
        return (norm?.forward(cls) ?? cls).flatten(1);
    }

    // [B, T, D] to [B, T, D], or to CLS alone, [B, 1, D].
    public Tensor Forward(Tensor x, bool clsOnly, Generator? generator) => Scoped(() =>
    {
        Tensor attended = Add(clsOnly ? x.narrow(1, 0, 1) : x, attention.Attend(norm1.forward(x), clsOnly), generator);
        return Add(attended, mlp.forward(norm2.forward(attended)), generator);
    });

    // In the type of x, and in the branch's memory where no gradient needs it. timm's DropPath: an image loses a branch
    // with probability dropPath; kept branches are scaled up.
    private Tensor Add(Tensor x, Tensor branch, Generator? generator)
    {
        if (!training || dropPath <= 0)
            return is_grad_enabled() || branch.dtype != x.dtype ? x.Plus(branch) : branch.PlusInPlace(x);
        Scalar kept = Kept(1 - dropPath);
        Tensor drawn = rand([x.size(0), 1, 1], x.dtype, x.device, generator: generator);
        return x.Plus(branch * drawn.PlusInPlace(kept).floor_().div_(kept));
    }
}
