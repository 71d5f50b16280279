using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Modules under given names, for keys such as vision_model.encoder.</summary>
internal sealed class ModuleGroup : nn.Module
{
    public ModuleGroup(params (string Name, nn.Module Module)[] parts) : base(nameof(ModuleGroup))
    {
        foreach ((string name, nn.Module module) in parts) register_module(name, module);
    }
}

internal sealed class ClipEncoder : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ClipBlock> layers;

    // Causal: a token attends to itself and those before it.
    public ClipEncoder(ClipTowerConfig config, bool causal, Device device) : base(nameof(ClipEncoder))
    {
        ClipBlock Block(int _) => new(config, causal, device);
        layers = nn.ModuleList(Enumerable.Range(0, config.Depth).Select(Block).ToArray());
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => LastBlocks(x, 1, clsOnly: false)[0];

    // [B, T, D] of the last n blocks, earliest first; clsOnly makes the last [B, 1, D]. Disposes x.
    public List<Tensor> LastBlocks(Tensor x, int n, bool clsOnly) => TransformerSteps.LastBlocks(
        x, layers.Count, n, (tokens, i) => layers[i].Forward(tokens, clsOnly && i == layers.Count - 1));
}

/// <summary>A pre-norm block with keys of Hugging Face's CLIPEncoderLayer.</summary>
internal sealed class ClipBlock : nn.Module<Tensor, Tensor>
{
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

    // [B, T, D] to [B, T, D], or to CLS alone, [B, 1, D].
    public Tensor Forward(Tensor x, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        Tensor branch = attention.Attend(norm1.forward(x), clsOnly);
        Tensor attended = TransformerSteps.Add(clsOnly ? x.narrow(1, 0, 1) : x, branch);
        return TransformerSteps.Add(attended, mlp.forward(norm2.forward(attended))).MoveToOuterDisposeScope();
    }
}

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
        this.heads = heads;
        this.causal = causal;
        key = new Dense(dim, dim, true, device);
        value = new Dense(dim, dim, true, device);
        query = new Dense(dim, dim, true, device);
        output = new Dense(dim, dim, true, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Attend(x, clsOnly: false);

    public Tensor Attend(Tensor x, bool clsOnly)
    {
        using var scope = NewDisposeScope();
        Tensor Split(Tensor y) => TransformerSteps.Heads(y, heads);
        Tensor q = Split(query.forward(clsOnly ? x.narrow(1, 0, 1) : x));
        Tensor mixed = DotProduct.Attend(q, Split(key.forward(x)), Split(value.forward(x)), causal);
        return output.forward(mixed.transpose(1, 2).reshape(x.shape[0], -1, x.shape[2])).MoveToOuterDisposeScope();
    }
}

/// <summary>Learned vectors [rows, D] under the key weight: positions or words.</summary>
internal sealed class ClipTable : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;

    public ClipTable(long rows, long dim, Device device) : base(nameof(ClipTable))
    {
        weight = new Parameter(empty(rows, dim, float32, device));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return x.Plus(weight.narrow(0, 0, x.shape[1])).MoveToOuterDisposeScope();
    }

    public Tensor Rows(Tensor numbers) => weight.index(TensorIndex.Tensor(numbers));
}
