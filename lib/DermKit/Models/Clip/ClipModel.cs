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

    /// <summary>Both towers from a file, Hugging Face's or openai/CLIP's, in evaluation mode; its shapes tell the sizes.</summary>
    /// <param name="path">Any weights file.</param>
    /// <param name="vision">Heads and activation of the image tower, which no shape tells; null for OpenAI's: one head for each 64 of the width, QuickGELU.</param>
    /// <param name="text">The same of the text tower.</param>
    /// <param name="device">Where it shall lie; cpu when null.</param>
    /// <exception cref="KitException">The file lacks a tower, or keys are missing, extra or of another shape; all are listed by name.</exception>
    public static ClipModel Open(string path, ClipVisionConfig? vision = null, ClipTextConfig? text = null, Device? device = null)
    {
        using (MappedWeights file = MappedWeights.Open(path))
        {
            vision = ClipVisionConfig.Of(file, vision ?? new() { Heads = 0 });
            text = ClipTextConfig.Of(file, text ?? new() { Heads = 0 });
            if (vision is null || text is null) throw new KitException($"{path}: expected both towers of a CLIP, found no {(vision is null ? "image" : "text")} tower; {file.Description}. Name a whole CLIPModel.");
        }
        static int Heads(string path, ClipTowerConfig config) => config.Heads > 0 ? config.Heads : config.Dim % 64 == 0 ? config.Dim / 64
            : throw new KitException($"{path}: a CLIP tower {config.Dim} wide, whose number of heads cannot be told; pass its configuration.");
        ClipModel model = Unset(vision with { Heads = Heads(path, vision) }, text with { Heads = Heads(path, text) }, device);
        try
        {
            WeightLoader.LoadStrict(model, path, NotWeights);
            model.eval();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Logits [images, captions]: exp(logit_scale) times the cosine of each pair.</summary>
    /// <param name="pixels">Normalised images [B, 3, H, W].</param>
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
