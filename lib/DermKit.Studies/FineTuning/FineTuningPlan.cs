using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>One way to get a classifier out of a model.</summary>
/// <param name="Start">Pre-trained or random weights.</param>
/// <param name="Model">Name of the model that it starts from.</param>
/// <param name="How">Frozen, or how it is trained; stands in tables and names of files.</param>
/// <param name="Options">How it is trained; null for the frozen probe.</param>
public sealed record TuningArm(string Start, string Model, string How, FineTuningOptions? Options)
{
    /// <summary>Start and way.</summary>
    public string Name => $"{Start}, {How}";
}

/// <summary>What is compared. A mode changes numbers and nothing else.</summary>
public sealed record FineTuningPlan
{
    /// <summary>Tasks, seeds, limits and resamples; its models are of no effect. No task named: the three diagnoses of the real sets, or the drawn set's.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>Model whose fine-tuning is in question; its frozen probe is what everything is compared with.</summary>
    public string Model { get; init; } = "vit-tiny-dino-kit";

    /// <summary>The same network with random weights.</summary>
    public string Scratch { get; init; } = "vit-tiny-random";

    /// <summary>How networks are trained.</summary>
    public FineTuningOptions Options { get; init; } = new();

    /// <summary>
    /// The frozen probe, and the network fine-tuned; the same from random weights; and random weights trained as one does from scratch, with one rate for all layers and a head of zeros, because layer
    /// decay and the probe's head keep what random weights do not have.
    /// </summary>
    public IReadOnlyList<TuningArm> Arms =>
    [
        new("pre-trained", Model, Frozen, null), new("pre-trained", Model, Tuned, Options),
        new("random", Scratch, Frozen, null), new("random", Scratch, Tuned, Options), new("random", Scratch, "from scratch", Options with { LayerDecay = 1, HeadFromProbe = false }),
    ];

    internal const string Frozen = "frozen", Tuned = "fine-tuned";

    /// <summary>
    /// The numbers of a mode. Quick: one epoch of 320 training images, the fewest that hold all classes of HAM10000, which shows that it runs and nothing else. Workshop: 10 epochs of at most 1,000 training images at 96 pixels, the crops
    /// that the kit's checkpoint was trained on, three seeds. Full: MAE's 100 epochs at 224 pixels and the five seeds.
    /// </summary>
    public static FineTuningPlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new()
        {
            Suite = new() { MostTrain = 320, MostTest = 120, Seeds = [1] },
            Options = Small with { Side = 64, Epochs = 1, WarmupEpochs = 0.25, Batch = 16 },
        },
        RunMode.Workshop => new() { Suite = new() { MostTrain = 1000, Seeds = [1, 9, 21] }, Options = Small },
        _ => new() { Options = new() { Precision = "bf16" } },
    };

    /// <summary>For a ViT-T and some thousand images, where MAE's numbers are for a ViT-B and a million.</summary>
    private static FineTuningOptions Small => new() { Side = 96, Epochs = 10, WarmupEpochs = 1, Batch = 32, BaseLearningRate = 2e-3 };
}
