using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Tests.Data;
using static TorchSharp.torch;

namespace DermKit.Tests.Faults;

/// <summary>Sets that are too small or divided against their classes: the score says what is wrong with
/// it, and nothing stops.</summary>
public sealed class DataFaults : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private IReadOnlyList<TaskResult> Score(string split, params string[] rows)
    {
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(folder.Path, "data/tasks/mine.json", $$"""
            { "name": "mine", "version": 1, "title": "Mine", "dataSets": { "clinic": null }, "label": "label",
            "classCount": 3, "split": "{{split}}", "inPretraining": false }
            """);
        MiniTrees.Images(settings.DataDir, [.. rows.Select(r => $"clinic/{r.Split(',')[0]}")]);
        MiniTrees.Write(settings.DataDir, "clinic/labels.csv",
            [split == "frozen" ? "image,label,split" : "image,label", .. rows]);
        ProbeTask task = TaskSuite.Open(TaskSuite.Load(Path.Combine(folder.Path, "data"))["mine"], settings);
        using Tensor features = randn([rows.Length, 4], generator: new Generator(1))
            .add(tensor(Array.ConvertAll(task.Labels, l => (float)l)).unsqueeze(1));
        return Probing.Run(features, new("m", "cls4", "w", "k"), task, 1, new() { Resamples = 20 });
    }

    [Fact]
    public void AClassOfOneImageStaysInTrainingAndTheScoreSaysSo()
    {
        IReadOnlyList<TaskResult> results = Score("stratified",
            [.. Enumerable.Range(0, 30).Select(i => $"{i}.jpg,{(i == 0 ? "rare" : i % 2 == 0 ? "a" : "b")}")]);
        Assert.All(results, r => Assert.DoesNotContain(2, r.Truth));
        Assert.All(results, r => Assert.Contains("No test image of rare: AUROC is not defined.", r.Note));
        Assert.All(results, r => Assert.InRange(r.Metrics["f1"], 0, 1));
    }

    [Fact]
    public void ATestClassThatTrainingLacksCountsAsWrongAndTheScoreSaysSo()
    {
        IReadOnlyList<TaskResult> results = Score("frozen",
            [.. Enumerable.Range(0, 30)
                .Select(i => $"{i}.jpg,{(i % 10 == 9 ? "new" : i % 2 == 0 ? "a" : "b")},"
                    + $"{(i % 10 == 9 || i % 3 == 0 ? "test" : "train")}")]);
        Assert.Equal(["knn", "linear"], results.Select(r => r.Probe));
        Assert.All(results,
            r => Assert.Contains("No training image of new: its 3 test images count as wrong.", r.Note));
        Assert.All(results, r => Assert.Equal(0, r.Confusion[2][2]));
        Assert.All(results, r => Assert.True(double.IsFinite(r.Metrics["f1"])));
    }
}
