namespace DermKit.Studies;

/// <summary>Settings of the cross-institution study.</summary>
public sealed record CrossSetPlan
{
    /// <summary>Models, seeds, limits, probes and common image size; tasks are ignored.</summary>
    public SuitePlan Suite { get; init; } = new() { Geometry = (224, 224) };

    /// <summary>Limits both sets to the smaller number of training images, so that numbers cause no drop.</summary>
    public bool EqualTraining { get; init; } = true;

    /// <summary>The plan of a mode; quick takes at most 100 training and 150 test images of each set. 0 images keep the
    /// limits.</summary>
    public static CrossSetPlan For(RunMode mode, string baseline = StudyPlans.Baseline, int mostImages = 0,
        bool oneGeometry = true, int resamples = 1000)
    {
        SuitePlan suite = StudyPlans.Suite(mode, 100, 150, "", baseline, mostImages, resamples);
        return new() { Suite = suite with { Geometry = oneGeometry ? (224, 224) : null } };
    }
}
