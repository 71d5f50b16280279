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
    private readonly nn.Module tower;

    private ClipTextTransformer(ClipTextConfig config, Device device) : base(nameof(ClipTextTransformer))
    {
        config.Check(config.Context >= 2 && config.Vocabulary >= 2);
        Config = config;
        words = new ClipTable(config.Vocabulary, config.Dim, device);
        positions = new ClipTable(config.Context, config.Dim, device);
        encoder = new ClipEncoder(config, causal: true, device);
        finalNorm = new TokenNorm(config.Dim, device, TransformerBlock.ClipEpsilon);
        projection = new Dense(config.Dim, config.Projection, false, device);
        nn.Module embeddings = nn.ModuleDict<nn.Module>(("token_embedding", words), ("position_embedding", positions));
        tower = nn.ModuleDict<nn.Module>(
            ("embeddings", embeddings), ("encoder", encoder), ("final_layer_norm", finalNorm));
        register_module("text_model", tower);
        register_module("text_projection", projection);
        this.OutliveScopes();
    }

    internal (nn.Module Tower, nn.Module Projection) Parts => (tower, projection);

    public ClipTextConfig Config { get; }

    // Normal 0.02, zero biases, unit norms.
    public static ClipTextTransformer Random(ClipTextConfig config, long seed, Device? device = null) =>
        InitialValues.DrawTransformer(Unset(config, device), seed);

    public static ClipTextTransformer Unset(ClipTextConfig config, Device? device = null) => new(config, device ?? CPU);

    // Int64 [B, T], zero behind the end token, to [B, projection], not L2-normalised.
    public override Tensor forward(Tensor tokens) => Scoped(() => projection.forward(Pooled(tokens)));

    public Tensor Pooled(Tensor tokens) => Scoped(() =>
    {
        Tensor states = LastHiddenState(tokens), ends = tokens.argmax(1).reshape(-1, 1, 1).expand(-1, 1, Config.Dim);
        return states.gather(1, ends).squeeze(1);
    });

    // After the final norm: [B, T] to [B, T, D].
    public Tensor LastHiddenState(Tensor tokens)
    {
        bool isShaped = tokens.dim() == 2 && tokens.shape[1] >= 1 && tokens.shape[1] <= Config.Context;
        if (!isShaped || tokens.dtype != int64)
            throw new ArgumentException($"Expected int64 token numbers [B, 1 to {Config.Context}], "
                + $"found {tokens.dtype} {tokens.Shape()}.", nameof(tokens));
        return Scoped(() => finalNorm.forward(encoder.forward(positions.forward(words.Rows(tokens)))));
    }
}
