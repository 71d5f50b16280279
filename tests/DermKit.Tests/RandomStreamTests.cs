using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Pretraining;
using DermKit.Tests.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests;

/// <summary>Streams of one seed, of neighbouring seeds and of neighbouring epochs have nothing
/// to do with each other.</summary>
public sealed class RandomStreamTests
{
    private static readonly RandomPurpose[] Purposes = Enum.GetValues<RandomPurpose>();

    /// <summary>Ten seeds, all purposes and enough epochs for a thousand streams or more.</summary>
    private static (int Seed, RandomPurpose Purpose, int Epoch)[] Combinations =>
    [
        .. from seed in Enumerable.Range(0, 10)
           from purpose in Purposes
           from epoch in Enumerable.Range(0, 13)
           select (seed, purpose, epoch),
    ];

    private static long SeedOf((int Seed, RandomPurpose Purpose, int Epoch) of) =>
        RandomStream.SeedOf(of.Seed, of.Purpose, of.Epoch);

    [Fact]
    public void NoTwoStreamsShareADraw()
    {
        Assert.True(Combinations.Length >= 1000);
        // A stream that is a shifted copy of another one repeats its draws.
        var drawn = new HashSet<ulong>();
        foreach (var of in Combinations)
        {
            var stream = new SplitMix64((ulong)SeedOf(of));
            for (int i = 0; i < 100; i++)
                Assert.True(drawn.Add(stream.Next()), $"{of} repeats a draw of another stream");
        }
    }

    [Fact]
    public void FirstDrawsOfNeighboursAreUncorrelated()
    {
        var first = Combinations.ToDictionary(c => c, c => new SplitMix64((ulong)SeedOf(c)).Next() * Math.Pow(2, -64));
        Assert.Equal(0.5, first.Values.Average(), 0.04);
        Uncorrelated("seeds", c => (c.Seed + 1, c.Purpose, c.Epoch));
        Uncorrelated("epochs", c => (c.Seed, c.Purpose, c.Epoch + 1));
        Uncorrelated("purposes", c => (c.Seed, c.Purpose + 1, c.Epoch));
        Uncorrelated("seed against epoch", c => (c.Seed + 1, c.Purpose, c.Epoch - 1));

        void Uncorrelated(string what,
            Func<(int Seed, RandomPurpose Purpose, int Epoch), (int, RandomPurpose, int)> neighbour)
        {
            (double A, double B)[] pairs = [.. first.Where(f => first.ContainsKey(neighbour(f.Key)))
                .Select(f => (f.Value, first[neighbour(f.Key)]))];
            double correlation = 12 * pairs.Average(p => (p.A - 0.5) * (p.B - 0.5));
            Assert.True(Math.Abs(correlation) < 4 / Math.Sqrt(pairs.Length),
                $"{what}: {correlation} over {pairs.Length} pairs");
        }
    }

    [Fact]
    public void GeneratorsOfStochasticDepthStartDifferently()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(0, CPU);
        var first = new HashSet<double>();
        // A processor's generator takes 32 bits of a seed.
        foreach (var of in Combinations)
        {
            generator.manual_seed(SeedOf(of));
            Assert.True(first.Add(rand(1, ScalarType.Float64, generator: generator).item<double>()), $"{of}");
        }
    }

    [Fact]
    public void TheOrderOfAnEpochComesFromItsOwnStream()
    {
        using var tiny = new TinyPretraining();
        using PretrainData data = tiny.Data();
        int[][] orders = [.. from seed in Enumerable.Range(1, 8) from epoch in Enumerable.Range(0, 8)
            select data.Order(12, seed, epoch)[0]];
        Assert.Equal(64, orders.Select(o => string.Join(',', o)).Distinct().Count());
        int[] expected = [.. Enumerable.Range(0, 12)];
        new SplitMix64((ulong)RandomStream.SeedOf(3, RandomPurpose.Order, 5)).Shuffle(expected.AsSpan());
        Assert.Equal(expected, data.Order(12, 3, 5)[0]);
    }

    [Theory]
    [InlineData("DINO")]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void PartsOfANetworkAndNetworksOfOtherSeedsStartWithOtherWeights(string method)
    {
        using var scope = NewDisposeScope();
        var seen = new Dictionary<string, string>();
        for (int seed = 1; seed <= 4; seed++)
        {
            using PretrainMethod made = (TinyPretraining.For(method) with { Seed = seed }).Create(CPU);
            // The first tensors that backbone, projector and predictor draw, less their scales.
            foreach (string part in (string[])["backbone", "head", "projection_head", "prediction_head"])
            {
                var drawn = made.Student.named_parameters()
                    .Where(p => p.name.StartsWith(part + ".", StringComparison.Ordinal));
                Tensor? first = drawn.Select(p => (Tensor)p.parameter)
                    .FirstOrDefault(p => p.numel() >= 16 && p.std().item<float>() > 0);
                if (first is null) continue;
                Tensor start = first.detach().flatten().narrow(0, 0, 16);
                string print = string.Join(' ',
                    (start / start.abs().max()).data<float>().Select(v => v.ToString("f4")));
                Assert.True(seen.TryAdd(print, $"{part} of seed {seed}"),
                    $"{part} of seed {seed} starts as {seen.GetValueOrDefault(print)}");
            }
        }
        Assert.True(seen.Count >= 8, $"{seen.Count} parts drew weights");
    }

    [Fact]
    public void CropsAndMasksOfOneImageHaveStreamsOfTheirOwn()
    {
        var seen = new HashSet<double>();
        foreach (RandomPurpose purpose in Purposes)
            for (int view = 0; view < 1100; view++)
                Assert.True(seen.Add(new ImageRandom(RandomStream.SeedOf(1, purpose), 0, 7, view).Uniform()),
                    $"{purpose}, view {view}");
    }
}
