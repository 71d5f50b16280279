using DermKit.Models;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("clip_tokens*.json")]
public sealed class ClipTextParity
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Files => Fixtures.Named("clip_*_io*.safetensors");

    public static TheoryData<string> TokenFiles => Fixtures.Named("clip_tokens*.json");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void TheTextTowerAndTheLogitsAreClips(string name)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        string? weights = ClipVisionParity.WeightsOf(name);
        Assert.SkipUnless(weights is not null, $"No clip_model file of {name} is beside it.");
        using SafeTensorsFile io = Fixtures.Open(name), file = Fixtures.Open(weights);
        (ClipVisionConfig vision, ClipTextConfig text) = ClipVisionParity.Sizes(name, io);
        using ClipModel model = ClipModel.Unset(vision, text);
        WeightLoader.LoadStrict(model, Fixtures.PathOf(weights), ClipModel.NotWeights);
        model.eval();
        Assert.Equal(file.Entries.Keys.Where(k => !k.EndsWith("position_ids", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal), model.state_dict().Keys.Order(StringComparer.Ordinal));
        Tensor ids = io.Load("input_ids").to(ScalarType.Int64), x = io.Load("pixel_values").to(float32);
        foreach (string key
            in io.Entries.Keys.Where(k =>
                k is not ("input_ids" or "pixel_values") && !k.StartsWith("vision.", StringComparison.Ordinal)))
            Fixtures.Close(key switch
            {
                "text.last_hidden_state" => model.Text.LastHiddenState(ids),
                "text.pooler_output" => model.Text.Pooled(ids),
                "text.text_embeds" => model.Text.forward(ids),
                "logits_per_image" => model.forward(x, ids),
                "logits_per_text" => model.forward(x, ids).t(),
                _ => throw new Xunit.Sdk.XunitException($"No output is called '{key}'."),
            }, io.Load(key), Tolerance, key);
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(TokenFiles))]
    public void TheTokensAreClips(string name)
    {
        ClipTokenizer tokenizer = Vocabulary.Need();
        JsonElement file = JsonDocument.Parse(File.ReadAllText(Fixtures.PathOf(name))).RootElement;
        int context = file.GetProperty("context_length").GetInt32(), count = 0;
        foreach (JsonElement c in file.GetProperty("cases").EnumerateArray())
        {
            string text = c.GetProperty("text").GetString()!;
            bool cut = c.GetProperty("truncated").GetBoolean();
            Assert.Equal((text, string.Join(' ', c.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()))),
                (text, string.Join(' ', tokenizer.Encode(text, context, truncate: cut))));
            if (cut) Assert.Throws<KitException>(() => tokenizer.Encode(text, context));
            count++;
        }
        Fixtures.Print($"{name}: {count} captions");
        Assert.NotEqual(0, count);
    }
}

/// <summary>CLIP's vocabulary, which the kit does not carry.</summary>
internal static class Vocabulary
{
    private static readonly Lazy<ClipTokenizer?> Found = new(() =>
    {
        KitSettings settings = KitSettings.FromEnvironment();
        string beside = Path.Combine(Fixtures.Folder, ClipTokenizer.FileName);
        return File.Exists(beside) ? ClipTokenizer.Read(beside)
            : File.Exists(Path.Combine(settings.DataDir, "clip", ClipTokenizer.FileName))
                || File.Exists(Path.Combine(settings.Root, "data", "weights", ClipTokenizer.FileName))
            ? ClipTokenizer.Open(settings) : null;
    });

    public static ClipTokenizer Need()
    {
        Assert.SkipUnless(Found.Value is not null,
            $"CLIP's vocabulary: set KIT_DATA_DIR to a folder that holds clip/{ClipTokenizer.FileName}");
        return Found.Value!;
    }
}
