using DermKit.Models;
using DermKit.Models.Weights;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// A tiny CLIP of random numbers under the key names of Hugging Face's CLIPModel, text tower's keys included, for trying the way that MONET's file
/// takes without having it. The file says that it is a fixture, and so does every number that rests on it.
/// </summary>
public static class ClipFixture
{
    /// <summary>Name of the file and the model.</summary>
    public const string Name = "tiny-clip";

    /// <summary>Sizes of its image tower.</summary>
    public static ClipVisionConfig Config { get; } = new() { Dim = 64, Depth = 5, Heads = 2, Patch = 32, Hidden = 128, Projection = 32 };

    /// <summary>Writes the file.</summary>
    /// <param name="cacheDir">Usually <see cref="KitSettings.CacheDir"/>.</param>
    /// <returns>The folder, for <see cref="ModelRegistry.Load"/>.</returns>
    /// <exception cref="IOException">The folder is not writable.</exception>
    public static string Write(string cacheDir)
    {
        using var scope = NewDisposeScope();
        using ClipVisionTransformer model = ClipVisionTransformer.Random(Config, 1);
        Dictionary<string, Tensor> state = model.state_dict();
        const int Words = 40, Length = 8, Width = 16;
        foreach ((string key, long[] shape) in new (string, long[])[]
        {
            ("text_model.embeddings.token_embedding.weight", [Words, Width]), ("text_model.embeddings.position_embedding.weight", [Length, Width]),
            ("text_model.final_layer_norm.weight", [Width]), ("text_model.final_layer_norm.bias", [Width]), ("text_projection.weight", [Config.Projection, Width]), ("logit_scale", []),
        }) state[key] = zeros(shape);
        state["text_model.embeddings.position_ids"] = arange(Length, ScalarType.Int64).unsqueeze(0);
        state["vision_model.embeddings.position_ids"] = arange(1 + (long)Config.Grid * Config.Grid, ScalarType.Int64).unsqueeze(0);
        string folder = Path.Combine(cacheDir, "fixture");
        SafeTensors.Save(Path.Combine(folder, Name + ".safetensors"), state, new Dictionary<string, string> { ["architecture"] = JsonSerializer.Serialize(Config), ["stamp"] = Stamps.Fixture });
        return folder;
    }
}
