using DermKit.Models;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("resnet_tiny*.safetensors")]
[Takes("resnet*_keys*.json")]
public sealed class ResNetParity
{
    // Ten times what two versions of torch differ by.
    private const double Tolerance = 8e-5;

    public static TheoryData<string> Files => Fixtures.Named("resnet_tiny*.safetensors");

    public static TheoryData<string> KeyFiles => Fixtures.Named("resnet*_keys*.json");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void FeaturesGradientsAndStatisticsAreTorchvisions(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        int[] Sizes(string key) => [.. file.Config().GetProperty(key).EnumerateArray().Select(e => e.GetInt32())];
        using ResNet model = ResNet.Random(new() { Planes = Sizes("planes"), Blocks = Sizes("blocks") }, 1);
        Dictionary<string, Tensor> state = model.state_dict();
        bool IsResult(string key) => key == "x" || key.StartsWith("eval.", StringComparison.Ordinal)
            || key.StartsWith("train.", StringComparison.Ordinal);
        Assert.Equal(file.Entries.Keys.Where(k => !IsResult(k)).Order(StringComparer.Ordinal),
            state.Keys.Order(StringComparer.Ordinal));
        using (no_grad())
            foreach ((string key, Tensor target) in state) target.copy_(file.Load(key));

        model.eval();
        Tensor x = file.Load("x").requires_grad_();
        using (no_grad())
        {
            Tensor features = model.Features(x, FeatureVariant.AvgPool);
            Fixtures.Close(features, file.Load("eval.features"), Tolerance, "eval.features");
            Fixtures.Close(features, file.Load("eval.features_f64"), Tolerance, "eval.features_f64");
        }
        model.train();
        Tensor trained = model.forward(x);
        Fixtures.Close(trained, file.Load("train.features"), Tolerance, "train.features");
        (trained * file.Load("train.r")).sum().backward();
        Dictionary<string, Tensor?> gradients = model.named_parameters()
            .ToDictionary(p => p.name, p => p.parameter.grad);
        gradients["x"] = x.grad;
        string[] of = [.. file.Entries.Keys.Where(k => k.StartsWith("train.grad.", StringComparison.Ordinal))],
            after = [.. file.Entries.Keys.Where(k => k.StartsWith("train.after.", StringComparison.Ordinal))];
        Assert.True(of.Length > 0 && after.Length > 0);
        foreach (string key in of)
            Fixtures.Close(gradients[key["train.grad.".Length..]]!, file.Load(key), Tolerance, key);
        foreach (string key in after)
            Fixtures.Close(state[key["train.after.".Length..]], file.Load(key), Tolerance, key);
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(KeyFiles))]
    public void KeysShapesAndTypesAreThoseOfTheFullModel(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Fixtures.PathOf(name)));
        using ResNet model = ResNet.Unset(ResNetConfig.ResNet50, META);
        static string Line(string key, IEnumerable<long> shape, string type) =>
            $"{key} [{string.Join(", ", shape)}] {type}";
        string[] expected = [.. document.RootElement.EnumerateArray()
            .Where(e => !e.GetProperty("key").GetString()!.StartsWith("fc.", StringComparison.Ordinal))
            .Select(e => Line(e.GetProperty("key").GetString()!,
                e.GetProperty("shape").EnumerateArray().Select(s => s.GetInt64()),
                e.GetProperty("dtype").GetString()!))];
        string[] found = [.. model.state_dict()
            .Select(p => Line(p.Key, p.Value.shape, p.Value.dtype.ToString().ToLowerInvariant()))];
        Assert.Equal(expected.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
        Assert.Equal(23_508_032, model.ParameterCount);
    }
}
