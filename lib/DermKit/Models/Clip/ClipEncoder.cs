using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>The blocks of a CLIP tower (encoder.layers).</summary>
internal sealed class ClipEncoder : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ClipBlock> layers;

    /// <summary>Makes the blocks; in a causal tower a token attends to itself and those before it.</summary>
    public ClipEncoder(ClipTowerConfig config, bool causal, Device device) : base(nameof(ClipEncoder))
    {
        layers = nn.ModuleList(Enumerable.Range(0, config.Depth).Select(_ => new ClipBlock(config, causal, device)).ToArray());
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => LastBlocks(x, 1, clsOnly: false)[0];

    /// <summary>Tokens [B, T, D] of the last n blocks, earliest first; with <paramref name="clsOnly"/> the last block gives [B, 1, D].</summary>
    public List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly)
    {
        if (n < 1 || n > layers.Count) throw new ArgumentOutOfRangeException(nameof(n), n, $"Expected 1 to {layers.Count} blocks.");
        var kept = new List<Tensor>(n);
        Tensor tokens = x.alias();
        for (int i = 0; i < layers.Count; i++)
        {
            Tensor next = layers[i].Forward(tokens, clsOnly && i == layers.Count - 1);
            // Released at once, because a dispose scope around 24 blocks would keep every one of them in memory.
            if (kept.Count == 0) tokens.Dispose();
            if (i >= layers.Count - n) kept.Add(next);
            tokens = next;
        }
        return kept;
    }
}

/// <summary>A pre-norm block with the key names of Hugging Face's CLIPEncoderLayer: x + attention(norm(x)), then x + mlp(norm(x)).</summary>
internal sealed class ClipBlock : nn.Module<Tensor, Tensor>
{
    /// <summary>CLIP's LayerNorm epsilon, torch's default.</summary>
    public const double Epsilon = 1e-5;

    [ComponentName(Name = "self_attn")]
    private readonly ClipAttention attention;
    [ComponentName(Name = "layer_norm1")]
    private readonly TokenNorm norm1;
    private readonly Mlp mlp;
    [ComponentName(Name = "layer_norm2")]
    private readonly TokenNorm norm2;

    public ClipBlock(ClipTowerConfig config, bool causal, Device device) : base(nameof(ClipBlock))
    {
        attention = new ClipAttention(config.Dim, config.Heads, causal, device);
        norm1 = new TokenNorm(config.Dim, device, Epsilon);
        mlp = new Mlp(config.Dim, config.Hidden, config.Activation == ClipActivation.QuickGelu, device);
        norm2 = new TokenNorm(config.Dim, device, Epsilon);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Forward(x, clsOnly: false);

    /// <summary>[B, T, D] to [B, T, D]; with <paramref name="clsOnly"/> to the CLS row [B, 1, D], which spares most of a last block.</summary>
    public Tensor Forward(Tensor x, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        Tensor attended = Residual.Add(clsOnly ? x.narrow(1, 0, 1) : x, attention.Attend(norm1.forward(x), clsOnly));
        return Residual.Add(attended, mlp.forward(norm2.forward(attended))).MoveToOuterDisposeScope();
    }
}

/// <summary>Multi-head self-attention with separate projections (q_proj, k_proj, v_proj, out_proj).</summary>
internal sealed class ClipAttention : nn.Module<Tensor, Tensor>
{
    private readonly int heads;
    private readonly bool causal;
    [ComponentName(Name = "k_proj")]
    private readonly Dense key;
    [ComponentName(Name = "v_proj")]
    private readonly Dense value;
    [ComponentName(Name = "q_proj")]
    private readonly Dense query;
    [ComponentName(Name = "out_proj")]
    private readonly Dense output;

    public ClipAttention(long dim, int heads, bool causal, Device device) : base(nameof(ClipAttention))
    {
        (this.heads, this.causal) = (heads, causal);
        (key, value, query, output) = (new(dim, dim, true, device), new(dim, dim, true, device), new(dim, dim, true, device), new(dim, dim, true, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Attend(x, clsOnly: false);

    /// <summary>[B, T, D] to [B, T, D], or to [B, 1, D] when only the CLS token asks.</summary>
    public Tensor Attend(Tensor x, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        Tensor Split(Tensor y) => y.reshape(y.shape[0], y.shape[1], heads, -1).transpose(1, 2);
        Tensor mixed = DotProduct.Attend(Split(query.forward(clsOnly ? x.narrow(1, 0, 1) : x)), Split(key.forward(x)), Split(value.forward(x)), causal);
        return output.forward(mixed.transpose(1, 2).reshape(x.shape[0], -1, x.shape[2])).MoveToOuterDisposeScope();
    }
}

/// <summary>A table of learned vectors [rows, D] under the key weight: positions, or the words of a vocabulary.</summary>
internal sealed class ClipTable : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "weight")]
    private readonly Parameter weight;

    public ClipTable(long rows, long dim, Device device) : base(nameof(ClipTable))
    {
        weight = new Parameter(empty(rows, dim, ScalarType.Float32, device));
        RegisterComponents();
    }

    /// <summary>Adds the first T rows to tokens: [B, T, D] to the same shape.</summary>
    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return x.Plus(weight.narrow(0, 0, x.shape[1])).MoveToOuterDisposeScope();
    }

    /// <summary>The rows of numbers [B, T]: [B, T, D].</summary>
    public Tensor Rows(Tensor numbers) => weight.index(TensorIndex.Tensor(numbers));
}
