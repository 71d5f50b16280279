using DermKit.Data;
using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

public sealed class WithinTrainingTests
{
    [Theory]
    [InlineData("patient_id")]
    [InlineData(null)]
    public void ThePartsAreThoseOfRedraw(string? unit)
    {
        ProbeTask task = ProbingTests.Task("one", split: SplitKind.Frozen);
        if (unit is null)
        {
            var table = new ImageTable("made-up", ("image", task.Table.Paths), ("image_id", task.Table.Ids));
            task = new(task.Definition with { Unit = null }, table, task.Labels, task.ClassNames,
                [.. Enumerable.Range(0, task.Labels.Length).Select(i => i % 30 < 3)]);
        }
        ProbeTask within = task.WithinTraining();
        foreach (int seed in TaskSuite.Seeds)
        {
            (int[] train, int[] test) = within.SplitFor(seed);
            (int[] redrawnTrain, int[] redrawnTest) = task.Redraw(seed);
            Assert.Equal(redrawnTrain.Select(r => task.Table.Ids[r]), train.Select(r => within.Table.Ids[r]));
            Assert.Equal(redrawnTest.Select(r => task.Table.Ids[r]), test.Select(r => within.Table.Ids[r]));
            Assert.DoesNotContain(redrawnTrain.Concat(redrawnTest), r => task.IsFrozen(r));
        }
    }
}
