using DermKit.Models;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>A tiny random CLIP as Hugging Face safetensors and openai/CLIP zip, MONET's two formats, to try their whole
/// path. Files and results are stamped as fixtures.</summary>
public static class ClipFixture
{
    /// <summary>Name of the Hugging Face file and model.</summary>
    public const string Name = "tiny-clip";

    /// <summary>Name of the openai/CLIP file and model, with the same weights.</summary>
    public const string OpenAiName = "tiny-openai-clip";

    internal static ClipVisionConfig Config { get; } =
        new() { Dim = 64, Depth = 5, Heads = 2, Patch = 32, Hidden = 128, Projection = 32 };

    internal static ClipTextConfig Text { get; } =
        new()
        {
            Dim = 16,
            Depth = 1,
            Heads = 2,
            Context = 16,
            Vocabulary = 64,
            Hidden = 32,
            Projection = Config.Projection
        };

    /// <summary>Writes both files to a cache folder; returns their folder for
    /// <see cref="ModelRegistry.Load"/>.</summary>
    /// <exception cref="IOException">The folder is not writable.</exception>
    public static string Write(string cacheDir)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using ClipModel model = ClipModel.Random(Config, Text, 1);
        Dictionary<string, Tensor> state = model.state_dict();
        string folder = Path.Combine(cacheDir, "fixture");
        var metadata = new Dictionary<string, string>
        {
            ["architecture"] = JsonSerializer.Serialize(Config),
            ["stamp"] = Stamps.Fixture,
        };
        WriteZip(Path.Combine(folder, OpenAiName + ".pt"), OpenAi(state), metadata);
        // Position numbers, as in old files.
        state["text_model.embeddings.position_ids"] = arange(Text.Context, ScalarType.Int64).unsqueeze(0);
        state["vision_model.embeddings.position_ids"] = arange(1 + (long)Config.Grid * Config.Grid, ScalarType.Int64)
            .unsqueeze(0);
        SafeTensors.Save(Path.Combine(folder, Name + ".safetensors"), state, metadata);
        return folder;
    }

    // Token numbers of captions of at most 14 words: meaningless hashes of their letters.
    internal static Tensor Tokens(IReadOnlyList<string> captions)
    {
        // The two largest numbers are start and end.
        int words = Text.Vocabulary - 2;
        long Number(string word) => word.Aggregate(7u, (hash, letter) => unchecked(hash * 31 + letter)) % (uint)words;
        var tokens = new long[captions.Count * Text.Context];
        for (int i = 0; i < captions.Count; i++)
        {
            long[] row = [words, .. captions[i].Split(' ').Select(Number), words + 1];
            row.CopyTo(tokens, i * Text.Context);
        }
        return tensor(tokens, [captions.Count, Text.Context]);
    }

    private static Dictionary<string, Tensor> OpenAi(Dictionary<string, Tensor> state)
    {
        var result = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach ((string key, Tensor value) in state)
        {
            Tensor Part(string name) => state[key.Replace(".q_proj.", $".{name}_proj.", StringComparison.Ordinal)];
            if (key.Contains(".q_proj.", StringComparison.Ordinal))
                result[MappedWeights.OpenAiName(key).Replace("q_proj.", "in_proj_", StringComparison.Ordinal)] =
                    cat([value, Part("k"), Part("v")], 0);
            else if (key == "visual_projection.weight") result["visual.proj"] = value.t();
            else if (key == "text_projection.weight") result["text_projection"] = value.t();
            else if (!key.Contains(".k_proj.", StringComparison.Ordinal)
                && !key.Contains(".v_proj.", StringComparison.Ordinal))
                result[MappedWeights.OpenAiName(key)] = value;
        }
        return result;
    }

    // As torch.save writes a dictionary with state_dict and text; float32 only.
    private static void WriteZip(string path, Dictionary<string, Tensor> tensors, Dictionary<string, string> text) =>
        AtomicFile.Write(path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            void Add(string name, Action<Stream> write)
            {
                using Stream entry = zip.CreateEntry($"archive/{name}", CompressionLevel.NoCompression).Open();
                write(entry);
            }
            Add("data.pkl", entry => entry.Write(Pickle(tensors, text)));
            Add("byteorder", entry => entry.Write("little"u8));
            foreach ((int i, Tensor tensor) in tensors.Values.Index())
                Add($"data/{i}", entry => TensorData.ForEachPart(tensor, entry.Write));
            Add("version", entry => entry.Write("3\n"u8));
        });

    // Protocol 2: X text, J number, c name, ( t tuple, } ( u dictionary, Q persistent id, R call.
    private static byte[] Pickle(Dictionary<string, Tensor> tensors, Dictionary<string, string> text)
    {
        IEnumerable<byte> metadata = text.SelectMany(p => String(p.Key).Concat(String(p.Value)));
        IEnumerable<byte> state = tensors.Index()
            .SelectMany(t => String(t.Item.Key).Concat(Rebuilt(t.Item.Value, t.Index)));
        return [0x80, 2, .. "}("u8, .. metadata, .. String("state_dict"), .. "}("u8, .. state, .. "uu."u8];
    }

    // At offset 0, without a gradient (0x89, false) and hooks.
    private static byte[] Rebuilt(Tensor tensor, int index)
    {
        IEnumerable<long> strides =
            tensor.shape.Select((_, d) => tensor.shape[(d + 1)..].Aggregate(1L, (a, b) => a * b));
        return
        [
            .. "ctorch._utils\n_rebuild_tensor_v2\n(("u8, .. String("storage"), .. "ctorch\nFloatStorage\n"u8,
            .. String($"{index}"),
            .. String("cpu"), .. Number(tensor.numel()), .. "tQK\0"u8, .. Tuple(tensor.shape), .. Tuple(strides), 0x89,
            .. "ccollections\nOrderedDict\n)RtR"u8,
        ];
    }

    private static byte[] String(string value) =>
        [(byte)'X', .. BitConverter.GetBytes(Encoding.UTF8.GetByteCount(value)), .. Encoding.UTF8.GetBytes(value)];

    private static byte[] Number(long value) => [(byte)'J', .. BitConverter.GetBytes((int)value)];

    private static byte[] Tuple(IEnumerable<long> values) => [(byte)'(', .. values.SelectMany(Number), (byte)'t'];
}
