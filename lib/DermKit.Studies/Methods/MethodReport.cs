using DermKit.Pretraining;

namespace DermKit.Studies;

/// <summary>Tables of pre-training methods at one budget.</summary>
public static class MethodReport
{
    /// <summary>The config of each method, and every key that a plan changes in it.</summary>
    public static Table Configs(KitSettings settings, MethodPlan plan)
    {
        string Changes(string method)
        {
            IEnumerable<int> seeds = TaskSuite.Seeds.Take(plan.Seeds);
            return MethodPlan.Changes(settings, [.. seeds.Select(seed => plan.Run(settings, method, seed))]);
        }
        return Tables.From("What each run trains with", PretrainOptions.Methods, ("Method", m => m),
            ("Config of data/pretraining, and what is changed in it", Changes));
    }

    /// <summary>The work of each run.</summary>
    public static Table Budget(MethodStudy study, string stamp = "") => Tables.From("The budget of each run",
        study.Runs,
        ("Method", r => r.Options.Method),
        ("Seed", r => r.Options.Seed),
        ("Backbone", r => r.Options.Network == NetworkKind.ViT
            ? $"ViT {r.Options.Size}" : r.Options.Network.Spelled()),
        ("Steps", r => r.Log.Count),
        ("Images seen", r => r.Log.Count * r.Options.Batch),
        ("Views of each", r => r.Options.Recipes().Sum(g => g.Length)),
        ("Minutes", r => r.Time.TotalMinutes),
        ("Feature std", r => CollapseReport.Last(r.Log, s => s.FeatureStd)),
        ("Effective rank", r => CollapseReport.Last(r.Log, s => s.EffectiveRank))) with
    {
        Stamp = stamp,
        Note = "Every run sees the same images equally often; DINO and iBOT make more views of each. Feature std "
                + "and effective rank are the last measured ones and reveal a collapsed run; losses of different "
                + "methods are not comparable.",
    };

    /// <summary>Scores of each method, paired with untrained weights.</summary>
    public static Table Scores(MethodStudy study) => ProbingReport.Scores("Scores after training at one budget",
        Comparison.Table(study.Results, MethodComparison.Untrained));

    /// <summary>How a comparison was made.</summary>
    public static Table Provenance(MethodComparison comparison) => Tables.From("How the comparison was made",
        comparison.Provenance, ("What", p => p.Key), ("Value", p => p.Value));
}
