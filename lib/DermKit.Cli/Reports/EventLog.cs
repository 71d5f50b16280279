using DermKit.Pretraining;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Cli;

/// <summary>Writes the numbers of a run as TensorBoard events.</summary>
internal sealed class EventLog(string folder)
{
    // A new file: TensorBoard joins those of a resumed run.
    private readonly SummaryWriter writer = utils.tensorboard.SummaryWriter(Directory.CreateDirectory(folder).FullName);

    public void Write(TrainingStep step)
    {
        void Add(string tag, double value)
        {
            if (double.IsFinite(value)) writer.add_scalar(tag, (float)value, step.Step);
        }
        Add("loss/total", step.Loss);
        Add("loss/patches", step.PatchLoss);
        Add("loss/over_ln_k", step.LossRatio);
        Add("optimiser/learning_rate", step.LearningRate);
        Add("optimiser/gradient_norm", step.GradientNorm);
        Add("optimiser/skipped", step.Skipped ? 1 : 0);
        Add("collapse/teacher_entropy", step.TeacherEntropy);
        Add("collapse/feature_std", step.FeatureStd);
        Add("collapse/effective_rank", step.EffectiveRank);
        Add("monitor/score", step.Score);
        Add("images_per_second", step.ImagesPerSecond);
    }
}
