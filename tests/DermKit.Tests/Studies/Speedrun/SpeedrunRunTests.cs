using DermKit.Evaluation;
using DermKit.Pretraining;
using DermKit.Studies;
using DermKit.Tests.Data;
using DermKit.Tests.Pretraining;

namespace DermKit.Tests.Studies;

/// <summary>Runs of some seconds on the drawn set.</summary>
public sealed class SpeedrunRunTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly KitSettings settings;

    public SpeedrunRunTests() => settings = DrawnOnce.In(folder) with { Device = "cpu" };

    public void Dispose() => folder.Dispose();

    /// <summary>A second passes with each look at it.</summary>
    private sealed class CountingClock : TimeProvider
    {
        private long seconds;

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => ++seconds;
    }

    private static PretrainOptions Tiny(int seed = 1, int epochs = 20) =>
        TinyPretraining.Small(new SimClrOptions()) with
        {
            Sets = ["synthetic"],
            MostImages = 12,
            Depth = 4,
            Patch = 16,
            Epochs = epochs,
            MonitorEvery = 1000,
            Seed = seed,
        };

    private SpeedrunEntry Run(string name, PretrainOptions options, bool final = false) =>
        new SpeedrunRun(settings, new(name, options, 0.2), _ => { })
        {
            Clock = new CountingClock(),
            Limit = task => task.Limit(60, 40),
        }.Run(final, TestContext.Current.CancellationToken);

    private string Refused(string name, PretrainOptions options, bool final) =>
        Assert.Throws<KitException>(() => Run(name, options, final)).Message;

    [Fact]
    public void TheBudgetIsKeptAndTheSameSeedGivesTheSameBits()
    {
        SpeedrunEntry entry = Run("one", Tiny());
        // The first step takes two seconds, because the collapse monitor looks at the clock, every other one second:
        // after ten steps an eleventh would not fit into twelve seconds at the mean time of a step.
        Assert.Equal((10, 60), (entry.Steps, entry.StepsOfConfig));
        Assert.Equal(11 / 60.0, entry.MinutesTrained, 3);
        Assert.Equal(40 / 11.0, entry.ImagesPerSecond, 1);
        Assert.Equal("SYNTHETIC", entry.Stamp);
        SpeedrunEntry same = Run("two", Tiny()), other = Run("three", Tiny(seed: 2));
        Assert.Equal(entry.Weights, same.Weights);
        Assert.Equal(entry.Validation.Trained.Resamples, same.Validation.Trained.Resamples);
        Assert.Equal(entry.Validation.Permuted.Resamples, same.Validation.Permuted.Resamples);
        Assert.NotEqual(entry.Weights, other.Weights);
        Assert.NotEqual(entry.Validation.Trained.Resamples, entry.Validation.Untrained.Resamples);
        Assert.Equal(3, new SpeedrunLedger(settings, isDrawn: true).Entries().Count);
        Assert.Empty(Directory.GetFiles(Path.Combine(settings.CacheDir, "speedrun"), "*.tmp"));
        // A schedule that fits is run to its end.
        SpeedrunEntry ended = Run("short", Tiny(epochs: 2));
        Assert.Equal((6, 6), (ended.Steps, ended.StepsOfConfig));
    }

    [Fact]
    public void TestImagesAreScoredOnceForAnyWeights()
    {
        SpeedrunEntry entry = Run("one", Tiny());
        Assert.Null(entry.Test);
        Assert.Contains("Entry 'one' is in the ledger: --final", Refused("one", Tiny(), final: false));
        Assert.Contains("was made with seed 1, 0.2 minutes", Refused("one", Tiny(seed: 2), final: true));
        string weights = Path.Combine(settings.CacheDir, "speedrun", "one.safetensors"), kept = weights + ".kept";
        File.Move(weights, kept);
        Assert.Contains($"{weights}: expected the entry's weights", Refused("one", Tiny(), final: true));
        File.Move(kept, weights);
        SpeedrunEntry final = Run("one", Tiny(), final: true);
        Assert.Equal(entry.Weights, final.Weights);
        Assert.Equal(entry.Validation.Trained.Resamples, final.Validation.Trained.Resamples);
        Assert.NotEqual(entry.Validation.Trained.Data, final.Test!.Trained.Data);
        Assert.Equal(final.Test.Trained.Data, final.Test.Untrained.Data);
        Assert.Contains("is scored on the frozen test images, which is done once", Refused("one", Tiny(), final: true));
        Assert.Contains("Entry 'two' has the weights of 'one'", Refused("two", Tiny(), final: true));
        Assert.Null(new SpeedrunLedger(settings, isDrawn: true).Entries().Single(e => e.Name == "two").Test);
    }
}
