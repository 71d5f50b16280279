namespace DermKit.Studies;

/// <summary>A way to make a classifier: pre-trained or random weights, frozen (null options) or trained.</summary>
public sealed record TuningArm(string Start, string Model, string How, FineTuningOptions? Options)
{
    /// <summary>Start and how.</summary>
    public string Name => $"{Start}, {How}";
}

/// <summary>Settings of the fine-tuning study.</summary>
public sealed record FineTuningPlan
{
    /// <summary>Tasks, seeds, limits and resamples; models are ignored. By default the diagnoses of the three real
    /// sets, or the drawn set's.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>The fine-tuned model, whose frozen probe is the baseline.</summary>
    public string Model { get; init; } = "vit-tiny-dino-kit";

    /// <summary>The same network with random weights.</summary>
    public string Scratch { get; init; } = StudyPlans.Baseline;

    /// <summary>Training of the networks.</summary>
    public FineTuningOptions Options { get; init; } = new();

    /// <summary>Frozen probe and fine-tuned network; both from random weights; and training from scratch with one rate
    /// and a head of zeros: random weights hold nothing that layer decay and the probe's head could protect.</summary>
    public IReadOnlyList<TuningArm> Arms =>
    [
        new("pre-trained", Model, Frozen, null),
        new("pre-trained", Model, Tuned, Options),
        new("random", Scratch, Frozen, null),
        new("random", Scratch, Tuned, Options),
        new("random", Scratch, "from scratch", Options with { LayerDecay = 1, HeadFromProbe = false }),
    ];

    internal const string Frozen = "frozen";
    internal const string Tuned = "fine-tuned";

    /// <summary>The plan of a mode. Quick only shows that everything runs: one epoch of 320 images, the fewest with all
    /// classes of HAM10000. Workshop: 10 epochs of at most 1,000 images at 96 pixels, as the kit's checkpoint, three
    /// seeds. Full: MAE's 100 epochs at 224 pixels, five seeds. Tasks are comma separated; empty or 0 keeps the
    /// default.</summary>
    public static FineTuningPlan For(RunMode mode, string tasks = "", string geometry = "", int mostTrain = 0,
        int mostTest = 0, int seeds = 0, int resamples = 1000)
    {
        // For a ViT-T and some thousand images; MAE's numbers are for a ViT-B and a million.
        FineTuningOptions small = new()
        {
            Side = 96,
            Epochs = 10,
            WarmupEpochs = 1,
            Batch = 32,
            BaseLearningRate = 2e-3,
        };
        FineTuningPlan plan = mode switch
        {
            RunMode.Quick => new()
            {
                Suite = new() { MostTrain = 320, MostTest = 120, Seeds = [1] },
                Options = small with { Side = 64, Epochs = 1, WarmupEpochs = 0.25, Batch = 16 },
            },
            RunMode.Workshop => new()
            {
                Suite = new() { MostTrain = 1000, Seeds = [1, 9, 21] },
                Options = small,
            },
            _ => new() { Options = new() { Precision = Precision.Bf16 } },
        };
        SuitePlan suite = plan.Suite with
        {
            Tasks = PlanSettings.Names(tasks),
            Geometry = SuitePlan.GeometryOf(geometry),
            Probing = new() { Resamples = resamples },
        };
        if (mostTrain > 0) suite = suite with { MostTrain = mostTrain };
        if (mostTest > 0) suite = suite with { MostTest = mostTest };
        if (seeds > 0) suite = suite with { Seeds = [.. TaskSuite.Seeds.Take(seeds)] };
        return plan with { Suite = suite };
    }
}
