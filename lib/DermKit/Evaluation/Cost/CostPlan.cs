namespace DermKit.Evaluation;

/// <summary>How much of the comparison of costs and scores to run. A mode changes these numbers and nothing else.</summary>
public sealed record CostPlan
{
    /// <summary>Numbers of images in one pass that are tried; memory is read at the largest.</summary>
    public IReadOnlyList<int> Batches { get; init; } = [1, 8, 32, 128];

    /// <summary>fp32, bf16 or both; bf16 only where the device multiplies it (<see cref="CostMeasurement.MultipliesBf16"/>).</summary>
    public IReadOnlyList<string> Precisions { get; init; } = ["fp32", "bf16"];

    /// <summary>How often every model has its turn.</summary>
    public int Rounds { get; init; } = 9;

    /// <summary>Least seconds of a model's turn; at least one pass.</summary>
    public double Seconds { get; init; } = 0.5;

    /// <summary>The probing of the models whose weights are here.</summary>
    public SuitePlan Suite { get; init; } = new();

    /// <summary>
    /// The numbers of a mode. Quick probes as <see cref="SuitePlan.For"/> does, so that a 300-million-parameter model is measured but not probed;
    /// workshop probes every model that is here on at most 600 training and 600 test images of a task.
    /// </summary>
    public static CostPlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new() { Batches = [1, 4], Rounds = 2, Seconds = 0.2, Suite = SuitePlan.For(mode) },
        RunMode.Workshop => new() { Batches = [1, 4, 16], Rounds = 3, Suite = SuitePlan.For(mode) with { MostTrain = 600, MostTest = 600, MostParameters = long.MaxValue } },
        _ => new() { Suite = SuitePlan.For(mode) },
    };

    /// <summary>The suite's plan, paired with MONET where the plan takes it, else with the fixture that stands in for it, else with the plan's own baseline.</summary>
    /// <param name="models">The registry.</param>
    public SuitePlan Paired(ModelRegistry models)
    {
        ModelDefinition[] taken = [.. Suite.Models?.Select(name => models[name]) ?? models.Present.Where(m => m.Parameters <= Suite.MostParameters)];
        return Suite with { Baseline = (taken.FirstOrDefault(m => m.Name == "monet") ?? taken.FirstOrDefault(m => m.Stamp == Stamps.Fixture))?.Name ?? Suite.Baseline };
    }
}
