using DermKit.Evaluation;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class LeadingHessianTests
{
    [Fact]
    public void OfTwoClassesTheLeadingColumnsAreSolvedExactlyAndTheOthersByTheirDiagonal()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3, CPU);
        // Columns of falling size: the last ones are flatter than the penalty.
        Tensor x = cat([ones(1, 40, 1, float64),
            randn([1, 40, 6], float64, generator: generator) * tensor(new[] { 9.0, 5, 3, 2, 0.01, 0.01 })], 2);
        Tensor positive = rand([1, 40, 1], float64, generator: generator), p = cat([Kept(1) - positive, positive], 2),
            weights = rand([1, 40, 1], float64, generator: generator);
        Tensor penalty = ones(7, 1, float64), direction = randn([1, 7, 1], float64, generator: generator);
        penalty[0] = 0;
        LeadingHessian near = LeadingHessian.At(x, p, weights, penalty);
        Assert.Equal(5, near.Inverse.shape[2]);

        Tensor spread = (weights * positive * (Kept(1) - positive))[0];
        Tensor hessian = (x[0] * spread).t().mm(x[0]).Plus(penalty.flatten().diag()),
            step = near.Solve(direction)[0];
        Tensor exact = linalg.solve(hessian.narrow(0, 0, 5).narrow(1, 0, 5), direction[0].narrow(0, 0, 5));
        Assert.InRange((step.narrow(0, 0, 5) - exact).abs().max().item<double>(), 0, 1e-9);
        Tensor rest = direction[0].narrow(0, 5, 2) / hessian.diagonal().narrow(0, 5, 2).unsqueeze(1);
        Assert.InRange((step.narrow(0, 5, 2) - rest).abs().max().item<double>(), 0, 1e-12);
    }

    [Fact]
    public void StepsOfSeveralClassesMoveThemAgainstEachOtherOnly()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4, CPU);
        Tensor x = cat([ones(2, 30, 1, float64), randn([2, 30, 5], float64, generator: generator)], 2),
            p = randn([2, 30, 4], float64, generator: generator).softmax(2);
        Tensor gradient = randn([2, 6, 4], float64, generator: generator);
        gradient = gradient - gradient.mean([2L], keepdim: true);
        LeadingHessian near = LeadingHessian.At(x, p, ones(2, 30, 1, float64), ones(6, 1, float64));
        Tensor step = near.Solve(gradient);
        Assert.InRange(step.sum(2).abs().max().item<double>(), 0, 1e-12);
        // A step down the gradient in every problem, which the line search rests on.
        Assert.True(((step * gradient).sum([1L, 2L]) > Kept(0)).all().item<bool>());
    }
}
