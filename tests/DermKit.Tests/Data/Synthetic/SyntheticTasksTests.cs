using DermKit.Data;
using DermKit.Evaluation;

namespace DermKit.Tests.Data;

/// <summary>The default set as a fresh clone draws it, through the tasks that stand on it.</summary>
public sealed class SyntheticTasksTests
{
    [Fact]
    public void EveryTaskOpensOnTheDefaultSetWithAllClassesOnBothSides()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        TaskDefinition[] tasks = [.. TaskSuite.Load(Path.Combine(settings.Root, "data")).Tasks
            .Where(t => t.DataSets.ContainsKey(SyntheticDataSet.Name))];
        Assert.True(tasks.Length >= 4);
        foreach (TaskDefinition definition in tasks)
        {
            ProbeTask task = TaskSuite.Open(definition, settings);
            Split split = task.SplitFor(TaskSuite.Seeds[0]);
            Assert.Equal(2400, task.Table.Count);
            Assert.Equal(2400, split.Train.Length + split.Test.Length);
            for (int c = 0; c < task.ClassNames.Length; c++)
            {
                Assert.True(split.Train.Count(i => task.Labels[i] == c) >= 40,
                    $"{definition.Name}: {task.ClassNames[c]} in training");
                Assert.True(split.Test.Count(i => task.Labels[i] == c) >= 10,
                    $"{definition.Name}: {task.ClassNames[c]} in test");
            }
            Assert.All(definition.Groups, g => Assert.True(task.Table.Has(g), g));
        }
        Assert.NotNull(DataSetCatalog.Folder(settings, SyntheticDataSet.Name));
    }
}
