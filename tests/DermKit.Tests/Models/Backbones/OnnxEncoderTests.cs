using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Tests.Imaging;
using TorchSharp;
using static DermKit.Tests.Models.OnnxWriter;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>Encoders that ONNX Runtime computes, from files that the tests write.</summary>
public sealed class OnnxEncoderTests : IDisposable
{
    private static readonly EvalTransform Paper = new();
    private readonly TemporaryFolder folder = new();
    private readonly DisposeScope scope = NewDisposeScope();

    public void Dispose()
    {
        scope.Dispose();
        folder.Dispose();
    }

    private OnnxEncoder Open(byte[] file, OnnxInput input = OnnxInput.ImageNet, int side = 224) =>
        Open(folder.Write("e.onnx", file), input, side);

    private static OnnxEncoder Open(string path, OnnxInput input = OnnxInput.ImageNet, int side = 224,
        Device? device = null) =>
        new(path, side, input, device);

    /// <summary>Patches of 16 pixels, convolved, rectified and averaged.</summary>
    private static byte[] Patches(Tensor weight, Tensor bias, object batch, bool isFlat) => Model(
        Node("Conv", "x w b", "c", Integers("strides", 16, 16)), Node("Relu", "c", "r"),
        Node("GlobalAveragePool", "r", isFlat ? "p" : "y"), isFlat ? Node("Flatten", "p", "y") : [],
        Weights("w", weight.shape, Float, Values(weight.data<float>().ToArray())),
        Weights("b", bias.shape, Float, Values(bias.data<float>().ToArray())), Input("x", batch, 3, 224, 224),
        isFlat ? Features : Output("y", batch, "D", 1, 1));

    [Theory]
    [InlineData("N", true)]
    [InlineData("N", false)]
    [InlineData(1, true)]
    [InlineData(1, false)]
    public void FeaturesEqualTorchsToTheBitEachTime(object batch, bool isFlat)
    {
        random.manual_seed(1);
        Tensor weight = randn(20, 3, 16, 16) / 16, bias = randn(20), x = randn(3, 3, 224, 224);
        byte[] file = Patches(weight, bias, batch, isFlat);
        using OnnxEncoder encoder = Open(file), again = Open(file);
        Assert.Equal((20, 20, 20 * 3 * 256 + 20),
            (encoder.Dim, encoder.Width(FeatureVariant.AvgPool), encoder.ParameterCount));
        Tensor expected = nn.functional.conv2d(x, weight, bias, [16, 16]).relu().mean([2, 3]);
        Tensor found = encoder.Features(x, FeatureVariant.AvgPool);
        Assert.Equal(float32, found.dtype);
        Assert.Equal([3, 20], found.shape);
        Assert.True((found - expected).abs().max().item<float>() < 1e-5);
        Assert.True(encoder.forward(x).equal(found).all().item<bool>());
        Assert.True(again.forward(x).equal(found).all().item<bool>());
        Assert.Contains("'Cls4'",
            Assert.Throws<KitException>(() => encoder.Features(x, FeatureVariant.Cls4)).Message);
        Assert.Contains("[3, 3, 96, 96]",
            Assert.Throws<ArgumentException>(() => encoder.forward(zeros(3, 3, 96, 96))).Message);
    }

    [Theory]
    [InlineData("imagenet")]
    [InlineData("0-1")]
    [InlineData("0-255")]
    [InlineData("caffe")]
    public void TheInputIsWhatTheModelFileDeclares(string declared)
    {
        Tensor pixels = randint(0, 256, [2, 3, 224, 224], uint8);
        Tensor bytes = pixels.to(float32).mean([2, 3]), normalised = Paper.Normalise(pixels);
        using OnnxEncoder encoder = Open(Model(Pooled, Images, Features),
            System.Text.Json.JsonSerializer.Deserialize<OnnxInput>($"\"{declared}\""));
        Tensor expected = declared switch
        {
            "imagenet" => normalised.mean([2, 3]),
            "0-1" => bytes / 255,
            "0-255" => bytes,
            _ => (bytes - tensor(new[] { 123.675f, 116.28f, 103.53f })).flip(1),
        };
        Assert.True(encoder.forward(normalised).allclose(expected, rtol: 1e-4, atol: 1e-3));
        Assert.True(Paper.Normalise(pixels).equal(normalised).all().item<bool>());
    }

    [Fact]
    public void AFreeHeightIsTakenWhereTheTransformsSizeRuns()
    {
        byte[] free = Input("x", "N", 3, "H", "W");
        using (OnnxEncoder encoder = Open(Model(Pooled, free, Features), side: 96))
            Assert.Equal([1, 3], encoder.forward(zeros(1, 3, 96, 96)).shape);
        byte[] only96 = Model(Node("Add", "x w", "s"), Node("GlobalAveragePool", "s", "p"), Node("Flatten", "p", "y"),
            Weights("w", [1, 1, 96, 96], Float, Values(new float[96 * 96])), free, Features);
        using (Open(only96, side: 96)) { }
        Assert.Contains("does not compute images [2, 3, 224, 224]", Refused(only96));
    }

    [Fact]
    public void WhatIsNoImageEncoderIsRefusedInOneSentence()
    {
        byte[] two = Model(Node("Add", "x z", "s"), Node("GlobalAveragePool", "s", "p"), Node("Flatten", "p", "y"),
            Images, Input("z", "N", 3, 224, 224), Features);
        Assert.Contains("found 2 in, 1 out: x Float [-1, 3, 224, 224], z Float [-1, 3, 224, 224]", Refused(two));
        Assert.Contains("one float input [B, 3, 224, 224] (the transform's crop), B -1 (free) or 1, and one float "
            + "output [B, D] or [B, D, 1, 1]; found 1 in, 1 out: x Float [1, 224, 224, 3], y Float",
            Refused(Model(Node("GlobalAveragePool", "x", "y"), Input("x", 1, 224, 224, 3), Features)));
        Assert.Contains("found 1 in, 1 out: x Float [4, 3, 224, 224]",
            Refused(Model(Pooled, Input("x", 4, 3, 224, 224), Output("y", 4, 3))));
        string side = Refused(Model(Pooled, Input("x", "N", 3, 256, 256), Features));
        Assert.Contains("[B, 3, 224, 224] (the transform's crop)", side);
        Assert.Contains("found 1 in, 1 out: x Float [-1, 3, 256, 256]", side);
        Assert.Contains("1 out: x Float [-1, 3, 224, 224], y Int64 [-1, 1, 224, 224]",
            Refused(Model(Node("ArgMax", "x", "y", Integer("axis", 1)), Images,
                Value(12, "y", Long, "N", 1, 224, 224))));
        Assert.Contains("1 in, 2 out: x Float [-1, 3, 224, 224], y Float",
            Refused(Model(Pooled, Images, Features, Output("p", "N", 3, 1, 1))));
        Assert.Contains("for 2 images [2, 3, 224, 224]. Export it so",
            Refused(Model(Node("Relu", "x", "y"), Images, Output("y", "N", 3, 224, 224))));
        // A free batch that the graph mixes.
        Assert.Contains(", for 2 images [1, 6]. Export it so.", Refused(Model(
            Node("GlobalAveragePool", "x", "p"), Node("Reshape", "p s", "y"),
            Weights("s", [2], Long, Values(1L, -1L)), Images, Features)));
    }

    [Fact]
    public void BrokenAndHostileFilesAreRefusedWithoutTheirMemory()
    {
        byte[] good = Model(Pooled, Images, Features);
        long before = GC.GetAllocatedBytesForCurrentThread();
        byte[] mean = Node("ReduceMean", "w", "m", Integer("keepdims", 0));
        byte[] sum = [.. mean, .. Node("Add", "x m", "s"), .. Node("GlobalAveragePool", "s", "p"),
            .. Node("Flatten", "p", "y")];
        Assert.Contains("a broken or truncated one", Refused(good[..^20]));
        Assert.Contains("a broken or truncated one", Refused([.. Number(1, 8), 7 << 3 | 2, 0xff, 0xff, 0xff, 0x7f]));
        Assert.Contains("a broken or truncated one",
            Refused([7 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]));
        Assert.Contains("does not open it", Refused([]));
        byte[] deep = [];
        for (int i = 0; i < 1000; i++) deep = Inside(1, Inside(5, Inside(6, deep)));
        Assert.Contains("does not open it", Refused(Model(deep)));
        Assert.Contains("does not open it",
            Refused(Model(sum, Weights("w", [1L << 40], Float, Values(1f)), Images, Features)));
        Assert.Contains("does not open it",
            Refused(Model(sum, Weights("w", [1L << 28], Float, Values(1f)), Images, Features)));
        Assert.Contains("does not compute", Refused(Model(Node("ConstantOfShape", "n", "w"), sum,
            Weights("n", [1], Long, Values(1L << 45)), Images, Features)));
        var draws = new Random(1);
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = i % 2 == 0 ? new byte[draws.Next(1, 400)] : [.. good];
            draws.NextBytes(i % 2 == 0 ? bytes : bytes.AsSpan(draws.Next(good.Length - 8), 8));
            try
            {
                Open(bytes).Dispose();
            }
            catch (KitException)
            {
                // Changed names may leave a good file.
            }
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1L << 30);
    }

    [Fact]
    public void WeightsOfAnotherFormatAreRefused()
    {
        string path = Path.Combine(folder.Path, "w.safetensors");
        SafeTensors.Save(path, new Dictionary<string, Tensor> { ["cls_token"] = zeros(1, 1, 192) });
        Assert.Contains("or weights of another format: ", Refused(File.ReadAllBytes(path)));
        path = TorchZip.Save(Path.Combine(folder.Path, "w.pth"),
            new Dictionary<string, Tensor> { ["cls_token"] = zeros(1, 1, 192) });
        Assert.Contains("or weights of another format: ", Refused(File.ReadAllBytes(path)));
    }

    [Fact]
    public void ExternalDataAreReadHashedAndMissed()
    {
        byte[] file = Model(Node("Add", "x w", "s"), Node("GlobalAveragePool", "s", "p"), Node("Flatten", "p", "y"),
            Weights("w", [1, 3, 1, 1], Float, External("w.bin")), Images, Features);
        Assert.Contains($"its external data '{folder.Path}/w.bin' in its folder, found none there", Refused(file));
        Assert.Contains($"its external data '{folder.Path}/../w.bin' in its folder", Refused(Model(Pooled,
            Weights("w", [1, 3, 1, 1], Float, External("../w.bin")), Images, Features)));
        string[] hashes = [.. new[] { 1f, 2f }.Select(value =>
        {
            folder.Write("w.bin", System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>([value, 3, 4]).ToArray());
            using OnnxEncoder encoder = Open(file);
            Assert.Equal([value, 3, 4], encoder.forward(zeros(1, 3, 224, 224)).data<float>().ToArray());
            Assert.Equal((3, encoder.FileHash), (encoder.ParameterCount, WeightLoader.Hash(encoder)));
            return encoder.FileHash;
        })];
        Assert.NotEqual(hashes[0], hashes[1]);
        folder.Write("w.bin", [1, 2, 3]);
        Assert.Contains("does not open it", Refused(file));
    }

    [Fact]
    public void TrainingIsRefused()
    {
        using OnnxEncoder encoder = Open(Model(Pooled, Images, Features));
        encoder.eval();
        Assert.Contains("neither trained nor fine-tuned", Assert.Throws<KitException>(() => encoder.train()).Message);
    }

    [Fact]
    public void CudaWithoutItsBuildIsRefusedByName()
    {
        Assert.SkipWhen(cuda.is_available(), "A GPU is here.");
        string path = folder.Write("e.onnx", Model(Pooled, Images, Features));
        Assert.Contains("does not open it on cuda (see GPU in environment/README.md)",
            Assert.Throws<KitException>(() => Open(path, device: new Device(DeviceType.CUDA, 0))).Message);
    }

    [Theory]
    [InlineData("drawn")]
    [InlineData("isic2017")]
    public void AResNet18HasTheFeaturesThatTorchComputesFromItsWeights(string set)
    {
        KitSettings settings = KitSettings.FromEnvironment();
        string real = Path.Combine(settings.DataDir, set);
        Assert.SkipUnless(set == "drawn" || Directory.Exists(real),
            $"no {real}: set KIT_DATA_DIR to the folder that holds it");
        RgbImage[] images = set == "drawn" ? [.. Enumerable.Range(0, 3).Select(i => TestImages.Draw(300, 240, i))]
            : [.. Directory.EnumerateFiles(real, "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                .Take(16).Select(path => ImageCodec.Decode(path))];
        ModelDefinition declared = ModelRegistry.Load(Path.Combine(settings.Root, "data"))["resnet18-imagenet"];
        using var torchs = (ResNet)declared.Create(0);
        using var encoder = new OnnxEncoder(declared.WeightsPath, 224, OnnxInput.Caffe);
        Assert.Equal((torchs.Dim, 15_908_800), (encoder.Dim, encoder.ParameterCount));
        using var noGrad = no_grad();
        Tensor x = Paper.Normalise(stack(images.Select(image =>
            tensor(Paper.Apply(image).Pixels, [224, 224, 3]).permute(2, 0, 1)))), mean = torchs.MeanImage!.Value.Values;
        // The package's graph takes what its other graph gives: values less the mean image.
        Assert.Equal([1, 3, 224, 224], mean.shape);
        Tensor found = encoder.forward(x - mean), expected = torchs.forward(x);
        Assert.True((found - expected).abs().max().item<float>() < 1e-4 * expected.abs().max().item<float>());
        // The file's batch is 1.
        Assert.True(encoder.forward((x - mean)[2..3]).equal(found[2..3]).all().item<bool>());
    }

    private string Refused(byte[] file)
    {
        string message = Assert.Throws<KitException>(() => Open(file).Dispose()).Message;
        Assert.StartsWith(Path.Combine(folder.Path, "e.onnx"), message);
        return message;
    }
}

/// <summary>Memory is of the whole process, so no other test runs beside this one.</summary>
[Collection("Memory")]
public sealed class OnnxMemoryTests
{
    [Fact]
    public void DisposingFreesTensorsAndTheSession()
    {
        const int Count = 4_000_000;
        using var folder = new TemporaryFolder();
        string path = folder.Write("e.onnx", Model(
            Node("Gather", "w i", "g"), Node("Add", "x g", "s"), Node("GlobalAveragePool", "s", "p"),
            Node("Flatten", "p", "y"), Weights("w", [Count], Float, Values(new float[Count])),
            Weights("i", [], Long, Values(5L)), Images, Features));
        using Tensor x = zeros(1, 3, 224, 224);
        void Use()
        {
            using var encoder = new OnnxEncoder(path, 224, OnnxInput.ImageNet);
            encoder.eval();
            using Tensor y = encoder.forward(x);
        }
        static long Memory()
        {
            GC.Collect();
            return Environment.WorkingSet;
        }
        Use();
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount, memory = Memory();
        for (int i = 0; i < 60; i++) Use();
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.InRange(Memory() - memory, long.MinValue, 30L * sizeof(float) * Count);
    }
}
