namespace DermKit.Pretraining;

/// <summary>Warns when a run looks collapsed. A sign must last, and counts only after the warm-up: a DINO loss near ln
/// K is normal at the start.</summary>
// Own thresholds, far from healthy: ViT-T/16 with DINO on skin images starts at loss 0.96 ln K, entropy 0.85, feature
// deviation 0.66.
internal sealed class CollapseWatch
{
    // Outputs are uniform when loss / ln K and teacher entropy are above this.
    private const double Uniform = 0.99;

    // All outputs are the same when loss / ln K and teacher entropy are below this.
    private const double OneAnswer = 0.01;

    // All features are nearly the same when their deviation is below this.
    private const double OneFeature = 0.05;

    // Share of the run that the warm-up, then a sign, must last.
    private const double Share = 0.05;

    // Measurements in a row that must show a sign.
    private const int Looks = 3;

    private int since, looks;
    private double rate = double.NaN;
    private bool warm;

    // What is wrong, since which step, what to change; else null.
    public string? Warning { get; private set; }

    // Ignores steps without monitor numbers; returns Warning.
    public string? Add(TrainingStep step)
    {
        warm |= step.LearningRate <= rate && step.Step >= Share * step.Steps;
        rate = step.LearningRate;
        if (!warm || double.IsNaN(step.FeatureStd)) return Warning;
        string? seen = Sign(step);
        // A change from one sign to another is no recovery.
        if (seen is null) looks = 0;
        else if (looks++ == 0) since = step.Step;
        bool lasts = looks >= Looks && step.Step - since >= Share * step.Steps;
        return Warning = lasts ? $"Looks collapsed since step {since}: {seen}" : null;
    }

    private static string? Sign(TrainingStep step) => step switch
    {
        { FeatureStd: < OneFeature } =>
            "all images get nearly the same feature. Lower baseLearningRate or lengthen its warm-up.",
        { LossRatio: > Uniform, TeacherEntropy: > Uniform } =>
            "the answers are uniform, so they say nothing of the image (a loss of ln K). Lower teacherTemperature.",
        { LossRatio: < OneAnswer, TeacherEntropy: < OneAnswer } =>
            "every image gets the same answer. Lower centerMomentum (1 switches centring off) or raise "
            + "teacherTemperature.",
        _ => null,
    };
}
