using DermKit.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Features [n, D] of a model and seed for a task. RowOf maps table rows to feature rows, -1 if
/// unreadable.</summary>
internal sealed record StudyVisit(Tensor Features, FeatureSource Source, ModelDefinition Model, ProbeTask Task,
    int Seed, int[] RowOf)
{
    public int[] Read(IEnumerable<int> rows) => [.. rows.Where(r => RowOf[r] >= 0)];

    public int[] Labels(int[] rows) => Array.ConvertAll(rows, r => Task.Labels[r]);
}

/// <summary>Loop of every study over models, seeds and tasks.</summary>
internal static class StudyLoop
{
    // Extracts features and calls use for each model, seed and task; null what: no progress. The run has no results.
    public static SuiteRun Run(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SuitePlan plan, string? what, Action<StudyVisit> use,
        Action<string, int, int>? progress, CancellationToken cancellation)
    {
        Device device = settings.TorchDevice();
        int done = 0;
        int all = tasks.Count * models.Count * plan.Seeds.Count;
        (var extractions, var quarantine) = SuiteRun.Visit(settings, tasks, models, plan,
            (features, model, task, seed, rowOf) =>
            {
                using Tensor values = features.ToTensor(device);
                use(new(values, FeatureSource.Of(features, model), model, task, seed, rowOf));
                done++;
                if (what is not null) progress?.Invoke(what, done, all);
            }, progress, cancellation);
        return new([], tasks, extractions, quarantine);
    }
}
