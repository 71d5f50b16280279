using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Studies;

/// <summary>Mean score, 0 to 1, of a concept over a class's test images, with a bootstrap interval over
/// units.</summary>
public sealed record ConceptRow(string Concept, string Templates, string Class, int Images, Interval Score);

/// <summary>How much of a concept a CLIP sees in images, 0 to 1 (MONET, Kim et al. 2024, Nature Medicine 30): cosines
/// with captions that name the concept against captions that name none. Needs text tower and vocabulary.</summary>
public static class ConceptScores
{
    private const string Place = " of {0}";

    // MONET's own temperature, not that of the weights file.
    private static readonly double Temperature = Math.Exp(-4.5944);

    // Captions for clinical photographs, {0} the concept; each is compared with its text before " of {0}", as in
    // MONET's notebooks.
    internal static readonly IReadOnlyList<string> Clinical =
        ["This is skin image of {0}", "This is dermatology image of {0}", "This is image of {0}"];

    internal static readonly IReadOnlyList<string> Dermoscopic =
        ["This is dermatoscopy of {0}", "This is dermoscopy of {0}"];

    /// <summary>What to get when CLIP's vocabulary is missing; null when it is here. Fixtures need none.</summary>
    public static string? MissingVocabulary(KitSettings settings) => ClipTokenizer.Missing(settings);

    /// <summary>Scores the first task's test images by class with both caption sets. Visits all tasks, to find stored
    /// features; the plan's first seed draws the split.</summary>
    /// <exception cref="KitException">Weights, vocabulary or text tower are missing.</exception>
    public static IReadOnlyList<ConceptRow> Run(KitSettings settings, ModelDefinition clip,
        IReadOnlyList<ProbeTask> tasks, IReadOnlyList<string[]> concepts, SuitePlan plan)
    {
        tasks = SuiteRun.Bring(settings, tasks, plan, null, default);
        ProbeTask task = tasks[0];
        if (clip.Missing is { } missing) throw new KitException($"Model '{clip.Name}': {missing}");
        Device device = settings.TorchDevice();
        bool isFixture = clip.Stamp == Stamps.Fixture;
        using ClipModel model =
            ClipModel.Open(clip.WeightsPath, clip.ClipVision, isFixture ? ClipFixture.Text : null, device);
        ClipTokenizer? words = isFixture ? null : ClipTokenizer.Open(settings);
        Tensor Tokens(IReadOnlyList<string> texts) =>
            words?.Batch(texts, device: device) ?? ClipFixture.Tokens(texts).to(device);
        (string Name, IReadOnlyList<string> Templates)[] captions =
            [("clinical", Clinical), ("dermoscopic", Dermoscopic)];
        var rows = new List<ConceptRow>();
        SuitePlan oneSeed = plan with { Seeds = [plan.Seeds[0]] };
        SuiteRun.Visit(settings, tasks, [Forms(clip)[^1]], oneSeed, null, v =>
        {
            if (v.Task != task) return;
            int[] test = v.Read(task.SplitFor(v.Seed).Test);
            using Tensor embeddings = ProbeInput.Rows(v.Features, test, v.RowOf);
            foreach (string[] terms in concepts)
                foreach ((string name, IReadOnlyList<string> templates) in captions)
                {
                    float[] scores = Of(model, Tokens, embeddings, terms, templates);
                    rows.AddRange(ByClass(string.Join(", ", terms), name, test, scores));
                }
        }, null, default);
        return rows;

        IEnumerable<ConceptRow> ByClass(string concept, string captions, int[] test, float[] scores)
        {
            for (int c = 0; c < task.ClassNames.Length; c++)
            {
                int[] own = [.. Enumerable.Range(0, test.Length).Where(i => task.Labels[test[i]] == c)];
                if (own.Length == 0) continue;
                Interval mean = StudyReport.Mean(Array.ConvertAll(own, i => (double)scores[i]),
                    Array.ConvertAll(own, i => task.UnitOf(test[i])), plan.Probing.Resamples);
                yield return new(concept, captions, task.ClassNames[c], own.Length, mean);
            }
        }
    }

    // A CLIP tower with the paper's and with MONET's transform, each with hidden states (4 D values) and with the
    // projected embedding.
    internal static ModelDefinition[] Forms(ModelDefinition clip)
    {
        return [Form(false, false), Form(false, true), Form(true, false), Form(true, true)];

        ModelDefinition Form(bool isOwn, bool isProjected) => clip with
        {
            Name = clip.Name + (isOwn ? "-own-transform" : "") + (isProjected ? "-projected" : ""),
            Title = clip.Title + (isOwn ? ", own transform" : "") + (isProjected ? ", projected" : ""),
            Features = isProjected ? FeatureVariant.Projected : FeatureVariant.Cls4PreNorm,
            Preprocessing = isOwn ? Preprocessing.Monet : Preprocessing.Paper,
        };
    }

    // Projected features [N, projection] of any length; captions as int64 [captions, context]. Averages cosines over
    // words and scores over templates, which end in " of {0}". Returns 0 to 1 for each image; 0.5 where the concept is
    // as near as none.
    internal static float[] Of(ClipModel model, Func<IReadOnlyList<string>, Tensor> tokenise, Tensor embeddings,
        IReadOnlyList<string> terms, IReadOnlyList<string>? templates = null)
    {
        templates ??= Clinical;
        if (terms.Count == 0 || templates.Count == 0
            || templates.Any(t => !t.EndsWith(Place, StringComparison.Ordinal)))
            throw new ArgumentException($"Expected at least one term, and templates that end in '{Place}'.",
                nameof(terms));
        int width = model.Text.Config.Projection;
        if (embeddings.dim() != 2 || embeddings.shape[1] != width)
            throw new ArgumentException($"Expected projected features [N, {width}], found "
                + $"[{string.Join(", ", embeddings.shape)}].", nameof(embeddings));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor images = ClipModel.Unit(embeddings);
        Tensor sum = zeros(embeddings.shape[0], device: embeddings.device);
        foreach (string template in templates)
        {
            string without = template[..^Place.Length];
            Tensor difference = Cosine(terms.Select(t => $"{without} of {t}")) - Cosine([without]);
            // The softmax over two is the sigmoid of their difference.
            sum = sum.Plus((difference * Kept(1 / Temperature)).sigmoid());
        }
        return (sum * Kept(1.0 / templates.Count)).cpu().data<float>().ToArray();

        Tensor Cosine(IEnumerable<string> texts)
        {
            Tensor captions = ClipModel.Unit(model.Text.forward(tokenise([.. texts])));
            return matmul(images, captions.t()).mean([1]);
        }
    }
}
