using DermKit.Models;
using DermKit.Studies;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class TokenMapsTests : IDisposable
{
    private readonly VisionTransformer model =
        VisionTransformer.Random(new() { Dim = 24, Depth = 3, Heads = 3, Patch = 8, ImageSize = 32, DropPath = 0.5 },
            1);

    public void Dispose() => model.Dispose();

    private static Tensor Batch(int images, int height, int width)
    {
        using var generator = new Generator(3, CPU);
        return randn([images, 3, height, width], generator: generator);
    }

    [Fact]
    public void AttentionIsTheFirstRowWithoutItsFirstColumn()
    {
        using var scope = NewDisposeScope();
        Tensor batch = Batch(2, 24, 40);
        double[][][,] maps = TokenMaps.Attention(model, batch);
        Assert.True(model.training);
        Assert.Equal([2, 3], [maps.Length, maps[0].Length]);
        model.eval();
        Tensor all = model.LastSelfAttention(batch);
        for (int b = 0; b < 2; b++)
            for (int h = 0; h < 3; h++)
            {
                Assert.Equal([3, 5], [maps[b][h].GetLength(0), maps[b][h].GetLength(1)]);
                Assert.Equal(all[b, h, 0, 1 + 2 * 5 + 3].item<float>(), maps[b][h][2, 3], 1e-6);
                Assert.Equal(1 - all[b, h, 0, 0].item<float>(), maps[b][h].Cast<double>().Sum(), 1e-5);
            }
    }

    [Fact]
    public void ColorsAreTheThreeLargestUncorrelatedDirectionsOfAllImagesTogether()
    {
        using var scope = NewDisposeScope();
        Tensor batch = Batch(3, 96, 64);
        PatchColors colors = TokenMaps.Components(model, batch);
        Assert.Equal([8, 12], [colors.Images[0].Width, colors.Images[0].Height]);
        model.eval();
        Tensor tokens = model.Tokens(batch).narrow(1, 1, 96).flatten(0, 1).to(float64);
        Tensor variance = linalg.svdvals(tokens - tokens.mean([0], keepdim: true)).square();
        for (int c = 0; c < 3; c++) Assert.Equal((variance[c] / variance.sum()).item<double>(), colors.Shares[c], 1e-9);
        double[][] channels = [.. Enumerable.Range(0, 3)
            .Select(c => colors.Images.SelectMany(p => p.Pixels.Where((_, i) => i % 3 == c))
                .Select(v => (double)v).ToArray())];
        Assert.All(channels, c => Assert.Equal([0, 255], [c.Min(), c.Max()]));
        double Covariance(int a, int b) => channels[a]
            .Zip(channels[b], (x, y) => (x - channels[a].Average()) * (y - channels[b].Average())).Average();
        foreach ((int a, int b) in new[] { (0, 1), (0, 2), (1, 2) })
            Assert.InRange(Covariance(a, b) / Math.Sqrt(Covariance(a, a) * Covariance(b, b)), -0.02, 0.02);
    }

    [Fact]
    public void LeavesNoTensorBehind()
    {
        using var scope = NewDisposeScope();
        Tensor batch = Batch(2, 32, 32);
        TokenMaps.Components(model, batch);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        TokenMaps.Attention(model, batch);
        TokenMaps.Components(model, batch);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
