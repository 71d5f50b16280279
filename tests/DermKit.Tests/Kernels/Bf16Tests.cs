using DermKit.Kernels;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Kernels;

public sealed unsafe class Bf16Tests
{
    [Fact]
    public void RoundsAsLibtorch()
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        float[] values = [.. (randn(1 << 14) * exp(randn(1 << 14) * 20)).data<float>(), 0, -0f, float.MaxValue, float.PositiveInfinity, float.NegativeInfinity, 1, .. Enumerable.Repeat(2f, 26)];
        using Tensor rounded = tensor(values).to(ScalarType.BFloat16);
        ushort[] expected = MemoryMarshal.Cast<byte, ushort>(rounded.bytes).ToArray();
        ushort[] rows = new ushort[values.Length], halves = new ushort[values.Length];
        uint[] pairs = new uint[values.Length / 2];
        fixed (float* from = values)
        fixed (ushort* to = rows, half = halves)
        fixed (uint* pair = pairs)
            for (int i = 0; i < values.Length; i += 32)
            {
                Vector512<float> a = Vector512.Load(from + i), b = Vector512.Load(from + i + 16);
                Bf16.Store(to + i, a, b);
                Bf16.Store(half + i, a);
                Bf16.Store(half + i + 16, b);
                Bf16.Pairs(a, b).Store(pair + i / 2);
                Assert.Equal(BitConverter.UInt32BitsToSingle((uint)expected[i] << 16), Bf16.Load(to + i)[0]);
            }
        Assert.Equal<IEnumerable<ushort>>(expected, rows);
        Assert.Equal<IEnumerable<ushort>>(expected, halves);
        Assert.Equal<IEnumerable<ushort>>(expected, Enumerable.Range(0, values.Length).Select(i => (ushort)(pairs[i / 32 * 16 + i % 16] >> (i % 32 < 16 ? 0 : 16))));
    }

    [Fact]
    public void WhatIsNoNumberStaysNone()
    {
        Processor.NeedsMicroKernel();
        ushort* to = stackalloc ushort[16];
        foreach (float none in (float[])[float.NaN, -float.NaN])
        {
            Bf16.Store(to, Vector512.Create(none));
            Assert.True(float.IsNaN(Bf16.Load(to)[5]));
        }
    }

    [Theory]
    [InlineData(5, 8, 16)]
    [InlineData(6, 6, 32)]
    [InlineData(1, 32, 64)]
    public void PairsOfRowsEndInZeros(int rows, int padded, int columns)
    {
        Processor.NeedsMicroKernel();
        int stride = columns + 16;
        ushort[] from = [.. Enumerable.Range(1, rows * stride).Select(i => (ushort)i)];
        uint[] pairs = [.. Enumerable.Repeat(0xFFFFFFFFu, padded / 2 * columns)];
        fixed (ushort* source = from) fixed (uint* to = pairs) Bf16.ToPairs(source, stride, rows, padded, columns, to);
        uint At(int row, int column) => row < rows ? from[row * stride + column] : 0u;
        for (int r = 0; r < padded; r += 2)
            for (int c = 0; c < columns; c++) Assert.Equal(At(r, c) | (At(r + 1, c) << 16), pairs[r / 2 * columns + c]);
    }

    [Fact]
    public void TransposesBlocksInPlaceOfAnother()
    {
        Processor.NeedsMicroKernel();
        const int Rows = 32, Columns = 48, Stride = 50, ToStride = 40;
        uint[] from = [.. Enumerable.Range(0, Rows * Stride).Select(i => (uint)i)], to = new uint[Columns * ToStride];
        fixed (uint* source = from, target = to) Bf16.Transpose(source, Stride, Rows, Columns, target, ToStride);
        for (int r = 0; r < Rows; r++)
            for (int c = 0; c < Columns; c++) Assert.Equal(from[r * Stride + c], to[c * ToStride + r]);
    }
}
