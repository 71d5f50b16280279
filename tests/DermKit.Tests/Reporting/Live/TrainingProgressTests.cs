using DermKit.Pretraining;
using DermKit.Reporting;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Reporting;

[Collection("Display")]
public sealed class TrainingProgressTests : IDisposable
{
    private readonly List<(string Html, string Plain)> _shown = [];
    private readonly Clock _clock = new();

    public TrainingProgressTests() => AppContext.SetData("DermKit.Display",
        (Action<string, bool, IReadOnlyDictionary<string, string>>)((_, _, data) =>
            _shown.Add((data["text/html"], data["text/plain"]))));

    public void Dispose() => AppContext.SetData("DermKit.Display", null);

    /// <summary>Time that passes when a test says so.</summary>
    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private static TrainingStep Step(int step, int steps, double ratio = 0.9, double entropy = 0.7, double std = 0.6) =>
        new(step, steps, step / 10.0, ratio * 8.3, 1e-3 / step, 2,
            63.25)
        {
            LossRatio = ratio,
            TeacherEntropy = step % 5 == 0 ? entropy : double.NaN,
            FeatureStd = step % 5 == 0 ? std : double.NaN
        };

    [Fact]
    public void IsDrawnFourTimesASecondAtMostAndAtItsEnd()
    {
        var progress = new TrainingProgress("DINO", "", _clock);
        for (int i = 1; i <= 1000; i++)
        {
            progress.Report(Step(i, 1000));
            _clock.Now += TimeSpan.FromMilliseconds(10);
        }
        // Ten seconds: at 0, 0.25, .. 9.75 and the last step.
        Assert.Equal(41, _shown.Count);
        Assert.Contains("step 1000 of 1000, epoch 100, 63.3 images/s, 10.0 s", _shown[^1].Html);
        Assert.Contains("value=\"1000\" max=\"1000\"", _shown[^1].Html);
    }

    [Fact]
    public void SaysRateAndTimeLeftOfTheLastSteps()
    {
        var progress = new TrainingProgress("DINO", "SYNTHETIC", _clock);
        for (int i = 1; i <= 200; i++)
        {
            progress.Report(Step(i, 1000));
            // Slower at first: only the last fifty steps count.
            _clock.Now += TimeSpan.FromSeconds(i < 100 ? 9 : 1);
        }
        Assert.Contains("DINO 200/1000 ", _shown[^1].Plain);
        Assert.Contains("63.3 images/s, 13 min 20 s left", _shown[^1].Plain);
        Assert.Contains("<span class=\"kit-stamp\">SYNTHETIC</span>", _shown[^1].Html);
    }

    [Fact]
    public void SkippedStepsAreCounted()
    {
        var progress = new TrainingProgress("DINO", "", _clock);
        for (int i = 1; i <= 10; i++) progress.Report(Step(i, 10) with { Skipped = i is 3 or 7 });
        Assert.Contains("images/s, 2 skipped, ", _shown[^1].Plain);
        Assert.Contains("images/s, 2 skipped, ", _shown[^1].Html);
    }

    [Fact]
    public void TheChartStandsInWordsTooAndNeedsNoScript()
    {
        var progress = new TrainingProgress("a <b>", "", _clock);
        for (int i = 1; i <= 100; i++) progress.Report(Step(i, 100, 1 - i / 200.0));
        string html = _shown[^1].Html;
        Assert.Contains("role=\"img\" aria-label=\"Lines over 100 steps; from first to last value: loss / ln K 0.995 "
            + "to 0.500; teacher entropy / ln K 0.700 to 0.700; feature standard deviation 0.600 to 0.600.\"", html);
        Assert.Contains("aria-label=\"a &lt;b&gt;\"", html);
        Assert.Equal(3, Regex.Count(html, "stroke=\"#[0-9a-f]{6}\" stroke-dasharray=\"[^\"]*\" d=\"M[0-9]"));
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("NaN", html);
    }

    [Fact]
    public void ALongRunGrowsNothing()
    {
        var progress = new TrainingProgress("DINO", "", _clock);
        for (int i = 1; i <= 100_000; i++) progress.Report(Step(i, 100_000));
        Assert.InRange(_shown[^1].Html.Length, 5_000, 16_000);
    }

    [Fact]
    public void ACollapseIsSaidInWordsAndTakenBack()
    {
        var progress = new TrainingProgress("DINO", "", _clock);
        for (int i = 1; i <= 100; i++)
        {
            progress.Report(Step(i, 100, i > 60 ? 0.9 : 0.999, i > 60 ? 0.7 : 0.999));
            _clock.Now += TimeSpan.FromSeconds(1);
            Assert.Equal(progress.Warning is not null,
                _shown[^1].Html.Contains("kit-warning", StringComparison.Ordinal));
        }
        Assert.Contains(_shown, s => s.Plain.Contains("DINO: Looks collapsed since step ", StringComparison.Ordinal));
        Assert.Null(progress.Warning);
    }

    [Fact]
    public void ARunThatStopsEarlyShowsWhere()
    {
        var progress = new TrainingProgress("DINO", "", _clock);
        progress.Close();
        Assert.Empty(_shown);
        for (int i = 41; i <= 50; i++) progress.Report(Step(i, 100));
        _clock.Now += TimeSpan.FromSeconds(3);
        progress.Close();
        Assert.Contains("step 50 of 100, epoch 5, 63.3 images/s, stopped after 3.0 s", _shown[^1].Html);
        progress.Report(Step(100, 100));
        Assert.Contains("3.0 s for the last 60 steps", _shown[^1].Html);
        int before = _shown.Count;
        progress.Close();
        Assert.Equal(before, _shown.Count);
    }

    [Fact]
    public void ALogGetsALineEveryTenSecondsAndTheWarningOnce()
    {
        AppContext.SetData("DermKit.Display", null);
        TextWriter console = Console.Out;
        var text = new StringWriter();
        Console.SetOut(text);
        try
        {
            Assert.SkipUnless(Console.IsOutputRedirected, "this test has a terminal");
            var progress = new TrainingProgress("DINO", "", _clock);
            for (int i = 1; i <= 100; i++)
            {
                progress.Report(Step(i, 100, 0.999, 0.999));
                _clock.Now += TimeSpan.FromSeconds(1);
            }
            new TrainingProgress("BYOL", "", _clock)
                .Report(Step(1, 1, 0.5, 0.5) with { LossRatio = double.NaN, TeacherEntropy = double.NaN });
        }
        finally
        {
            Console.SetOut(console);
        }
        string[] both = text.ToString().Split("BYOL: ");
        Assert.Contains("epoch", both[1]);
        Assert.DoesNotContain("NaN", both[1]);
        string[] lines = both[0].TrimEnd().Split('\n');
        Assert.Equal([1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 100],
            lines.Where(l => l.Contains("step ", StringComparison.Ordinal)
                && !l.Contains("Looks", StringComparison.Ordinal))
                .Select(l => int.Parse(Regex.Match(l, @"step (\d+) of 100").Groups[1].Value)));
        Assert.Single(lines, l => l.Contains("Looks collapsed", StringComparison.Ordinal));
        Assert.Contains("loss 8.2917 (0.999 of ln K), entropy 0.999, std 0.600", lines[^1]);
    }

    [Fact]
    public void ABarSaysRateAndTimeLeft()
    {
        var bar = new ProgressBar("decoding", _clock);
        _clock.Now = TimeSpan.FromSeconds(5);
        bar.Report(100, 1000);
        _clock.Now = TimeSpan.FromSeconds(10);
        bar.Report(200, 1000);
        bar.Report(1000, 1000);
        Assert.Equal(["decoding: 100 of 1000", "decoding: 200 of 1000, 20/s, 40.0 s left",
            "decoding: 1000 of 1000, 180/s, 10.0 s"], _shown.Select(s => s.Plain));
    }

    [Fact]
    public void ATerminalLineIsOverwrittenWholeAndNeverWraps()
    {
        Assert.Equal("\rabc      ", Display.Line("abc\nsecond", 9 + 1)[..10]);
        Assert.Equal(10, Display.Line("abc", 10).Length);
        Assert.Equal("\rabcdefgh…", Display.Line("abcdefghijklmnop", 10));
    }

    [Fact]
    public void ALineIsThinnedByMeans()
    {
        var line = new ThinnedLine("x", most: 4);
        for (int i = 1; i <= 10; i++) line.Add(i, i);
        line.Add(11, double.NaN);
        Assert.Equal([(2.5, 2.5), (6.5, 6.5), (9.5, 9.5)], line.Points);
        Assert.Equal((1, 10), (line.First, line.Last));
        Assert.Equal("▁▅█", LiveChart.Sparkline(line));
        Assert.Equal("", LiveChart.Sparkline(new ThinnedLine("none")));
        Assert.Equal("", LiveChart.Svg([new ThinnedLine("none")], 10));
    }

    [Theory]
    [InlineData(3.04, "3.0 s")]
    [InlineData(59.96, "1 min 0 s")]
    [InlineData(133.4, "2 min 13 s")]
    [InlineData(3599.6, "1 h 0 min")]
    [InlineData(100_000, "27 h 46 min")]
    public void DurationsAreWrittenInTwoUnits(double seconds, string expected) =>
        Assert.Equal(expected, Tables.Duration(TimeSpan.FromSeconds(seconds)));
}
