namespace DermKit.Studies;

/// <summary>Settings of the skin tone study.</summary>
public sealed record SkinTonePlan
{
    /// <summary>Tasks, models, seeds, limits and probes; by default all tasks with skin types.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>Folds over the training images.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>Units that a type or group needs to be scored.</summary>
    public int FewestUnits { get; init; } = 10;

    /// <summary>The plan of a mode; quick takes at most 240 training and 160 test images of a task. Tasks are comma
    /// separated, a geometry is such as 200x150; empty keeps the default.</summary>
    public static SkinTonePlan For(RunMode mode, string tasks = "", string baseline = StudyPlans.Baseline,
        string geometry = "", int fewest = 10, int resamples = 1000)
    {
        SuitePlan suite = StudyPlans.Suite(mode, 240, 160, tasks, baseline, 0, resamples);
        return new() { Suite = suite with { Geometry = SuitePlan.GeometryOf(geometry) }, FewestUnits = fewest };
    }
}
