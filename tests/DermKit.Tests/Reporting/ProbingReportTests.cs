using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

public sealed class ProbingReportTests
{
    [Theory]
    // Student's t at 0.975: 4.302653 with two degrees of freedom, 2.776445 with four.
    [InlineData(3, 0.01, 4.302653 * 0.01 / 1.7320508)]
    [InlineData(5, 0.02, 2.776445 * 0.02 / 2.2360680)]
    public void TheIntervalOverSeedsIsStudents(int seeds, double deviation, double half)
    {
        Estimate found = ProbingReport.OverSeeds(0.4, deviation, seeds)!.Value;
        Assert.Equal(0.4, found.Value);
        Assert.Equal(0.4 - half, found.Low, 1e-7);
        Assert.Equal(0.4 + half, found.High, 1e-7);
    }

    [Theory]
    [InlineData(1, double.NaN)]
    [InlineData(5, 0)]
    public void WithoutSpreadThereIsNone(int seeds, double deviation) => Assert.Null(ProbingReport.OverSeeds(0.4, deviation, seeds));
}
