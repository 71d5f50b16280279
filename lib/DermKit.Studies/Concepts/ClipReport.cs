using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>Tables of MONET, or of another CLIP, in its formats, forms and concepts.</summary>
public static class ClipReport
{
    /// <summary>What MONET's rows need and whether it is here, for a run without a CLIP.</summary>
    public static Table Needed(ModelRegistry registry, KitSettings settings) => Tables.From("No CLIP in this run: what it takes", new[]
    {
        (What: "MONET's weights", State: registry["monet"].Missing ?? "here, but this mode leaves models of its size out: run workshop or full mode, or name it in modelNames"),
        (What: "CLIP's vocabulary, for concept scores", State: ConceptScores.MissingVocabulary(settings) ?? "here"),
    }, ("What", r => r.What), ("Where", r => r.State)) with
    {
        Note = "fixture = \"tiny\" in the settings shows this section on random numbers.",
    };

    /// <summary>The weights files of the CLIPs of a run, and whether they hold the same weights and give the same features.</summary>
    /// <param name="clips">Models of the run.</param>
    /// <param name="run">The run.</param>
    public static Table Files(IReadOnlyList<ModelDefinition> clips, SuiteRun run)
    {
        var rows = clips.Select(m => (Model: m, Extraction: run.Extractions.First(e => e.Model == m.Name))).ToArray();
        return Tables.From("Weights files, and the features they give", rows, ("Model", r => r.Model.Name), ("File", r => r.Model.DescribeFile()), ("Weights", r => r.Extraction.WeightsHash[..12]), ("Features of all images", r => r.Extraction.FeaturesHash[..12]),
            ("Same as the first", r => r.Extraction.FeaturesHash == rows[0].Extraction.FeaturesHash ? "yes, bit for bit" : "no")) with
        {
            Stamp = run.Stamp,
            Note = "SHA-256, first 12 digits: of the weights under the kit's key names, and of the features of every image of this run.",
        };
    }

    /// <summary>Mean score of each concept in each class.</summary>
    /// <param name="rows">From <see cref="ConceptScores.Run"/>.</param>
    /// <param name="clip">The model.</param>
    /// <param name="task">The task.</param>
    public static Table Concepts(IReadOnlyList<ConceptRow> rows, ModelDefinition clip, ProbeTask task) => new($"Concept scores of {clip.Name}: {task.Definition.Title}",
        ["Concept", "Captions", .. rows.Select(r => r.Class).Distinct().Select(c => $"{c} (n = {rows.First(r => r.Class == c).Images}) [95 %]")],
        [.. rows.GroupBy(r => (r.Concept, r.Templates)).Select(g => (IReadOnlyList<object?>)[g.Key.Concept, g.Key.Templates, .. g.Select(r => Estimate.Of(r.Score))])])
    {
        Stamp = Stamps.Join([task.Definition.Stamp, clip.Stamp]),
        Basis = new("test images of the class, in each heading", "none, nothing is drawn or trained", Basis.Bootstrap(), "between classes by eye; no p"),
        Note = $"Mean over test images, 0 to 1; 0.5 where captions with and without the concept are as near. Clinical captions: {string.Join("; ", ConceptScores.Clinical)}. Dermoscopic: {string.Join("; ", ConceptScores.Dermoscopic)}. {{0}} is the concept; each is compared with itself without the last two words. The model's own transform, projected features.{(clip.Stamp.Length > 0 ? " The fixture's words are numbers made of letters: nothing here means anything." : "")}",
    };
}
