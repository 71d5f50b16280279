using DermKit.Pretraining;
using DermKit.Reporting;
using DermKit.Studies;
using static DermKit.Tests.Reporting.PretrainingReportTests;

namespace DermKit.Tests.Studies;

public sealed class CollapseReportTests
{
    [Fact]
    public void RunsAreComparedByTheirLastMeasuredValues()
    {
        (string, IReadOnlyList<TrainingStep>)[] runs = [("DINO", Log(0.7)), ("collapsed", [.. Log(1).Take(12)])];
        LineFigure rank = CollapseReport.Monitor("rank", "Rank", "Directions in use.", "Directions",
            s => s.EffectiveRank, runs);
        Assert.Equal([4, 2], rank.Series.Select(s => s.Y.Count));
        Assert.Equal([["DINO", 0.75, 0.7, 0.5, 20.0], ["collapsed", 0.83, 1.0, 0.5, 10.0]],
            CollapseReport.Ends(runs).Rows.Select(r => r.Select(c => c is double d ? Math.Round(d, 6) : c)));
    }

    [Fact]
    public void RunsOfOneNameAreOneLineInABand()
    {
        (string, IReadOnlyList<TrainingStep>)[] runs = [("DINO", Log(0.6)), ("BYOL", Log(0.5)), ("DINO", Log(0.8)),
            ("DINO", [.. Log(0.7).Take(12)])];
        LineFigure figure = CollapseReport.Monitor("entropy", "Entropy", "Of three seeds.", "Entropy",
            s => s.TeacherEntropy, runs);
        Assert.Equal(["DINO", "BYOL"], figure.Series.Select(s => s.Name));
        // Steps that all three have.
        Assert.Equal(12, figure.Series[0].X.Count);
        Assert.All(figure.Series[0].Y, y => Assert.Equal(0.7, y, 1e-9));
        Assert.All(figure.Series[0].Low!.Zip(figure.Series[0].High!), p => Assert.Equal((0.6, 0.8), p));
        Assert.Null(figure.Series[1].Low);
    }
}
