using DermKit.Models;
using DermKit.Pretraining;

namespace DermKit.Studies;

/// <summary>One training of one method, with the time of its steps.</summary>
public sealed record MethodRun(PretrainOptions Options, IReadOnlyList<TrainingStep> Log, TimeSpan Time);

/// <summary>Methods trained at one budget, with scores and those of <see cref="MethodComparison.Untrained"/>
/// weights.</summary>
public sealed record MethodStudy(IReadOnlyList<MethodRun> Runs, IReadOnlyList<TaskResult> Results)
{
    /// <summary>Name and log of each run.</summary>
    public IReadOnlyList<(string Name, IReadOnlyList<TrainingStep> Log)> Logs =>
        [.. Runs.Select(r => (r.Options.Method, r.Log))];

    /// <summary>Trains each method with each seed on the same images; probes every backbone and untrained weights.
    /// Progress gets (run, steps done, all steps).</summary>
    public static MethodStudy Run(KitSettings settings, MethodPlan plan, PretrainData data,
        IReadOnlyList<ProbeTask> tasks, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default) => Run(settings, plan, PretrainOptions.Methods, tasks,
        (options, probe) =>
        {
            using var trainer = new Pretrainer(options, data, settings.TorchDevice());
            string name = $"{options.Method}, seed {options.Seed}";
            trainer.Run(step => progress?.Invoke(name, step.Step, step.Steps), cancellation);
            probe(trainer);
        }, cancellation);

    // train gets the options of a run and calls a function on the trained run, which returns its scores.
    internal static MethodStudy Run(KitSettings settings, MethodPlan plan, IReadOnlyList<string> methods,
        IReadOnlyList<ProbeTask> tasks, Action<PretrainOptions, Func<Pretrainer, TaskResult[]>> train,
        CancellationToken cancellation)
    {
        ModelDefinition random = ModelRegistry.Load(Path.Combine(settings.Root, "data"))[StudyPlans.Baseline];
        var runs = new List<MethodRun>();
        var results = new List<TaskResult>();
        foreach (int seed in TaskSuite.Seeds.Take(plan.Seeds))
        {
            using (Backbone untrained = random.Create(seed, settings.TorchDevice()))
                Probe(untrained, MethodComparison.Untrained, seed);
            foreach (string method in methods)
                train(plan.Run(settings, method, seed), trainer =>
                {
                    runs.Add(new(trainer.Options, trainer.Log, trainer.Elapsed));
                    return Probe(trainer.Backbone, method, seed);
                });
        }
        return new(runs, results);

        TaskResult[] Probe(Backbone backbone, string name, int seed)
        {
            results.AddRange(BackboneProbing.Run(settings, backbone, name, tasks, seed, cancellation: cancellation));
            return [.. results.Where(r => r.Model == name && r.Seed == seed)];
        }
    }

    /// <summary>Method and log of each run in a folder of <c>kit compare --export</c>.</summary>
    public static IReadOnlyList<(string Name, IReadOnlyList<TrainingStep> Log)> Exported(string folder) =>
        [.. Directory.GetFiles(folder, "*.log.jsonl").Order(StringComparer.Ordinal)
            .Select(file => (MethodOf(file), TrainingLog.Read(file)))];

    private static string MethodOf(string file) => PretrainOptions.Methods.First(
        m => Path.GetFileName(file).StartsWith($"{m}-", StringComparison.OrdinalIgnoreCase));
}
