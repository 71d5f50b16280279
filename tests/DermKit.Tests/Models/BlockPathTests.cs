using DermKit.Kernels;
using DermKit.Models;
using DermKit.Tests.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>The fused branches against the same in float64; the measure of an error is that of libtorch's own operations in bfloat16.</summary>
public sealed class BlockPathTests
{
    public static TheoryData<int, int, int, int> Shapes => new() { { 2, 197, 192, 3 }, { 9, 37, 192, 3 }, { 3, 16, 128, 8 }, { 2, 33, 64, 2 }, { 5, 1, 64, 1 }, { 1, 5, 192, 4 }, { 1, 300, 64, 1 }, { 40, 20, 384, 6 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void AttentionAndItsGradients(int pictures, int tokens, int dim, int heads)
    {
        Processor.NeedsMicroKernel();
        foreach (bool clsOnly in (bool[])[false, true]) Compare(pictures, tokens, clsOnly ? 1 : tokens, dim, 3 * dim, dim, (x, scales, w) => BlockPath.Attention(x, scales, heads, 1e-6, w, clsOnly), (h, w) =>
        {
            Tensor[] parts = nn.functional.linear(h, w[2], w[3]).reshape(pictures, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0);
            Tensor shares = (matmul(parts[0], parts[1].transpose(-2, -1)) / Math.Sqrt(dim / heads)).softmax(-1);
            return nn.functional.linear(matmul(shares, parts[2]).transpose(1, 2).reshape(pictures, tokens, dim), w[4], w[5]).narrow(1, 0, clsOnly ? 1 : tokens);
        });
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void PerceptronAndItsGradients(int pictures, int tokens, int dim, int heads)
    {
        Processor.NeedsMicroKernel();
        int hidden = heads * 128;
        Compare(pictures, tokens, tokens, dim, hidden, hidden, (x, scales, w) => BlockPath.Mlp(x, scales, 1e-6, w), (h, w) => nn.functional.linear(nn.functional.gelu(nn.functional.linear(h, w[2], w[3])), w[4], w[5]));
    }

    [Fact]
    public void ABlockThatCannotBeFusedIsComputedAllTheSame()
    {
        using var scope = NewDisposeScope();
        Tensor x = randn(2, 5, 64);
        Assert.False(BlockPath.Takes(x, null, 1, 256, true));
        Assert.False(BlockPath.Takes(x, ScalarType.BFloat16, 1, 256, false));
        Assert.False(BlockPath.Takes(x, ScalarType.BFloat16, 1, 200, true));
        Assert.False(BlockPath.Takes(randn(2, 5, 96), ScalarType.BFloat16, 1, 256, true));
        Assert.False(BlockPath.Takes(randn(2, 5, 128), ScalarType.BFloat16, 1, 256, true));
        Assert.False(BlockPath.Takes(x.to(ScalarType.Float64), ScalarType.BFloat16, 1, 256, true));
        Assert.False(BlockPath.Takes(empty(2, 5, 64, device: META), ScalarType.BFloat16, 1, 256, true));
        Assert.False(BlockPath.Takes(empty(1, 1, 64).expand(1 << 12, 1 << 10, 64), ScalarType.BFloat16, 1, 256, true));
        using var model = VisionTransformer.Random(new VitConfig { Dim = 48, Depth = 2, Heads = 3 }, 1);
        Dense.ComputeIn(model, ScalarType.BFloat16);
        Assert.Equal([1, 48], model.forward(randn(1, 3, 32, 32)).shape);
    }

    [Fact]
    public void OnePictureThatIsNoNumberLeavesTheOthersAsTheyAre()
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor[] weights = Weights(64, 192, 64);
        Tensor x = randn(6, 33, 64), broken = x.clone();
        broken.select(0, 2).fill_(float.NaN);
        Tensor whole = BlockPath.Attention(x, null, 1, 1e-6, weights, false), part = BlockPath.Attention(broken, null, 1, 1e-6, weights, false);
        Assert.True(part.select(0, 2).isnan().all().item<bool>());
        foreach (int i in (int[])[0, 1, 3, 4, 5]) Assert.True(part.select(0, i).Equals(whole.select(0, i)));
    }

    [Fact]
    public void TheSameBitsEachTimeAndNothingIsLeft()
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        Tensor[] weights = [.. Weights(64, 256, 256).Select(w => w.requires_grad_())];
        Tensor x = randn(23, 37, 64).requires_grad_();
        Tensor[] Once()
        {
            foreach (Tensor t in (Tensor[])[x, .. weights]) t.grad = null;
            using (NewDisposeScope()) BlockPath.Mlp(x, null, 1e-6, weights).sum().backward();
            return [.. ((Tensor[])[x, .. weights]).Select(t => t.grad!.clone())];
        }
        Tensor[] first = Once();
        long live = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        for (int i = 0; i < 5; i++)
        {
            using var inner = NewDisposeScope();
            Assert.All(first.Zip(Once()), p => Assert.True(p.First.Equals(p.Second)));
        }
        Assert.Equal(live, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void AGraphMayBeKeptForASecondBackwardPass()
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        Tensor[] weights = [.. Weights(64, 192, 64).Select(w => w.requires_grad_())];
        Tensor x = randn(3, 33, 64).requires_grad_(), y = BlockPath.Attention(x, null, 1, 1e-6, weights, clsOnly: true).sum();
        y.backward(retain_graph: true);
        Tensor[] once = [.. weights.Prepend(x).Select(t => t.grad!.clone())];
        y.backward();
        Assert.All(weights.Prepend(x).Zip(once), p => Assert.True(p.First.grad!.Equals(p.Second * 2)));
    }

    [Fact]
    public void AGraphThatIsDroppedGivesItsMemoryBack()
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        Tensor[] weights = Weights(64, 256, 256);
        Tensor x = randn(64, 197, 64).requires_grad_();
        const int Times = 200;
        long Bytes()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            return GC.GetTotalMemory(forceFullCollection: true);
        }
        long before = Bytes();
        for (int i = 0; i < Times; i++)
        {
            using var inner = NewDisposeScope();
            BlockPath.Mlp(x, null, 1e-6, weights);
            if (i % 20 == 19) Bytes();
        }
        // Each of them kept 16 MB.
        Assert.InRange(Bytes() - before, long.MinValue, Times * 16L << 17);
    }

    [Fact]
    public void TheKernelInUseIsReported() => Assert.NotEmpty(BlockPath.Reason);

    private static Tensor[] Weights(int dim, int inner, int outer) => [rand(dim) + 0.5, randn(dim) * 0.1, randn(inner, dim) / Math.Sqrt(dim), randn(inner) * 0.1, randn(dim, outer) / Math.Sqrt(outer), randn(dim) * 0.1];

    private static void Compare(int pictures, int tokens, int asked, int dim, int inner, int outer, Func<Tensor, Tensor?, Tensor[], Tensor> fused, Func<Tensor, Tensor[], Tensor> branch)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor[] all = [randn(pictures, tokens, dim), .. Weights(dim, inner, outer)];
        Tensor weight = randn(pictures, asked, dim), scales = rand(pictures, 1, 1).gt(0.3).to(ScalarType.Float32) * 1.4;
        Tensor Plain(Tensor[] t, ScalarType type)
        {
            Tensor normed = nn.functional.layer_norm(t[0], [dim], t[1], t[2], 1e-6).to(type);
            return t[0].narrow(1, 0, asked) + scales.to(t[0].dtype) * branch(normed, [.. t.Skip(1).Select(w => w.to(type))]);
        }
        Tensor[] Run(Func<Tensor[], Tensor> f, ScalarType type)
        {
            Tensor[] leaves = [.. all.Select(t => t.to(type).clone().requires_grad_())];
            Tensor y = f(leaves);
            (y * weight.to(type)).sum().backward();
            return [y, .. leaves.Select(t => t.grad!)];
        }
        Tensor[] exact = Run(t => Plain(t, ScalarType.Float64), ScalarType.Float64), plain = Run(t => Plain(t, ScalarType.BFloat16), ScalarType.Float32), found = Run(t => fused(t[0], scales, t[1..]), ScalarType.Float32);
        for (int i = 0; i < exact.Length; i++)
        {
            Assert.Equal(exact[i].shape, found[i].shape);
            double size = exact[i].norm().item<double>() + 1e-9, own = (found[i] - exact[i]).norm().item<double>() / size, theirs = (plain[i] - exact[i]).norm().item<double>() / size;
            Assert.True(own < Math.Max(1.5 * theirs, 2e-3), $"result {i}: {own} of its norm off, libtorch's operations {theirs}");
        }
        using (no_grad()) Assert.True(fused(all[0], scales, all[1..]).Equals(found[0]));
    }
}
