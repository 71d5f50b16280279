using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>ResNet-50 and -18 beside its definition written out in float64, convolutions as matrix
/// products over windows.</summary>
public sealed class ResNetReferenceTests
{
    [Theory]
    [InlineData(50, "fp32", false, 1, 224)]
    [InlineData(50, "fp32", false, 2, 96)]
    [InlineData(50, "fp32", false, 32, 32)]
    [InlineData(50, "fp32", true, 2, 96)]
    [InlineData(50, "fp32", true, 32, 32)]
    [InlineData(50, "bf16", false, 1, 96)]
    [InlineData(50, "bf16", false, 16, 32)]
    [InlineData(50, "bf16", true, 16, 32)]
    [InlineData(18, "fp32", false, 1, 224)]
    [InlineData(18, "fp32", true, 2, 96)]
    [InlineData(18, "bf16", true, 16, 32)]
    public void FeaturesAndGradientsAreThoseOfFloat64(
        int depth, string precision, bool isTraining, long batch, long side)
    {
        using var scope = NewDisposeScope();
        using ResNet model = ResNet.Random(depth == 50 ? ResNetConfig.ResNet50 : ResNetConfig.ResNet18, 1);
        // Other statistics than the initial ones, or evaluation mode would let values grow from block to block.
        using (no_grad())
            foreach ((string key, Tensor value) in model.state_dict())
                if (key.EndsWith(depth == 50 ? "bn3.weight" : "bn2.weight", StringComparison.Ordinal))
                    value.fill_(Kept(0.3));
        using var generator = new Generator(2, CPU);
        Tensor images = randn([batch, 3, side, side], generator: generator);
        Dictionary<string, Tensor> weights = model.state_dict()
            .ToDictionary(p => p.Key, p => p.Value.to(float64).detach());
        string[] trained = [.. model.named_parameters().Select(p => p.name)];
        if (isTraining)
            foreach (string name in trained) weights[name].requires_grad_();
        Tensor pull = randn([batch, model.Dim], generator: generator);

        Dense.ComputeIn(model, precision == "bf16" ? ScalarType.BFloat16 : null);
        model.train(isTraining);
        using IDisposable? noGradients = isTraining ? null : no_grad();
        Tensor found = model.forward(images), expected = Forward(images.to(float64), weights, isTraining);
        double bound = precision == "bf16" ? 0.12 : 1e-4;
        Near(found, expected, bound, "features");
        if (!isTraining) return;
        (found * pull).sum().backward();
        (expected * pull.to(float64)).sum().backward();
        // A rounding that takes a value over the edge of a ReLU changes a whole gradient, and fifty layers pass it on.
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in model.named_parameters())
            Near(parameter.grad!, weights[name].grad!, precision == "bf16" ? 0.8 : 0.03, name);
    }

    private static void Near(Tensor found, Tensor expected, double bound, string what)
    {
        using var noGrad = no_grad();
        double error = ((found.to(float64) - expected).norm() / expected.norm()).ToDouble();
        Assert.True(error <= bound, $"{what}: distance {error:g3} of the norm, at most {bound:g3} expected.");
    }

    private static Tensor Forward(Tensor x, Dictionary<string, Tensor> weights, bool isTraining)
    {
        Tensor Convolve(Tensor input, string name, long stride)
        {
            Tensor weight = weights[name + ".weight"];
            return Convolution.Explicit(input, weight, stride, weight.shape[2] / 2);
        }
        Tensor Normalise(Tensor input, string name)
        {
            Tensor Wide(string key) => weights[$"{name}.{key}"].view(1, -1, 1, 1);
            Tensor mean = isTraining ? input.mean([0, 2, 3], keepdim: true) : Wide("running_mean");
            Tensor centred = input - mean;
            Tensor variance = isTraining ? (centred * centred).mean([0, 2, 3], keepdim: true) : Wide("running_var");
            return centred / (variance + Kept(1e-5)).sqrt() * Wide("weight") + Wide("bias");
        }
        Tensor map = Normalise(Convolve(x, "conv1", 2), "bn1").relu();
        map = Convolution.Windows(map, 3, 2, 1, double.NegativeInfinity).amax([4, 5]);
        bool isBasic = !weights.ContainsKey("layer1.0.conv3.weight");
        int[] blocks = isBasic ? [2, 2, 2, 2] : [3, 4, 6, 3];
        for (int stage = 1; stage <= 4; stage++)
        {
            for (int block = 0; block < blocks[stage - 1]; block++)
            {
                string at = $"layer{stage}.{block}";
                long stride = stage > 1 && block == 0 ? 2 : 1;
                Tensor inner = Normalise(Convolve(map, at + ".conv1", isBasic ? stride : 1), at + ".bn1").relu();
                inner = Normalise(Convolve(inner, at + ".conv2", isBasic ? 1 : stride), at + ".bn2");
                if (!isBasic) inner = Normalise(Convolve(inner.relu(), at + ".conv3", 1), at + ".bn3");
                Tensor shortcut = weights.ContainsKey(at + ".downsample.0.weight")
                    ? Normalise(Convolve(map, at + ".downsample.0", stride), at + ".downsample.1") : map;
                map = (inner + shortcut).relu();
            }
        }
        return map.mean([2, 3]);
    }
}
