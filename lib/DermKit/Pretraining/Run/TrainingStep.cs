namespace DermKit.Pretraining;

/// <summary>One step, from 1, of a training log. Epoch counts passes so far; the gradient norm is L2 before clipping;
/// the rate counts images, not views. NaN: not measured or not applicable.</summary>
public sealed record TrainingStep(
    int Step, int Steps, double Epoch, double Loss, double LearningRate, double GradientNorm, double ImagesPerSecond)
{
    /// <summary>Loss without its patch part / ln K: 1 is collapse to uniform outputs.</summary>
    public double LossRatio { get; init; } = double.NaN;

    /// <summary>True when loss or gradient was not finite; nothing was changed.</summary>
    public bool Skipped { get; init; }

    /// <summary>Score of <see cref="Pretrainer.AfterEpoch"/>, at the last step of an epoch.</summary>
    public double Score { get; init; } = double.NaN;

    /// <summary>Part of the loss that comes from masked patches (iBOT).</summary>
    public double PatchLoss { get; init; } = double.NaN;

    /// <summary>Mean entropy of the teacher's outputs / ln K, 0 to 1.</summary>
    public double TeacherEntropy { get; init; } = double.NaN;

    /// <summary>Deviation of L2-normalised features, times sqrt(dim): near 1 spread out, 0 collapsed.</summary>
    public double FeatureStd { get; init; } = double.NaN;

    /// <summary>Directions that the features use: exp of the entropy of their normalised singular values.</summary>
    public double EffectiveRank { get; init; } = double.NaN;
}
