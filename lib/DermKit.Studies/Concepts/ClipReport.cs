using DermKit.Models;

namespace DermKit.Studies;

/// <summary>Tables of a CLIP, such as MONET.</summary>
public static class ClipReport
{
    /// <summary>What MONET needs, and whether it is here.</summary>
    public static Table Needed(ModelRegistry registry, KitSettings settings)
    {
        const string leftOut = "here, but this mode leaves models of its size out: run workshop or full mode, or name "
            + "it in modelNames";
        (string What, string State)[] rows =
        [
            ("MONET's weights", registry["monet"].Missing ?? leftOut),
            ("CLIP's vocabulary, for concept scores", ConceptScores.MissingVocabulary(settings) ?? "here"),
        ];
        return Tables.From("No CLIP in this run: what it takes", rows, ("What", r => r.What), ("Where", r => r.State))
            with
        { Note = "fixture = \"tiny\" in the settings shows this section on random numbers." };
    }

    /// <summary>The CLIPs' weights files, and whether they hold the same weights and give the same features.</summary>
    public static Table Files(IReadOnlyList<ModelDefinition> clips, SuiteRun run)
    {
        var rows = clips.Select(m => (Model: m, Extraction: run.Extractions.First(e => e.Model == m.Name))).ToArray();
        bool IsFirst(Extraction e) => e.FeaturesHash == rows[0].Extraction.FeaturesHash;
        return Tables.From("Weights files, and the features they give", rows,
            ("Model", r => r.Model.Name), ("File", r => Described(r.Model)),
            ("Weights", r => r.Extraction.WeightsHash[..12]),
            ("Features of all images", r => r.Extraction.FeaturesHash[..12]),
            ("Same as the first", r => IsFirst(r.Extraction) ? "yes, bit for bit" : "no")) with
        {
            Stamp = run.Stamp,
            Note = "First 12 digits of SHA-256, of the weights under the kit's key names and of all features.",
        };
    }

    // Format and key names of the weights file.
    internal static string Described(ModelDefinition model)
    {
        using MappedWeights file = MappedWeights.Open(model.WeightsPath);
        return $"{file.Format}; {file.Description}";
    }

    /// <summary>Mean score of each concept in each class.</summary>
    public static Table Concepts(IReadOnlyList<ConceptRow> rows, ModelDefinition clip, ProbeTask task)
    {
        var classes = rows.DistinctBy(r => r.Class);
        string fixture = clip.Stamp.Length == 0 ? ""
            : " The fixture's words are numbers made of letters: nothing here means anything.";
        return new($"Concept scores of {clip.Name}: {task.Definition.Title}",
            ["Concept", "Captions", .. classes.Select(c => $"{c.Class} (n = {c.Images}) [95 %]")],
            [.. rows.GroupBy(r => (r.Concept, r.Templates)).Select(g => (IReadOnlyList<object?>)
                [g.Key.Concept, g.Key.Templates, .. g.Select(r => Estimate.Of(r.Score))])])
        {
            Stamp = Stamps.Join([task.Definition.Stamp, clip.Stamp]),
            Footnote = new("test images of the class, in each heading", "none, nothing is drawn or trained",
                TableFootnote.Bootstrap(), "between classes by eye; no p"),
            Note = "Mean over test images, 0 to 1; 0.5 where captions with and without the concept are equally near. "
                + $"Clinical captions: {string.Join("; ", ConceptScores.Clinical)}. Dermoscopic: "
                + $"{string.Join("; ", ConceptScores.Dermoscopic)}. {{0}} is the concept; each is compared with itself "
                + $"without the last two words. The model's own transform, projected features.{fixture}",
        };
    }
}
