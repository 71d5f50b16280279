using DermKit.Models;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("dino_head_*.safetensors")]
public sealed class DinoHeadParity
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Files => Fixtures.Named("dino_head_*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void OutputAndGradientsAreDinos(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        int Size(string key, int otherwise) => config.TryGetProperty(key, out JsonElement e) ? e.GetInt32() : otherwise;
        bool Flag(string key, bool otherwise) => config.TryGetProperty(key, out JsonElement e)
            ? e.GetBoolean() : otherwise;
        using DinoHead head = DinoHead.Random(new()
        {
            Inputs = Size("in_dim", 0),
            Outputs = Size("out_dim", 0),
            Hidden = Size("hidden_dim", 2048),
            Bottleneck = Size("bottleneck_dim", 256),
            Layers = Size("nlayers", 3),
            BatchNorm = Flag("use_bn", false),
            NormLastLayer = Flag("norm_last_layer", true),
        }, seed: 1);
        Dictionary<string, Tensor> state = head.state_dict();
        Assert.Equal(file.Entries.Keys
            .Where(k => k is not ("x" or "y" or "r") && !k.StartsWith("grad.", StringComparison.Ordinal)).Order(),
            state.Keys.Order());
        using (no_grad())
            foreach ((string key, Tensor target) in state) target.copy_(file.Load(key));
        head.train();
        Tensor x = file.Load("x").requires_grad_(), y = head.forward(x);
        Fixtures.Close(y, file.Load("y"), Tolerance, "y");
        (y * file.Load("r")).sum().backward();
        Dictionary<string, Tensor?> gradients = head.named_parameters()
            .ToDictionary(p => p.name, p => p.parameter.grad);
        gradients["x"] = x.grad;
        string[] expected = [.. file.Entries.Keys.Where(k => k.StartsWith("grad.", StringComparison.Ordinal))];
        Assert.NotEmpty(expected);
        double largest = expected.Max(k => file.Load(k).abs().max().item<float>());
        foreach (string key in expected)
        {
            Tensor wanted = file.Load(key), found = gradients[key["grad.".Length..]]!;
            // A bias that batch normalisation takes out again has no gradient but rounding.
            bool isNoise = key.EndsWith(".bias", StringComparison.Ordinal)
                && int.TryParse(key.Split('.')[2], out int layer) && state.ContainsKey($"mlp.{layer + 1}.running_mean");
            double error = (found - wanted).abs().max().item<float>()
                / (isNoise ? largest : wanted.abs().max().item<float>());
            Assert.True(error <= Tolerance, $"{name}, {key}: relative error {error:g3}");
        }
    }
}
