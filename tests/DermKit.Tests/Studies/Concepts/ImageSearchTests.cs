using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;

namespace DermKit.Tests.Studies;

public sealed class ImageSearchTests
{
    private static ProbeTask Task()
    {
        string[] ids = [.. Enumerable.Range(0, 12).Select(i => $"i{i}")];
        var table = new ImageTable("made-up", ("image", ids), ("image_id", ids),
            ("patient_id", ids.Select((_, i) => $"p{i / 2}")));
        var definition = new TaskDefinition
        {
            Name = "one",
            Version = 1,
            Title = "one",
            DataSets = new() { ["made-up"] = null },
            Label = "x",
            ClassCount = 2,
            Positive = "b",
            Split = SplitKind.Patient,
            Unit = "patient_id",
            InPretraining = false
        };
        return new(definition, table, [.. ids.Select((_, i) => i % 2)], ["a", "b"], new bool[12]);
    }

    private static Answer Answer(ProbeTask task, int row, string label, double chance, params string[] found) =>
        new(new(task, row, "made-up", label), [.. found.Select(f => (new Image(task, 0, "other", f), 0.5f))], chance);

    [Fact]
    public void PrecisionIsTheShareOfTheLabelAmongTheNearest()
    {
        ProbeTask task = Task();
        Answer[] answers = [Answer(task, 0, "a", 0.5, "a", "b", "b", "b"),
            Answer(task, 2, "b", 0.5, "b", "b", "a", "b"), Answer(task, 4, "c", 0, "a", "b", "a", "b")];
        Assert.Equal(1, ImageSearch.Precision(answers, 1).Value);
        // 1 of 2 and 2 of 2; the third has a label that is nowhere to be found.
        Interval two = ImageSearch.Precision(answers, 2);
        Assert.Equal((0.75, 0.5, 1.0), (two.Value, two.Low, two.High));
        Assert.Equal((0.25 + 0.75) / 2, ImageSearch.Precision(answers, 4).Value);
        // Fewer than k found: the share of those.
        Assert.Equal(0.5, ImageSearch.Precision(answers, 9).Value);
        // Both of one patient are drawn together: no spread.
        Interval one = ImageSearch.Precision([answers[0], Answer(task, 1, "b", 0.5, "b", "b")], 2);
        Assert.Equal((0.75, 0.75, 0.75), (one.Value, one.Low, one.High));
        Assert.Throws<ArgumentException>(() => ImageSearch.Precision([answers[2]], 1));
    }
}
