using DermKit.Reporting;
using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Mean score of one concept over the test images of one class.</summary>
/// <param name="Concept">The words for it.</param>
/// <param name="Templates">Which captions.</param>
/// <param name="Class">Name of the class.</param>
/// <param name="Images">Test images.</param>
/// <param name="Score">Mean, 0 to 1, with a bootstrap interval over patients, lesions or images.</param>
public sealed record ConceptRow(string Concept, string Templates, string Class, int Images, Interval Score);

/// <summary>
/// How much of a concept a CLIP sees in images, as MONET scores it (Kim et al. 2024, Nature Medicine 30): cosines of an image with captions that name the
/// concept against captions that name none, from 0 to 1. For the whole model, text tower included; needs CLIP's vocabulary.
/// </summary>
public static class ConceptScores
{
    /// <summary>Temperature of the softmax, 1 / exp(4.5944): MONET's own, not that of the weights file.</summary>
    public static readonly double Temperature = Math.Exp(-4.5944);

    private const string Place = " of {0}";

    /// <summary>Captions for clinical photographs, {0} the concept; each is compared with itself up to " of {0}", such as "This is skin image", as in MONET's notebooks.</summary>
    public static readonly IReadOnlyList<string> Clinical = ["This is skin image of {0}", "This is dermatology image of {0}", "This is image of {0}"];

    /// <summary>Captions for dermoscopic images.</summary>
    public static readonly IReadOnlyList<string> Dermoscopic = ["This is dermatoscopy of {0}", "This is dermoscopy of {0}"];

    /// <summary>Scores of images for one concept.</summary>
    /// <param name="model">Both towers.</param>
    /// <param name="tokenise">Captions to token numbers [captions, context], int64 on the model's device; usually <see cref="ClipTokenizer.Batch"/>.</param>
    /// <param name="embeddings">Projected features of the images [N, projection], of any length.</param>
    /// <param name="terms">Words for the concept, such as erythema and redness; their cosines are averaged.</param>
    /// <param name="templates"><see cref="Clinical"/> when null. Their scores are averaged.</param>
    /// <returns>A score from 0 to 1 for each image; 0.5 where the concept is as near as no concept.</returns>
    /// <exception cref="ArgumentException">No term, no template, a template that does not end in " of {0}", or embeddings of another width.</exception>
    public static float[] Of(ClipModel model, Func<IReadOnlyList<string>, Tensor> tokenise, Tensor embeddings, IReadOnlyList<string> terms, IReadOnlyList<string>? templates = null)
    {
        templates ??= Clinical;
        if (terms.Count == 0 || templates.Count == 0 || templates.Any(t => !t.EndsWith(Place, StringComparison.Ordinal))) throw new ArgumentException($"Expected at least one term, and templates that end in '{Place}'.", nameof(terms));
        if (embeddings.dim() != 2 || embeddings.shape[1] != model.Text.Config.Projection)
            throw new ArgumentException($"Expected projected features [N, {model.Text.Config.Projection}], found [{string.Join(", ", embeddings.shape)}].", nameof(embeddings));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor images = ClipModel.Unit(embeddings), sum = zeros(embeddings.shape[0], device: embeddings.device);
        foreach (string template in templates)
        {
            Tensor Cosine(IEnumerable<string> texts)
            {
                Tensor captions = ClipModel.Unit(model.Text.forward(tokenise([.. texts])));
                return matmul(images, captions.t()).mean([1]);
            }
            string without = template[..^Place.Length];
            // The softmax over two is the sigmoid of their difference.
            sum = sum.Plus(((Cosine(terms.Select(t => $"{without} of {t}")) - Cosine([without])) * Kept(1 / Temperature)).sigmoid());
        }
        return (sum * Kept(1.0 / templates.Count)).cpu().data<float>().ToArray();
    }

    /// <summary>Null when CLIP's vocabulary is here, which a fixture does without, else what to get.</summary>
    public static string? MissingVocabulary(KitSettings settings) => ClipTokenizer.Missing(settings);

    /// <summary>Scores of the first task's test images after the model's own transform, by class, with both sets of captions.</summary>
    /// <param name="settings">Folders and device.</param>
    /// <param name="clip">A CLIP whose file holds both towers.</param>
    /// <param name="tasks">Tasks of the run: all are visited, so that features of a run of them are found in the store.</param>
    /// <param name="concepts">For each concept its words.</param>
    /// <param name="plan">Its first seed draws the split.</param>
    /// <exception cref="KitException">Weights or vocabulary are not here, or the file has no text tower.</exception>
    public static IReadOnlyList<ConceptRow> Run(KitSettings settings, ModelDefinition clip, IReadOnlyList<ProbeTask> tasks, IReadOnlyList<string[]> concepts, SuitePlan plan)
    {
        tasks = SuiteRun.Bring(settings, tasks, plan, null, default);
        ProbeTask task = tasks[0];
        if (clip.Missing is { } missing) throw new KitException($"Model '{clip.Name}': {missing}");
        Device device = settings.TorchDevice();
        bool isFixture = clip.Stamp == Stamps.Fixture;
        using ClipModel model = ClipModel.Open(clip.WeightsPath, clip.ClipVision, isFixture ? ClipFixture.Text : null, device);
        ClipTokenizer? words = isFixture ? null : ClipTokenizer.Open(settings);
        var rows = new List<ConceptRow>();
        SuiteRun.Visit(settings, tasks, [clip.ClipForms()[^1]], plan with { Seeds = [plan.Seeds[0]] }, (features, _, visited, seed, rowOf) =>
        {
            if (visited != task) return;
            int[] test = [.. task.SplitFor(seed).Test.Where(r => rowOf[r] >= 0)];
            using Tensor embeddings = features.Rows(Array.ConvertAll(test, r => rowOf[r]), device);
            foreach (string[] terms in concepts)
                foreach ((string name, IReadOnlyList<string> templates) in new[] { ("clinical", Clinical), ("dermoscopic", Dermoscopic) })
                {
                    float[] scores = Of(model, texts => words?.Batch(texts, device: device) ?? ClipFixture.Tokens(texts).to(device), embeddings, terms, templates);
                    rows.AddRange(task.ClassNames.Select((label, c) => (label, own: Enumerable.Range(0, test.Length).Where(i => task.Labels[test[i]] == c).ToArray())).Where(p => p.own.Length > 0)
                        .Select(p => new ConceptRow(string.Join(", ", terms), name, p.label, p.own.Length, Mean([.. p.own.Select(i => (double)scores[i])], [.. p.own.Select(i => task.UnitOf(test[i]))], plan.Probing.Resamples))));
                }
        }, null, default);
        return rows;
    }

    private static Interval Mean(double[] values, string[] units, int resamples) =>
        Bootstrap.Percentiles(values.Average(), Bootstrap.Values(Bootstrap.Draw(units, resamples, 1), w => values.Zip(w, (v, n) => v * n).Sum() / w.Sum(n => n)));
}
