using DermKit.Pretraining;
using DermKit.Studies;

namespace DermKit.Tests.Studies;

public sealed class MethodPlanTests
{
    private static KitSettings Settings(RunMode mode) => KitSettings.FromEnvironment() with { Mode = mode };

    [Fact]
    public void WithTheEpochsOfTheConfigARunIsTheConfig()
    {
        KitSettings full = Settings(RunMode.Full);
        foreach (string method in PretrainOptions.Methods)
        {
            PretrainOptions named = PretrainOptions.Named(full, MethodPlan.Config(full, method));
            Assert.Equal(named, MethodPlan.For(RunMode.Full).Run(full, method, named.Seed));
            Assert.Equal($"{method.ToLowerInvariant()}-full as it is", MethodPlan.Changes(full, [named]));
        }
    }

    [Fact]
    public void EveryKeyThatDiffersFromTheConfigIsListed()
    {
        KitSettings workshop = Settings(RunMode.Workshop);
        MethodPlan plan = MethodPlan.For(RunMode.Workshop) with { Epochs = 5 };
        PretrainOptions Run(int seed) => plan.Run(workshop, "DINO", seed) with { Sets = ["isic2017"], BlurMax = 0.3 };
        PretrainOptions[] runs = [Run(1), Run(9)];
        string changes = MethodPlan.Changes(workshop, runs);
        Assert.StartsWith("dino-workshop with ", changes);
        string[] expected =
        [
            "blurMax = 0.3 (not 1)", "epochs = 5 (not 15)", "frozenLastLayerEpochs = 0 (not 1)", "seed = 1; 9 (not 1)",
            "sets = [\"isic2017\"] (not [])", "warmupEpochs = 0.5 (not 2)",
        ];
        Assert.Equal(expected, changes["dino-workshop with ".Length..].Split(", ").Order(StringComparer.Ordinal));
        // What is listed is all that differs.
        DinoOptions named = PretrainOptions.Named(workshop, "dino-workshop").As<DinoOptions>();
        named = named with { Seed = 9, Sets = runs[1].Sets, BlurMax = 0.3 };
        Assert.Equal(named with { Epochs = 5, WarmupEpochs = 0.5, FrozenLastLayerEpochs = 0 }, runs[1]);
        // A longer run keeps the last layer frozen as its config says.
        Assert.Equal(1, (plan with { Epochs = 20 }).Run(workshop, "iBOT", 1).As<IBotOptions>().FrozenLastLayerEpochs);
    }
}
