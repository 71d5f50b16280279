namespace DermKit.Studies;

/// <summary>Settings of the study of images and metadata.</summary>
public sealed record MultimodalPlan
{
    /// <summary>Models, seeds, limits and one task, by default PAD-UFES-20's diagnoses, else the drawn set's.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>Penalties to choose from, the same for every arm.</summary>
    public IReadOnlyList<double> Cs { get; init; } = [0.001, 0.01, 0.1, 1];

    /// <summary>Folds over training patients, for penalties and metadata groups.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>Share of the metadata columns that an image needs values in.</summary>
    public double Recorded { get; init; } = 0.6;

    /// <summary>The plan of a mode; quick takes at most 420 training and 180 test images, some without metadata. A
    /// geometry is such as 200x150; empty or 0 keeps the default.</summary>
    public static MultimodalPlan For(RunMode mode, string task = "", string baseline = StudyPlans.Baseline,
        string geometry = "", int mostImages = 0, int resamples = 1000)
    {
        SuitePlan suite = StudyPlans.Suite(mode, 420, 180, task, baseline, mostImages, resamples);
        return new() { Suite = suite with { Geometry = SuitePlan.GeometryOf(geometry) } };
    }
}
