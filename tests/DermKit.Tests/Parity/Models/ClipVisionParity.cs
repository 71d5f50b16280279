using DermKit.Models;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("clip_model*.safetensors")]
[Takes("clip_*_io*.safetensors")]
public sealed class ClipVisionParity
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Files => Fixtures.Named("clip_*_io*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void TheImageTowerIsClips(string name)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using SafeTensorsFile io = Fixtures.Open(name);
        using ClipVisionTransformer model = Model(name, io);
        Tensor x = io.Load("pixel_values").to(float32);
        Tensor last = model.LastHiddenState(x);
        string[] outputs = [.. io.Entries.Keys.Where(k => k.StartsWith("vision.", StringComparison.Ordinal))];
        Assert.Subset(outputs.ToHashSet(),
            new HashSet<string> { "vision.last_hidden_state", "vision.pooler_output", "vision.image_embeds" });
        foreach (string key in outputs)
            Fixtures.Close(key switch
            {
                "vision.last_hidden_state" => last,
                "vision.pooler_output" => model.ClsOfLastBlocks(x, 1),
                "vision.image_embeds" => model.forward(x),
                _ => throw new Xunit.Sdk.XunitException($"No output is called '{key}'."),
            }, io.Load(key), Tolerance, key);
        // The way that features take: only the CLS token passes the last block, and no norm follows.
        Fixtures.Close(model.ClsOfLastBlocks(x, 1, normalised: false), io.Load("vision.last_hidden_state").select(1, 0),
            Tolerance, "CLS before the post-norm");
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void ASafetensorsFileOfTheWholeModelLoadsStrictly(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile io = Fixtures.Open(name);
        using ClipVisionTransformer model = Model(name, io);
        using SafeTensorsFile weights = Fixtures.Open(WeightsOf(name)!);
        Dictionary<string, Tensor> state = model.state_dict();
        Assert.Equal([.. weights.Entries.Keys
            .Where(k => k.StartsWith("vision_model.", StringComparison.Ordinal)
                && !k.EndsWith("position_ids", StringComparison.Ordinal)).Append("visual_projection.weight")
            .Order(StringComparer.Ordinal)],
            state.Keys.Order(StringComparer.Ordinal));
        Assert.All(state, p => Assert.True(p.Value.equal(weights.Load(p.Key).to(float32)).all().item<bool>(), p.Key));
    }

    /// <summary>The weights beside an input file: those with the same suffix, else the only
    /// ones that are there.</summary>
    internal static string? WeightsOf(string name)
    {
        string own = Regex.Replace(name, "^clip_.*_io(?=[_.]|$)", "clip_model");
        string[] all = Fixtures.Files("clip_model*.safetensors");
        return all.Contains(own) ? own : all is [var only] ? only : null;
    }

    /// <summary>The sizes that a file's metadata names, for either tower.</summary>
    internal static (ClipVisionConfig Vision, ClipTextConfig Text) Sizes(string name, SafeTensorsFile io)
    {
        JsonElement config = io.Config(), vision = config.GetProperty("vision"), text = config.GetProperty("text");
        if (config.TryGetProperty("layer_norm_eps", out JsonElement epsilon))
            Assert.Equal(1e-5, epsilon.GetDouble(), 1e-12);
        static int Size(JsonElement of, string key) => of.GetProperty(key).GetInt32();
        ClipActivation activation = config.GetProperty("hidden_act").GetString() switch
        {
            "quick_gelu" => ClipActivation.QuickGelu,
            "gelu" => ClipActivation.Gelu,
            var other => throw new Xunit.Sdk.XunitException($"{name}: no activation is called '{other}'."),
        };
        int projection = Size(config, "projection_dim");
        return (new()
        {
            Dim = Size(vision, "hidden_size"),
            Depth = Size(vision, "num_hidden_layers"),
            Heads = Size(vision, "num_attention_heads"),
            Patch = Size(vision, "patch_size"),
            ImageSize = Size(vision, "image_size"),
            Hidden = Size(vision, "intermediate_size"),
            Projection = projection,
            Activation = activation,
        }, new()
        {
            Dim = Size(text, "hidden_size"),
            Depth = Size(text, "num_hidden_layers"),
            Heads = Size(text, "num_attention_heads"),
            Context = Size(text, "max_position_embeddings"),
            Vocabulary = Size(text, "vocab_size"),
            Hidden = Size(text, "intermediate_size"),
            Projection = projection,
            Activation = activation,
        });
    }

    private static ClipVisionTransformer Model(string name, SafeTensorsFile io)
    {
        string? weights = WeightsOf(name);
        Assert.SkipUnless(weights is not null, $"No clip_model file of {name} is beside it.");
        ClipVisionTransformer model = ClipVisionTransformer.Unset(Sizes(name, io).Vision);
        WeightLoader.LoadStrict(model, Fixtures.PathOf(weights), ClipVisionTransformer.NotVision);
        model.eval();
        return model;
    }
}
