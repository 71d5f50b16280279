using DermKit.Studies;
using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Tests.Models;
using DermKit.Tests.Parity;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

/// <summary>MONET's forms and concept scores on a CLIP of random numbers.</summary>
public sealed class ConceptScoresTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static ClipTextConfig Text => ClipModelTests.Text with { Context = 20 };

    /// <summary>A token for each different word, which is all that the arithmetic needs.</summary>
    private static Func<IReadOnlyList<string>, Tensor> Words(List<string> captions)
    {
        Dictionary<string, long> known = [];
        return texts =>
        {
            captions.AddRange(texts);
            var rows = zeros([texts.Count, 20], int64);
            for (int i = 0; i < texts.Count; i++)
            {
                string[] words = texts[i].Split(' ');
                for (int j = 0; j < words.Length; j++)
                {
                    if (!known.ContainsKey(words[j])) known[words[j]] = known.Count + 1;
                    rows[i, j] = known[words[j]];
                }
                rows[i, words.Length] = 49;
            }
            return rows;
        };
    }

    [Fact]
    public void ScoresAreThoseOfTheFormula()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using ClipModel model = ClipModel.Random(ClipModelTests.Vision, Text, 3);
        foreach ((_, TorchSharp.Modules.Parameter parameter) in model.Text.named_parameters())
            parameter.copy_(randn(parameter.shape, generator: new Generator(4)) * Kept(0.2));
        Tensor images = randn(5, 10);
        List<string> captions = [];
        Func<IReadOnlyList<string>, Tensor> tokenise = Words(captions);
        foreach (IReadOnlyList<string> templates in new[] { ConceptScores.Clinical, ConceptScores.Dermoscopic })
        {
            captions.Clear();
            float[] scores = ConceptScores.Of(model, tokenise, images, ["erythema", "red skin"], templates);
            Assert.Equal(
                [.. templates.SelectMany(
                    t => new[]
                    {
                        t.Replace("{0}", "erythema"), t.Replace("{0}", "red skin"), t.Replace(" of {0}", "")
                    })], captions);
            double Cosine(string caption, int image)
            {
                float[] a = model.Text.forward(tokenise([caption])).data<float>().ToArray(), b = images[image]
                    .data<float>().ToArray();
                return a.Zip(b, (x, y) => (double)x * y).Sum()
                    / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x));
            }
            for (int i = 0; i < 5; i++)
            {
                double expected = templates.Average(t =>
                {
                    double target =
                        Math.Exp((Cosine(t.Replace("{0}", "erythema"), i) + Cosine(t.Replace("{0}", "red skin"), i)) / 2
                            * Math.Exp(4.5944)),
                        reference = Math.Exp(Cosine(t.Replace(" of {0}", ""), i) * Math.Exp(4.5944));
                    return target / (target + reference);
                });
                Assert.Equal(expected, scores[i], 1e-3);
                Assert.InRange(scores[i], 0, 1);
            }
            Assert.True(scores.Max() - scores.Min() > 0.01);
        }
        captions.Clear();
        ConceptScores.Of(model, tokenise, images, ["bullae", "blister"]);
        // What MONET's own notebook compares for these words.
        Assert.Equal(["This is skin image of bullae", "This is skin image of blister", "This is skin image",
            "This is dermatology image of bullae", "This is dermatology image of blister", "This is dermatology image",
            "This is image of bullae", "This is image of blister", "This is image"], captions);
        Assert.Throws<ArgumentException>(() => ConceptScores.Of(model, tokenise, images, []));
        Assert.Throws<ArgumentException>(() => ConceptScores.Of(model, tokenise, images, ["a"], ["no place"]));
        Assert.Contains("[N, 10]",
            Assert.Throws<ArgumentException>(() => ConceptScores.Of(model, tokenise, randn(5, 9), ["a"])).Message);
    }

    [Fact]
    public void CaptionsOfThePaperPageAreTokenised()
    {
        using var scope = NewDisposeScope();
        ClipTokenizer tokenizer = Vocabulary.Need();
        using ClipModel model = ClipModel.Random(ClipModelTests.Vision,
            ClipModelTests.Text with { Context = 77, Vocabulary = 49_408 }, 3);
        float[] scores = ConceptScores.Of(model, texts => tokenizer.Batch(texts), randn(3, 10), ["erythema", "ulcer"],
            ConceptScores.Dermoscopic);
        Assert.All(scores, s => Assert.InRange(s, 0, 1));
    }

    [Fact]
    public void AWholeModelIsReadFromOneFile()
    {
        using var scope = NewDisposeScope();
        ClipVisionConfig vision =
            new() { Dim = 64, Depth = 1, Heads = 1, Patch = 8, ImageSize = 32, Hidden = 40, Projection = 10 };
        using ClipModel source = ClipModel.Random(vision, Text with { Dim = 64, Heads = 1 }, 1),
            odd = ClipModel.Random(ClipModelTests.Vision, Text, 1);
        string path = Path.Combine(folder.Path, "m.safetensors");
        SafeTensors.Save(path, source.state_dict());
        using (ClipModel read = ClipModel.Open(path))
            Assert.Equal((WeightLoader.Hash(source), vision, Text with { Dim = 64, Heads = 1 }, false),
                (WeightLoader.Hash(read), read.Vision.Config, read.Text.Config, read.training));
        SafeTensors.Save(path, odd.state_dict());
        Assert.Contains("24 wide", Assert.Throws<KitException>(() => ClipModel.Open(path)).Message);
        using (ClipModel read = ClipModel.Open(path, ClipModelTests.Vision, Text))
            Assert.Equal(WeightLoader.Hash(odd), WeightLoader.Hash(read));
        SafeTensors.Save(path, odd.Vision.state_dict());
        Assert.Contains("found no text tower", Assert.Throws<KitException>(() => ClipModel.Open(path)).Message);
    }

    [Fact]
    public void AClipHasFourForms()
    {
        ModelDefinition monet = ModelRegistry.Load(Path.Combine(KitSettings.FromEnvironment().Root, "data"))["monet"];
        IReadOnlyList<ModelDefinition> forms = ConceptScores.Forms(monet);
        Assert.Equal(["monet", "monet-projected", "monet-own-transform", "monet-own-transform-projected"],
            forms.Select(f => f.Name));
        Assert.Equal(monet.Transform, forms[1].Transform);
        Assert.Equal(DermKit.Imaging.EvalTransform.Monet, forms[2].Transform);
        Assert.Equal("MONET (CLIP ViT-L/14 image tower), own transform, projected", forms[3].Title);
        using ClipVisionTransformer large = ClipVisionTransformer.Unset(ClipVisionConfig.Named("large"), META);
        Assert.Equal([4096, 768, 4096, 768], forms.Select(f => large.Width(f.Features)));
    }
}
