using DermKit.Evaluation;
using DermKit.Tests.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

/// <summary>The example of lib/README.md that adds a probe.</summary>
public sealed class OwnProbeTests
{
    // <example>
    /// <summary>Assigns each image to the class with the nearest mean feature.</summary>
    private sealed record NearestCentroid(double Temperature = 1) : Probe("nearest-centroid")
    {
        public override ProbeOutcome Run(Tensor train, int[] labels, Tensor test, int classes, int seed = 1)
        {
            using var scope = NewDisposeScope();
            Tensor index = tensor(Array.ConvertAll(labels, l => (long)l), device: train.device);
            Tensor member = nn.functional.one_hot(index, classes).to(train.dtype);
            Tensor counts = member.sum([0L]).clamp_min(1).unsqueeze(1);
            Tensor logits = -cdist(test, member.t().mm(train) / counts) / Temperature;
            float[] flat = logits.softmax(1).to(float32).cpu().data<float>().ToArray();
            var probabilities = new double[test.shape[0], classes];
            for (int i = 0; i < flat.Length; i++) probabilities[i / classes, i % classes] = flat[i];
            return new ProbeOutcome(probabilities);
        }
    }

    private static SuiteRun Run(KitSettings settings)
    {
        string data = Path.Combine(settings.Root, "data");
        SuitePlan plan = SuitePlan.For(RunMode.Quick) with
        {
            Tasks = ["synthetic-malignancy"],
            Models = ["vit-tiny-random"],
            Seeds = [1],
            MostTrain = 60,
            MostTest = 60,
            Probing = new() { Probes = ["knn", new NearestCentroid(Temperature: 0.1)], Resamples = 100 },
        };
        var tasks = SuiteRun.Open(settings, TaskSuite.Load(data), plan);
        return SuiteRun.Run(settings, tasks, SuiteRun.Choose(ModelRegistry.Load(data), plan), plan);
    }
    // </example>

    [Fact]
    public void AnOwnProbeRunsThroughTheSuite()
    {
        using var folder = new TemporaryFolder();
        SuiteRun run = Run(DrawnOnce.In(folder));
        Assert.Equal(["knn", "nearest-centroid"], run.Results.Select(r => r.Probe));
        TaskResult own = run.Results[1];
        Assert.InRange(own.Metrics["accuracy"], 0.4, 1);
        Assert.True(own.Intervals.ContainsKey("auroc"));
    }

    [Fact]
    public void OptionsAndVersionOfAProbeArePartOfTheKeyAndLabelEfficiencyRunsIt()
    {
        using var scope = NewDisposeScope();
        (Tensor x, int[] y) = ProbeTests.Blobs(120, 8, 3, 11);
        var probe = new NearestCentroid();
        Assert.NotEqual(Settings(probe), Settings(probe with { Temperature = 2 }));
        LabelDraw[] draws = [.. LabelDraws.Draw(y, 3, [3, 10], 1, 0)];
        IReadOnlyList<DrawOutcome> outcomes = probe.RunDraws(x, y, x, 3, draws);
        Assert.Equal(2, outcomes.Count);
        Assert.True(ClassCounts.Of(y, outcomes[1].Predicted, 3).Accuracy > 0.9);
    }

    [Fact]
    public void TheKeysOfStoredResultsStay()
    {
        Assert.Equal("""{"Ks":[1,5,10,20,30,50,100,200],"ValidationShare":0.15,"Vote":0,"Temperature":0.07}""",
            Settings(new KnnProbe()));
        Assert.Equal("""{"C":1,"Balanced":false,"Standardise":false,"Tolerance":1E-06,"MaxIterations":10000}""",
            Settings(new LinearProbe()));
    }

    private static string Settings(object probe) => System.Text.Json.JsonSerializer.Serialize(probe);
}
