using DermKit.Evaluation;
using DermKit.Pretraining;
using DermKit.Reporting;
using System.ComponentModel;

namespace DermKit.Tests.Reporting;

public sealed class PlanTableTests
{
    private sealed record Inner
    {
        public double? Share { get; init; } = 0.5;

        public string Note { get; init; } = "";
    }

    private sealed record Named(string Name)
    {
        public override string ToString() => Name;
    }

    private sealed record Plan
    {
        [DisplayName("Most training images")]
        public int MostTrain { get; init; } = int.MaxValue;

        public (int Width, int Height)? ImageSize { get; init; } = (200, 150);

        public Inner Probing { get; init; } = new();

        public IReadOnlyList<int> Seeds { get; init; } = [1, 9];

        public Named Precision { get; init; } = new("bf16");

        public bool Balanced { get; init; }

        public string[]? Tasks { get; init; }

        public int Both => Seeds.Count * MostTrain;
    }

    [Fact]
    public void EachSettingHasALineInWords()
    {
        (string, string)[] expected =
        [
            ("Most training images", "no limit"), ("Image size", "200 x 150"), ("Share", "0.500"),
            ("Note", "not set"), ("Seeds", "1, 9"), ("Precision", "bf16"), ("Balanced", "no"), ("Tasks", "not set"),
        ];
        Assert.Equal(expected, Tables.Plan(new Plan()).Rows.Select(r => ((string)r[0]!, (string)r[1]!)));
    }

    [Fact]
    public void EveryPlanOfTheLibraryIsATable()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        foreach (object plan in new object[]
        {
            SuitePlan.For(RunMode.Quick), LabelPlan.For(RunMode.Quick), CostPlan.For(RunMode.Quick),
            PretrainOptions.For("DINO")
        })
        {
            Table table = Tables.Plan(plan, settings);
            Assert.Equal(["Mode", "Device"], table.Rows.Take(2).Select(r => r[0]));
            Assert.DoesNotContain(table.Rows,
                r => ((string)r[1]!).Contains('{') || ((string)r[1]!).Contains("System.", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void KindsAreSpelledAsInConfigs()
    {
        IReadOnlyList<object?>[] rows = [.. Tables.Plan(PretrainOptions.For("SimCLR")).Rows];
        Assert.Contains(["Network", "ResNet-50"], rows);
        Assert.Contains(["Precision", "auto"], rows);
    }
}
