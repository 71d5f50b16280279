using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>Plans from the text settings of a notebook.</summary>
public static class PlanSettings
{
    /// <summary>The plan with a notebook's settings; an empty text keeps the plan's value. Lists are comma separated,
    /// models may be weights files, baselines take part beside the models named, version is Strict or Original, and
    /// geometry such as 200x150 resizes every image.</summary>
    /// <exception cref="KitException">The version or the geometry cannot be read.</exception>
    public static SuitePlan With(this SuitePlan plan, string tasks = "", string models = "", string baselines = "",
        string version = "", string probes = "", string geometry = "", int resamples = 1000)
    {
        SplitVersion split = plan.Version;
        if (version.Length > 0 && !Enum.TryParse(version, out split))
            throw new KitException($"version: expected {string.Join(" or ", Enum.GetNames<SplitVersion>())}, "
                + $"found '{version}'.");
        string[] compared = Names(baselines) ?? [.. plan.Baselines];
        return plan with
        {
            Tasks = Names(tasks) ?? plan.Tasks,
            Models = Names(models)?.Union(baselines.Length > 0 ? compared : []).ToArray() ?? plan.Models,
            Baseline = compared[0],
            OtherBaselines = compared[1..],
            Version = split,
            Geometry = SuitePlan.GeometryOf(geometry) ?? plan.Geometry,
            Probing = plan.Probing with
            {
                Probes = probes.Length > 0 ? Probe.Parse(probes) : plan.Probing.Probes,
                Resamples = resamples,
            },
        };
    }

    /// <summary>The plan with MONET as baseline if the plan takes it, else its fixture, else unchanged.</summary>
    public static SuitePlan Paired(this SuitePlan plan, ModelRegistry models)
    {
        ModelDefinition[] taken = [.. models.Of(plan)];
        ModelDefinition? partner = taken.FirstOrDefault(m => m.Name == "monet")
            ?? taken.FirstOrDefault(m => m.Stamp == Stamps.Fixture);
        return partner is null ? plan : plan with { Baseline = partner.Name, OtherBaselines = [.. plan.Baselines] };
    }

    /// <summary>Names of a comma-separated list; null if empty.</summary>
    public static string[]? Names(string list) =>
        list.Length > 0 ? list.Split(',', StringSplitOptions.TrimEntries) : null;
}
