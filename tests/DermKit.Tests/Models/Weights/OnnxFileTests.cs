using DermKit.Models;
using TorchSharp;
using static DermKit.Tests.Models.OnnxWriter;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>Initialisers of ONNX files as weights, and what is refused.</summary>
public sealed class OnnxFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly DisposeScope scope = NewDisposeScope();

    public void Dispose()
    {
        scope.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AResNetsGraphIsReadUnderTorchvisionsKeys(bool isBasic)
    {
        ResNetConfig config = new() { IsBasic = isBasic, Planes = [4, 4, 6, 8], Blocks = [2, 1, 2, 1] };
        using ResNet source = ResNet.Random(config, 1), target = ResNet.Random(config, 2);
        string path = folder.Write("r.onnx", Graph(source));
        using (MappedWeights file = MappedWeights.Open(path))
        {
            Assert.Equal(("ONNX", WeightFamily.ResNet), (file.Format, file.Family));
            ResNetConfig found = ResNetConfig.Of(file);
            Assert.Equal((isBasic, 4), (found.IsBasic, found.Planes[1]));
            Assert.Equal(config.Blocks, found.Blocks);
        }
        WeightLoader.LoadStrict(target, path, ResNet.NotBackbone);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(target));
    }

    [Fact]
    public void AModelOfCntkTakesWhatTheKitsTransformsGive()
    {
        ResNetConfig config = new() { IsBasic = true, Planes = [4, 4, 6, 8], Blocks = [1, 1, 1, 1] };
        using ResNet source = ResNet.Random(config, 1), target = ResNet.Random(config, 2);
        string path = folder.Write("r.onnx", [.. Text(2, "CNTK"), .. Graph(source)]);
        WeightLoader.LoadStrict(target, path, ResNet.NotBackbone);
        source.eval();
        target.eval();
        Tensor rgb = rand(2, 3, 64, 64) * 255;
        Tensor mean = OnnxFile.Colours([123.675f, 116.28f, 103.53f]), deviation = OnnxFile.Colours(OnnxFile.Deviations);
        Tensor expected = source.forward((rgb - mean).flip(1)), found = target.forward((rgb - mean) / deviation);
        Assert.True((found - expected).abs().max().item<float>() < 1e-4 * expected.abs().max().item<float>());
    }

    [Fact]
    public void OtherGraphsKeepTheirNamesAndFitNoModel()
    {
        string path = folder.Write("o.onnx", Model(Node("MatMul", "x w", "y"), Floats("w", 2, 3), Images, Features));
        using (MappedWeights file = MappedWeights.Open(path))
        {
            Assert.Equal((WeightFamily.Unknown, "w"), (file.Family, Assert.Single(file.Entries).Key));
            Assert.Equal([0f, 1, 2, 3, 4, 5], file.Load("w").data<float>().ToArray());
        }
        using ResNet model = ResNet.Unset(ResNetConfig.ResNet18, META);
        string refused = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(model, path)).Message;
        Assert.Contains("for another model than ResNet", refused);
        Assert.Contains("such as w, are of no family", refused);
    }

    [Fact]
    public void BrokenFilesAreRefused()
    {
        byte[] good = Model(Node("MatMul", "x w", "y"), Floats("w", 2, 3), Images, Features);
        string Refused(byte[] bytes) =>
            Assert.Throws<KitException>(() => WeightFile.Open(folder.Write("b.onnx", bytes)).Dispose()).Message;
        Assert.Contains("not a valid ONNX file: a field of", Refused(good[..^9]));
        Assert.Contains("'w' of shape [2, 3] has 4 bytes",
            Refused(Model(Weights("w", [2, 3], OnnxWriter.Float, Values(1f)))));
        Assert.Contains("'w' is there twice", Refused(Model(Floats("w", 1), Floats("w", 1))));
        Assert.Contains("'w' is in another file. Save the model with its weights inside",
            Refused(Model(Weights("w", [2], OnnxWriter.Float, External("w.bin")))));
        Assert.Contains("'w' of shape [1099511627776] has 4 bytes",
            Refused(Model(Weights("w", [1L << 40], OnnxWriter.Float, Values(1f)))));
        // A circle of nodes ends.
        byte[] circle = Model(Node("MaxPool", "a", "b"), Node("Relu", "a", "a"), Floats("w", 1));
        using WeightFile file = WeightFile.Open(folder.Write("c.onnx", circle));
        Assert.Equal(["w"], file.Entries.Keys);
    }

    private static byte[] Floats(string name, params long[] shape) => Weights(name, shape, OnnxWriter.Float,
        Values([.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(i => (float)i)]));

    /// <summary>A ResNet's graph with initialisers named by number.</summary>
    private static byte[] Graph(ResNet model)
    {
        Dictionary<string, Tensor> state = model.state_dict();
        var parts = new List<byte[]>();
        int names = 0;
        string Weight(string key)
        {
            Tensor value = state[key].detach();
            string name = $"P{names++}";
            parts.Add(Weights(name, value.shape, OnnxWriter.Float, Values(value.data<float>().ToArray())));
            return name;
        }
        string Make(string operation, string inputs)
        {
            string output = $"V{names++}";
            parts.Add(Node(operation, inputs, output));
            return output;
        }
        string Layer(string input, string convolution, string norm)
        {
            string map = Make("Conv", $"{input} {Weight($"{convolution}.weight")}");
            string[] keys = ["weight", "bias", "running_mean", "running_var"];
            return Make("BatchNormalization", $"{map} {string.Join(' ', keys.Select(k => Weight($"{norm}.{k}")))}");
        }
        string last = Make("MaxPool", Make("Relu", Layer("x", "conv1", "bn1")));
        for (int stage = 1; stage <= 4; stage++)
            for (int block = 0; block < model.Config.Blocks[stage - 1]; block++)
            {
                string at = $"layer{stage}.{block}.", inner = last;
                int convolutions = model.Config.IsBasic ? 2 : 3;
                for (int i = 1; i <= convolutions; i++)
                {
                    inner = Layer(inner, $"{at}conv{i}", $"{at}bn{i}");
                    if (i < convolutions) inner = Make("Relu", inner);
                }
                string shortcut = state.ContainsKey($"{at}downsample.0.weight")
                    ? Layer(last, $"{at}downsample.0", $"{at}downsample.1") : last;
                last = Make("Relu", Make("Add", $"{inner} {shortcut}"));
            }
        return Model([.. parts, Images, Features]);
    }
}
