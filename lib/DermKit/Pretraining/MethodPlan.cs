namespace DermKit.Pretraining;

/// <summary>How much of a comparison of methods to run. A mode changes these numbers and nothing else.</summary>
/// <param name="Epochs">Passes of each run over its pictures.</param>
/// <param name="Seeds">Runs of each method, each from other initial weights.</param>
/// <param name="Images">Most training and most test images that each run is probed with.</param>
public sealed record MethodPlan(int Epochs, int Seeds, int Images)
{
    /// <summary>The numbers of a mode.</summary>
    public static MethodPlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new(1, 2, 150),
        RunMode.Workshop => new(3, 2, int.MaxValue),
        _ => new(100, 5, int.MaxValue),
    };

    /// <summary>A method's run in a mode with this plan's length and another seed; the warm-up is a tenth.</summary>
    /// <exception cref="KitException">There is no config of that method and mode.</exception>
    public PretrainOptions Run(KitSettings settings, string method, int seed) =>
        PretrainOptions.Named(settings, $"{method}-{settings.Mode}".ToLowerInvariant()) with { Epochs = Epochs, WarmupEpochs = Epochs / 10.0, FrozenLastLayerEpochs = 0, Seed = seed };
}
