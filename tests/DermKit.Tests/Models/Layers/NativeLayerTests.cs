using DermKit.Cli;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>
/// Every shape of layer in the kit's networks beside float64, forward and backward, so that a processor on which
/// libtorch computes wrong numbers, or dies, is found here.
/// </summary>
public sealed class NativeLayerTests
{
    private static readonly ScalarType[] Types = [ScalarType.Float32, ScalarType.BFloat16];

    /// <summary>Name of a network, dimension, hidden width, heads, tokens of an image and inputs of a patch.</summary>
    private static readonly (string Name, int Dim, int Heads, int Tokens, int Patch)[] Transformers =
    [
        ("ViT-T", 192, 3, 197, 16), ("ViT-S", 384, 6, 197, 16), ("ViT-B", 768, 12, 197, 16),
        ("ViT-L", 1024, 16, 197, 16),
        ("CLIP image tower", 1024, 16, 257, 14), ("CLIP text tower", 768, 12, 77, 0),
    ];

    public static TheoryData<string, ScalarType> Networks()
    {
        var data = new TheoryData<string, ScalarType>();
        foreach (ScalarType type in Types)
        {
            foreach ((string name, _, _, _, _) in Transformers) data.Add(name, type);
            data.Add("ResNet-18", type);
            data.Add("ResNet-50", type);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void EveryLayerIsWithinRoundingOfFloat64(string network, ScalarType type)
    {
        NativeCheck[] checks = [.. network.StartsWith("ResNet", StringComparison.Ordinal)
            ? OfResNet(network == "ResNet-50", type) : OfTransformer(network, type)];
        Assert.NotEmpty(checks);
        foreach (NativeCheck check in checks)
        {
            double error = check.Error();
            Assert.True(error <= check.Bound,
                $"{check.Name}: error {error:g3} of the largest value, at most {check.Bound:g3} expected.");
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void ConvolutionsOfFewChannelsAreWithinRoundingOfFloat64(ScalarType type)
    {
        // Counts that do not fill a vector register reach paths of their own; so do sides of a few pixels.
        foreach (long channels in (long[])[1, 2, 3, 4, 5, 8, 12, 16, 20, 24, 33, 48, 64])
            foreach (long side in (long[])[1, 2, 3, 5, 10, 14, 28])
                foreach ((long kernel, long stride) in ((long, long)[])[(3, 1), (3, 2), (7, 2)])
                    foreach (bool innermost in (bool[])[false, true])
                    {
                        NativeCheck check = NativeCheck.Convolution(
                            6, channels, channels, kernel, stride, side, innermost, type);
                        double error = check.Error();
                        Assert.True(error <= check.Bound, $"{check.Name}: error {error:g3} of the largest value.");
                    }
    }

    [Fact]
    public void TheDoctorsOperationsAreRightHere() =>
        Assert.All(NativeCheck.Small, check => Assert.InRange(check.Error(), 0, check.Bound));

    [Fact]
    public void AttentionInBFloat16OnACpuIsWrittenOut()
    {
        using var scope = NewDisposeScope();
        Assert.True(DotProduct.IsExplicit(zeros(1, ScalarType.BFloat16)));
        Assert.False(DotProduct.IsExplicit(zeros(1)));
    }

    [Fact]
    public void OneFileHandsKernelsToConv2dAndNoneNamesASymbolOfLibtorch()
    {
        string library = Path.Combine(KitSettings.FromEnvironment().Root, "lib");
        char separator = Path.DirectorySeparatorChar;
        string[] sources = [.. Directory.GetFiles(library, "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{separator}obj{separator}") && !f.Contains($"{separator}bin{separator}"))];
        string[] Naming(string text) => [.. sources
            .Where(f => File.ReadAllText(f).Contains(text, StringComparison.Ordinal))
            .Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
        // NativeCheck tries for the doctor what modules of others do.
        Assert.Equal(["Convolution.cs", "NativeCheck.cs"], Naming("conv2d("));
        Assert.Empty(Naming("libtorch_cpu"));
        Assert.Empty(Naming("NativeLibrary.GetExport"));
    }

    [Fact]
    public void AWrongResultIsFound()
    {
        using var scope = NewDisposeScope();
        // The same comparison on a layer whose weights lie: one output of a product is twice what it should be.
        NativeCheck wrong = NativeCheck.Of("wrong", ScalarType.Float32, [[3, 4], [5, 4]],
            (t, _) => Dense.Linear(t[0], t[1], null) * tensor(new float[] { 1, 1, 2, 1, 1 }),
            t => matmul(t[0], t[1].t()));
        Assert.True(wrong.Error() > 0.1);
        NativeCheck broken = NativeCheck.Of("broken", ScalarType.Float32, [[3, 4]],
            (t, _) => t[0] / zeros(4), t => t[0]);
        Assert.Equal(double.PositiveInfinity, broken.Error());
    }

    private static IEnumerable<NativeCheck> OfTransformer(string network, ScalarType type)
    {
        (_, int dim, int heads, int tokens, int patch) = Transformers.Single(t => t.Name == network);
        if (patch > 0) yield return NativeCheck.Linear(tokens - 1, 3 * patch * patch, dim, type);
        if (network.StartsWith("CLIP", StringComparison.Ordinal))
        {
            yield return NativeCheck.Linear(tokens, dim, dim, type);
            yield return NativeCheck.Linear(1, dim, 768, type);
        }
        else
        {
            yield return NativeCheck.Linear(tokens, dim, 3 * dim, type);
            // The last block, in which only the CLS token asks.
            yield return NativeCheck.Linear(1, dim, dim, type);
            yield return NativeCheck.Linear(tokens, dim, 2 * dim, type);
            // The head of DINO and iBOT.
            yield return NativeCheck.Linear(10, dim, 2048, type);
        }
        yield return NativeCheck.Linear(tokens, dim, dim, type);
        yield return NativeCheck.Linear(tokens, dim, 4 * dim, type);
        yield return NativeCheck.Linear(tokens, 4 * dim, dim, type);
        yield return NativeCheck.Attention(1, heads, tokens, dim / heads, type);
        yield return NativeCheck.Attention(2, heads, 37, dim / heads, type);
    }

    /// <summary>Layers at 224 x 224 pixels: (inputs, outputs, kernel, stride, side).</summary>
    private static IEnumerable<NativeCheck> OfResNet(bool isBottleneck, ScalarType type)
    {
        var shapes =
            new HashSet<(long Inputs, long Outputs, long Kernel, long Stride, long Side)> { (3, 64, 7, 2, 224) };
        long inputs = 64, side = 56;
        foreach ((long planes, int stage) in new long[] { 64, 128, 256, 512 }.Select((p, i) => (p, i)))
        {
            for (int block = 0; block < 2; block++)
            {
                long stride = stage > 0 && block == 0 ? 2 : 1;
                long outputs = isBottleneck ? 4 * planes : planes;
                if (isBottleneck)
                {
                    shapes.Add((inputs, planes, 1, 1, side));
                    shapes.Add((planes, planes, 3, stride, side));
                    shapes.Add((planes, outputs, 1, 1, side / stride));
                }
                else
                {
                    shapes.Add((inputs, planes, 3, stride, side));
                    shapes.Add((planes, planes, 3, 1, side / stride));
                }
                if (inputs != outputs || stride > 1) shapes.Add((inputs, outputs, 1, stride, side));
                inputs = outputs;
                side /= stride;
            }
        }
        foreach ((long from, long to, long kernel, long stride, long size) in shapes)
            foreach (bool innermost in (bool[])[false, true])
                yield return NativeCheck.Convolution(1, from, to, kernel, stride, size, innermost, type);
    }
}
