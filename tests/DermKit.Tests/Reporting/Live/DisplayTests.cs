using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

[Collection("Display")]
public sealed class DisplayTests : IDisposable
{
    private readonly List<(string Id, bool Update, IReadOnlyDictionary<string, string> Data)> _shown = [];

    public DisplayTests() => AppContext.SetData("DermKit.Display",
        (Action<string, bool, IReadOnlyDictionary<string, string>>)((id, update, data) =>
            _shown.Add((id, update, data))));

    public void Dispose() => AppContext.SetData("DermKit.Display", null);

    [Fact]
    public void UpdatesKeepTheirId()
    {
        Display first = Display.Html("<b>1</b>", "1");
        Display.Html("<b>other</b>", "other");
        first.Update("<b>2</b>", "2");
        Assert.Equal([false, false, true], _shown.Select(s => s.Update));
        Assert.Equal(_shown[0].Id, _shown[2].Id);
        Assert.NotEqual(_shown[0].Id, _shown[1].Id);
        Assert.Equal("<b>2</b>", _shown[2].Data["text/html"]);
        Assert.Equal("2", _shown[2].Data["text/plain"]);
    }

    [Fact]
    public void ProgressIsShownAtMostFourTimesASecondAndItsEndAlways()
    {
        ProgressBar bar = Display.Progress("Reading <images>");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (int i = 1; i <= 10_000; i++) bar.Report(i, 10_000);
        Assert.InRange(_shown.Count, 2, 2 + (int)(clock.Elapsed.TotalSeconds * 4) + 1);
        Assert.Contains("10000 of 10000", _shown[^1].Data["text/plain"]);
        Assert.Contains("value=\"10000\" max=\"10000\"", _shown[^1].Data["text/html"]);
        Assert.Contains("Reading &lt;images&gt;", _shown[^1].Data["text/html"]);
        Assert.All(_shown.Skip(1), s => Assert.True(s.Update));
    }

    [Fact]
    public void ProgressForKeepsABarForEachName()
    {
        Action<string, int, int> progress = Display.ProgressFor("at 64 px");
        progress("features", 1, 2);
        progress("probes", 2, 2);
        progress("features", 2, 2);
        Assert.Equal(["at 64 px: features: 1 of 2", "at 64 px: probes: 2 of 2", "at 64 px: features: 2 of 2"],
            _shown.Select(s => s.Data["text/plain"].Split(',')[0]));
        Assert.Equal(2, _shown.Select(s => s.Id).Distinct().Count());
    }

    [Fact]
    public void TheTokenIsThatOfTheHostOrNone()
    {
        using var cell = new CancellationTokenSource();
        AppContext.SetData("DermKit.Cancellation", cell.Token);
        try
        {
            Assert.False(Display.Cancellation.IsCancellationRequested);
            cell.Cancel();
            Assert.True(Display.Cancellation.IsCancellationRequested);
        }
        finally
        {
            AppContext.SetData("DermKit.Cancellation", null);
        }
        Assert.Equal(CancellationToken.None, Display.Cancellation);
    }

    [Fact]
    public void HostsFindTheFormattersByConvention()
    {
        foreach (object value in new object[]
        {
            SampleFigures.Bars(), SampleFigures.Confusion(), SampleFigures.Results(), new DisplayedHtml("<p>x</p>", "x")
        })
        {
            Attribute attribute = Attribute.GetCustomAttributes(value.GetType(), inherit: true)
                .Single(a => a.GetType().Name == "TypeFormatterSourceAttribute");
            var source = (Type)attribute.GetType().GetProperty("FormatterSourceType")!.GetValue(attribute)!;
            Assert.Equal(["text/html", "text/plain"],
                (string[])attribute.GetType().GetProperty("PreferredMimeTypes")!.GetValue(attribute)!);
            var formatters = (IEnumerable<object>)source.GetMethod("CreateTypeFormatters")!
                .Invoke(Activator.CreateInstance(source), null)!;
            foreach (object formatter in formatters)
            {
                using var writer = new StringWriter();
                Assert.Equal(true, formatter.GetType().GetMethod("Format")!.Invoke(formatter, [value, writer]));
                Assert.Equal((string)formatter.GetType().GetProperty("MimeType")!.GetValue(formatter)! == "text/html",
                    writer.ToString().Contains("</"));
            }
        }
    }
}
