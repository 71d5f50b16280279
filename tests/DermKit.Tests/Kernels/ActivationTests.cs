using DermKit.Kernels;
using System.Runtime.Intrinsics;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Kernels;

public sealed unsafe class ActivationTests
{
    [Fact]
    public void GeluAndItsSlopeAreNearTheExactOnes()
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        Tensor x = linspace(-9, 9, 1 << 14).requires_grad_(), wide = x.to(ScalarType.Float64);
        nn.functional.gelu(wide).sum().backward();
        Tensor share = special.ndtr(wide), smaller = minimum(share, 1 - share);
        float[] values = [.. x.data<float>()], gelu = new float[values.Length], slopes = new float[values.Length];
        fixed (float* from = values, to = gelu, slope = slopes)
            for (int i = 0; i < values.Length; i += 16)
            {
                Activation.Gelu(Vector512.Load(from + i), out Vector512<float> s).Store(to + i);
                s.Store(slope + i);
            }
        double Worst(Tensor error) => error.abs().max().item<double>();
        Assert.InRange(Worst((tensor(gelu).to(ScalarType.Float64) - nn.functional.gelu(wide)) / (wide.abs() * (2e-4 * smaller + 1e-7) + 1e-9)), 0, 1);
        Assert.InRange(Worst(tensor(slopes).to(ScalarType.Float64) - x.grad!.to(ScalarType.Float64)), 0, 1e-4);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(-50f)]
    [InlineData(-1e15f)]
    [InlineData(60f)]
    [InlineData(1e15f)]
    public void GeluHasNoOverflow(float x)
    {
        Processor.NeedsMicroKernel();
        float value = Activation.Gelu(Vector512.Create(x), out Vector512<float> slope)[3];
        Assert.Equal(x > 0 ? x : 0, value, 1e-20f * Math.Abs(x) + 1e-20f);
        Assert.Equal(x > 0 ? 1 : x < 0 ? 0 : 0.5f, slope[3], 1e-5f);
    }

    [Fact]
    public void WhatIsNoNumberStaysNone()
    {
        Processor.NeedsMicroKernel();
        Assert.True(float.IsNaN(Activation.Exp2(Vector512.Create(float.NaN))[0]));
        Assert.True(float.IsNaN(Activation.Gelu(Vector512.Create(float.NaN), out Vector512<float> slope)[0]));
        Assert.True(float.IsNaN(slope[0]));
        float[] scores = [.. Enumerable.Repeat(1f, 32)];
        scores[4] = float.NaN;
        Assert.All(Softmax(scores, 1, 20, 32, 1).Take(20), s => Assert.True(float.IsNaN(s)));
    }

    [Theory]
    [InlineData(3, 197, 224, 0.125f)]
    [InlineData(2, 32, 32, 1f)]
    [InlineData(1, 1, 32, 0.5f)]
    [InlineData(2, 33, 64, 30f)]
    public void SoftmaxEndsInZeros(int rows, int columns, int stride, float scale)
    {
        Processor.NeedsMicroKernel();
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor scores = randn(rows, stride) * 4;
        float[] found = Softmax([.. scores.data<float>()], rows, columns, stride, scale);
        Tensor expected = (scores.narrow(1, 0, columns) * scale).softmax(-1), given = tensor(found).view(rows, stride);
        Assert.True(given.narrow(1, 0, columns).allclose(expected, 4e-3, 1e-7));
        Assert.Equal(0, given.narrow(1, columns, stride - columns).abs().sum().item<float>());
    }

    private static float[] Softmax(float[] scores, int rows, int columns, int stride, float scale)
    {
        ushort[] to = new ushort[rows * stride];
        fixed (float* from = scores) fixed (ushort* target = to) Activation.Softmax(from, rows, columns, stride, scale, target);
        return [.. to.Select(x => BitConverter.UInt32BitsToSingle((uint)x << 16))];
    }
}
