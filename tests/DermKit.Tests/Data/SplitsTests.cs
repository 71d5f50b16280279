using DermKit.Data;

namespace DermKit.Tests.Data;

public sealed class SplitsTests
{
    private static readonly int[] Labels = [.. Enumerable.Range(0, 1000)
        .Select(i => i % 50 == 0 ? 2 : i % 3 == 0 ? 1 : 0)];
    private static readonly string?[] Patients = [.. Enumerable.Range(0, 1000)
        .Select(i => i % 10 == 9 ? null : $"P{i * 7919 % 331}")];

    [Fact]
    public void TheGeneratorGivesThePublishedStream()
    {
        var random = new SplitMix64(1234567);
        Assert.Equal([6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
            16408922859458223821], Enumerable.Range(0, 5).Select(_ => random.Next()).ToArray());
    }

    [Fact]
    public void ADrawIsTheSameOnEveryMachine()
    {
        int[] labels = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
        Assert.Equal([2, 4, 16], Splits.Stratified(labels, 1).Test);
        Assert.Equal([1, 5, 17], Splits.Stratified(labels, 555).Test);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(21)]
    [InlineData(42)]
    [InlineData(555)]
    public void StratifiedKeepsEachClassesShare(int seed)
    {
        Split split = Splits.Stratified(Labels, seed);
        Assert.Equal(Enumerable.Range(0, 1000), split.Train.Concat(split.Test).Order());
        foreach (var group in Labels.CountBy(l => l))
            Assert.InRange(split.Test.Count(i => Labels[i] == group.Key), group.Value * .15 - 1, group.Value * .15 + 1);
        Split again = Splits.Stratified(Labels, seed);
        Assert.Equal(split.Train, again.Train);
        Assert.Equal(split.Test, again.Test);
        Assert.NotEqual(split.Test, Splits.Stratified(Labels, seed + 1).Test);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(9, true)]
    [InlineData(1, false)]
    [InlineData(555, false)]
    public void PatientsStayWhole(int seed, bool stratify)
    {
        Split split = Splits.ByPatient(Patients, stratify ? Labels : null, seed);
        Assert.Equal(Enumerable.Range(0, 1000), split.Train.Concat(split.Test).Order());
        Assert.Empty(split.Train.Select(i => Patients[i]).OfType<string>()
            .Intersect(split.Test.Select(i => Patients[i]).OfType<string>()));
        Assert.InRange(split.Test.Length, 100, 200);
        if (stratify) Assert.Equal([0, 1, 2], split.Test.Select(i => Labels[i]).Distinct().Order());
    }

    [Fact]
    public void ThePatientsDrawnDoNotDependOnTheOrderOfRows()
    {
        int[] order = [.. Enumerable.Range(0, 1000).Where(i => Patients[i] is not null)];
        string?[] forward = [.. order.Select(i => Patients[i])],
            backward = [.. order.Reverse().Select(i => Patients[i])];
        string?[] a = [.. Splits.ByPatient(forward, null, 42).Test.Select(i => forward[i]).Distinct().Order()],
            b = [.. Splits.ByPatient(backward, null, 42).Test.Select(i => backward[i]).Distinct().Order()];
        Assert.Equal(a, b);
    }

    [Fact]
    public void ClassesOfOneImageStayInTraining()
    {
        Split split = Splits.Stratified([0, 0, 1, 2, 2], 1);
        Assert.Contains(2, split.Train);
        Assert.Equal(2, split.Test.Length);
    }

    [Fact]
    public void LeaksAreRefusedByName()
    {
        ImageTable table = MiniTrees.Table(("a", "train", "P1", "x"), ("b", "test", "P1", "y"),
            ("c", "test", "P2", "y"));
        string message =
            Assert.Throws<KitException>(() => Splits.CheckLeaks(table, Splits.Official(table), "Task 't'")).Message;
        Assert.Contains("Task 't': 1 patient_id on both sides of the split: P1.", message);
        Splits.CheckLeaks(table, new([0, 1], [2]), "Task 't'");
        Assert.Contains("image",
            Assert.Throws<KitException>(() => Splits.CheckLeaks(table, new([0, 1], [0]), "t")).Message);
    }
}
