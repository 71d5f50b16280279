using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Tests.Data;

namespace DermKit.Tests.Evaluation;

public sealed class TaskSuiteTests
{
    private static readonly KitSettings Settings = KitSettings.FromEnvironment();
    private static readonly TaskSuite Suite = TaskSuite.Load(Path.Combine(Settings.Root, "data"));

    public static TheoryData<string> Names => [.. Suite.Tasks.Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryTaskHasItsCardAndSaysWhatToGet(string name)
    {
        TaskDefinition task = Suite[name];
        Assert.StartsWith($"# {task.Title}\n",
            File.ReadAllText(Path.Combine(KitSettings.FromEnvironment().Root, "data", "tasks", $"{task.Name}.md")),
            StringComparison.Ordinal);
        Assert.True(task.Stamp == "SYNTHETIC" || task.WhatToGet.Contains("Get ", StringComparison.Ordinal),
            "whatToGet");
    }

    [Fact]
    public void EverySourceThatATaskNeedsIsDescribed()
    {
        IReadOnlyDictionary<string, DataSource> sources = DataSource.All(Path.Combine(Settings.Root, "data"));
        string[] sets = [.. sources.Where(s => !s.Value.Weights).Select(s => s.Key).Order()];
        Assert.Equal(Suite.Tasks.SelectMany(t => t.DataSets.Keys).Where(s => s != "synthetic").Distinct().Order(),
            sets);
        Assert.Equal(DataSetCatalog.RealSets.Order(), sets);
        Assert.All(sources.Values,
            s => Assert.All([s.Title, s.Address, s.Licence, s.Citation, s.Steps], text => Assert.NotEqual("", text)));
        Assert.Equal(DermKit.Models.ClipTokenizer.Sha256, sources["clip"].Files[0].Sha256);
    }

    [Fact]
    public void ThePaperSetsThatAreNotHereSaySo()
    {
        using var folder = new TemporaryFolder();
        KitSettings empty = MiniTrees.Settings(folder.Path) with { Root = Settings.Root };
        Assert.All(
            Suite.Tasks.Where(t =>
                t.Paper is not null && DataSetCatalog.Folder(empty, t.DataSets.Keys.First()) is null),
            t => Assert.StartsWith("data not here: ", TaskSuite.Missing(t, empty), StringComparison.Ordinal));
        KitSettings settings = RealData.Need("pad-ufes-20");
        Assert.Null(TaskSuite.Missing(Suite["pad-diagnosis"], settings));
        Assert.StartsWith("data not here: pad-ufes-20 (full). All 2,298",
            TaskSuite.Missing(Suite["pad_ufes_20"], settings), StringComparison.Ordinal);
    }

    [Fact]
    public void TheTwelveOfThePaperAndTheKitsOwnAreThere()
    {
        Assert.Equal(Enumerable.Range(1, 12), Suite.Tasks.Select(t => t.Paper).OfType<int>().Order());
        Assert.Subset(Suite.Tasks.Select(t => t.Name).ToHashSet(), new HashSet<string>
        {
            "isic2017-diagnosis", "isic2017-melanoma", "pad-diagnosis", "pad-malignant", "pad-skin-type",
            "modality-shortcut",
            "synthetic-diagnosis", "synthetic-malignancy", "synthetic-skin-type", "synthetic-rare-class",
        });
        Assert.Equal(["modality-shortcut"], Suite.Tasks.Where(t => !t.InMeans).Select(t => t.Name));
    }

    [Theory]
    [InlineData("isic2017-diagnosis", 2750, 600)]
    [InlineData("isic2017-melanoma", 2750, 600)]
    [InlineData("pad-diagnosis", 774, 173)]
    [InlineData("pad-malignant", 774, 173)]
    [InlineData("pad-skin-type", 466, 102)]
    [InlineData("modality-shortcut", 3524, 773)]
    [InlineData("ham10000-diagnosis", 7496, 1512)]
    public void RealTasksOpenWithTheSizesOfTheirCards(string name, int images, int test)
    {
        TaskDefinition definition = Suite[name];
        KitSettings settings = RealData.Need([.. definition.DataSets.Keys]);
        ProbeTask task = TaskSuite.Open(definition, settings);
        Assert.Equal((images, test, definition.ClassCount),
            (task.Table.Count, task.SplitFor(1).Test.Length, task.Labels.Distinct().Count()));
        Assert.Equal(images, task.Labels.Length);
        Assert.Equal(Enumerable.Range(0, definition.ClassCount),
            task.SplitFor(1).Test.Select(i => task.Labels[i]).Distinct().Order());
        bool[] frozen = FrozenTest.Mask(settings, task.Table);
        foreach (int seed in TaskSuite.Seeds)
        {
            Split split = task.SplitFor(seed), redrawn = task.Redraw(seed);
            Assert.DoesNotContain(split.Train.Concat(redrawn.Train).Concat(redrawn.Test), i => frozen[i]);
            Assert.Equal(split.Train, redrawn.Train.Concat(redrawn.Test).Order());
            Assert.Equal(Enumerable.Range(0, images), split.Train.Concat(split.Test).Order());
        }
        Assert.NotEqual(task.Redraw(1).Test, task.Redraw(9).Test);
    }
}
