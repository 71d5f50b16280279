using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class KeptMeanTests
{
    /// <summary>Scores of drawn features whose classes lie so far apart, with true and with permuted labels.</summary>
    internal static (KeptMean Own, KeptMean Permuted) Scores(double apart, string set = "made-up")
    {
        using var scope = NewDisposeScope();
        Tensor features = ProbeTests.Blobs(300, 10, 3, 1, apart).X;
        ProbeTask task = ProbingTests.Task("one", set: set);
        var options = new ProbingOptions { Probes = [.. Probe.All, .. Probe.All.Select(p => new PermutedLabels(p))] };
        var source = new FeatureSource("m", "cls4", "weights", "k");
        var results = TaskSuite.Seeds.SelectMany(seed => Probing.Run(features, source, task, seed, options))
            .ToLookup(r => r.Probe.EndsWith(PermutedLabels.Suffix, StringComparison.Ordinal));
        return (KeptMean.Of([.. results[false]]), KeptMean.Of([.. results[true]]));
    }

    [Fact]
    public void KeptResamplesGiveThePairedDifference()
    {
        using var scope = NewDisposeScope();
        TestRows[] Rows(double apart) => [.. TaskSuite.Seeds.SelectMany(seed => Probing.Run(
            ProbeTests.Blobs(300, 10, 3, 1, apart).X, new("m", "cls4", "weights", "k"), ProbingTests.Task("one"), seed))
            .Select(r => r.Rows with { Task = r.Probe })];
        Interval expected = PairedTest.Difference(Rows(0.6), Rows(0.4)).Difference;
        KeptMean better = Scores(0.6).Own, worse = Scores(0.4).Own;
        Interval found = better.Minus(worse)!.Difference;
        Assert.Equal(expected.Value, found.Value, 2e-4);
        Assert.Equal(expected.Low, found.Low, 2e-4);
        Assert.Equal(expected.High, found.High, 2e-4);
        Assert.Equal((better.Knn.Value + better.Linear.Value) / 2, better.Score.Value, 1e-4);
        Assert.Null(better.Minus(Scores(0.4, set: "others").Own));
    }
}
