using System.Text.Json;

namespace DermKit.Pretraining;

/// <summary>How much of a comparison of methods to run. A mode changes these numbers and nothing else.</summary>
/// <param name="Epochs">Passes of each run over its images.</param>
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

    /// <summary>Name of a method's config in a mode, a file of data/pretraining.</summary>
    public static string Config(KitSettings settings, string method) => $"{method}-{settings.Mode}".ToLowerInvariant();

    /// <summary>
    /// A method's run: its config of the mode (<see cref="Config"/>) with another seed. With another number of epochs
    /// than the config's the warm-up is a tenth of them, and the last layer is frozen for at most a tenth.
    /// <see cref="Changes"/> lists what that changes.
    /// </summary>
    /// <exception cref="KitException">There is no config of that method and mode.</exception>
    public PretrainOptions Run(KitSettings settings, string method, int seed)
    {
        PretrainOptions named = PretrainOptions.Named(settings, Config(settings, method)) with { Seed = seed };
        return named.Epochs == Epochs ? named : named with
        {
            Epochs = Epochs,
            WarmupEpochs = Epochs / 10.0,
            FrozenLastLayerEpochs = Math.Min(named.FrozenLastLayerEpochs, Epochs / 10),
        };
    }

    /// <summary>
    /// What a method's runs are: the config and every key whose value differs from the config's, such as "dino-workshop
    /// with epochs = 5 (not 15), seed = 1; 9".
    /// </summary>
    /// <param name="settings">Where the configs lie, and the mode.</param>
    /// <param name="runs">The options that were trained with, all of one method.</param>
    public static string Changes(KitSettings settings, IReadOnlyList<PretrainOptions> runs)
    {
        string name = Config(settings, runs[0].Method);
        JsonElement named = JsonSerializer.SerializeToElement(PretrainOptions.Named(settings, name));
        JsonElement[] made = [.. runs.Select(r => JsonSerializer.SerializeToElement(r))];
        var changes = new List<string>();
        foreach (JsonProperty key in named.EnumerateObject())
        {
            string before = key.Value.GetRawText();
            string[] values = [.. made.Select(m => m.GetProperty(key.Name).GetRawText()).Distinct()];
            if (values is [var one] && one == before) continue;
            string spelled = JsonNamingPolicy.CamelCase.ConvertName(key.Name);
            changes.Add($"{spelled} = {string.Join("; ", values)} (not {before})");
        }
        return changes.Count == 0 ? $"{name} as it is" : $"{name} with {string.Join(", ", changes)}";
    }
}
