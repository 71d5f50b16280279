using DermKit.Reporting;
namespace DermKit.Tests.Reporting;

public sealed class ExerciseTests
{
    [Fact]
    public void ABlankSaysWhatToFillIn()
    {
        KitException blank = Assert.Throws<KitException>(() => Exercise.Blank<double>("the mean."));
        Assert.Equal("A blank to fill in: the mean. Put your answer in the place of Exercise.Blank<double>(..) and run "
            + "the cell again.", blank.Message);
    }

    [Fact]
    public void ARightAnswerIsNamedAndAWrongOneGetsTheHintOnly()
    {
        Assert.Equal("Right: the mean is 0.5.", Exercise.Check("the mean", 0.5, 0.501, "Add and halve."));
        Assert.Equal("Right: the name is ab.", Exercise.Check("the name", "ab", "AB", "Look."));
        Assert.Equal("Right: the count is 3.", Exercise.Check("the count", 3, 3, "Count.", tolerance: 0));
        Assert.Equal("Not yet: the mean is not 0.4. Add and halve.",
            Assert.Throws<KitException>(() => Exercise.Check("the mean", 0.4, 0.5, "Add and halve.")).Message);
        Assert.Equal("Not yet: the name is not b. Look.",
            Assert.Throws<KitException>(() => Exercise.Check("the name", "b", "a", "Look.")).Message);
        Assert.Throws<KitException>(() => Exercise.Check("the number", double.NaN, 0.5, "Mind the division."));
    }
}
