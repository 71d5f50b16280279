using DermKit.Data;

namespace DermKit.Tests.Data;

public sealed class CleaningTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private ImageTable Set()
    {
        MiniTrees.Images(folder.Path, "melanoma/294186.jpg", "melanoma/7.jpg", "naevus/19085.jpg", "naevus/323418.JPG");
        return MedNode.Load(folder.Path);
    }

    [Fact]
    public void WhatTheListDoesNotNameIsLeftOut()
    {
        ImageTable set = Set();
        Assert.Null(Cleaning.List(folder.Path));
        string list = MiniTrees.Write(folder.Path, "MED-NODE_cleaned_file_list.csv", "file_name",
            "MED-NODE/naevus/19085.jpg", "MED-NODE/naevus/323418.jpg", "MED-NODE/melanoma/294186.jpg");
        Assert.Equal(list, Cleaning.List(folder.Path));
        Assert.Equal(["melanoma/294186.jpg", "naevus/19085.jpg", "naevus/323418.JPG"], Cleaning.Apply(set, list).Ids);
    }

    [Theory]
    [InlineData("file_name\nPAT_1.png\nPAT_2.png\n", "is it the list of another set?")]
    [InlineData("file_name\na/7.jpg\nb/7.jpg\n", "row 3: 'b/7.jpg' stands here for the second time")]
    [InlineData("filename\na/7.jpg\n", "expected a column 'file_name'")]
    public void AListThatDoesNotFitIsNamed(string text, string expected)
    {
        ImageTable set = Set();
        string list = Path.Combine(folder.Path, "X_cleaned_file_list.csv");
        File.WriteAllText(list, text);
        Assert.Contains(expected, Assert.Throws<KitException>(() => Cleaning.Apply(set, list)).Message);
    }

    [Fact]
    public void TheVeryNameAgainAndAnOperatingSystemsFilesAreNoFault()
    {
        ImageTable set = Set();
        MiniTrees.Images(folder.Path, "._MED-NODE_cleaned_file_list.csv");
        MiniTrees.Write(folder.Path, "MED-NODE_cleaned_file_list.csv", "file_name", "naevus/19085.jpg",
            "melanoma/7.jpg", "naevus/19085.jpg");
        Assert.Equal(["melanoma/7.jpg", "naevus/19085.jpg"], Cleaning.Apply(set, Cleaning.List(folder.Path)!).Ids);
    }

    [Fact]
    public void TwoListsAreRefused()
    {
        MiniTrees.Images(folder.Path, "A_cleaned_file_list.csv", "B_cleaned_file_list.csv");
        Assert.Contains("keep the one of this set",
            Assert.Throws<KitException>(() => Cleaning.List(folder.Path)).Message);
    }
}
