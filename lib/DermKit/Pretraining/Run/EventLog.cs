using TorchSharp;
using TorchSharp.Modules;

namespace DermKit.Pretraining;

/// <summary>The numbers of a run as TensorBoard events.</summary>
public sealed class EventLog
{
    private readonly SummaryWriter writer;

    /// <summary>Begins a new file of events; a run that is taken up adds a second one, which TensorBoard joins to the first.</summary>
    /// <param name="folder">Made when absent.</param>
    public EventLog(string folder) => writer = torch.utils.tensorboard.SummaryWriter(Directory.CreateDirectory(folder).FullName);

    /// <summary>Adds every finite number of a step.</summary>
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
