namespace DermKit.Evaluation;

/// <summary>Size of the comparison of costs and scores.</summary>
public sealed record CostPlan
{
    /// <summary>Numbers of images in one pass; memory is read at the largest.</summary>
    public IReadOnlyList<int> Batches { get; init; } = [1, 8, 32, 128];

    /// <summary>fp32, bf16 or both; bf16 runs only where the device multiplies it.</summary>
    public IReadOnlyList<Precision> Precisions { get; init; } = [Precision.Fp32, Precision.Bf16];

    /// <summary>Turns of every model.</summary>
    public int Rounds { get; init; } = 9;

    /// <summary>Minimum seconds of a turn, which has at least one pass.</summary>
    public double Seconds { get; init; } = 0.5;

    /// <summary>Probing of the models with weights.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>The numbers of a mode. Quick measures large models but does not probe them; workshop probes every model
    /// with weights on at most 600 training and 600 test images of a task.</summary>
    public static CostPlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new() { Batches = [1, 2], Rounds = 2, Seconds = 0.2, Suite = SuitePlan.For(mode) },
        RunMode.Workshop => new()
        {
            Batches = [1, 4, 16],
            Rounds = 3,
            Suite = SuitePlan.For(mode) with { MostTrain = 600, MostTest = 600, MostParameters = long.MaxValue }
        },
        _ => new() { Suite = SuitePlan.For(mode) },
    };
}
