using TorchSharp;
using TorchSharp.Modules;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// The updates of a run, one for each batch of views, in facebookresearch/dino's order: loss, backward pass, clipping, frozen last layer
/// dropped, optimiser with this step's learning rate and weight decay, then the teacher (before the views for BYOL).
/// </summary>
internal sealed class Updates : IDisposable
{
    /// <summary>The schedules hold a number for each step: some gigabytes at most.</summary>
    private const int MostSteps = 100_000_000;

    private readonly PretrainOptions options;
    private readonly (string Name, Parameter Value)[] parameters;
    private readonly GradientClipping clipping;
    private readonly Snapshot running;
    private readonly double[] learningRates;

    public Updates(PretrainMethod method, PretrainOptions options, int stepsPerEpoch)
    {
        (Method, this.options, StepsPerEpoch) = (method, options, stepsPerEpoch);
        if ((long)stepsPerEpoch * options.Epochs > MostSteps) throw new KitException($"Pre-training options, key 'epochs': expected at most {MostSteps / Math.Max(1, stepsPerEpoch)}, which is {MostSteps} steps of {options.Batch} images, found {options.Epochs}.");
        Steps = stepsPerEpoch * options.Epochs;
        parameters = [.. method.Student.named_parameters().Where(p => p.parameter.requires_grad)];
        Optimiser = options.Optimizer switch
        {
            "Adam" => new Adam(parameters),
            "LARS" => new Lars(parameters),
            _ => new AdamW(parameters),
        };
        running = new(method.Running);
        clipping = new(parameters.Select(p => p.Value), options.ClipGradient);
        learningRates = Schedules.Cosine(options.BaseLearningRate * options.Batch / 256, options.MinLearningRate, Steps, (int)Math.Round(options.WarmupEpochs * stepsPerEpoch));
        Decays = Schedules.Cosine(options.WeightDecay, options.WeightDecayEnd, Steps);
        Momenta = Schedules.Cosine(options.TeacherMomentum, 1, Steps);
    }

    public PretrainMethod Method { get; }

    public Optimizer Optimiser { get; }

    public int StepsPerEpoch { get; }

    public int Steps { get; }

    /// <summary>Weight decay of each step.</summary>
    public IReadOnlyList<double> Decays { get; }

    /// <summary>Momentum of the teacher in each step.</summary>
    public IReadOnlyList<double> Momenta { get; internal set; }

    /// <summary>Updates that are done; set when a run is taken up.</summary>
    public int Done { get; set; }

    /// <summary>Called with each parameter's gradient norm before clipping, [parameters]; for tests.</summary>
    internal Action<Tensor>? Norms { get; set; }

    /// <summary>Measures <see cref="Watched"/>.</summary>
    internal TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>Time that the collapse monitor has taken so far; it is no part of a step's rate.</summary>
    public TimeSpan Watched { get; private set; }

    /// <summary>Steps in a row, up to the last one, that were skipped.</summary>
    public int SkippedInRow { get; set; }

    /// <summary>True when every weight is finite.</summary>
    public bool IsFinite
    {
        get
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            return stack(parameters.Select(p => p.Value.sum())).isfinite().all().Value() != 0;
        }
    }

    /// <summary>One update; with a loss or a gradient that is not finite it counts as done, but changes nothing.</summary>
    /// <returns>Its numbers, but for the rate.</returns>
    public TrainingStep Next(Views views)
    {
        using var scope = NewDisposeScope();
        int epoch = Done / StepsPerEpoch;
        running.Take();
        Method.BeforeStep(Momenta[Done]);
        using MethodOutput output = Method.Forward(views, Done, epoch);
        output.Loss.backward();
        Tensor norms = clipping.Step();
        Norms?.Invoke(norms);
        // The only wait for the device in a step.
        double[] numbers = Numbers(output.Loss, norms.Squared().sum().sqrt(), output.PatchLoss);
        (double loss, double norm) = (numbers[0], numbers[1]);
        if (!double.IsFinite(loss) || !double.IsFinite(norm)) return Skip(loss, norm);
        SkippedInRow = 0;
        foreach ((string name, Parameter value) in parameters)
            if (Method.IsFrozen(name, epoch)) value.grad = null;
        double learningRate = learningRates[Done];
        Optimiser.Step(learningRate, Decays[Done]);
        foreach ((_, Parameter value) in parameters) value.grad = null;
        Method.AfterStep(Momenta[Done]);
        Done++;
        var step = new TrainingStep(Done, Steps, (double)Done / StepsPerEpoch, loss, learningRate, norm, 0);
        double patches = numbers.ElementAtOrDefault(2);
        if (output.PatchLoss is not null) step = step with { PatchLoss = patches };
        if (Method.Outputs > 0 && options.ClsWeight > 0) step = step with { LossRatio = (loss - patches) / (options.ClsWeight * Math.Log(Method.Outputs)) };
        if (Done % options.MonitorEvery != 0 && Done != 1 && Done != Steps) return step;
        long start = Clock.GetTimestamp();
        step = Watch(step, output);
        Watched += Clock.GetElapsedTime(start);
        return step;
    }

    private static TrainingStep Watch(TrainingStep step, MethodOutput output)
    {
        if (output.Targets is not null) step = step with { TeacherEntropy = CollapseMonitor.Entropy(output.Targets) };
        return step with { FeatureStd = CollapseMonitor.FeatureStd(output.Features), EffectiveRank = CollapseMonitor.EffectiveRank(output.Features) };
    }

    /// <summary>The values of scalars on the device, read at once; null is left out.</summary>
    private static double[] Numbers(params Tensor?[] scalars)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return [.. stack(scalars.OfType<Tensor>().Select(t => t.to(ScalarType.Float64))).cpu().data<double>()];
    }

    private TrainingStep Skip(double loss, double norm)
    {
        running.Restore();
        Method.TakeBack();
        Method.Student.zero_grad(set_to_none: true);
        SkippedInRow++;
        Done++;
        return new TrainingStep(Done, Steps, (double)Done / StepsPerEpoch, loss, learningRates[Done - 1], norm, 0) { Skipped = true };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Optimiser.Dispose();
        clipping.Dispose();
        running.Dispose();
    }
}
