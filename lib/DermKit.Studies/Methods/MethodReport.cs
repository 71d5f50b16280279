using DermKit.Evaluation;
using DermKit.Pretraining;
using DermKit.Reporting;

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

    /// <summary><see cref="PretrainingReport.Budget"/> of the runs.</summary>
    public static Table Budget(MethodStudy study, string stamp = "") =>
        PretrainingReport.Budget([.. study.Runs.Select(r => (r.Options.Method, r.Options, r.Log, r.Time))], stamp);

    /// <summary>Scores of each method, paired with untrained weights.</summary>
    public static Table Scores(MethodStudy study) => ProbingReport.Scores("Scores after training at one budget",
        Comparison.Table(study.Results, MethodComparison.Untrained));

    /// <summary>How a comparison was made.</summary>
    public static Table Provenance(MethodComparison comparison) => Tables.From("How the comparison was made",
        comparison.Provenance, ("What", p => p.Key), ("Value", p => p.Value));
}
