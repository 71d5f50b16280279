using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Both towers of a CLIP and the temperature between them, with the state-dict keys of Hugging Face's CLIPModel.</summary>
public sealed class ClipModel : nn.Module<Tensor, Tensor, Tensor>
{
    /// <summary>Keys of CLIP files that hold no weight: position numbers, which old files carry.</summary>
    public static readonly IReadOnlyList<string> NotWeights = ["vision_model.embeddings.position_ids", "text_model.embeddings.position_ids"];

    private readonly Parameter logitScale;

    private ClipModel(ClipVisionTransformer vision, ClipTextTransformer text, Device device) : base(nameof(ClipModel))
    {
        if (vision.Config.Projection != text.Config.Projection)
            throw new KitException($"CLIP towers of one model project to one width; expected {vision.Config.Projection} of the text tower, found {text.Config.Projection}.");
        (Vision, Text) = (vision, text);
        // openai/CLIP's first temperature, 0.07.
        logitScale = new Parameter(tensor((float)Math.Log(1 / 0.07), device: device));
        // Without names of their own, so that the keys are those of the one file.
        register_module("vision_model", vision.Parts.Tower);
        register_module("visual_projection", vision.Parts.Projection);
        register_module("text_model", text.Parts.Tower);
        register_module("text_projection", text.Parts.Projection);
        register_parameter("logit_scale", logitScale);
        this.OutliveScopes();
    }

    /// <summary>The image tower.</summary>
    public ClipVisionTransformer Vision { get; }

    /// <summary>The text tower.</summary>
    public ClipTextTransformer Text { get; }

    /// <summary>Factor on cosines, exp(logit_scale); 100 in OpenAI's trained weights.</summary>
    public double Scale => Math.Exp(logitScale.Value());

    /// <summary>A model with random weights from a seed.</summary>
    /// <exception cref="KitException">A configuration is impossible.</exception>
    public static ClipModel Random(ClipVisionConfig vision, ClipTextConfig text, long seed, Device? device = null) =>
        new(ClipVisionTransformer.Random(vision, seed, device), ClipTextTransformer.Random(text, seed + 1, device), device ?? CPU);

    /// <summary>A model whose weights are not set yet, for a file to fill.</summary>
    /// <exception cref="KitException">A configuration is impossible.</exception>
    public static ClipModel Unset(ClipVisionConfig vision, ClipTextConfig text, Device? device = null) =>
        new(ClipVisionTransformer.Unset(vision, device), ClipTextTransformer.Unset(text, device), device ?? CPU);

    /// <summary>Logits [images, captions]: exp(logit_scale) times the cosine of each pair.</summary>
    /// <param name="pixels">Normalised pictures [B, 3, H, W].</param>
    /// <param name="tokens">Token numbers [C, T], int64.</param>
    public override Tensor forward(Tensor pixels, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return (matmul(Unit(Vision.forward(pixels)), Unit(Text.forward(tokens)).t()) * logitScale.exp()).MoveToOuterDisposeScope();
    }

    /// <summary>Rows of length 1, over which a product is a cosine.</summary>
    public static Tensor Unit(Tensor rows)
    {
        using var scope = NewDisposeScope();
        return (rows / rows.Squared().sum(-1, keepdim: true).sqrt()).MoveToOuterDisposeScope();
    }
}
