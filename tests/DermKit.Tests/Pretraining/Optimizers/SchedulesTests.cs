using DermKit.Pretraining;

namespace DermKit.Tests.Pretraining;

public sealed class SchedulesTests
{
    private static void Close(double[] expected, IReadOnlyList<double> found)
    {
        Assert.Equal(expected.Length, found.Count);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 1e-12);
    }

    [Fact]
    public void AWarmUpRisesLinearlyToThePeakAndACosineFalls()
    {
        Close([0, 0.5, 1, 1, 0.85355339059327378, 0.5, 0.14644660940672627], Schedules.Cosine(1, 0, 7, warmup: 3));
        Close([0.04, 0.22], Schedules.Cosine(0.04, 0.4, 2));
        // Of one step the warm-up is its start.
        Assert.Equal(0, Schedules.Cosine(1, 0, 4, warmup: 1)[0]);
    }

    [Fact]
    public void AWarmUpLongerThanTheRunIsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Schedules.Cosine(1, 0, 5, warmup: 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => Schedules.Cosine(1, 0, 5, warmup: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Schedules.TeacherTemperature(0.04, 0.07, 5, -1));
    }

    [Fact]
    public void TheTeachersTemperatureRisesAndStays()
    {
        Close([0.04, 0.05, 0.06, 0.07, 0.07], Schedules.TeacherTemperature(0.04, 0.07, 5, 4));
        Close([0.04, 0.055], Schedules.TeacherTemperature(0.04, 0.07, 2, 3));
        Close([0.07, 0.07], Schedules.TeacherTemperature(0.04, 0.07, 2, 0));
    }
}
