using DermKit.Data;

namespace DermKit.Tests.Data;

public sealed class ManifestTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly KitSettings settings;

    public ManifestTests()
    {
        settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Pad(Path.Combine(settings.DataDir, "pad-ufes-20"));
        Write("full", 4, "\"NEV\": 1, \"BCC\": 2, \"MEL\": 1", "");
        Write("subset", 2, "\"BCC\": 1, \"MEL\": 1", ", \"ids\": \"ids.csv\"", "[\"PAT_2_7_11\", \"BCC\"]");
        MiniTrees.Write(folder.Path, "data/manifests/ids.csv", "image_id", "PAT_2_7_11", "PAT_3_9_13");
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void SubsetTakesOnlyItsListedImages()
    {
        Assert.Equal(["PAT_2_7_11", "PAT_3_9_13"], DataSetCatalog.Load(settings, "pad-ufes-20", "subset").Ids);
        Assert.True(DataSetCatalog.IsPresent(settings, "pad-ufes-20", "subset"));
        Assert.False(DataSetCatalog.IsPresent(settings, "pad-ufes-20", "full"));
    }

    [Fact]
    public void MissingImageIsNamed()
    {
        string message =
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20", "full")).Message;
        Assert.Contains("expected 4 images, found 3", message);
        Assert.Contains("expected 2 of 'BCC' in split 'all', found 1", message);
        Assert.Contains("Missing images: PAT_2_7_12.", message);
        File.Delete(Path.Combine(settings.DataDir, "pad-ufes-20", "images", "PAT_2_7_11.png"));
        Assert.Contains("Missing images: PAT_2_7_11.",
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20", "subset")).Message);
    }

    [Fact]
    public void AlteredLabelIsNamed()
    {
        string csv = Path.Combine(settings.DataDir, "pad-ufes-20", "metadata.csv");
        File.WriteAllText(csv, File.ReadAllText(csv).Replace(",MEL,", ",SCC,"));
        string message =
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20", "subset")).Message;
        Assert.Contains("expected 1 of 'MEL' in split 'all', found 0", message);
        Assert.Contains("expected 0 of 'SCC' in split 'all', found 1", message);
        Assert.Contains("last row PAT_3_9_13 = MEL, found PAT_3_9_13 = SCC", message);
        Assert.Contains("the labels were changed", message);
    }

    [Fact]
    public void SwappedLabelsThatLeaveTheCountsAloneAreSeenAtTheEnds()
    {
        string csv = Path.Combine(settings.DataDir, "pad-ufes-20", "metadata.csv");
        File.WriteAllText(csv,
            File.ReadAllText(csv).Replace(",BCC,", ",x,").Replace(",MEL,", ",BCC,").Replace(",x,", ",MEL,"));
        Assert.Contains("first row PAT_2_7_11 = BCC, found PAT_2_7_11 = MEL",
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20", "subset")).Message);
    }

    [Fact]
    public void AnotherOrderIsNotCalledAChangeOfLabels()
    {
        Write("subset", 2, "\"BCC\": 1, \"MEL\": 1", ", \"ids\": \"ids.csv\"", "[\"PAT_3_9_13\", \"MEL\"]");
        string message = Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20",
            "subset")).Message;
        Assert.Contains("the rows have another order or other names", message);
        Assert.DoesNotContain("labels were changed", message);
    }

    [Fact]
    public void WhereTheFileNameIsNotKnownTheLabelAloneIsCompared()
    {
        Write("subset", 2, "\"BCC\": 1, \"MEL\": 1", ", \"ids\": \"ids.csv\"", "[\"*\", \"BCC\"]");
        Assert.Equal(2, DataSetCatalog.Load(settings, "pad-ufes-20", "subset").Count);
        Write("subset", 2, "\"BCC\": 1, \"MEL\": 1", ", \"ids\": \"ids.csv\"", "[\"*\", \"MEL\"]");
        Assert.Contains("first row * = MEL, found * = BCC",
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20", "subset")).Message);
    }

    [Fact]
    public void UnknownManifestIsNamedWithThoseThatAre() =>
        Assert.Contains("no manifest 'half'; there are: full, subset",
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "pad-ufes-20", "half")).Message);

    [Fact]
    public void EveryShippedManifestAddsUp()
    {
        string dataRoot = Path.Combine(KitSettings.FromEnvironment().Root, "data");
        DataSetManifest[] all = [.. DataSetCatalog.RealSets.SelectMany(s => DataSetManifest.All(dataRoot, s))];
        Assert.Equal(Directory.GetFiles(Path.Combine(dataRoot, "manifests"), "*.json").Length, all.Length);
        Assert.All(all, m =>
        {
            Assert.Equal(m.Images, m.Counts.Values.Sum(c => c.Values.Sum()));
            // PASSION's ends were not to be had in public; everywhere else the first and the last label are
            // asserted, and are classes of the set.
            Assert.Equal(m.DataSet != "passion", m.First is not null && m.Last is not null);
            string[] classes = [.. m.Counts.Values.SelectMany(c => c.Keys).Distinct()];
            if (!classes.Contains("*"))
                Assert.All(new[] { m.First, m.Last }.OfType<string[]>(), row => Assert.Contains(row[1], classes));
            if (m.Ids is not null)
                Assert.Equal(m.Images,
                    CsvFile.Read(Path.Combine(dataRoot, "manifests", m.Ids)).Column("image_id").Distinct().Count());
        });
    }

    private void Write(string name, int images, string counts, string more,
        string first = "[\"PAT_1_7_10\", \"NEV\"]") => MiniTrees.Write(folder.Path,
            $"data/manifests/pad-ufes-20.{name}.json",
            $"{{\"version\": 1, \"dataSet\": \"pad-ufes-20\", \"name\": \"{name}\", \"note\": \"\", \"images\": "
            + $"{images}, \"counts\": {{\"all\": {{{counts}}}}}, \"first\": {first}, \"last\": [\"PAT_3_9_13\", "
            + $"\"MEL\"]{more}}}");
}
