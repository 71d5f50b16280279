namespace DermKit.Studies;

internal static class StudyPlans
{
    public const string Baseline = "vit-tiny-random";

    // A mode's suite with a notebook's settings. Tasks are comma separated; 0 images keep the limits.
    public static SuitePlan Suite(RunMode mode, int quickTrain, int quickTest, string tasks, string baseline,
        int mostImages, int resamples)
    {
        SuitePlan suite = SuitePlan.For(mode).With(tasks, baselines: baseline, resamples: resamples);
        if (mode == RunMode.Quick) suite = suite with { MostTrain = quickTrain, MostTest = quickTest };
        return mostImages > 0 ? suite with { MostTrain = mostImages, MostTest = mostImages } : suite;
    }

    // The plan's tasks, else available real ones, else the drawn ones.
    public static IReadOnlyList<ProbeTask> Open(KitSettings settings, TaskSuite suite, SuitePlan plan,
        IEnumerable<string> real, params string[] drawn)
    {
        if (plan.Tasks is not null) return SuiteRun.Open(settings, suite, plan);
        IEnumerable<TaskDefinition> here = real.Select(name => suite[name])
            .Where(t => TaskSuite.Missing(t, settings) is null);
        string[] present = [.. TaskSuite.Wholes([.. here]).Select(t => t.Name)];
        return SuiteRun.Open(settings, suite, plan with { Tasks = present.Length > 0 ? present : drawn });
    }
}
