namespace DermKit.Pretraining;

/// <summary>One step of training as the log holds it. A number that a method does not have, or that was not measured at this step, is NaN.</summary>
/// <param name="Step">Number of the step, from 1.</param>
/// <param name="Steps">Steps of the whole run.</param>
/// <param name="Epoch">Passes over the data so far.</param>
/// <param name="Loss">Loss of the step's batch.</param>
/// <param name="LearningRate">Learning rate of the step.</param>
/// <param name="GradientNorm">L2 norm over all gradients before clipping.</param>
/// <param name="ImagesPerSecond">Images (not views) for each second, over the last steps.</param>
public sealed record TrainingStep(int Step, int Steps, double Epoch, double Loss, double LearningRate, double GradientNorm, double ImagesPerSecond)
{
    /// <summary>Loss / ln K for a method with K outputs; 1 when every output is uniform, which is collapse; NaN where CLS has no weight in the loss.</summary>
    public double LossRatio { get; init; } = double.NaN;

    /// <summary>True when loss or gradient was not finite: weights, targets, centre and running statistics were left as they were before the step.</summary>
    public bool Skipped { get; init; }

    /// <summary>Score of the monitor that the caller gave (<see cref="Pretrainer.AfterEpoch"/>), at the last step of an epoch.</summary>
    public double Score { get; init; } = double.NaN;

    /// <summary>The part of the loss that comes from masked patches (iBOT).</summary>
    public double PatchLoss { get; init; } = double.NaN;

    /// <summary>Mean entropy of the teacher's outputs / ln K, 0 to 1.</summary>
    public double TeacherEntropy { get; init; } = double.NaN;

    /// <summary>Standard deviation over the batch of L2-normalised features, times sqrt(dim): near 1 spread out, 0 collapsed to one point.</summary>
    public double FeatureStd { get; init; } = double.NaN;

    /// <summary>Exp of the entropy of the features' normalised singular values: how many directions are in use.</summary>
    public double EffectiveRank { get; init; } = double.NaN;
}
