namespace DermKit.Pretraining;

/// <summary>
/// Says in words when a run looks collapsed, from the numbers of <see cref="CollapseMonitor"/>. A sign counts only after the learning
/// rate's warm-up, because a DINO loss near ln K is no fault at the start, and only when it lasts.
/// </summary>
/// <remarks>
/// The thresholds are the kit's own and lie far from what a healthy run shows: ViT-T/16 with DINO on skin images starts, with random
/// weights, at a loss of 0.96 ln K, a teacher entropy of 0.85 and a feature standard deviation of 0.66.
/// </remarks>
public sealed class CollapseWatch
{
    /// <summary>Loss / ln K and teacher entropy that both lie above this are those of a uniform answer.</summary>
    public const double Uniform = 0.99;

    /// <summary>Loss / ln K and teacher entropy that both lie below this are those of one answer for every image.</summary>
    public const double OneAnswer = 0.01;

    /// <summary>Feature standard deviation below this: all images get nearly the same feature.</summary>
    public const double OneFeature = 0.05;

    /// <summary>Share of the run's steps that the learning rate's rise, and then a sign, must have lasted for.</summary>
    public const double Share = 0.05;

    /// <summary>Looks of the monitor in a row that must show a sign.</summary>
    public const int Looks = 3;

    private int since, looks;
    private double rate = double.NaN;
    private bool warm;

    /// <summary>What looks wrong after the steps so far, with the step it began at and what to change; null when nothing does.</summary>
    public string? Warning { get; private set; }

    /// <summary>Takes the next step; steps without numbers of the monitor change nothing.</summary>
    /// <returns><see cref="Warning"/>.</returns>
    public string? Add(TrainingStep step)
    {
        warm |= step.LearningRate <= rate && step.Step >= Share * step.Steps;
        rate = step.LearningRate;
        if (!warm || double.IsNaN(step.FeatureStd)) return Warning;
        string? seen = Sign(step);
        // A run that goes from one sign to another is no better for it.
        if (seen is null) looks = 0;
        else if (looks++ == 0) since = step.Step;
        bool lasts = looks >= Looks && step.Step - since >= Share * step.Steps;
        return Warning = lasts ? $"Looks collapsed since step {since}: {seen}" : null;
    }

    private static string? Sign(TrainingStep step) => step switch
    {
        { FeatureStd: < OneFeature } => "all images get nearly the same feature. Lower baseLearningRate or lengthen its warm-up.",
        { LossRatio: > Uniform, TeacherEntropy: > Uniform } => "the answers are uniform, so they say nothing of the image (a loss of ln K). Lower teacherTemperature.",
        { LossRatio: < OneAnswer, TeacherEntropy: < OneAnswer } => "every image gets the same answer. Lower centerMomentum (1 switches centring off) or raise teacherTemperature.",
        _ => null,
    };
}
