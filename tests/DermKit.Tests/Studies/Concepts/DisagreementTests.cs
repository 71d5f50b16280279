using DermKit.Studies;
using DermKit.Evaluation;
using DermKit.Reporting;

namespace DermKit.Tests.Studies;

public sealed class DisagreementTests
{
    internal static readonly int[] Truth = [0, 0, 0, 1, 1, 1];

    internal static TaskResult Result(string model, int[] predicted, string[]? units = null, string probe = "knn",
        string[]? ids = null, bool inMeans = true, string stamp = "") => new("t", 1, model, "cls4", probe, 1, "key",
            "w", "d", "set", false, inMeans, stamp, ["benign", "malignant"], 10,
            ids ?? ["a", "b", "c", "d", "e", "f"], units ?? ["a", "b", "c", "d", "e", "f"], Truth, predicted, [],
            [], [], "", 0);

    [Fact]
    public void ImagesAreThoseThatOneCallsRight()
    {
        Disagreement found =
            Assert.Single(Disagreement.Of([Result("m", [0, 0, 1, 1, 0, 0], stamp: "SYNTHETIC"),
                Result("n", [1, 1, 1, 1, 1, 0]), Result("n", Truth, probe: "linear")], "m", "n", 1));
        Assert.Equal((1, 2, "SYNTHETIC"), (found.BothRight, found.BothWrong, found.Stamp));
        Assert.Equal([new OneRight("a", "benign", "benign", "malignant"),
            new OneRight("b", "benign", "benign", "malignant")], found.OnlyFirst);
        Assert.Equal([new OneRight("e", "malignant", "benign", "malignant")], found.OnlySecond);
        Assert.Equal(1, found.P, 12);
        Table table = DisagreementReport.Counts([found]);
        Assert.Equal(new object[] { "t", "knn", 6, 1, 2, 1, 2, 1.0 }, table.Rows[0]);
        Assert.Equal("SYNTHETIC", table.Stamp);
        Assert.Equal("1, seed 1", table.Footnote!.Seeds);
        Disagreement clear = found with { P = 0.01 };
        Assert.Equal([0.02, 1.0], DisagreementReport.Counts([clear, found]).Rows.Select(r => (double)r[7]!));
        // Six images for one model: 2 / 64. Of three patients they are three: 2 / 8. A patient with
        // one image for either is a tie.
        int[] wrong = [1, 1, 1, 0, 0, 0];
        Assert.Equal(0.03125, Disagreement.Of([Result("m", Truth), Result("n", wrong)], "m", "n", 1)[0].P, 12);
        Assert.Equal(0.25,
            Disagreement.Of([Result("m", Truth, ["p", "p", "q", "q", "r", "r"]), Result("n", wrong)], "m", "n", 1)[0].P,
            12);
        Assert.Equal(1,
            Disagreement.Of([Result("m", [0, 1, 1, 0, 0, 0], ["p", "p", "q", "q", "r", "r"]),
                Result("n", [1, 0, 1, 0, 0, 0])], "m", "n", 1)[0].P, 12);
        Assert.Contains("other test images",
            Assert.Throws<KitException>(
                () => Disagreement.Of([Result("m", Truth), Result("n", Truth, ids: ["a", "b", "c", "d", "e", "x"])],
                    "m", "n", 1)).Message);
        Assert.Empty(DisagreementReport.Counts(Disagreement.Of([Result("m", Truth)], "m", "n", 1)).Rows);
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(5, 0, 0.0625)]
    [InlineData(1, 8, 0.0390625)]
    [InlineData(4, 4, 1)]
    public void McNemarIsExact(int first, int second, double expected) =>
        Assert.Equal(expected, Disagreement.McNemar(first, second), 12);
}
