using DermKit.Reporting;
using DermKit.Tests.Notebooks;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Reporting;

public sealed class TableFootnoteTests
{
    private static readonly TableFootnote Any = new("600 test images", "5, averaged",
        TableFootnote.Bootstrap("test images"), "none");

    [Fact]
    public void ItStandsFirstUnderTheTable()
    {
        var table = new Table("Scores", ["Task", "F1 [95 %]"],
            [["one", new Estimate(0.5, 0.4, 0.6)]])
        {
            Footnote = Any,
            Note = "More."
        };
        const string Expected = "n: 600 test images. Seeds: 5, averaged. Intervals: 95 %, percentile bootstrap over "
            + "test images, drawn alike for every seed. Comparison: none. More.";
        Assert.EndsWith("\n" + Expected, table.ToString(), StringComparison.Ordinal);
        Assert.Contains($"<figcaption>{Expected.Replace(" %", "&#160;%")}</figcaption>", table.ToHtml(),
            StringComparison.Ordinal);
        Assert.Contains("Comparison: none.</figcaption>", (table with { Note = "" }).ToHtml(),
            StringComparison.Ordinal);
        Assert.DoesNotContain("<figcaption", (table with { Note = "", Footnote = null }).ToHtml(),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", 1, 1)]
    [InlineData("5, averaged", 5, 5)]
    [InlineData("1 to 5, averaged", 5, 1, 3)]
    [InlineData("0")]
    public void SeedsAreCountedOverTheRows(string expected, params int[] seeds) =>
        Assert.Equal(expected, TableFootnote.Mean(seeds));

    [Fact]
    public void EveryScoreTableOfTheLibraryHasOne()
    {
        string folder = Path.Combine(GeneratedNotebook.Root, "lib");
        string[] reports = Directory.GetFiles(folder, "*Report.cs", SearchOption.AllDirectories);
        string[] methods =
            [.. reports.SelectMany(
                file => Regex.Split(File.ReadAllText(file), @"(?=^    (?:public|internal|private) static )",
                    RegexOptions.Multiline))];
        string[] scores =
            [.. methods.Where(m => Regex.IsMatch(m, @"^    public static (?:Table|object) ")
                && Regex.IsMatch(m, @"95 %\]|\(Holm\)|""F1|""p""|Standard error"))];
        Assert.InRange(scores.Length, 18, 100);
        Assert.Empty(scores.Where(m => !m.Contains("Footnote = ", StringComparison.Ordinal))
            .Select(m => m.Split('(')[0].Trim()));
    }

    [Fact]
    public void ATableOfANotebookWithoutOneIsFound()
    {
        var bare = new Table("Scores", ["Task", "F1 [95 %]"], [["one", new Estimate(0.5, 0.4, 0.6)]]);
        Assert.Equal(["Scores"],
            ScoreTables.Unstated(bare.ToHtml() + (bare with { Caption = "Stated", Footnote = Any }).ToHtml()
                + new Table("Sizes", ["Task", "Images"], [["one", 5]]).ToHtml()));
    }
}
