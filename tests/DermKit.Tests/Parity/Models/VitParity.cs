using DermKit.Models;
using System.Text.Json;
using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("vit_dino_*_weights*.safetensors")]
[Takes("vit_dino_*_io*.safetensors")]
public sealed class VitParity
{
    private const double Tolerance = 1.3e-5;

    public static TheoryData<string> Files => Fixtures.Named("vit_dino_*_io*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void ForwardIsDinos(string name)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using SafeTensorsFile io = Fixtures.Open(name);
        using VisionTransformer model = Model(name, io);
        var seen = new HashSet<string>();
        string[] inputs = [.. io.Entries.Keys.Where(k => k.StartsWith('x') && !k.Contains('.'))];
        Assert.NotEmpty(inputs);
        foreach (string x in inputs)
        {
            using var perInput = NewDisposeScope();
            Tensor input = io.Load(x).to(float32);
            seen.Add(x);
            foreach (string key
                in io.Entries.Keys.Where(k =>
                    k.StartsWith(x + '.', StringComparison.Ordinal) && !k.EndsWith("_f64", StringComparison.Ordinal)))
            {
                Fixtures.Close(Output(model, input, key[(x.Length + 1)..]), io.Load(key), Tolerance, key);
                seen.Add(key);
            }
        }
        model.to(float64);
        foreach (string key in io.Entries.Keys.Where(k => k.EndsWith("_f64", StringComparison.Ordinal)))
        {
            using var perInput = NewDisposeScope();
            Tensor input = io.Load(key[..key.IndexOf('.')]).to(float64);
            Fixtures.Close(Output(model, input, key[(key.IndexOf('.') + 1)..^4]), io.Load(key), 1e-10, key);
            seen.Add(key);
        }
        Assert.True(seen.Count > inputs.Length, $"{name} has inputs and no outputs.");
        Assert.DoesNotContain(io.Entries.Keys,
            k => !seen.Contains(k) && !k.StartsWith("grad.", StringComparison.Ordinal));
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void GradientsAreDinos(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile io = Fixtures.Open(name);
        Assert.SkipUnless(io.Entries.ContainsKey("grad.r"), $"{name} has no gradients.");
        using VisionTransformer model = Model(name, io);
        string source = io.Entries.Keys.Single(k => k.StartsWith("grad.x", StringComparison.Ordinal))["grad.".Length..];
        Tensor x = io.Load(source).to(float32).requires_grad_();
        Tensor terms = model.forward(x) * io.Load("grad.r"), loss = terms.sum(), expected = io.Load("grad.L");
        // The terms may cancel, so the error of their sum is measured against their size as well.
        double size = Math.Max(Math.Abs(expected.item<float>()), terms.square().sum().sqrt().item<float>());
        Assert.Equal(expected.item<float>(), loss.item<float>(), Tolerance * size);
        loss.backward();
        Dictionary<string, Tensor?> gradients = model.named_parameters()
            .ToDictionary(p => p.name, p => p.parameter.grad);
        gradients[source] = x.grad;
        foreach (string key
            in io.Entries.Keys.Where(k =>
                k.StartsWith("grad.", StringComparison.Ordinal) && k is not ("grad.r" or "grad.L")))
            Fixtures.Close(gradients[key["grad.".Length..]]!, io.Load(key), Tolerance, key);
    }

    private static Tensor Output(VisionTransformer model, Tensor x, string what) => what switch
    {
        "cls" => model.forward(x),
        "tokens" => model.Tokens(x),
        "tokens_prev" => model.GetIntermediateLayers(x, 2)[0],
        "attn_cls" => model.LastSelfAttention(x).select(2, 0),
        "pos_embed" => model.PositionsFor(x.shape[2], x.shape[3]),
        _ when what.EndsWith("_avgpool", StringComparison.Ordinal) => ClsAndMean(model.GetIntermediateLayers(x, 1)[0]),
        _ when what.StartsWith("linear_feat_n", StringComparison.Ordinal) =>
            model.ClsOfLastBlocks(x, int.Parse(what["linear_feat_n".Length..])),
        _ => throw new Xunit.Sdk.XunitException($"No output is called '{what}'."),
    };

    /// <summary>eval_linear.py with avgpool: CLS and mean patch token, value by value in turn.</summary>
    private static Tensor ClsAndMean(Tensor tokens) =>
        stack([tokens.select(1, 0), tokens.narrow(1, 1, tokens.shape[1] - 1).mean([1])], -1).flatten(1);

    internal static string WeightsOf(string name) => Regex.Replace(name, "_io(?=[_.]|$)", "_weights");

    private static VisionTransformer Model(string name, SafeTensorsFile io)
    {
        Assert.SkipUnless(File.Exists(Fixtures.PathOf(WeightsOf(name))),
            $"{WeightsOf(name)} is missing beside {name}.");
        JsonElement config = io.Config();
        if (config.TryGetProperty("ln_eps", out JsonElement epsilon)) Assert.Equal(1e-6, epsilon.GetDouble(), 1e-12);
        if (config.TryGetProperty("gelu", out JsonElement gelu)) Assert.Equal("exact erf", gelu.GetString());
        VisionTransformer model = VisionTransformer.Random(new VitConfig
        {
            Dim = config.GetProperty("embed_dim").GetInt32(),
            Depth = config.GetProperty("depth").GetInt32(),
            Heads = config.GetProperty("num_heads").GetInt32(),
            Patch = config.GetProperty("patch_size").GetInt32(),
            ImageSize = config.GetProperty("img_size").GetInt32(),
            MlpRatio = config.GetProperty("mlp_ratio").GetDouble(),
            QkvBias = config.GetProperty("qkv_bias").GetBoolean(),
        }, seed: 0);
        WeightLoader.LoadStrict(model, Fixtures.PathOf(WeightsOf(name)));
        model.eval();
        return model;
    }
}

[Takes("dino_vit_*_keys*.json")]
public sealed class VitKeysParity
{
    public static TheoryData<string> Files => Fixtures.Named("dino_vit_*_keys*.json");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void KeysShapesAndOrderAreDinos(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Fixtures.PathOf(name)));
        string[] expected = [.. document.RootElement.EnumerateArray().Select(e =>
            $"{e.GetProperty("key").GetString()} [{string.Join(", ", e.GetProperty("shape").EnumerateArray())}] "
            + $"{e.GetProperty("dtype").GetString()}")];
        string variant = name.Split('_')[2];
        string size = variant.TrimEnd("0123456789".ToCharArray());
        using VisionTransformer model =
            VisionTransformer.Random(VitConfig.Named(size) with { Patch = int.Parse(variant[size.Length..]) }, 0, META);
        Assert.Equal(expected,
            model.state_dict()
                .Select(p =>
                    $"{p.Key} [{string.Join(", ", p.Value.shape)}] {p.Value.dtype.ToString().ToLowerInvariant()}"));
    }
}
