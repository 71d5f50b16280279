using DermKit.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Kernels;

public sealed unsafe class MicroKernelTests
{
    [Theory]
    [InlineData(16, 64, 192)]
    [InlineData(5, 32, 64)]
    [InlineData(208, 16, 2)]
    public void ProductsEqualLibtorchs(int m, int n, int k)
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor a = randn(m, k).to(ScalarType.BFloat16), b = randn(k, n).to(ScalarType.BFloat16), packed = b.reshape(k / 2, 2, n).transpose(1, 2).contiguous(), c = ones(m, n);
        fixed (byte* left = a.bytes, right = packed.bytes, to = c.bytes)
        {
            (nint x, nint y, nint z) = ((nint)left, (nint)right, (nint)to);
            MicroKernel.Run(1, _ => MicroKernel.Multiply(m, n, k, (ushort*)x, k, (uint*)y, (float*)z, n, add: true));
        }
        Assert.True(c.allclose(matmul(a.to(ScalarType.Float64), b.to(ScalarType.Float64)).to(ScalarType.Float32) + 1, 1e-5, 1e-4));
    }

    [Fact]
    public void EveryWorkerRunsOnceAndItsFailureIsTheCallers()
    {
        Processor.NeedsMicroKernel();
        int[] runs = new int[7];
        MicroKernel.Run(runs.Length, worker => Interlocked.Increment(ref runs[worker]));
        Assert.All(runs, r => Assert.Equal(1, r));
        Assert.Equal("of a worker", Assert.Throws<InvalidOperationException>(() => MicroKernel.Run(2, worker => throw new InvalidOperationException("of a worker"))).Message);
    }

    [Fact]
    public void MemoryComesInWholeCacheLines()
    {
        nint[] at = [];
        using (Workspace.Of(arena => at = [(nint)arena.Take<byte>(1), (nint)arena.Take<float>(17), (nint)arena.Take<ushort>(3)]))
            Assert.Equal([0L, 64, 192], at.Select(a => (long)(a - at[0])));
        Assert.Throws<OverflowException>(() => Workspace.Of(arena => arena.Take<byte>(1L << 31)));
    }
}
