namespace DermKit.Evaluation;

/// <summary>How much of the label-efficiency protocol to run; the defaults are the paper's. A mode changes these numbers and nothing else.</summary>
public sealed record LabelPlan
{
    /// <summary>Tasks, models, seeds, limits, and the probes with their settings: kNN alone unless linear is asked for.</summary>
    public SuitePlan Suite { get; init; } = new() { Probing = new() { Probes = ["knn"] } };

    /// <summary>Labels of each class, ascending; a size that some class of a task cannot give is left out there.</summary>
    public IReadOnlyList<int> Sizes { get; init; } = [1, 3, 10, 30, 100, 300, 1000];

    /// <summary>Draws of each size for each seed.</summary>
    public int Repeats { get; init; } = 50;

    /// <summary>
    /// The numbers of a mode: images, models and seeds of <see cref="SuitePlan.For"/>, so that features of the probing notebook are read and not made again.
    /// Quick draws 20 times; workshop and full draw as the paper does.
    /// </summary>
    public static LabelPlan For(RunMode mode)
    {
        SuitePlan suite = SuitePlan.For(mode) with { Probing = new() { Probes = ["knn"] } };
        return mode == RunMode.Quick ? new() { Suite = suite, Repeats = 20 } : new() { Suite = suite };
    }

    /// <exception cref="KitException">A number is not usable.</exception>
    internal void Check()
    {
        if (Sizes.Count == 0 || Sizes[0] < 1 || Sizes.Zip(Sizes.Skip(1)).Any(p => p.First >= p.Second))
            throw new KitException($"Label plan, sizes: expected ascending numbers from 1, found [{string.Join(", ", Sizes)}].");
        if (Repeats < 1) throw new KitException($"Label plan, repeats: expected 1 or more, found {Repeats}.");
        if (Suite.Seeds.Count == 0 || Suite.Seeds.Distinct().Count() != Suite.Seeds.Count)
            throw new KitException($"Label plan, seeds: expected at least one, each once, found [{string.Join(", ", Suite.Seeds)}].");
        if (Suite.Probing.Knn.Vote != KnnVote.Uniform) throw new KitException($"Label plan: label efficiency counts neighbours alike, the vote {Suite.Probing.Knn.Vote} is not among its options; use Uniform.");
        Probing.CheckProbes(Suite.Probing.Probes);
    }
}
