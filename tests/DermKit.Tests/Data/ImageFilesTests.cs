using DermKit.Data;

namespace DermKit.Tests.Data;

/// <summary>Folders as archives, file managers and operating systems leave them.</summary>
public sealed class ImageFilesTests : IDisposable
{
    private const string Composed = "caf\u00e9", Decomposed = "cafe\u0301";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Root => folder.Path;

    private string At(string path) => Path.Combine(Root, path);

    private string DdiTree(params string[] files)
    {
        MiniTrees.Write(Root, "ddi_metadata.csv",
            [",DDI_ID,DDI_file,skin_tone,malignant,disease",
                .. files.Select((f, i) => $"{i},{i + 1},{f},56,{(i % 2 == 0 ? "True" : "False")},x")]);
        return Root;
    }

    private string Csv(params string[] images) =>
        MiniTrees.Write(Root, "labels.csv", ["image,label", .. images.Select((image, i) => $"{image},{i % 2}")]);

    [Fact]
    public void WhatOperatingSystemsLeaveIsNoImage()
    {
        string[] foreign = ["._000001.png", ".DS_Store", "Thumbs.db", "desktop.ini", ".thumbnails/000001.png",
            "@eaDir/000001.png/SYNOPHOTO_THUMB_M.jpg"];
        MiniTrees.Images(DdiTree("000001.png", "000002.png"),
            ["images/000001.png", "images/000002.png", .. foreign.Select(f => $"images/{f}"),
                "__MACOSX/images/._000001.png", "__MACOSX/000001.png"]);
        Assert.Equal([At("images/000001.png"), At("images/000002.png")], Ddi.Load(Root).Paths);
        MiniTrees.Images(Root,
            [.. new[]
            {
                "melanoma/1.jpg", "naevus/1.jpg", "melanoma/._1.jpg", "__MACOSX/._1.jpg", "__MACOSX/melanoma/._1.jpg",
                ".trash/2.jpg", "melanoma/Thumbs.db"
            }.Select(f => $"med/{f}")]);
        Assert.Equal(["melanoma/1.jpg", "naevus/1.jpg"], MedNode.Load(At("med")).Ids);
        MiniTrees.Images(Root,
            [.. new[]
            {
                "Eczema/a.jpg", "Eczema/._a.jpg", "__MACOSX/a.jpg", ".ipynb_checkpoints/a-checkpoint.jpg"
            }.Select(f => $"sd/images/{f}")]);
        Assert.True(Sd128.IsIn(At("sd")));
        Assert.Equal(["Eczema/a.jpg"], Sd128.Load(At("sd")).Ids);
        MiniTrees.Images(Root, "none/images/._a.jpg", "none/images/Thumbs.db");
        Assert.False(Sd128.IsIn(At("none")));
    }

    [Fact]
    public void ALinkIntoTheSetOrAroundItIsNoSecondCopy()
    {
        MiniTrees.Images(DdiTree("000001.png", "000002.png"), "images/000001.png", "images/more/000002.png");
        MiniTrees.Images(Path.GetDirectoryName(Root)!, $"{Path.GetFileName(Root)}-beside/000001.png");
        try
        {
            Directory.CreateSymbolicLink(At("images/back"), Root);
            Directory.CreateSymbolicLink(At("images/more/parent"), "..");
            Directory.CreateSymbolicLink(At("all"), "images");
            Directory.CreateSymbolicLink(At("above"), Path.GetDirectoryName(Root)!);
            Directory.CreateSymbolicLink(At("circle"), "circle");
            File.CreateSymbolicLink(At("images/more/000001.png"), At("images/000001.png"));
            File.CreateSymbolicLink(At("images/gone.png"), "nowhere.png");
            Assert.Equal([At("images/000001.png"), At("images/more/000002.png")], Ddi.Load(Root).Paths);
            Assert.Equal(64, DataSetCatalog.Hash(Root).Length);
        }
        finally
        {
            Directory.Delete($"{Root}-beside", recursive: true);
        }
    }

    [Fact]
    public void LinksToImagesElsewhereAreFollowed()
    {
        using var store = new TemporaryFolder();
        MiniTrees.Images(store.Path, "big/000001.png", "objects/5f3a");
        DdiTree("000001.png", "000002.png", "000003.png");
        Directory.CreateSymbolicLink(At("images"), Path.Combine(store.Path, "big"));
        Directory.CreateSymbolicLink(Path.Combine(store.Path, "big", "up"), store.Path);
        // Two names of one stored content are two images.
        foreach (string name in new[] { "000002.png", "000003.png" })
            File.CreateSymbolicLink(At(name), Path.Combine(store.Path, "objects", "5f3a"));
        Assert.Equal([At("images/000001.png"), At("000002.png"), At("000003.png")], Ddi.Load(Root).Paths);
    }

    [Fact]
    public void AFileLinkIntoALinkedFolderIsNoSecondCopyWhicheverIsFoundFirst()
    {
        using var store = new TemporaryFolder();
        MiniTrees.Images(store.Path, "big/000001.png");
        string big = Path.Combine(store.Path, "big");
        foreach (string name in new[] { "0.png", "m.png", "z.png" })
            File.CreateSymbolicLink(At(name), Path.Combine(big, "000001.png"));
        Directory.CreateSymbolicLink(At("n"), big);
        Assert.Equal([At("n/000001.png")], ImageFiles.Under(Root).Select(f => f.FullName));
    }

    [Theory]
    [InlineData("000001.png", "000001.PNG")]
    [InlineData("000001", "000001.png")]
    [InlineData("images\\000001.png", "images/000001.png")]
    [InlineData("images/000001.png", "images\\000001.png")]
    [InlineData("000001.png", "deep/er/000001.jpg")]
    [InlineData(Composed + ".png", Decomposed + ".png")]
    [InlineData(Decomposed + ".png", Composed + ".png")]
    public void AnIdFindsItsImage(string listed, string file)
    {
        MiniTrees.Images(DdiTree(listed), file);
        Assert.Equal([At(file)], Ddi.Load(Root).Paths);
    }

    [Theory]
    [InlineData("cafe\u0301", "caf\u00e9")]
    [InlineData("e\u0302\u0301", "\u1ebf")]
    [InlineData("\u30ab\u3099", "\u30ac")]
    [InlineData("\u1112\u1161\u11ab", "\ud55c")]
    [InlineData("\u0438\u0306", "\u0439")]
    [InlineData("plain", "plain")]
    public void LettersAndTheirMarksAreOneCharacter(string apart, string one)
    {
        Assert.Equal(one, Letters.Composed(apart));
        Assert.Equal(one, Letters.Composed(one));
    }

    [Fact]
    public void AnIdOfSeveralImagesNamesThem()
    {
        MiniTrees.Images(DdiTree("000001.png"), "a/000001.png", "b/000001.PNG");
        string message = Assert.Throws<KitException>(() => Ddi.Load(Root)).Message;
        Assert.Contains(At("a/000001.png"), message);
        Assert.Contains(At("b/000001.PNG"), message);
        File.Delete(At("b/000001.PNG"));
        // The same letters, written in two ways, are two rows of one image.
        File.Move(At("a/000001.png"), At($"a/{Composed}.png"));
        Assert.Contains("two rows that name it",
            Assert.Throws<KitException>(() => Ddi.Load(DdiTree(Composed, Decomposed))).Message);
    }

    [Theory]
    [InlineData("sub/a.jpg", "sub/a.JPG")]
    [InlineData("sub/a.JPEG", "sub/a.jpeg")]
    [InlineData("sub/a", "sub/a.png")]
    [InlineData("sub/a.b", "sub/a.b.bmp")]
    [InlineData("sub\\a.jpg", "sub/a.jpg")]
    [InlineData(".\\sub\\a", "sub/a.JPG")]
    [InlineData("sub/" + Composed + ".jpg", "sub/" + Decomposed + ".jpg")]
    [InlineData(Decomposed + "/a.jpg", Composed + "/a.jpg")]
    public void AnOwnCsvFindsItsImages(string listed, string file)
    {
        MiniTrees.Images(Root, file, "sub/other.jpg", "sub/._a.jpg");
        ImageTable table = GenericCsv.Load(Csv(listed, "sub/other.jpg"), "mine");
        Assert.Equal([At(file), At("sub/other.jpg")], table.Paths);
        Assert.Equal([listed, "sub/other.jpg"], table.Ids);
    }

    [Fact]
    public void AnExactNameNeedsNoChoiceAndAnotherNamesTheCandidates()
    {
        MiniTrees.Images(Root, "a.jpg", "a.JPG", "a.png");
        Assert.Equal([At("a.jpg"), At("a.png")], GenericCsv.Load(Csv("a.jpg", "a.png"), "mine").Paths);
        string message = Assert.Throws<KitException>(() => GenericCsv.Load(Csv("a.jpg", "a"), "mine")).Message;
        Assert.Contains($"row 3: image 'a' is not there, and 3 files could be meant: {At("a.JPG")}, {At("a.jpg")}, "
            + $"{At("a.png")}; write the path of one.", message);
        Assert.Contains("2 files could be meant",
            Assert.Throws<KitException>(() => GenericCsv.Load(Csv("a.Jpg"), "mine")).Message);
        // What another row names is not taken a second time.
        File.Delete(At("a.JPG"));
        Assert.Contains("row 3: image 'a.Jpg' stands here for the second time",
            Assert.Throws<KitException>(() => GenericCsv.Load(Csv("a.jpg", "a.Jpg"), "mine")).Message);
        Assert.Contains("row 2: image 'b.jpg' is not there (looked for",
            Assert.Throws<KitException>(() => GenericCsv.Load(Csv("b.jpg"), "mine")).Message);
    }

    [Fact]
    public void ALeftPathOfDerm7ptIsNotTheFileOfAnotherRow()
    {
        MiniTrees.Write(Root, "meta/meta.csv", "case_num,diagnosis,clinic,derm", "1,melanoma,NEL\\Nel1.JPG,NEL/Nel2",
            "2,nevus,NEL/Nel3.jpg,NEL/Nel3.JPG");
        MiniTrees.Images(Root, "images/NEL/Nel1.jpg", "images/NEL/Nel2.jpg", "images/NEL/Nel3.jpg",
            "images/NEL/Nel3.JPG");
        Assert.Equal([At("images/NEL/Nel1.jpg"), At("images/NEL/Nel2.jpg"), At("images/NEL/Nel3.jpg"),
            At("images/NEL/Nel3.JPG")], Derm7pt.Load(Root).Paths);
        File.Delete(At("images/NEL/Nel3.JPG"));
        Assert.Contains("meta.csv, row 3: 'NEL/Nel3.JPG' is not there",
            Assert.Throws<KitException>(() => Derm7pt.Load(Root)).Message);
    }

    [Fact]
    public void RealImagesAreFoundThroughLinksAndAmongForeignFiles()
    {
        KitSettings settings = RealData.Need(Isic2017.Name);
        string real = DataSetCatalog.Folder(settings, Isic2017.Name)!;
        string set = Directory.CreateDirectory(At(Isic2017.Name)).FullName;
        Directory.CreateSymbolicLink(Path.Combine(set, "images"), Directory.GetDirectories(real)[0]);
        File.Copy(Path.Combine(real, "metadata.csv"), Path.Combine(set, "metadata.csv"));
        Directory.CreateSymbolicLink(Path.Combine(set, "back"), Root);
        MiniTrees.Images(set, "__MACOSX/ISIC_0000000.jpg", "._ISIC_0000000.jpg");
        Assert.Equal(2750,
            DataSetCatalog.Load(settings with { DataDir = Root }, Isic2017.Name).Paths.Distinct().Count());
    }
}
