using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Studies;
using DermKit.Tests.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

/// <summary>The example of lib/README.md that probes a backbone of one's own.</summary>
public sealed class OwnBackboneTests
{
    // <example>
    private static TaskResult Probe(KitSettings settings)
    {
        TaskSuite suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
        ProbeTask task = TaskSuite.Open(suite["synthetic-malignancy"], settings).Limit(train: 60, test: 60);
        var network = nn.Sequential(nn.Conv2d(3, 16, 16, stride: 16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten());
        using var backbone = new ModuleBackbone("my-network", network, width: 16);
        TaskResult result = BackboneProbing.Run(settings, backbone, "my-network", [task], seed: 1)[0];
        Console.WriteLine($"{result.Task}, {result.Probe}: F1 {result.Metrics["f1"]:0.00}");
        return result;
    }
    // </example>

    [Fact]
    public void AModuleIsProbedInTenLines()
    {
        using var folder = new TemporaryFolder();
        TaskResult result = Probe(DrawnOnce.In(folder));
        Assert.Equal(("my-network", "avgpool", "knn"), (result.Model, result.Features, result.Probe));
        Assert.InRange(result.Intervals["accuracy"].Value, 0, 1);
    }
}
