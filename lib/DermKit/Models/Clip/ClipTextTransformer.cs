using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>CLIP's text tower (Radford et al. 2021, arXiv 2103.00020; openai/CLIP's Transformer) with Hugging Face's
/// keys: words and positions, causal blocks, LayerNorm, the end token (a caption's largest number),
/// projection.</summary>
internal sealed class ClipTextTransformer : nn.Module<Tensor, Tensor>
{
    private readonly ClipTable words, positions;
    private readonly ClipEncoder encoder;
    private readonly TokenNorm finalNorm;
    private readonly Dense projection;
    private readonly ModuleGroup tower;

    private ClipTextTransformer(ClipTextConfig config, Device device) : base(nameof(ClipTextTransformer))
    {
        config.Check(config.Context >= 2 && config.Vocabulary >= 2);
        Config = config;
        words = new ClipTable(config.Vocabulary, config.Dim, device);
        positions = new ClipTable(config.Context, config.Dim, device);
        encoder = new ClipEncoder(config, causal: true, device);
        finalNorm = new TokenNorm(config.Dim, device, ClipBlock.Epsilon);
        projection = new Dense(config.Dim, config.Projection, false, device);
        var embeddings = new ModuleGroup(("token_embedding", words), ("position_embedding", positions));
        tower = new ModuleGroup(("embeddings", embeddings), ("encoder", encoder), ("final_layer_norm", finalNorm));
        register_module("text_model", tower);
        register_module("text_projection", projection);
        this.OutliveScopes();
    }

    internal (nn.Module Tower, nn.Module Projection) Parts => (tower, projection);

    public ClipTextConfig Config { get; }

    // Normal 0.02, zero biases, unit norms.
    public static ClipTextTransformer Random(ClipTextConfig config, long seed, Device? device = null)
    {
        ClipTextTransformer model = Unset(config, device);
        InitialValues.DrawTransformer(model, seed, _ => null);
        return model;
    }

    public static ClipTextTransformer Unset(ClipTextConfig config, Device? device = null) => new(config, device ?? CPU);

    // Int64 [B, T], zero behind the end token, to [B, projection], not L2-normalised.
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return projection.forward(Pooled(tokens)).MoveToOuterDisposeScope();
    }

    public Tensor Pooled(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor states = LastHiddenState(tokens), ends = tokens.argmax(1).reshape(-1, 1, 1).expand(-1, 1, Config.Dim);
        return states.gather(1, ends).squeeze(1).MoveToOuterDisposeScope();
    }

    // After the final norm: [B, T] to [B, T, D].
    public Tensor LastHiddenState(Tensor tokens)
    {
        bool isShaped = tokens.dim() == 2 && tokens.shape[1] >= 1 && tokens.shape[1] <= Config.Context;
        if (!isShaped || tokens.dtype != int64)
            throw new ArgumentException($"Expected int64 token numbers [B, 1 to {Config.Context}], "
                + $"found {tokens.dtype} [{string.Join(", ", tokens.shape)}].", nameof(tokens));
        using var scope = NewDisposeScope();
        Tensor embedded = positions.forward(words.Rows(tokens));
        return finalNorm.forward(encoder.forward(embedded)).MoveToOuterDisposeScope();
    }
}
