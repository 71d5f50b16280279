using DermKit.Data;
using DermKit.Evaluation;
using static TorchSharp.torch;

namespace DermKit.Tests.Data;

/// <summary>
/// A tree of the genuine shape of release_v0: 1,011 cases, 2,022 rows, 2,013 files, because nine cases name one file in
/// both columns.
/// </summary>
public sealed class Derm7ptReleaseTests(Derm7ptReleaseTests.Tree tree) : IClassFixture<Derm7ptReleaseTests.Tree>
{
    private static readonly int[] Shared = [565, 800, 824, 827, 833, 834, 839, 844, 851];

    /// <summary>The tree; its image files are empty.</summary>
    public sealed class Tree : IDisposable
    {
        private readonly TemporaryFolder folder = new();

        public Tree()
        {
            Settings = KitSettings.FromEnvironment() with
            {
                DataDir = folder.Path,
                CacheDir = Path.Combine(folder.Path, "cache")
            };
            Dictionary<string, int> counts = DataSetManifest.All(Path.Combine(Settings.Root, "data"),
                Derm7pt.Name)[0].Counts["all"];
            // The first and the last label as published, the others between.
            string[] diagnoses = [.. counts.Where(c => c.Key != "melanoma")
                .Append(counts.Single(c => c.Key == "melanoma"))
                .SelectMany(c => Enumerable.Repeat(c.Key, c.Value / 2))];
            (string Clinic, string Derm)[] files = [.. Enumerable.Range(1, diagnoses.Length)
                .Select(c => c == 1 ? ("NEL/NEL025.JPG", "NEL/Nel026.jpg")
                    : c == diagnoses.Length ? ("Adl/Adl388.jpg", "Adl/Adl389.jpg")
                        : Shared.Contains(c) ? ($"Fhl/Fhl{c:D4}.jpg", $"Fhl/Fhl{c:D4}.jpg")
                    : ($"Aal/Aal{c:D4}.jpg", $"Aal/Aal{c:D4}d.jpg"))];
            string root = Path.Combine(folder.Path, Derm7pt.Name, "release_v0");
            MiniTrees.Write(root, "meta/meta.csv", ["case_num,diagnosis,location,sex,clinic,derm",
                .. diagnoses.Select(
                    (d, i) => $"{i + 1},{d}{(d == "melanoma" && i % 2 == 0 ? " (in situ)" : "")},back,"
                        + $"female,{files[i].Clinic},{files[i].Derm}")]);
            MiniTrees.Images(root,
                [.. files.SelectMany(f => new[] { f.Clinic, f.Derm }).Distinct().Select(f => $"images/{f}")]);
            Suite = TaskSuite.Load(Path.Combine(Settings.Root, "data"));
        }

        internal KitSettings Settings { get; }

        internal TaskSuite Suite { get; }

        public void Dispose() => folder.Dispose();
    }

    [Fact]
    public void TheGenuineReleaseIsWholeWithEveryRow()
    {
        Assert.True(DataSetCatalog.IsPresent(tree.Settings, Derm7pt.Name, "full"));
        ImageTable table = DataSetCatalog.Load(tree.Settings, Derm7pt.Name, "full");
        Assert.Equal((2022, 2022, 2013), (table.Count, table.Ids.Distinct().Count(), table.Paths.Distinct().Count()));
        Assert.Equal(("NEL/NEL025.JPG", "Adl/Adl389.jpg"), (table.Ids[0], table.Ids[^1]));
        Assert.Equal(Shared.Select(c => $"Fhl/Fhl{c:D4}.jpg#{c}-derm"), table.Ids.Where(id => id.Contains('#')));
        Assert.Empty(table.Absent);
        int second = Array.IndexOf(table.Ids, "Fhl/Fhl0565.jpg#565-derm");
        Assert.Equal(["clinical", "dermoscopic"], table.Column("modality")[(second - 1)..(second + 1)]);
        Assert.Equal(table.Paths[second - 1], table.Paths[second]);
    }

    [Fact]
    public void OriginalHasEveryRowAndStrictEveryFileOnceAndSaysSo()
    {
        ProbeTask original = TaskSuite.Open(tree.Suite["derm7pt"], tree.Settings, SplitVersion.Original),
            strict = TaskSuite.Open(tree.Suite["derm7pt"], tree.Settings);
        Assert.Equal((2022, 2013), (original.Table.Count, strict.Table.Count));
        Assert.Contains("9 of 2022 rows left out, whose image another row has too: Fhl/Fhl0565.jpg#565-derm, ",
            strict.Definition.Note);
        Assert.DoesNotContain("left out", original.Definition.Note);
        Assert.Equal(2013, strict.Table.Paths.Distinct().Count());
        foreach (int seed in TaskSuite.Seeds)
        {
            Assert.Equal(2022, original.SplitFor(seed).Train.Length + original.SplitFor(seed).Test.Length);
            Splits.CheckLeaks(strict.Table, strict.SplitFor(seed), "derm7pt");
        }
        // Some seed of the original puts one file on both sides: its leak is allowed, and named where it is asked for.
        Assert.Contains(TaskSuite.Seeds,
            seed => original.SplitFor(seed) is var split
                && split.Train.Select(i => original.Table.Paths[i])
                    .Intersect(split.Test.Select(i => original.Table.Paths[i])).Any());
        // Features belong to files, scores to rows.
        string[] paths = [.. original.Table.Paths.Distinct()];
        using Tensor features = randn([paths.Length, 4], generator: new Generator(1));
        TaskResult result = Probing.Run(features, new("m", "cls4", "w", "k"), original, 1,
            new() { Probes = ["knn"], Resamples = 10 },
            rowOf: [.. original.Table.Paths.Select(p => Array.IndexOf(paths, p))])[0];
        Assert.Equal(original.SplitFor(1).Test.Length, result.Predicted.Length);
    }

    [Fact]
    public void ACleaningListOfFilesOrOfRowsLeavesTheSame()
    {
        string list = Path.Combine(tree.Settings.DataDir, Derm7pt.Name, "derm7pt_cleaned_file_list.csv");
        string[] ids = [.. DataSetCatalog.Load(tree.Settings, Derm7pt.Name).Ids.Select(id => id.Split('#')[0])
            .Where(id => id != "NEL/NEL025.JPG")];
        try
        {
            foreach (string[] names in new[] { ids, [.. ids.Distinct()] })
            {
                File.WriteAllLines(list, names.Prepend("file_name"));
                ProbeTask task = TaskSuite.Open(tree.Suite["derm7pt"], tree.Settings);
                Assert.Equal(2012, task.Table.Count);
                Assert.Contains("1 of 2013 images left out by derm7pt_cleaned_file_list.csv", task.Definition.Note);
            }
        }
        finally
        {
            File.Delete(list);
        }
    }

    [Fact]
    public void RowsOfOneFileThatDifferInTheLabelAreNamed()
    {
        var table = new ImageTable("mine", ("image", ["/a", "/b", "/a"]), ("image_id", ["1", "2", "3"]),
            ("diagnosis", ["x", "y", "y"]), ("site", ["back", "arm", "back"]));
        Assert.Equal(["1", "2"], table.Once("site").Ids);
        Assert.Contains("/a is the image of '1' with diagnosis 'x' and of '3' with 'y'",
            Assert.Throws<KitException>(() => table.Once("diagnosis")).Message);
        ImageTable single = table.Rows([0, 1]);
        Assert.Same(single, single.Once("diagnosis"));
    }

    [Fact]
    public void AFileThatIsMissingIsNamedAndNoLabelIsBlamed()
    {
        string file = Path.Combine(tree.Settings.DataDir, Derm7pt.Name, "release_v0", "images", "Fhl", "Fhl0800.jpg");
        File.Delete(file);
        try
        {
            Assert.False(DataSetCatalog.IsPresent(tree.Settings, Derm7pt.Name, "full"));
            string message =
                Assert.Throws<KitException>(() => DataSetCatalog.Load(tree.Settings, Derm7pt.Name)).Message;
            Assert.Contains("expected 2022 images, found 2020", message);
            Assert.Contains("Missing images: Fhl/Fhl0800.jpg, Fhl/Fhl0800.jpg#800-derm.", message);
            Assert.DoesNotContain("labels were changed", message);
        }
        finally
        {
            File.WriteAllText(file, "");
        }
    }
}
