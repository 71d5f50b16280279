using DermKit.Evaluation;
using DermKit.Tests.Data;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Evaluation;

/// <summary>The example of lib/README.md that probes an ONNX encoder.</summary>
public sealed class OwnEncoderTests
{
    // <example>
    private static IReadOnlyList<TaskResult> Probe(KitSettings settings, string path)
    {
        string data = Path.Combine(settings.Root, "data");
        SuitePlan plan = SuitePlan.For(RunMode.Quick) with
        {
            Tasks = ["synthetic-malignancy"],
            Models = [path],
            Baseline = path,
            Seeds = [1],
            MostTrain = 60,
            MostTest = 60,
        };
        var tasks = SuiteRun.Open(settings, TaskSuite.Load(data), plan);
        return SuiteRun.Run(settings, tasks, SuiteRun.Choose(ModelRegistry.Load(data), plan), plan).Results;
    }
    // </example>

    [Fact]
    public void AFileIsProbedByItsPath()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("my-encoder.onnx", OnnxModelTests.Scaled(1, 2, 3));
        TaskResult[] results = [.. Probe(DrawnOnce.In(folder), path)];
        Assert.Equal(["knn", "linear"], results.Select(r => r.Probe).Order());
        Assert.All(results, r => Assert.Equal(("my-encoder", "avgpool"), (r.Model, r.Features)));
    }

    [Fact]
    public void TheModelFileOfThePageIsValid()
    {
        string page = File.ReadAllText(Path.Combine(KitSettings.FromEnvironment().Root, "lib", "README.md"));
        string json = Regex.Match(page, "```json\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        using var folder = new TemporaryFolder();
        string models = Directory.CreateDirectory(Path.Combine(folder.Path, "models")).FullName;
        File.WriteAllText(Path.Combine(models, "my-encoder.json"), json);
        ModelDefinition model = Assert.Single(ModelRegistry.Load(folder.Path).Models);
        Assert.Equal(("my-encoder", "onnx", false), (model.Name, model.Family, model.IsPresent));
    }
}
