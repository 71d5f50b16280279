using DermKit.Pretraining;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;
using Adam = DermKit.Pretraining.Adam;
using Parameter = TorchSharp.Modules.Parameter;

namespace DermKit.Tests.Pretraining;

public sealed class OptimizerTests
{
    [Fact]
    public void AdamIsTorchsWithDecayInTheGradient()
    {
        using var scope = NewDisposeScope();
        Tensor start = rand(4, 3) - Kept(0.5);
        var ours = new Parameter(start.clone());
        var theirs = new Parameter(start.clone());
        using var adam = new Adam([("a.weight", ours)]);
        using var torchs = optim.Adam([theirs], lr: 0.01, weight_decay: 0.3);
        for (int step = 0; step < 5; step++)
        {
            Tensor gradient = rand(4, 3) - Kept(0.5);
            ours.grad = gradient.clone();
            theirs.grad = gradient.clone();
            adam.Step(0.01, 0.3);
            torchs.step();
        }
        Assert.True(ours.allclose(theirs, rtol: 1e-5, atol: 1e-6));
    }

    [Fact]
    public void WhatHasNoGradientOrNoDecayStays()
    {
        using var scope = NewDisposeScope();
        foreach (ScalarType type in new[] { float32, float64 })
            foreach (Func<(string, Parameter)[], Optimizer> make in new Func<(string, Parameter)[], Optimizer>[]
            {
            p => new Adam(p), p => new Lars(p), p => new Lars(p, trust: 0)
            })
            {
                Parameter idle = new(ones([2, 2], type)), bias = new(ones(2, type)) { grad = zeros(2, type) };
                using Optimizer optimiser = make([("a.weight", idle), ("a.bias", bias)]);
                optimiser.Step(0.1, 0.5);
                Assert.True(idle.eq(Kept(1)).all().item<bool>() && bias.eq(Kept(1)).all().item<bool>());
                Assert.Equal(["a.weight", "a.bias"], optimiser.Names);
            }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void AStepOfLarsIsAsLongAsTheTrustSaysWhateverTheGradient(ScalarType type)
    {
        using var scope = NewDisposeScope();
        foreach (float size in new[] { 1e-3f, 1, 1e3f })
        {
            var weights = new Parameter(ones([4, 4], type)) { grad = ones([4, 4], type) * Kept(size) };
            using var lars = new Lars([("a.weight", weights)], trust: 0.01);
            lars.Step(1, 1e-9);
            Assert.Equal(0.99, weights[0, 0].to(float64).item<double>(), 1e-5);
        }
        // Weights of zero have no length to compare with: the gradient alone decides.
        var nothing = new Parameter(zeros([2, 2], type)) { grad = ones([2, 2], type) };
        using var first = new Lars([("a.weight", nothing)]);
        first.Step(0.1, 0.5);
        Assert.Equal(-0.1, nothing[0, 0].to(float64).item<double>(), 1e-6);
    }
}
