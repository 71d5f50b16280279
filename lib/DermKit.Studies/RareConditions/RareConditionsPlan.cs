namespace DermKit.Studies;

/// <summary>Settings of the study of rare classes.</summary>
public sealed record RareConditionsPlan
{
    /// <summary>Tasks, models, seeds, limits and probes; sizes and repeats of few-label draws.</summary>
    public LabelPlan Labels { get; init; } = new() { Suite = new() };

    /// <summary>Training and test images of the rarest class that a thinned task keeps; 0 thins nothing.</summary>
    public int Fewest { get; init; }

    /// <summary>Rare classes in a task, those with the fewest training images; 0 for a third, rounded up.</summary>
    public int Rare { get; init; }

    /// <summary>Names of the rare classes; null for the rarest.</summary>
    public IReadOnlyList<string>? Named { get; init; }

    /// <summary>The plan of a mode as <see cref="LabelPlan.For"/>, but quick thins tasks to 10 images of the rarest
    /// class. Tasks, and rare classes as a number or names, are comma separated, a geometry is such as 200x150; empty
    /// or 0 keeps the default.</summary>
    public static RareConditionsPlan For(RunMode mode, string tasks = "", string rareClasses = "",
        string baseline = StudyPlans.Baseline, int mostImages = 0, string geometry = "", int resamples = 1000)
    {
        SuitePlan suite =
            StudyPlans.Suite(mode, int.MaxValue, int.MaxValue, tasks, baseline, mostImages, resamples);
        bool isNumber = int.TryParse(rareClasses, out int rare);
        return new()
        {
            Labels = LabelPlan.For(mode) with { Suite = suite with { Geometry = SuitePlan.GeometryOf(geometry) } },
            Fewest = mode == RunMode.Quick ? 10 : 0,
            Rare = rare,
            Named = isNumber ? null : PlanSettings.Names(rareClasses),
        };
    }
}
