using System.Globalization;
using DermKit.Data;

namespace DermKit.Tests.Data;

public sealed class FrozenTestTests
{
    private static readonly string DataRoot = Path.Combine(KitSettings.FromEnvironment().Root, "data");

    [Theory]
    [InlineData("isic2017-test.csv", "image_id", 600)]
    [InlineData("pad-ufes-20-test-patients.csv", "patient_id", 308)]
    public void TheListsAreShipped(string list, string column, int count) =>
        Assert.Equal(count, CsvFile.Read(Path.Combine(DataRoot, "splits", list)).Column(column).Distinct().Count());

    [Fact]
    public void OnlyASetWithFrozenImagesIsReadForThemAndTheErrorSaysWhy()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(settings.DataDir, "ddi/ddi_metadata.csv", "other");
        Assert.Empty(FrozenTest.AtHand(settings));
        MiniTrees.Write(folder.Path, "data/splits/ddi-test.csv", "image_id", "000001");
        string message = Assert.Throws<KitException>(() => FrozenTest.AtHand(settings)).Message;
        Assert.StartsWith("ddi was read because it has frozen test images", message, StringComparison.Ordinal);
        Assert.Contains("expected a column 'DDI_file'", message, StringComparison.Ordinal);
    }

    [Fact]
    public void IsicsListIsItsOfficialTestSplit()
    {
        KitSettings settings = RealData.Need(Isic2017.Name);
        ImageTable table = DataSetCatalog.Load(settings, Isic2017.Name);
        Assert.Equal(Splits.Official(table).Test, Splits.FromMask(FrozenTest.Mask(settings, table)).Test);
    }

    /// <summary>
    /// The rule that drew data/splits/pad-ufes-20-test-patients.csv: patients in the order (has a photograph in the
    /// subset; rarest diagnosis among
    /// those photographs, else among all; highest skin type; SplitMix64 of 2^32 + patient number), and of
    /// each 40 the 9 evenly spaced ones.
    /// A systematic sample of a sorted list keeps the proportion of every class and skin type, in
    /// the subset and in the whole set.
    /// </summary>
    [Fact]
    public void ThePadListFollowsFromTheMetadata()
    {
        string folder = DataSetCatalog.Folder(RealData.Need(PadUfes20.Name), PadUfes20.Name)!;
        CsvFile file = CsvFile.Read(Path.Combine(folder, "metadata.csv"));
        HashSet<string> subset = [.. CsvFile.Read(Path.Combine(DataRoot, "manifests", "pad-ufes-20.subset.csv"))
            .Column("image_id")];
        string[] rarity = ["MEL", "SCC", "SEK", "NEV", "ACK", "BCC"];
        string[] ordered = [.. Enumerable.Range(0, file.Count).GroupBy(row => file[row, "patient_id"]).Select(rows =>
        {
            int[] here = [.. rows.Where(r => subset.Contains(Path.GetFileNameWithoutExtension(file[r, "img_id"])))],
                counted = here.Length > 0 ? here : [.. rows];
            return (Id: rows.Key, Away: here.Length == 0,
                Rarest: counted.Min(r => Array.IndexOf(rarity, file[r, "diagnostic"])),
                Type: counted.Max(r => file[r, "fitspatrick"] is { Length: > 0 } t
                    ? (int)double.Parse(t, CultureInfo.InvariantCulture) : 0),
                Key: new SplitMix64((1UL << 32) + (ulong)Number(rows.Key)).Next());
        }).OrderBy(p => p.Away).ThenBy(p => p.Rarest).ThenByDescending(p => p.Type).ThenBy(p => p.Key)
            .Select(p => p.Id)];
        string[] drawn = [.. ordered.Where((_, i) => (i + 1) * 9 / 40 > i * 9 / 40).OrderBy(Number)];
        Assert.Equal(drawn,
            CsvFile.Read(Path.Combine(DataRoot, "splits", "pad-ufes-20-test-patients.csv")).Column("patient_id"));
    }

    [Fact]
    public void ThePadListHoldsEveryClassAndSkinTypeInRoughProportion()
    {
        KitSettings settings = RealData.Need(PadUfes20.Name);
        ImageTable table = DataSetCatalog.Load(settings, PadUfes20.Name);
        bool[] frozen = FrozenTest.Mask(settings, table);
        foreach (string column in new[] { "diagnosis", "skin_type" })
            foreach (var group in Enumerable.Range(0, table.Count).GroupBy(i => table.Column(column)[i])
                .Where(g => g.Key is not null && g.Count() >= 20))
                Assert.InRange(group.Count(i => frozen[i]) / (double)group.Count(), .15, .30);
        Assert.Empty(table.Column("patient_id").Where((_, i) => frozen[i])
            .Intersect(table.Column("patient_id").Where((_, i) => !frozen[i])));
    }

    [Fact]
    public void ListsAndTheSetsOwnTestSplitAllHold()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = MiniTrees.Settings(folder.Path);
        ImageTable table = MiniTrees.Table(("a", "train", "P1", "x"), ("b", "test", "P2", "y"),
            ("c", "val", "P3", "y"));
        Assert.Equal([false, true, false], FrozenTest.Mask(settings, table));
        MiniTrees.Write(folder.Path, "data/splits/mini-test-patients.csv", "patient_id", "P3");
        Assert.Equal([false, true, true], FrozenTest.Mask(settings, table));
        MiniTrees.Write(folder.Path, "data/splits/mini-test.csv", "image_id", "a");
        Assert.Equal([true, true, true], FrozenTest.Mask(settings, table));
    }

    [Fact]
    public void AListedImageIsFrozenInEverySetAndAPatientInTheirOwn()
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(folder.Path, "data/splits/other-test.csv", "image_id", "ISIC_0012086");
        MiniTrees.Write(folder.Path, "data/splits/other-test-patients.csv", "patient_id", "P1");
        MiniTrees.Write(folder.Path, "data/splits/mini-test-patients.csv", "patient_id", "P2");
        ImageTable mini = MiniTrees.Table(("ISIC_0012086", "train", "P1", "x"),
            ("b/ISIC_0012086.jpg", "train", "P1", "x"), ("ISIC_0012086_downsampled.jpg", "val", "P1", "x"),
            ("ISIC_0012087", "train", "P1", "x"), ("e", "train", "P2", "x"));
        Assert.Equal([true, true, true, false, true], FrozenTest.Mask(settings, mini));
        // In one table with a set that has the same patient's name, each row goes by its own set.
        var both = new ImageTable("both", ("image", ["/a", "/b", "/c"]), ("image_id", ["a", "b", "c"]),
            ("source", ["mini", "other", "third"]), ("patient_id", ["P1", "P1", "P1"]));
        Assert.Equal([false, true, false], FrozenTest.Mask(settings, both));
        Assert.Contains("patient_id",
            Assert.Throws<KitException>(() =>
                FrozenTest.Mask(settings, new("mini", ("image", ["/a"]), ("image_id", ["a"])))).Message);
    }

    [Theory]
    [InlineData("isic_0012086.JPG")]
    [InlineData("ISIC_0012086.jpg.jpg")]
    [InlineData("ISIC_0012086 (1).jpg")]
    [InlineData("ISIC_0012086_downsampled.jpg")]
    [InlineData("ISIC_0012086_resized.png")]
    [InlineData("sub/Copy of ISIC_0012086.jpg")]
    [InlineData("ISIC-0012086_224x224.jpg")]
    [InlineData("PAT_46_881_939 (2).png")]
    [InlineData("pat_46_881_939.png.jpg")]
    [InlineData("plain (1).jpg.jpg")]
    public void ARenamedCopyIsKnownByTheIdInItsName(string name)
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Write(folder.Path, "data/splits/isic2017-test.csv", "image_id", "ISIC_0012086", "plain");
        MiniTrees.Write(folder.Path, "data/splits/pad-ufes-20-test-patients.csv", "patient_id", "PAT_46");
        string[] others = ["ISIC_0012087.jpg", "ISIC_00120860.jpg", "0012086.jpg", "PAT_460_881_939.png", "PAT_46.png",
            "plainer.jpg"];
        Assert.Equal([true, false, false, false, false, false, false],
            FrozenTest.Mask(settings,
                MiniTrees.Table([(name, "train", "P", "x"), .. others.Select(o => (o, "train", "P", "x"))])));
    }

    private static int Number(string patient) => int.Parse(patient.AsSpan(4), CultureInfo.InvariantCulture);
}
