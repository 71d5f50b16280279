using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

/// <summary>The example of lib/README.md that adds a metric.</summary>
public sealed class OwnMetricTests
{
    // <example>
    /// <summary>Cohen's kappa with quadratic weights: a prediction two grades off costs four times one grade.</summary>
    private static readonly Metric QuadraticKappa = new("kappa_quadratic", rows =>
    {
        double observed = 0, expected = 0;
        double[] truths = rows.Counts.Truths, calls = rows.Counts.Calls;
        for (int i = 0; i < rows.Truth.Length; i++)
        {
            int weight = rows.Weights.Length == 0 ? 1 : rows.Weights[i];
            observed += weight * Math.Pow(rows.Truth[i] - rows.Predicted[i], 2);
        }
        for (int t = 0; t < rows.Classes; t++)
            for (int p = 0; p < rows.Classes; p++)
                expected += truths[t] * calls[p] / rows.Counts.Rows * Math.Pow(t - p, 2);
        return expected == 0 ? double.NaN : 1 - observed / expected;
    })
    { HasInterval = true };

    private static readonly ProbingOptions Options = new() { Metrics = [.. Metric.All, QuadraticKappa] };
    // </example>

    [Fact]
    public void AnOwnMetricStandsInResultsWithItsInterval()
    {
        using var scope = NewDisposeScope();
        ProbeTask task = ProbingTests.Task("one");
        FeatureSource source = new("m", "cls4", "weights", "k");
        Tensor features = ProbeTests.Blobs(task.Labels.Length, 10, 3, 1, 0.6).X;
        TaskResult plain = Probing.Run(features, source, task, 1, Options with { Metrics = Metric.All })[1];
        TaskResult result = Probing.Run(features, source, task, 1, Options)[1];
        double kappa = result.Metrics["kappa_quadratic"];
        Assert.InRange(kappa, 0.1, 0.999);
        Assert.Equal(kappa, result.Intervals["kappa_quadratic"].Value);
        Assert.InRange(kappa, result.Intervals["kappa_quadratic"].Low, result.Intervals["kappa_quadratic"].High);
        Assert.NotEqual(plain.Key, result.Key);
        Assert.Equal(plain.Intervals["f1"], result.Intervals["f1"]);
    }
}
