using DermKit.Reporting;

namespace DermKit.Tests.Reporting;

public sealed class ProbingReportTests
{
    [Theory]
    // Student's t at 0.975: 4.302653 with two degrees of freedom, 2.776445 with four.
    [InlineData(3, 0.01, 4.302653 * 0.01 / 1.7320508)]
    [InlineData(5, 0.02, 2.776445 * 0.02 / 2.2360680)]
    public void TheIntervalOverSeedsIsStudents(int seeds, double deviation, double half) =>
        Assert.Equal(half, ProbingReport.OverSeeds(deviation, seeds)!.Value, 1e-7);

    [Theory]
    [InlineData(1, double.NaN)]
    [InlineData(2, 0.01)]
    [InlineData(5, 0)]
    public void WithoutSpreadOrWithTwoSeedsThereIsNone(int seeds, double deviation) =>
        Assert.Null(ProbingReport.OverSeeds(deviation, seeds));
}
