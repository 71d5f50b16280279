using DermKit.Models;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// A tiny CLIP of random numbers, text tower included, in the two formats that MONET's file comes in: Hugging Face's CLIPModel as safetensors and openai/CLIP's
/// names as PyTorch's zip, for trying the way that the file takes without having it. The files say that they are fixtures, and so does every number that rests on them.
/// </summary>
public static class ClipFixture
{
    /// <summary>Name of Hugging Face's file and the model.</summary>
    public const string Name = "tiny-clip";

    /// <summary>Name of openai/CLIP's file and the model: the same weights.</summary>
    public const string OpenAiName = "tiny-openai-clip";

    /// <summary>Sizes of its image tower.</summary>
    public static ClipVisionConfig Config { get; } = new() { Dim = 64, Depth = 5, Heads = 2, Patch = 32, Hidden = 128, Projection = 32 };

    /// <summary>Sizes of its text tower.</summary>
    public static ClipTextConfig Text { get; } = new() { Dim = 16, Depth = 1, Heads = 2, Context = 16, Vocabulary = 64, Hidden = 32, Projection = Config.Projection };

    /// <summary>Writes both files.</summary>
    /// <param name="cacheDir">Usually <see cref="KitSettings.CacheDir"/>.</param>
    /// <returns>The folder, for <see cref="ModelRegistry.Load"/>.</returns>
    /// <exception cref="IOException">The folder is not writable.</exception>
    public static string Write(string cacheDir)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using ClipModel model = ClipModel.Random(Config, Text, 1);
        Dictionary<string, Tensor> state = model.state_dict();
        string folder = Path.Combine(cacheDir, "fixture");
        var said = new Dictionary<string, string> { ["architecture"] = JsonSerializer.Serialize(Config), ["stamp"] = Stamps.Fixture };
        TorchFileWriter.Save(Path.Combine(folder, OpenAiName + ".pt"), OpenAi(state), said);
        // Position numbers, which old files carry.
        state["text_model.embeddings.position_ids"] = arange(Text.Context, ScalarType.Int64).unsqueeze(0);
        state["vision_model.embeddings.position_ids"] = arange(1 + (long)Config.Grid * Config.Grid, ScalarType.Int64).unsqueeze(0);
        SafeTensors.Save(Path.Combine(folder, Name + ".safetensors"), state, said);
        return folder;
    }

    /// <summary>Token numbers of captions for its text tower, a number made of each word's letters: no vocabulary of CLIP's, and no meaning.</summary>
    /// <param name="captions">Captions of at most 14 words.</param>
    internal static Tensor Tokens(IReadOnlyList<string> captions)
    {
        var tokens = new long[captions.Count * Text.Context];
        for (int i = 0; i < captions.Count; i++)
        {
            // The two largest numbers stand for start and end.
            long[] row = [Text.Vocabulary - 2, .. captions[i].Split(' ').Select(w => (long)(w.Aggregate(7u, (hash, letter) => unchecked(hash * 31 + letter)) % (Text.Vocabulary - 2))), Text.Vocabulary - 1];
            row.CopyTo(tokens, i * Text.Context);
        }
        return tensor(tokens, [captions.Count, Text.Context]);
    }

    private static Dictionary<string, Tensor> OpenAi(Dictionary<string, Tensor> state)
    {
        var result = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach ((string key, Tensor value) in state)
            if (key.Contains(".q_proj.", StringComparison.Ordinal))
                result[MappedWeights.OpenAiName(key).Replace("q_proj.", "in_proj_", StringComparison.Ordinal)] = cat([.. new[] { "q", "k", "v" }.Select(part => state[key.Replace(".q_proj.", $".{part}_proj.", StringComparison.Ordinal)])], 0);
            else if (key is "visual_projection.weight" or "text_projection.weight") result[key == "visual_projection.weight" ? "visual.proj" : "text_projection"] = value.t();
            else if (!key.Contains(".k_proj.", StringComparison.Ordinal) && !key.Contains(".v_proj.", StringComparison.Ordinal)) result[MappedWeights.OpenAiName(key)] = value;
        return result;
    }
}
