using DermKit.Models;
using DermKit.Models.Weights;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// A tiny CLIP of random numbers under the key names of Hugging Face's CLIPModel, text tower included, for trying the way that MONET's file
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
        using ClipModel model = ClipModel.Random(Config, new() { Dim = 16, Depth = 1, Heads = 2, Context = 8, Vocabulary = 40, Hidden = 32, Projection = Config.Projection }, 1);
        Dictionary<string, Tensor> state = model.state_dict();
        state["text_model.embeddings.position_ids"] = arange(8, ScalarType.Int64).unsqueeze(0);
        state["vision_model.embeddings.position_ids"] = arange(1 + (long)Config.Grid * Config.Grid, ScalarType.Int64).unsqueeze(0);
        string folder = Path.Combine(cacheDir, "fixture");
        SafeTensors.Save(Path.Combine(folder, Name + ".safetensors"), state, new Dictionary<string, string> { ["architecture"] = JsonSerializer.Serialize(Config), ["stamp"] = Stamps.Fixture });
        return folder;
    }
}
