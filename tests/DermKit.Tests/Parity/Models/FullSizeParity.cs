using DermKit.Models;
using System.Text;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("fullsize*.safetensors")]
[Takes("fullsize_recipe*.json")]
public sealed class FullSizeParity
{
    public static TheoryData<string> Files => Fixtures.Named("fullsize*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void FullNetworksFromProceduralWeights(string name)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using SafeTensorsFile file = Fixtures.Open(name);
        string seed = file.Config().GetProperty("seed").ToString();
        string own = name.Replace("fullsize", "fullsize_recipe", StringComparison.Ordinal)
            .Replace(".safetensors", ".json", StringComparison.Ordinal);
        string recipeFile =
            Fixtures.PathOrShipped([own, .. Fixtures.Files("fullsize_recipe*.json"), "fullsize_recipe.json"])!;
        using JsonDocument recipe = JsonDocument.Parse(File.ReadAllText(recipeFile));
        Assert.True(Procedural($"{seed}/check", file.Load("check").shape, 1, 0).equal(file.Load("check")).all()
            .item<bool>(), "check: the formula differs");

        JsonElement Weights(string model) => recipe.RootElement.GetProperty(model);
        using VisionTransformer vit = VisionTransformer.Unset(VitConfig.Tiny);
        Fill(vit, Weights("vit_tiny16"), seed);
        using ResNet resnet = ResNet.Unset(ResNetConfig.ResNet50);
        Fill(resnet, Weights("resnet50"), seed);
        Dictionary<string, long[]> sizes = Weights("dino_head").EnumerateArray()
            .ToDictionary(e => e[0].GetString()!, Shape);
        int inputs = (int)sizes["mlp.0.weight"][1];
        using DinoHead head = DinoHead.Random(new()
        {
            Inputs = inputs,
            Outputs = (int)sizes["last_layer.weight_v"][0],
            Hidden = (int)sizes["mlp.0.weight"][0],
            Bottleneck = (int)sizes["last_layer.weight_v"][1],
            Layers = sizes.Keys.Count(k =>
                k.StartsWith("mlp.", StringComparison.Ordinal) && k.EndsWith(".weight", StringComparison.Ordinal)),
        }, seed: 1);
        Fill(head, Weights("dino_head"), seed);

        long batch = file.Entries["vit_tiny16.cls"].Shape[0];
        Tensor x = Procedural($"{seed}/x", [batch, 3, 224, 224], 2, 0),
            x2 = Procedural($"{seed}/x2", [batch, 3, 96, 96], 2, 0);
        Tensor logits =
            head.forward(Procedural($"{seed}/h", [file.Entries["dino_head.every64"].Shape[0], inputs], 1, 0)),
            wide = logits.to(float64);
        foreach (string key in file.Entries.Keys)
        {
            using var perKey = NewDisposeScope();
            Tensor actual = key switch
            {
                "check" => file.Load("check"),
                "vit_tiny16.cls" or "vit_tiny16.cls_f64" => vit.forward(x),
                "vit_tiny16.patch_mean" => vit.Tokens(x).narrow(1, 1, 196).mean([1]),
                "vit_tiny16.cls96" => vit.forward(x2),
                "resnet50.features" or "resnet50.features_f64" => resnet.forward(x),
                "dino_head.every64" => logits.slice(1, 0, logits.shape[1], 64),
                "dino_head.sum" => wide.sum(1),
                "dino_head.l2" => wide.square().sum(1).sqrt(),
                _ => throw new Xunit.Sdk.XunitException($"No output is called '{key}'."),
            };
            Fixtures.Close(actual, file.Load(key), 1.1e-5, key);
        }
    }

    private static long[] Shape(JsonElement entry) => [.. entry[1].EnumerateArray().Select(e => e.GetInt64())];

    private static void Fill(nn.Module model, JsonElement recipe, string seed)
    {
        model.eval();
        Dictionary<string, Tensor> state = model.state_dict();
        foreach (JsonElement entry in recipe.EnumerateArray())
        {
            string key = entry[0].GetString()!;
            if (key.StartsWith("fc.", StringComparison.Ordinal)) continue;
            long[] shape = Shape(entry);
            Assert.Equal(state[key].shape, shape);
            using Tensor value = Procedural($"{seed}/{key}", shape, entry[2].GetSingle(), entry[3].GetSingle());
            state[key].copy_(value);
            state.Remove(key);
        }
        Assert.DoesNotContain(state.Keys, k => !k.EndsWith("num_batches_tracked", StringComparison.Ordinal));
    }

    /// <summary>The README's proc(): a hash of the name, then splitmix64 of the index, the top 24 bits as a
    /// number in -a + b to a + b.</summary>
    private static Tensor Procedural(string name, long[] shape, float a, float b)
    {
        ulong h = 0xcbf29ce484222325;
        foreach (byte value in Encoding.UTF8.GetBytes(name)) h = (h ^ value) * 0x100000001b3;
        float[] values = new float[shape.Aggregate(1L, (p, n) => p * n)];
        for (int i = 0; i < values.Length; i++)
        {
            ulong z = h + (ulong)(i + 1) * 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            float u = (float)((z ^ (z >> 31)) >> 40) / (1 << 24);
            values[i] = (float)((float)((2 * u) - 1) * a) + b;
        }
        return tensor(values, shape);
    }
}
