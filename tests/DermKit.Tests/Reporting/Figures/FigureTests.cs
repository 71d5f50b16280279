using System.Runtime.Loader;
using System.Text.Json.Nodes;
using DermKit.Imaging;
using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

/// <summary>These tests switch the process between report and live form, so they run one after another.</summary>
[CollectionDefinition("Display", DisableParallelization = true)]
public sealed class DisplayCollection;

[Collection("Display")]
public sealed class FigureTests : IDisposable
{
    public FigureTests() => AppContext.SetSwitch("DermKit.Report", true);

    public void Dispose() => AppContext.SetSwitch("DermKit.Report", true);

    private static JsonNode Spec(Figure figure) => JsonNode.Parse(FigureRenderer.PlotlySpec(figure))!;

    private static double[] Numbers(JsonNode? array) => [.. array!.AsArray().Select(v => (double)v!)];

    [Fact]
    public void PointsCarryAsymmetricIntervalsAndSymbols()
    {
        JsonNode spec = Spec(SampleFigures.Points());
        JsonArray traces = spec["data"]!.AsArray();
        Assert.Equal(3, traces.Count);
        JsonNode error = traces[1]!["error_x"]!;
        Assert.False((bool)error["symmetric"]!);
        Assert.Equal(0.731 - 0.694, Numbers(error["array"])[0], 12);
        Assert.Equal(0.694 - 0.655, Numbers(error["arrayminus"])[0], 12);
        Assert.Equal(3, traces.Select(t => (string)t!["marker"]!["symbol"]!).Distinct().Count());
        Assert.Equal("Macro F1 (0–1), 95 % interval", (string)spec["layout"]!["xaxis"]!["title"]!["text"]!);
        Assert.Equal(0.5, (double)spec["layout"]!["shapes"]![0]!["x0"]!);
        Assert.Contains("SYNTHETIC", (string)spec["layout"]!["title"]!["text"]!);
    }

    [Fact]
    public void BarsWithoutIntervalsPrintTheirValuesAndDifferByPattern()
    {
        JsonArray traces = Spec(SampleFigures.Bars())["data"]!.AsArray();
        Assert.All(traces, t => Assert.Equal("bar", (string)t!["type"]!));
        Assert.Equal("812", (string)traces[0]!["text"]![0]!);
        Assert.NotEqual((string?)traces[0]!["marker"]!["pattern"]!["shape"],
            (string?)traces[1]!["marker"]!["pattern"]!["shape"]);
    }

    [Fact]
    public void LinesHaveBandsDashesAndALogAxis()
    {
        JsonNode spec = Spec(SampleFigures.Lines());
        JsonArray traces = spec["data"]!.AsArray();
        Assert.Equal(4, traces.Count);
        Assert.Equal("toself", (string)traces[0]!["fill"]!);
        Assert.Equal(12, traces[0]!["x"]!.AsArray().Count);
        Assert.Equal(["solid", "dash"], traces.Skip(2).Select(t => (string)t!["line"]!["dash"]!));
        Assert.Equal("log", (string)spec["layout"]!["xaxis"]!["type"]!);
        Assert.Equal([1, 5, 10, 25, 50, 100], Numbers(spec["layout"]!["xaxis"]!["tickvals"]));
        Assert.Equal("linear", (string)spec["layout"]!["yaxis"]!["type"]!);
    }

    [Fact]
    public void ConfusionMatrixShowsCountsAndSharesOfTheRow()
    {
        JsonNode spec = Spec(SampleFigures.Confusion());
        Assert.Equal(19 / 76.0, (double)spec["data"]![0]!["z"]![1]![0]!, 12);
        JsonArray cells = spec["layout"]!["annotations"]!.AsArray();
        Assert.Equal(25, cells.Count);
        Assert.Equal("<b>19</b><br>25 %", (string)cells[5]!["text"]!);
        Assert.Equal("Predicted class", (string)spec["layout"]!["xaxis"]!["title"]!["text"]!);
        Assert.Equal("reversed", (string)spec["layout"]!["yaxis"]!["autorange"]!);
    }

    [Fact]
    public void EmptyRowOfAConfusionMatrixIsNotANumberProblem()
    {
        var figure = new HeatmapFigure("c", "t", "c", "a", ["a", "b"], ["a", "b"],
            new double[,] { { 0, 0 }, { 1, 3 } });
        Assert.Equal(0.0, (double)Spec(figure)["data"]![0]!["z"]![0]![1]!);
        Assert.Equal("3 (75 %)", figure.Data().Rows[1][2]);
    }

    [Fact]
    public void MissingValuesAreLeftOut()
    {
        var figure = new BarFigure("b", "t", "c", "a", ["x", "y"], [new("s", [0.5, double.NaN])], "c", "v");
        Assert.Null(Spec(figure)["data"]![0]!["y"]![1]);
    }

    [Fact]
    public void EveryFigureHasCaptionAlternativeTextAndDataTable()
    {
        foreach (Figure figure in SampleFigures.Charts())
        {
            string html = figure.ToHtml();
            Assert.Contains($"data-figure=\"{figure.Id}\"", html);
            Assert.Contains($"role=\"img\" aria-label=\"{System.Net.WebUtility.HtmlEncode(figure.AltText)}\"", html);
            Assert.Contains("<figcaption>", html);
            Assert.Contains("<summary>Data table</summary>", html);
            Assert.Contains("<tbody><tr><th scope=\"row\">", html);
            Assert.Equal(figure.Stamp.Length > 0, html.Contains("kit-stamp", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void LongCurvesThinTheirTableButKeepTheLastValue()
    {
        double[] steps = [.. Enumerable.Range(0, 5000).Select(i => (double)i)];
        var figure = new LineFigure("loss", "Loss", "c", "a", [new("run", steps, steps)], "Step",
            "Loss (nats)")
        {
            Markers = false
        };
        Table table = figure.Data();
        Assert.InRange(table.Rows.Count, 200, 402);
        Assert.Equal(4999.0, table.Rows[^1][1]);
        Assert.Contains("<caption>Loss (one value in 13)</caption>", figure.ToHtml());
        Assert.Equal(5000, Spec(figure)["data"]![0]!["x"]!.AsArray().Count);
    }

    [Fact]
    public void EmptyTextsAndWrongIdsAreRefused()
    {
        Assert.Contains("caption is empty",
            Assert.Throws<KitException>(() => new BarFigure("x", "t", " ", "a", [], [], "c", "v")).Message);
        Assert.Contains("alternative text is empty",
            Assert.Throws<KitException>(() => new ImageGridFigure("x", "t", "c", "", [])).Message);
        Assert.Contains("Figure id 'a b'",
            Assert.Throws<KitException>(() => new ImageGridFigure("a b", "t", "c", "a", [])).Message);
    }

    [Fact]
    public void CountsThatDoNotMatchAreRefusedByName()
    {
        var short_ = new BarFigure("f1", "t", "c", "a", ["x", "y"], [new("ours", [1])], "c", "v");
        Assert.Contains("series 'ours' has 1 values for 2 categories",
            Assert.Throws<KitException>(short_.ToHtml).Message);
        var log = new LineFigure("f2", "t", "c", "a", [new("loss", [0, 1], [1, 1])], "x", "y") { LogX = true };
        Assert.Contains("logarithmic", Assert.Throws<KitException>(log.ToHtml).Message);
        var matrix = new HeatmapFigure("f3", "t", "c", "a", ["x"], ["y", "z"], new double[2, 2]);
        Assert.Contains("2 x 2", Assert.Throws<KitException>(matrix.ToHtml).Message);
        RatioFigure ratios = SampleFigures.Ratios() with { Categories = ["one"] };
        Assert.Contains("series 'ImageNet, knn' has 2 values for 1 categories",
            Assert.Throws<KitException>(ratios.ToHtml).Message);
        PanelFigure panels = SampleFigures.Panels() with { XAxes = ["one"] };
        Assert.Contains("point 'DINO ViT-T' is at [5.5, 11]; expected 1 places",
            Assert.Throws<KitException>(panels.ToHtml).Message);
    }

    [Fact]
    public void LabelsCannotCarryMarkup()
    {
        const string evil = "</script><img src=x onerror=alert(1)>";
        var figure = new BarFigure("evil", evil, evil, evil, [evil], [new(evil, [1])], evil,
            evil)
        {
            Stamp = evil,
            Headline = evil
        };
        string html = figure.ToHtml();
        Assert.DoesNotContain("<img", html);
        Assert.Equal(1, html.Split("</script>").Length - 1);
        Assert.Contains("&lt;img", (string)Spec(figure)["data"]![0]!["name"]!);
    }

    [Fact]
    public void ImageGridEmbedsImagesAndRefusesAddresses()
    {
        var image = new RgbImage(2, 2, [255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0]);
        string html = new ImageGridFigure("g", "t", "c", "two tiles",
            [ImageTile.From(image, "red", "p = 0.8")])
        {
            Stamp = "FIXTURE"
        }.ToHtml();
        Assert.Contains("src=\"data:image/jpeg;base64,", html);
        Assert.Contains("alt=\"red\"", html);
        Assert.Contains("p = 0.8", html);
        Assert.Equal(2, html.Split("FIXTURE").Length - 1);
        Assert.Throws<KitException>(() =>
            new ImageGridFigure("g", "t", "c", "a", [new("http://example.org/a.png", "x")]).ToHtml());
    }

    [Fact]
    public void DrawingLeavesPlotlyOutOfTheDefaultContext()
    {
        _ = Spec(SampleFigures.Bars());
        string[] mine = [.. AssemblyLoadContext.Default.Assemblies.Select(a => a.GetName().Name!)];
        Assert.DoesNotContain("Plotly.NET", mine);
        Assert.DoesNotContain("FSharp.Core", mine);
        AssemblyLoadContext figures = AssemblyLoadContext.All.Single(c => c.Name == "DermKit.Figures");
        Assert.Contains("Plotly.NET", figures.Assemblies.Select(a => a.GetName().Name));
        Assert.DoesNotContain("DermKit", figures.Assemblies.Select(a => a.GetName().Name));
    }

    [Fact]
    public void OutsideAReportTheFirstFigureBringsPlotlyAndTheOthersWait()
    {
        AppContext.SetSwitch("DermKit.Report", false);
        string first = SampleFigures.Bars().ToHtml(), second = SampleFigures.Lines().ToHtml(),
            again = SampleFigures.Bars().ToHtml();
        Assert.True(first.Length > 1_000_000);
        Assert.True(second.Length < 100_000);
        Assert.Contains("window.Plotly", second);
        Assert.Equal(first.Length, again.Length);
        Assert.Contains("<style>", second);
        AppContext.SetSwitch("DermKit.Report", true);
        Assert.DoesNotContain("<style>", SampleFigures.Bars().ToHtml());
    }

    [Fact]
    public void PlotlySetsItsWindowNameWhateverModuleLoaderThePageHas() =>
        Assert.StartsWith("<script>(function(){if(window.Plotly)return;var define,module,exports;",
            FigureHtml.PlotlyScript("x"));
}
