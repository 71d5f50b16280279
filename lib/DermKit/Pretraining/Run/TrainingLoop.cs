namespace DermKit.Pretraining;

/// <summary>One step per batch in facebookresearch/dino's order: loss, backward pass, clipping, frozen gradients
/// dropped, optimiser, teacher (before the views for BYOL).</summary>
internal sealed class TrainingLoop : IDisposable
{
    // Schedules hold a number for each step: some gigabytes at most.
    private const int MostSteps = 100_000_000;

    private readonly PretrainOptions options;
    private readonly (string Name, Parameter Value)[] parameters;
    private readonly BufferBackup running;
    private readonly double[] learningRates;

    public TrainingLoop(PretrainMethod method, PretrainOptions options, int stepsPerEpoch)
    {
        Method = method;
        this.options = options;
        StepsPerEpoch = stepsPerEpoch;
        if ((long)stepsPerEpoch * options.Epochs > MostSteps)
            throw new KitException("Pre-training options, key 'epochs': expected at most "
                + $"{MostSteps / Math.Max(1, stepsPerEpoch)}, which is {MostSteps} steps of {options.Batch} images, "
                + $"found {options.Epochs}.");
        Steps = stepsPerEpoch * options.Epochs;
        parameters = [.. method.Student.named_parameters().Where(p => p.parameter.requires_grad)];
        Optimiser = options.Optimizer switch
        {
            OptimizerKind.Adam => new Adam(parameters),
            OptimizerKind.Lars => new Lars(parameters),
            _ => new AdamW(parameters),
        };
        running = new(method.Running);
        int warmup = (int)Math.Round(options.WarmupEpochs * stepsPerEpoch);
        double peak = options.BaseLearningRate * options.Batch / 256;
        learningRates = Schedules.Cosine(peak, options.MinLearningRate, Steps, warmup);
        Decays = Schedules.Cosine(options.WeightDecay, options.WeightDecayEnd, Steps);
        Momenta = Schedules.Cosine(method.TeacherMomentum, 1, Steps);
    }

    public PretrainMethod Method { get; }

    public Optimizer Optimiser { get; }

    public int StepsPerEpoch { get; }

    public int Steps { get; }

    public IReadOnlyList<double> Decays { get; }

    public IReadOnlyList<double> Momenta { get; internal set; }

    public int Done { get; set; }

    // For tests: gradient norms before clipping, [parameters].
    internal Action<Tensor>? Norms { get; set; }

    internal TimeProvider Clock { get; set; } = TimeProvider.System;

    // The rates leave out this time of the collapse monitors.
    public TimeSpan MonitorTime { get; private set; }

    // Steps in a row, up to the last one, that were skipped.
    public int SkippedInRow { get; set; }

    public bool IsFinite
    {
        get
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            return stack(parameters.Select(p => p.Value.sum())).isfinite().all().Value() != 0;
        }
    }

    // A step whose loss or gradient is not finite counts as done but changes nothing. No rate yet.
    public TrainingStep Next(Views views)
    {
        using var scope = NewDisposeScope();
        int epoch = Done / StepsPerEpoch;
        running.Take();
        Method.BeforeStep(Momenta[Done]);
        using MethodOutput output = Method.Forward(views, Done, epoch);
        output.Loss.backward();
        Tensor norms = Optimiser.Clip(options.ClipGradient);
        Norms?.Invoke(norms);
        // The only wait for the device in a step.
        double[] numbers = Numbers(output.Loss, norms.Squared().sum().sqrt(), output.PatchLoss);
        double learningRate = learningRates[Done];
        var step = new TrainingStep(
            Done + 1, Steps, (double)(Done + 1) / StepsPerEpoch, numbers[0], learningRate, numbers[1], 0);
        if (!double.IsFinite(step.Loss) || !double.IsFinite(step.GradientNorm))
        {
            running.Restore();
            Method.Student.zero_grad(set_to_none: true);
            SkippedInRow++;
            Done++;
            return step with { Skipped = true };
        }
        SkippedInRow = 0;
        foreach ((string name, Parameter value) in parameters)
            if (Method.IsFrozen(name, epoch)) value.grad = null;
        Optimiser.Step(learningRate, Decays[Done]);
        foreach ((_, Parameter value) in parameters) value.grad = null;
        Method.AfterStep(Momenta[Done]);
        Done++;
        double patches = numbers.ElementAtOrDefault(2);
        if (output.PatchLoss is not null) step = step with { PatchLoss = patches };
        step = step with { LossRatio = (step.Loss - patches) / Method.UniformLoss };
        if (Done % options.MonitorEvery != 0 && Done != 1 && Done != Steps) return step;
        long start = Clock.GetTimestamp();
        if (output.Targets is not null) step = step with { TeacherEntropy = CollapseMonitor.Entropy(output.Targets) };
        step = step with
        {
            FeatureStd = CollapseMonitor.FeatureStd(output.Features),
            EffectiveRank = CollapseMonitor.EffectiveRank(output.Features),
        };
        MonitorTime += Clock.GetElapsedTime(start);
        return step;
    }

    private static double[] Numbers(params Tensor?[] scalars)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        return [.. stack(scalars.OfType<Tensor>().Select(t => t.to(float64))).cpu().data<double>()];
    }

    public void Dispose()
    {
        Optimiser.Dispose();
        running.Dispose();
    }
}
