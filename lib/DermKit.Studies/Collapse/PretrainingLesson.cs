using DermKit.Pretraining;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>The runs of the pre-training notebook.</summary>
public static class PretrainingLesson
{
    /// <summary>A DINO or iBOT config by file or name; empty: the mode's DINO. 0 epochs keep the config's.</summary>
    /// <exception cref="KitException">As <see cref="PretrainOptions.Named"/>, or another method's config.</exception>
    public static TeacherStudentOptions Options(KitSettings settings, string config = "", int epochs = 0)
    {
        string name = config.Length > 0 ? config : $"dino-{settings.Mode}".ToLowerInvariant();
        PretrainOptions named = PretrainOptions.Named(settings, name);
        return (epochs < 1 ? named : named.WithEpochs(epochs)).As<TeacherStudentOptions>();
    }

    /// <summary>Four blocks of width 96, which show collapse within some dozens of steps.</summary>
    public static TeacherStudentOptions Small(TeacherStudentOptions options) => options with
    {
        Depth = 4,
        Dim = 96,
        Heads = 3,
        Outputs = 256,
        HeadHidden = 256,
        Bottleneck = 64,
        DropPath = 0,
        FrozenLastLayerEpochs = 0,
        BaseLearningRate = 0.004,
        WarmupEpochs = 0.5,
        TeacherMomentum = 0.99,
        MonitorEvery = 2,
    };

    /// <summary>Trains <see cref="Small"/> three times: with centre and sharpening, without centre, without sharpening.
    /// Steps are rounded up to whole epochs; progress gets a run's name and returns its callback.</summary>
    public static IReadOnlyList<(string Name, IReadOnlyList<TrainingStep> Log)> Collapse(TeacherStudentOptions options,
        PretrainData data, Device device, int steps, Func<string, Action<TrainingStep>>? progress = null,
        CancellationToken cancellation = default)
    {
        TeacherStudentOptions healthy = Small(options) with { Epochs = 1 + steps * options.Batch / data.Count };
        TeacherStudentOptions blunt = healthy with { TeacherTemperature = 0.1, TeacherTemperatureStart = 0.1 };
        return
        [
            Run("centred and sharpened", healthy),
            Run("no centre", healthy with { CenterMomentum = 1 }),
            Run("no sharpening", blunt),
        ];

        (string, IReadOnlyList<TrainingStep>) Run(string name, PretrainOptions run) =>
            (name, Pretrainer.Train(run, data, device, progress?.Invoke(name), cancellation));
    }
}
