using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// CLIP's text tower (Radford et al. 2021, arXiv 2103.00020; openai/CLIP's Transformer): words and positions, causal blocks, a LayerNorm, the token
/// with the largest number of each caption, which is the end token, and a projection. State-dict keys are those of Hugging Face's CLIPModel.
/// </summary>
public sealed class ClipTextTransformer : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "text_model")]
    private readonly ClipTextTower tower;
    [ComponentName(Name = "text_projection")]
    private readonly Dense projection;

    private ClipTextTransformer(ClipTextConfig config, Device device) : base(nameof(ClipTextTransformer))
    {
        config.Check(config.Context >= 2 && config.Vocabulary >= 2);
        Config = config;
        tower = new ClipTextTower(config, device);
        projection = new Dense(config.Dim, config.Projection, false, device);
        RegisterComponents();
        this.OutliveScopes();
    }

    /// <summary>Tower and projection, for a model that holds the image tower beside them.</summary>
    internal (nn.Module Tower, nn.Module Projection) Parts => (tower, projection);

    /// <summary>The sizes.</summary>
    public ClipTextConfig Config { get; }

    /// <summary>A model with random weights from a seed: normal 0.02, zero biases, unit norms. It lives until it is disposed, whatever dispose scope surrounds the call.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ClipTextTransformer Random(ClipTextConfig config, long seed, Device? device = null)
    {
        ClipTextTransformer model = Unset(config, device);
        InitialValues.DrawTransformer(model, seed, _ => null);
        return model;
    }

    /// <summary>A model whose weights are not set yet, for a file to fill.</summary>
    /// <exception cref="KitException">The configuration is impossible.</exception>
    public static ClipTextTransformer Unset(ClipTextConfig config, Device? device = null) => new(config, device ?? CPU);

    /// <summary>The projected embedding, not L2-normalised: token numbers [B, T] of type int64, zero behind the end token, to [B, projection].</summary>
    /// <exception cref="ArgumentException">Another shape or type, or more tokens than <see cref="ClipTextConfig.Context"/>.</exception>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return projection.forward(Pooled(tokens)).MoveToOuterDisposeScope();
    }

    /// <summary>The end token's row after the final norm: [B, T] to [B, D].</summary>
    public Tensor Pooled(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor states = LastHiddenState(tokens), ends = tokens.argmax(1).reshape(-1, 1, 1).expand(-1, 1, Config.Dim);
        return states.gather(1, ends).squeeze(1).MoveToOuterDisposeScope();
    }

    /// <summary>All tokens after the final norm: [B, T] to [B, T, D].</summary>
    public Tensor LastHiddenState(Tensor tokens)
    {
        if (tokens.dim() != 2 || tokens.dtype != ScalarType.Int64 || tokens.shape[1] < 1 || tokens.shape[1] > Config.Context)
            throw new ArgumentException($"Expected int64 token numbers [B, 1 to {Config.Context}], found {tokens.dtype} [{string.Join(", ", tokens.shape)}].", nameof(tokens));
        return tower.forward(tokens);
    }
}

/// <summary>Everything of the tower but the projection (text_model).</summary>
internal sealed class ClipTextTower : nn.Module<Tensor, Tensor>
{
    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;
    [ComponentName(Name = "final_layer_norm")]
    private readonly TokenNorm finalNorm;

    public ClipTextTower(ClipTextConfig config, Device device) : base(nameof(ClipTextTower))
    {
        embeddings = new ClipTextEmbeddings(config, device);
        encoder = new ClipEncoder(config, causal: true, device);
        finalNorm = new TokenNorm(config.Dim, device, ClipBlock.Epsilon);
        RegisterComponents();
    }

    /// <summary>[B, T] to [B, T, D].</summary>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return finalNorm.forward(encoder.forward(embeddings.forward(tokens))).MoveToOuterDisposeScope();
    }
}

/// <summary>Words and positions.</summary>
internal sealed class ClipTextEmbeddings : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "token_embedding")]
    private readonly ClipTable words;
    [ComponentName(Name = "position_embedding")]
    private readonly ClipTable positions;

    public ClipTextEmbeddings(ClipTextConfig config, Device device) : base(nameof(ClipTextEmbeddings))
    {
        words = new ClipTable(config.Vocabulary, config.Dim, device);
        positions = new ClipTable(config.Context, config.Dim, device);
        RegisterComponents();
    }

    /// <summary>[B, T] to [B, T, D].</summary>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return positions.forward(words.Rows(tokens)).MoveToOuterDisposeScope();
    }
}
