namespace DermKit.Models;

/// <summary>Both towers of a CLIP and their temperature, with keys of Hugging Face's CLIPModel.</summary>
internal sealed class ClipModel : nn.Module<Tensor, Tensor, Tensor>
{
    // Position numbers in old CLIP files.
    public static readonly string[] NotWeights =
        ["vision_model.embeddings.position_ids", "text_model.embeddings.position_ids"];

    private readonly Parameter logitScale;

    private ClipModel(ClipVisionTransformer vision, ClipTextTransformer text, Device device) : base(nameof(ClipModel))
    {
        if (vision.Config.Projection != text.Config.Projection)
            throw new KitException("CLIP towers of one model project to one width; "
                + $"expected {vision.Config.Projection} of the text tower, found {text.Config.Projection}.");
        Vision = vision;
        Text = text;
        logitScale = new Parameter(tensor((float)Math.Log(1 / 0.07), device: device));
        // Parts are registered, because keys do not begin with a tower's name.
        register_module("vision_model", vision.Parts.Tower);
        register_module("visual_projection", vision.Parts.Projection);
        register_module("text_model", text.Parts.Tower);
        register_module("text_projection", text.Parts.Projection);
        register_parameter("logit_scale", logitScale);
        this.OutliveScopes();
    }

    public ClipVisionTransformer Vision { get; }

    public ClipTextTransformer Text { get; }

    public static ClipModel Random(ClipVisionConfig vision, ClipTextConfig text, long seed, Device? device = null) =>
        new(ClipVisionTransformer.Random(vision, seed, device), ClipTextTransformer.Random(text, seed + 1, device),
            device ?? CPU);

    public static ClipModel Unset(ClipVisionConfig vision, ClipTextConfig text, Device? device = null) =>
        new(ClipVisionTransformer.Unset(vision, device), ClipTextTransformer.Unset(text, device), device ?? CPU);

    // From a file of Hugging Face or openai/CLIP, whose shapes give the sizes; in evaluation mode.
    public static ClipModel Open(
        string path, ClipVisionConfig? vision = null, ClipTextConfig? text = null, Device? device = null)
    {
        using (MappedWeights file = MappedWeights.Open(path))
        {
            vision = ClipVisionConfig.Of(file, vision ?? new() { Heads = 0 });
            text = ClipTextConfig.Of(file, text ?? new() { Heads = 0 });
            if (vision is null || text is null)
                throw new KitException($"{path}: expected both towers of a CLIP, found no "
                    + $"{(vision is null ? "image" : "text")} tower; {file.Description}. Name a whole CLIPModel.");
        }
        int Heads(ClipTowerConfig config)
        {
            if (config.Heads > 0) return config.Heads;
            if (config.Dim % 64 == 0) return config.Dim / 64;
            throw new KitException(
                $"{path}: a CLIP tower {config.Dim} wide, whose number of heads is unknown; pass its configuration.");
        }
        ClipVisionConfig seen = vision with { Heads = Heads(vision) };
        ClipTextConfig read = text with { Heads = Heads(text) };
        return Owned.Make(() => Unset(seen, read, device), model =>
        {
            WeightLoader.LoadStrict(model, path, NotWeights);
            model.eval();
            return model;
        });
    }

    // [images, captions]: exp(logit_scale) times cosines.
    public override Tensor forward(Tensor pixels, Tensor tokens) => Scoped(() =>
        matmul(Unit(Vision.forward(pixels)), Unit(Text.forward(tokens)).t()) * logitScale.exp());

    public static Tensor Unit(Tensor rows) => Scoped(() => rows / rows.Norm(-1));
}
