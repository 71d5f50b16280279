namespace DermKit.Evaluation;

/// <summary>Size of a label-efficiency run; the defaults are the paper's.</summary>
public sealed record LabelPlan
{
    /// <summary>Tasks, models, seeds, limits and probes (by default kNN alone).</summary>
    public SuitePlan Suite { get; init; } = new() { Probing = new() { Probes = ["knn"] } };

    /// <summary>Labels of each class, ascending; sizes that a class of a task cannot give are left out.</summary>
    public IReadOnlyList<int> Sizes { get; init; } = [1, 3, 10, 30, 100, 300, 1000];

    /// <summary>Draws of each size for each seed.</summary>
    public int Repeats { get; init; } = 50;

    /// <summary>The numbers of a mode, with the images, models and seeds of <see cref="SuitePlan.For"/>, so that their
    /// features are reused. Quick draws 20 times.</summary>
    public static LabelPlan For(RunMode mode)
    {
        SuitePlan suite = SuitePlan.For(mode) with { Probing = new() { Probes = ["knn"] } };
        return mode == RunMode.Quick ? new() { Suite = suite, Repeats = 20 } : new() { Suite = suite };
    }

    internal void Check()
    {
        if (Sizes.Count == 0 || Sizes[0] < 1 || Sizes.Zip(Sizes.Skip(1)).Any(p => p.First >= p.Second))
            throw new KitException(
                $"Label plan, sizes: expected ascending numbers from 1, found [{string.Join(", ", Sizes)}].");
        if (Repeats < 1) throw new KitException($"Label plan, repeats: expected 1 or more, found {Repeats}.");
        if (Suite.Seeds.Count == 0 || Suite.Seeds.Distinct().Count() != Suite.Seeds.Count)
            throw new KitException(
                $"Label plan, seeds: expected at least one, each once, found [{string.Join(", ", Suite.Seeds)}].");
    }
}
