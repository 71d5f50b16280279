using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class LabelDrawTests
{
    private static readonly int[] Labels = [.. Enumerable.Range(0, 400)
        .Select(i => i % 10 == 0 ? 2 : i % 3 == 0 ? 1 : 0)];

    [Fact]
    public void EachClassGivesThatManyRowsEachOnce()
    {
        foreach (LabelDraw draw in Enumerable.Range(0, 20)
            .SelectMany(r => LabelDraws.Draw(Labels, 3, [1, 3, 10, 30], 9, r)))
        {
            Assert.Equal(draw.Rows.Distinct().Order(), draw.Rows);
            Assert.All(ProbeInput.CountClasses(Array.ConvertAll(draw.Rows, r => Labels[r]), 3),
                n => Assert.Equal(draw.PerClass, n));
        }
    }

    [Fact]
    public void ADrawIsFixedBySeedAndRepeatAndNestedInTheLargerOnes()
    {
        IReadOnlyList<LabelDraw> draws = LabelDraws.Draw(Labels, 3, [3, 10, 30], 9, 4),
            again = LabelDraws.Draw(Labels, 3, [10], 9, 4);
        Assert.Equal(draws[1].Rows, again[0].Rows);
        Assert.Equal(draws[1].Seed, again[0].Seed);
        Assert.Subset(draws[2].Rows.ToHashSet(), draws[1].Rows.ToHashSet());
        Assert.Subset(draws[1].Rows.ToHashSet(), draws[0].Rows.ToHashSet());
        Assert.NotEqual(draws[1].Rows, LabelDraws.Draw(Labels, 3, [10], 9, 5)[0].Rows);
        Assert.NotEqual(draws[1].Rows, LabelDraws.Draw(Labels, 3, [10], 10, 4)[0].Rows);
    }

    [Fact]
    public void EveryRowIsDrawnAboutEquallyOften()
    {
        int[] times = new int[400];
        foreach (int row in Enumerable.Range(0, 2000).SelectMany(r => LabelDraws.Draw(Labels, 3, [10], 1, r)[0].Rows))
            times[row]++;
        // 10 of 40 rows of class 2: expected 500 times each, standard deviation 19.
        Assert.All(Enumerable.Range(0, 400).Where(i => Labels[i] == 2), i => Assert.InRange(times[i], 410, 590));
        Assert.Equal(2000 * 30, times.Sum());
    }

    [Fact]
    public void ASizeThatOneClassCannotGiveIsLeftOut()
    {
        Assert.Equal([1, 40], LabelDraws.Draw(Labels, 3, [1, 40, 41, 100], 1, 0).Select(d => d.PerClass));
        Assert.Empty(LabelDraws.Draw(Labels, 4, [1], 1, 0));
        Assert.Contains("1 or more", Assert.Throws<KitException>(() => LabelDraws.Draw(Labels, 3, [0], 1, 0)).Message,
            StringComparison.Ordinal);
        Assert.Contains("row 0 is 3", Assert.Throws<KitException>(() => LabelDraws.Draw([3], 3, [1], 1, 0)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, 12, 0.3)]
    [InlineData(2, 6, 0.2)]
    [InlineData(5, 40, 0.6)]
    public void TheFastPathIsTheProbeOnTheSameRows(int classes, int columns, double apart)
    {
        using var scope = NewDisposeScope();
        (Tensor train, int[] labels) = ProbeTests.Blobs(900, columns, classes, 1, apart);
        Tensor test = ProbeTests.Blobs(150, columns, classes, 2, apart).X;
        LabelDraw[] draws = [.. Enumerable.Range(0, 6)
            .SelectMany(r => LabelDraws.Draw(labels, classes, [1, 3, 6, 7, 10, 30, 100], 42, r))];
        IReadOnlyList<DrawOutcome> fast = new KnnProbe().RunDraws(train, labels, test, classes, draws);
        Assert.Equal(42, fast.Count);
        Assert.True(fast.Select(f => f.K).Distinct().Count() > 3);
        foreach ((LabelDraw draw, DrawOutcome own) in draws.Zip(fast))
        {
            ProbeOutcome plain = new KnnProbe()
                .Run(train.index_select(0, ProbeInput.ToTensor(draw.Rows, CPU)),
                    Array.ConvertAll(draw.Rows, r => labels[r]), test, classes, draw.Seed);
            Assert.Equal(plain.K, own.K);
            Assert.Equal(plain.Predicted, own.Predicted);
        }
    }

    [Theory]
    [InlineData(3, 12, false)]
    [InlineData(2, 40, false)]
    [InlineData(4, 40, true)]
    public void BatchedRegressionsAreTheProbeOnTheSameRows(int classes, int columns, bool standardise)
    {
        using var scope = NewDisposeScope();
        (Tensor train, int[] labels) = ProbeTests.Blobs(300, columns, classes, 1, 0.4);
        Tensor test = ProbeTests.Blobs(150, columns, classes, 2, 0.4).X;
        LinearProbe probe = new(Standardise: standardise, Balanced: true);
        // Sets with fewer and with more rows than columns.
        LabelDraw[] draws = [.. Enumerable.Range(0, 4)
            .SelectMany(r => LabelDraws.Draw(labels, classes, [1, 3, 10, 30], 42, r))];
        IReadOnlyList<DrawOutcome> fast = probe.RunDraws(train, labels, test, classes, draws);
        Assert.All(fast, f => Assert.True(f.Converged));
        Assert.True(fast.Select(f => string.Join(' ', f.Predicted)).Distinct().Count() > 8);
        foreach ((LabelDraw draw, DrawOutcome own) in draws.Zip(fast))
        {
            ProbeOutcome plain = probe.Run(train.index_select(0, ProbeInput.ToTensor(draw.Rows, CPU)),
                Array.ConvertAll(draw.Rows, r => labels[r]), test, classes);
            Assert.Equal(plain.Predicted, own.Predicted);
        }
        Assert.All((probe with { MaxIterations = 0 }).RunDraws(train, labels, test, classes, draws),
            f => Assert.False(f.Converged));
    }
}
