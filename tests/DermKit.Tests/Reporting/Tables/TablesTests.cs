using System.Globalization;
using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

[Collection("Display")]
public sealed class TablesTests
{
    public TablesTests() => AppContext.SetSwitch("DermKit.Report", true);

    [Theory]
    [InlineData(0.714, 0.66, 0.75, "0.71 [0.66, 0.75]")]
    [InlineData(-0.05, -0.1, 0.004, "-0.05 [-0.10, 0.00]")]
    [InlineData(0.5, double.NaN, double.NaN, "0.50")]
    [InlineData(double.NaN, double.NaN, double.NaN, "–")]
    [InlineData(0.001, -0.004, 0.03, "0.00 [0.00, 0.03]")]
    public void IntervalsAreWrittenAlike(double value, double low, double high, string expected) =>
        Assert.Equal(expected, Tables.Interval(new Estimate(value, low, high)));

    [Theory]
    [InlineData(2400, "2400")]
    [InlineData(5.5, "5.5")]
    [InlineData(0.71449, "0.714")]
    [InlineData(123.456, "123.5")]
    [InlineData(0.00002, "2.0e-5")]
    public void NumbersHaveUsefulDigits(double value, string expected) => Assert.Equal(expected, Tables.Number(value));

    [Fact]
    public void AnAddressMayEndALineAtItsSlashes()
    {
        string html = Tables.From("T", new[] { "kit data fetch m/n gets https://example.org/a/b.pth there" },
            ("Where", r => r)).ToHtml();
        Assert.Contains(">kit data fetch m/n gets https:/<wbr>/<wbr>example.org/<wbr>a/<wbr>b.pth there<", html);
    }

    [Fact]
    public void AForeignCultureChangesNothing()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        CultureInfo.CurrentCulture.NumberFormat.NumberDecimalSeparator = ",";
        try
        {
            Assert.Equal("0.71 [0.66, 0.75]", new Estimate(0.71, 0.66, 0.75).ToString());
            Assert.Contains(">5.5<", SampleFigures.Results().ToHtml());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void NumbersStandRightAndTextLeft()
    {
        string html = SampleFigures.Results().ToHtml();
        Assert.Contains("<caption><span class=\"kit-stamp\">SYNTHETIC</span> Macro F1 by model and task</caption>",
            html);
        Assert.Contains("<th scope=\"col\" class=\"num\">Diagnosis</th>", html);
        Assert.Contains("<th scope=\"col\">Model</th>", html);
        Assert.Contains("<td class=\"num\">0.69 [0.66, 0.73]</td>", html);
        Assert.Contains("data-headline=\"Paired difference", html);
    }

    [Fact]
    public void TextFormIsAligned()
    {
        string[] lines = SampleFigures.Results().ToString().Split('\n');
        Assert.Equal("[SYNTHETIC] Macro F1 by model and task", lines[0]);
        Assert.StartsWith("CLIP ViT-L/14", lines[4]);
        Assert.Equal(lines[3].IndexOf("5.5", StringComparison.Ordinal),
            lines[4].IndexOf("303", StringComparison.Ordinal));
    }

    [Fact]
    public void RaggedRowIsRefused() =>
        Assert.Contains("2 cells for 3 columns",
            Assert.Throws<KitException>(new Table("t", ["a", "b", "c"], [["x", 1]]).ToHtml).Message);
}
