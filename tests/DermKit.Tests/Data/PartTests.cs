using DermKit.Data;
using DermKit.Evaluation;
using static TorchSharp.torch;

namespace DermKit.Tests.Data;

/// <summary>
/// Parts of published sets: what is here and what is missing in a line, and scores that are no scores of the whole.
/// </summary>
public sealed class PartTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly KitSettings settings;
    private readonly TaskSuite suite;

    public PartTests()
    {
        settings = KitSettings.FromEnvironment() with
        {
            DataDir = folder.Path,
            CacheDir = Path.Combine(folder.Path, "cache")
        };
        suite = TaskSuite.Load(Path.Combine(settings.Root, "data"));
    }

    public void Dispose() => folder.Dispose();

    private string Problem(string set) => Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, set)).Message;

    private void DdiTree(int images, string benign = "False")
    {
        // 171 of 656 malignant, the first and the last among them.
        string Row(int i) =>
            FormattableString.Invariant(
                $"{i},{i + 1},{i + 1:D6}.png,{i % 3 * 22 + 12},{(i < 170 || i == 655 ? "True" : benign)},x");
        MiniTrees.Write(folder.Path, "ddi/ddi_metadata.csv",
            [",DDI_ID,DDI_file,skin_tone,malignant,disease", .. Enumerable.Range(0, 656).Select(Row)]);
        MiniTrees.Images(folder.Path,
            [.. Enumerable.Range(0, images).Select(i => FormattableString.Invariant($"ddi/images/{i + 1:D6}.png"))]);
    }

    private static void IsShort(string message)
    {
        Assert.DoesNotContain("labels were changed", message);
        Assert.DoesNotContain('\n', message);
        Assert.InRange(message.Length, 1, 600);
        Assert.InRange(message.Split(", ").Length, 1, 14);
    }

    [Fact]
    public void DdiInPartSaysHowMuchIsHereAndIsUsedAsAPart()
    {
        DdiTree(267);
        string message = Problem(Ddi.Name);
        Assert.StartsWith("ddi is not the data of manifest 'full': expected 656 images, found 267; expected 485 of "
            + "'benign' in split 'all', found 97", message, StringComparison.Ordinal);
        Assert.Contains("Missing images: 000268, 000269, 000270, 000271, 000272 and 384 more.", message);
        Assert.Contains("as a part: manifest 'part'", message);
        IsShort(message);
        Assert.EndsWith("Of it 267 of 656 image files are here: task ddi-malignant-part takes them.",
            TaskSuite.Missing(suite["ddi-malignant"], settings), StringComparison.Ordinal);

        ImageTable table = DataSetCatalog.Load(settings, Ddi.Name, DataSetManifest.Part);
        Assert.Equal((267,
            "PART of ddi: 267 of 656 images, 2 of 2 classes; missing: 000268, 000269, 000270, 000271, 000272 and "
            + "384 more."), (table.Count, table.Part));
        ProbeTask task = TaskSuite.Open(suite["ddi-malignant-part"], settings);
        Assert.Equal((Stamps.Part, false, null),
            (task.Definition.Stamp, task.Definition.InMeans, task.Definition.Paper));
        Assert.Contains(table.Part, task.Definition.Note);
        Assert.True(task.Definition.IsPartOf(suite["ddi-malignant"]));
        using Tensor features = randn([267, 4], generator: new Generator(1));
        TaskResult result = Probing.Run(features, new("m", "cls4", "w", "k"), task, 1,
            new() { Probes = ["knn"], Resamples = 10 })[0];
        Assert.Equal(("ddi-malignant-part", Stamps.Part, false), (result.Task, result.BothStamps, result.InMeans));
        Assert.Empty(Comparison.Means([result]));
        Assert.Null(Comparison.MeanRanks([result], "knn"));
        Assert.Equal(Stamps.Part,
            SuiteRun.Open(settings, suite, new() { Tasks = ["ddi-malignant-part"] })[0].Definition.Stamp);
    }

    [Fact]
    public void ATaskFileMayAskForThePart()
    {
        DdiTree(20);
        ProbeTask task =
            TaskSuite.Open(suite["ddi-malignant"] with
            {
                Name = "mine",
                DataSets = new() { [Ddi.Name] = "part" },
                Classes = new() { ["malignant"] = ["malignant"], ["benign"] = ["benign"] }
            }, settings);
        Assert.Equal((20, Stamps.Part, false), (task.Table.Count, task.Definition.Stamp, task.Definition.InMeans));
    }

    [Fact]
    public void WhatIsNotOfTheSetIsNoPartOfIt()
    {
        DdiTree(656, benign: "True");
        Assert.Contains("the labels were changed", Problem(Ddi.Name));
        string message = Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, Ddi.Name, "part")).Message;
        Assert.Contains("expected at most 171 of 'malignant' in split 'all', found 656", message);
        Directory.Delete(Path.Combine(folder.Path, "ddi", "images"), recursive: true);
        Assert.False(DataSetCatalog.IsPresent(settings, Ddi.Name, "part"));
        Assert.Contains("here without an image",
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, Ddi.Name, "part")).Message);
    }

    [Fact]
    public void Sd198With27ClassesIsAPart()
    {
        string[] classes = [.. DataSetManifest.All(Path.Combine(settings.Root, "data"), Sd128.Name)
            .Single(m => m.Name == "cleaned").Counts.Values.First().Keys.Order(StringComparer.Ordinal)
            .Skip(40).Take(27)];
        MiniTrees.Images(folder.Path,
            [.. classes.SelectMany(c => Enumerable.Range(0, 20).Select(i => $"sd-128/images/{c}/{i}.jpg"))]);
        Assert.NotNull(DataSetCatalog.Folder(settings, Sd128.Name));
        string message = Problem(Sd128.Name);
        IsShort(message);
        Assert.Contains("images are missing", message);
        Assert.Contains("Of it 540 of 5619 image files are here", TaskSuite.Missing(suite["sd_128"], settings));
        Assert.Equal("PART of sd-128: 540 of 5619 images, 27 classes.",
            DataSetCatalog.Load(settings, Sd128.Name, "part").Part);
        ProbeTask task = TaskSuite.Open(suite["sd_128-part"], settings);
        Assert.Equal((27, Stamps.Part), (task.ClassNames.Length, task.Definition.Stamp));
        Assert.Contains("27 of 128 classes.", task.Definition.Note);
    }

    [Fact]
    public void Fitzpatrick17kWithoutImagesNamesNoLabel()
    {
        string[] classes = [.. DataSetManifest.All(Path.Combine(settings.Root, "data"), Fitzpatrick17k.Name)[0]
            .Counts["all"].SelectMany(c => Enumerable.Repeat(c.Key, c.Value))];
        MiniTrees.Write(folder.Path, "fitzpatrick17k/fitzpatrick17k.csv",
            ["md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,"
                + "url_alphanum",
                .. classes.Select((c, i) =>
                    FormattableString.Invariant($"{i:x32},3,3,{CsvFile.Line(c)},inflammatory,non-neoplastic,,,"))]);
        string message = Problem(Fitzpatrick17k.Name);
        Assert.Contains("found 0", message);
        Assert.Contains(" and 114 more", message);
        IsShort(message);
        Assert.StartsWith("data not here: fitzpatrick17k", TaskSuite.Missing(suite["fitzpatrick17k-low"], settings),
            StringComparison.Ordinal);
        Assert.DoesNotContain("-part", TaskSuite.Missing(suite["fitzpatrick17k-low"], settings));
    }

    [Fact]
    public void WithoutAListTheLackingClassesAreNamed()
    {
        MiniTrees.Images(folder.Path,
            [.. Enumerable.Range(0, 12).Select(i => $"med-node/melanoma/{i}.jpg"), "med-node/naevus/Thumbs.db"]);
        IsShort(Problem(MedNode.Name));
        Assert.Equal("PART of med-node: 12 of 170 images, 1 of 2 classes; no image of naevus.",
            DataSetCatalog.Load(settings, MedNode.Name, "part").Part);
    }
}
