namespace DermKit.Studies;

/// <summary>Parts of the notebook on concepts and retrieval whose model may be absent.</summary>
public static class ConceptsReport
{
    /// <summary>The first trained model besides the baseline, else any other, else the baseline.</summary>
    public static ModelDefinition Partner(IReadOnlyList<ModelDefinition> models, string baseline) =>
        models.Where(m => m.Name != baseline).OrderBy(m => m.Source == "random").FirstOrDefault() ?? models[0];

    /// <summary>The first search's grid of nearest images; the second's when the first found none.</summary>
    public static ImageGridFigure Nearest(ImageSearch across, ImageSearch within) =>
        SearchReport.Images(across.Answers.Count > 0 ? across : within);

    /// <summary>Precision at 1, 5 and 10 of both searches.</summary>
    public static Table Precision(ImageSearch across, ImageSearch within, int resamples) =>
        SearchReport.Precision([across, within], [1, 5, 10], resamples);

    /// <summary>The CLIPs' weights files, or what a CLIP needs.</summary>
    public static Table Files(SuiteRun run, IReadOnlyList<ModelDefinition> models, ModelRegistry registry,
        KitSettings settings)
    {
        ModelDefinition[] clips = Clips(models);
        return clips.Length == 0 ? ClipReport.Needed(registry, settings) : ClipReport.Files(clips, run);
    }

    /// <summary>Scores of the four forms of the first CLIP, or a sentence when there is none. Progress gets (what,
    /// done, all).</summary>
    public static object Forms(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SuitePlan plan, Action<string, int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        if (Clips(models) is not [var clip, ..]) return "No CLIP in this run, so there are no forms to compare.";
        ModelDefinition[] forms = ConceptScores.Forms(clip);
        SuiteRun run = SuiteRun.Run(settings, tasks, forms, plan, progress, cancellation);
        string caption = $"Four forms; differences to {forms[0].Name} as in the paper";
        return ProbingReport.Scores(caption,
            Comparison.Means(run.Results, forms[0].Name, resamples: plan.Probing.Resamples));
    }

    /// <summary>Concept scores of the first CLIP on the first task, or a sentence on what is missing. A concept is
    /// given as its words, comma separated.</summary>
    public static object Concepts(KitSettings settings, IReadOnlyList<ProbeTask> tasks,
        IReadOnlyList<ModelDefinition> models, SuitePlan plan, params string[] concepts)
    {
        if (Clips(models) is not [var clip, ..]) return "No CLIP in this run, so there are no concept scores.";
        if (clip.Stamp != Stamps.Fixture && ConceptScores.MissingVocabulary(settings) is { } missing) return missing;
        string[][] words = Array.ConvertAll(concepts, c => c.Split(',', StringSplitOptions.TrimEntries));
        return ClipReport.Concepts(ConceptScores.Run(settings, clip, tasks, words, plan), clip, tasks[0]);
    }

    private static ModelDefinition[] Clips(IReadOnlyList<ModelDefinition> models) =>
        [.. models.Where(m => m.Family == "clip")];
}
