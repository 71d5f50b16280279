using DermKit.Evaluation;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

public sealed class ProbeTests
{
    /// <summary>Gaussian classes around random centres.</summary>
    internal static (Tensor X, int[] Y) Blobs(int rows, int columns, int classes, int seed, double apart = 1.5)
    {
        using var scope = NewDisposeScope();
        var generator = new Generator((ulong)seed);
        int[] y = [.. Enumerable.Range(0, rows).Select(i => i % classes)];
        Tensor centres = randn([classes, columns], generator: new Generator(7)) * Kept(apart);
        return ((centres.index_select(0, ProbeInput.ToTensor(y, CPU)) + randn([rows, columns], generator: generator))
            .MoveToOuterDisposeScope(), y);
    }

    [Fact]
    public void ATiedVoteGoesToTheSmallestClass()
    {
        using var scope = NewDisposeScope();
        Tensor train = tensor(new float[,] { { 1, 0 }, { 1, 0.1f }, { 0, 1 } });
        ProbeOutcome two = KnnProbe.Classify(train, [2, 1, 0], tensor(new float[,] { { 1, 0.05f } }), 3, [2])[2];
        Assert.Equal([1], two.Predicted);
        Assert.Equal(0.5, two.Probabilities[0, 2]);
    }

    [Fact]
    public void ExactDuplicatesOutvoteAllOthersByDistance()
    {
        using var scope = NewDisposeScope();
        Tensor train = tensor(new float[,] { { 4, 0 }, { 2, 0 }, { 1, 0.01f }, { 1, 0.01f }, { 1, 0.01f } });
        ProbeOutcome five = KnnProbe.Classify(train, [0, 0, 1, 1, 1], tensor(new float[,] { { 3, 0 } }), 2, [5],
            KnnVote.InverseDistance)[5];
        Assert.Equal(1, five.Probabilities[0, 0]);
        Assert.Equal([1],
            KnnProbe.Classify(train, [0, 0, 1, 1, 1], tensor(new float[,] { { 3, 0 } }), 2, [5])[5].Predicted);
    }

    [Fact]
    public void EveryKFromOnePassIsThatKAlone()
    {
        using var scope = NewDisposeScope();
        (Tensor train, int[] labels) = Blobs(90, 12, 4, 1, 0.3);
        Tensor query = Blobs(40, 12, 4, 2, 0.3).X;
        foreach (KnnVote vote in Enum.GetValues<KnnVote>())
        {
            var together = KnnProbe.Votes(train, labels, query, 4, [7, 1, 200, 30, 7], vote);
            Assert.Equal([1, 7, 30], together.Keys);
            foreach (int k in together.Keys)
            {
                double[,] alone = KnnProbe.Votes(train, labels, query, 4, [k], vote)[k];
                Assert.All(alone.Cast<double>().Zip(together[k].Cast<double>()),
                    pair => Assert.Equal(pair.First, pair.Second, 1e-9 * Math.Max(1, pair.First)));
            }
        }
    }

    [Fact]
    public void TheProtocolChoosesTheBestKOnItsValidationPartWithoutARefit()
    {
        using var scope = NewDisposeScope();
        (Tensor train, int[] labels) = Blobs(200, 8, 3, 3, 0.7);
        (Tensor test, int[] truth) = Blobs(60, 8, 3, 4, 0.7);
        ProbeOutcome outcome = new KnnProbe().Run(train, labels, test, 3, seed: 42);
        Assert.Equal([1, 5, 10, 20, 30, 50, 100], outcome.ValidationF1.Keys.Order());
        Assert.Equal(outcome.ValidationF1.Values.Max(), outcome.ValidationF1[outcome.K!.Value]);
        Assert.Equal(outcome.ValidationF1.Where(v => v.Value == outcome.ValidationF1.Values.Max()).Min(v => v.Key),
            outcome.K);
        (int[] fit, _) = DermKit.Data.Splits.Stratified(labels, 42);
        Tensor fitted = train.index_select(0, ProbeInput.ToTensor(fit, CPU));
        var again = KnnProbe.Classify(fitted, Array.ConvertAll(fit, i => labels[i]), test, 3,
            [outcome.K.Value])[outcome.K.Value];
        Assert.Equal(again.Predicted, outcome.Predicted);
        Assert.Equal(outcome.Predicted, new KnnProbe().Run(train, labels, test, 3, seed: 42).Predicted);
        Assert.True(ClassCounts.Of(truth, outcome.Predicted, 3).PaperF1() > 0.6);
        Assert.Empty(outcome.Note);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(6, true)]
    public void OneRareClassDoesNotKeepTheOthersFromChoosingK(int rare, bool heldBack)
    {
        using var scope = NewDisposeScope();
        // As in Derm7pt, where the rarest class has 6 training images: noise in which many neighbours beat one.
        int[] y = [.. Enumerable.Range(0, 600).Select(i => i % 2), .. Enumerable.Repeat(2, rare)];
        Tensor centres = ProbeInput.ToTensor(y, CPU).to(float32).unsqueeze(1);
        Tensor x = randn([y.Length, 4], generator: new Generator(3)) + centres;
        ProbeOutcome outcome = new KnnProbe().Run(x, y, x, 3, 1);
        Assert.Equal([1, 5, 10, 20, 30, 50, 100, 200], outcome.ValidationF1.Keys.Order());
        Assert.True(outcome.K > 1, $"k = {outcome.K}");
        DermKit.Data.Split parts = new KnnProbe().SplitToChooseK(y, 3, 1)!;
        Assert.Equal(heldBack, parts.Test.Any(i => y[i] == 2));
        Assert.Contains(parts.Train, i => y[i] == 2);
        Assert.Equal(90 + (heldBack ? 1 : 0), parts.Test.Length);
        Assert.Equal(heldBack, outcome.Note.Length == 0);
        if (!heldBack) Assert.Contains("one training image (1) are fitted and take no part", outcome.Note);
    }

    [Theory]
    [InlineData(1, 20)] // nothing to hold back
    [InlineData(3, 7)] // 15 % of 21 are 4 rows for 7 classes, as with three labels of each
    [InlineData(5, 4)] // 3 rows for 4 classes
    public void WhereTheShareHasNoRowForEachClassKIsOneAndTheOutcomeSaysSo(int images, int classes)
    {
        using var scope = NewDisposeScope();
        int[] y = [.. Enumerable.Range(0, images * classes).Select(i => i % classes)];
        Tensor x = randn(y.Length, 4);
        ProbeOutcome outcome = new KnnProbe().Run(x, y, x, classes, 1);
        Assert.Equal(1, outcome.K);
        Assert.Equal(y, outcome.Predicted);
        Assert.Empty(outcome.ValidationF1);
        Assert.Contains($"15 % of {y.Length} training images", outcome.Note);
        Assert.Contains("a rule of this kit, not of the paper", outcome.Note);
        // One more label of each class than the share needs, and k is chosen.
        int[] more = [.. Enumerable.Range(0, 7 * classes).Select(i => i % classes)];
        Assert.NotEmpty(new KnnProbe().Run(randn(more.Length, 4), more, x, classes, 1).ValidationF1);
    }

    [Fact]
    public void FaultyInputIsRefusedByRow()
    {
        using var scope = NewDisposeScope();
        Tensor x = randn(20, 3), broken = x.clone();
        broken[13, 1] = float.NaN;
        int[] y = [.. Enumerable.Range(0, 20).Select(i => i % 2)];
        Assert.Contains("row 13", Assert.Throws<KitException>(() => new KnnProbe().Run(broken, y, x, 2, 1)).Message);
        Assert.Contains("row 13", Assert.Throws<KitException>(() => new KnnProbe().Run(x, y, broken, 2, 1)).Message);
        Assert.Contains("row 13", Assert.Throws<KitException>(() => new LinearProbe().Run(broken, y, x, 2)).Message);
        Assert.Contains("row 13", Assert.Throws<KitException>(() => new LinearProbe().Run(x, y, broken, 2)).Message);
        Assert.Contains("row 19 is 1",
            Assert.Throws<KitException>(() => new LinearProbe().Run(x, [.. new int[19], 1], x, 1)).Message);
        Assert.Contains("found 19", Assert.Throws<KitException>(() => new KnnProbe().Run(x, y[..19], x, 2, 1)).Message);
        Assert.Contains("3 columns",
            Assert.Throws<KitException>(() => new KnnProbe().Run(x, y, randn(5, 4), 2, 1)).Message);
        Assert.Contains("3 columns",
            Assert.Throws<KitException>(() => new LinearProbe().Run(x, y, randn(5, 4), 2)).Message);
        Assert.Contains("at least two classes",
            Assert.Throws<KitException>(() => new LinearProbe().Run(x, new int[20], x, 2)).Message);
        Assert.Contains("1 or more", Assert.Throws<KitException>(() => KnnProbe.Classify(x, y, x, 2, [0])).Message);
    }

    [Fact]
    public void ARowOfZerosIsSimilarToNothing()
    {
        using var scope = NewDisposeScope();
        var found = CosineSearch.Nearest(randn(10, 3), zeros(2, 3), 4).Single();
        Assert.Equal(0, found.Cosine.abs().max().item<float>());
    }

    [Theory]
    [InlineData(60, 20, 2)]
    [InlineData(60, 20, 5)]
    [InlineData(30, 100, 2)]
    [InlineData(30, 100, 4)]
    [InlineData(400, 30, 40)]
    public void LogisticRegressionReachesAZeroGradient(int rows, int columns, int classes)
    {
        using var scope = NewDisposeScope();
        (Tensor x, int[] y) = Blobs(rows, columns, classes, 5, 0.2);
        // Equal rows make X X^T singular.
        x[3] = x[0];
        LinearFit fit = new LinearProbe(C: 2).Fit(x, y, classes);
        Assert.True(fit.Converged);
        // The gradient by autograd in the original space, whatever space the solver worked in.
        Tensor w = tensor(fit.Coefficients).requires_grad_(), b = tensor(fit.Intercepts).requires_grad_();
        Tensor logits = x.to(float64).mm(w.t()) + b;
        if (classes == 2) logits = cat([zeros_like(logits), logits], 1);
        Tensor loss = nn.functional.cross_entropy(logits, ProbeInput.ToTensor(y, CPU), reduction: nn.Reduction.Sum)
            + Kept(0.25) * w.square().sum();
        loss.backward();
        Assert.Equal(fit.Objective, loss.item<double>(), 1e-9 * Math.Abs(fit.Objective));
        Assert.InRange(w.grad!.abs().max().item<double>(), 0, 1e-5);
        Assert.InRange(b.grad!.abs().max().item<double>(), 0, 1e-5);
        if (classes > 2) Assert.Equal(0, fit.Intercepts.Sum(), 1e-8);
    }

    [Fact]
    public void AClassWithoutTrainingRowsGetsProbabilityZero()
    {
        using var scope = NewDisposeScope();
        (Tensor x, int[] y) = Blobs(60, 6, 3, 6);
        ProbeOutcome outcome = new LinearProbe().Run(x, Array.ConvertAll(y, l => l == 1 ? 3 : l), x, 5);
        Assert.True(outcome.Converged);
        for (int i = 0; i < 60; i++)
        {
            Assert.Equal(0, outcome.Probabilities[i, 1] + outcome.Probabilities[i, 4]);
            Assert.Equal(1, Enumerable.Range(0, 5).Sum(c => outcome.Probabilities[i, c]), 1e-12);
        }
    }

    [Fact]
    public void HardFeaturesConvergeOrTheOutcomeSaysThatTheyDoNot()
    {
        using var scope = NewDisposeScope();
        (Tensor x, int[] y) = Blobs(300, 40, 3, 8, 0.3);
        // Columns of very different size, one constant, one twice.
        Tensor hard = cat([x * logspace(-3, 3, 40), ones(300, 1), x.narrow(1, 0, 1)], 1);
        ProbeOutcome outcome = new LinearProbe().Run(hard, y, hard, 3);
        Assert.True(outcome.Converged, outcome.Note);
        ProbeOutcome cut = (new LinearProbe() with { MaxIterations = 2 }).Run(hard, y, hard, 3);
        Assert.False(cut.Converged);
        Assert.Contains("did not converge", cut.Note);
    }

    [Fact]
    public void ABatchOfProblemsIsSolvedAsEachAlone()
    {
        using var scope = NewDisposeScope();
        (Tensor x, int[] y) = Blobs(80, 10, 3, 9, 0.5);
        Tensor target = nn.functional.one_hot(ProbeInput.ToTensor(y, CPU), 3).to(float64);
        Tensor weights = stack([ones(80, float64), (arange(Kept(80)) < Kept(30)).to(float64)]);
        Tensor both = x.to(float64).unsqueeze(0).expand(2, 80, 10).contiguous();
        var batch = LogisticSolver.Solve(both, stack([target, target]), weights, 1, 1e-8, 1000);
        Assert.All(batch.GradientNorm, n => Assert.InRange(n, 0, 1e-8));
        LinearFit part = new LinearProbe(Tolerance: 1e-8).Fit(x.narrow(0, 0, 30), y[..30], 3);
        Tensor coefficients = batch.Weights[1].narrow(0, 1, 10).t();
        Assert.InRange((coefficients - tensor(part.Coefficients)).abs().max().item<double>(), 0, 1e-6);
        Assert.Equal(part.Objective, batch.Objective[1], 1e-8);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void AProblemThatCannotBeSolvedEndsNoOtherOfItsBatch(int classes)
    {
        using var scope = NewDisposeScope();
        (Tensor x, int[] y) = Blobs(80, 10, classes, 9, 0.5);
        Tensor target = nn.functional.one_hot(ProbeInput.ToTensor(y, CPU), classes).to(float64), wide = x.to(float64);
        LogisticSolver.Solution Solve(params Tensor[] problems) =>
            LogisticSolver.Solve(stack(problems), stack([.. problems.Select(_ => target)]),
                ones([problems.Length, 80], float64), 1, 1e-8, 1000);
        // Squares beyond float64: no curvature, no step. And numbers that rounding does
        // not let come near the tolerance.
        foreach (Tensor hopeless in new[] { wide * Kept(1e200), wide * Kept(1e30), wide * Kept(double.NaN) })
        {
            LogisticSolver.Solution batch = Solve(wide, hopeless, wide * Kept(2)), alone = Solve(wide, wide * Kept(2));
            Assert.False(batch.GradientNorm[1] <= 1e-8);
            foreach ((int there, int here) in new[] { (0, 0), (2, 1) })
            {
                Assert.InRange(batch.GradientNorm[there], 0, 1e-8);
                Assert.Equal(alone.Objective[here], batch.Objective[there], 1e-9);
                Assert.InRange((alone.Weights[here] - batch.Weights[there]).abs().max().item<double>(), 0, 1e-6);
            }
        }
    }

    [Fact]
    public void ProbesLeaveNoTensorBehind()
    {
        (Tensor x, int[] y) = Blobs(120, 8, 3, 11);
        using (x)
        {
            long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            _ = new KnnProbe().Run(x, y, x, 3, 1);
            _ = new LinearProbe().Run(x, y, x, 3);
            _ = (new LinearProbe() with { MaxIterations = 30, Tolerance = 0 }).Run(x, y, x, 3);
            Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
    }
}
