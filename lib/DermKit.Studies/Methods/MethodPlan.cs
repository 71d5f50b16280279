using DermKit.Pretraining;
using System.Text.Json;

namespace DermKit.Studies;

/// <summary>Epochs and seeds of each method, and most training and most test images of a probe.</summary>
public sealed record MethodPlan(int Epochs, int Seeds, int Images)
{
    /// <summary>The numbers of a mode.</summary>
    public static MethodPlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new(1, 2, 150),
        RunMode.Workshop => new(3, 2, int.MaxValue),
        _ => new(100, 5, int.MaxValue),
    };

    /// <summary>Name of a method's config in data/pretraining.</summary>
    public static string Config(KitSettings settings, string method) => $"{method}-{settings.Mode}".ToLowerInvariant();

    /// <summary>A method's config with a seed and the plan's epochs
    /// (<see cref="PretrainOptions.WithEpochs"/>).</summary>
    /// <exception cref="KitException">The method has no config for the mode.</exception>
    public PretrainOptions Run(KitSettings settings, string method, int seed)
    {
        PretrainOptions named = PretrainOptions.Named(settings, Config(settings, method)) with { Seed = seed };
        return named.Epochs == Epochs ? named : named.WithEpochs(Epochs);
    }

    /// <summary>A method's config and every key that its runs change, such as "dino-workshop with epochs = 5 (not 15),
    /// seed = 1; 9".</summary>
    public static string Changes(KitSettings settings, IReadOnlyList<PretrainOptions> runs)
    {
        string name = Config(settings, runs[0].Method);
        JsonElement named = PretrainOptions.Named(settings, name).ToJson();
        JsonElement[] made = [.. runs.Select(r => r.ToJson())];
        var changes = new List<string>();
        foreach (JsonProperty key in named.EnumerateObject())
        {
            string before = key.Value.GetRawText();
            string[] values = [.. made.Select(m => m.GetProperty(key.Name).GetRawText()).Distinct()];
            if (values is [var one] && one == before) continue;
            changes.Add($"{PretrainOptions.Spelled(key.Name)} = {string.Join("; ", values)} (not {before})");
        }
        return changes.Count == 0 ? $"{name} as it is" : $"{name} with {string.Join(", ", changes)}";
    }
}
