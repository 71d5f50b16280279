using DermKit.Studies;
using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Reporting;
using DermKit.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Studies;

public sealed class ClipFixtureTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void BothFilesGiveTheSameFeaturesBitForBit()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        string fixture = ClipFixture.Write(folder.Path),
            data = Path.Combine(KitSettings.FromEnvironment().Root, "data");
        ModelRegistry registry = ModelRegistry.Load(data, fixture);
        ModelDefinition[] models = [registry[ClipFixture.Name], registry[ClipFixture.OpenAiName]];
        Assert.All(models, m => Assert.Equal(("FIXTURE", "clip", ClipFixture.Config), (m.Stamp, m.Family, m.Clip)));
        Assert.Equal("safetensors; its keys are those of Hugging Face's CLIPModel", ClipReport.Described(models[0]));
        Assert.Equal("PyTorch zip; its keys are those of openai/CLIP, under state_dict.",
            ClipReport.Described(models[1]));
        using Backbone first = models[0].Create(0), second = models[1].Create(0);
        Tensor images = randn(2, 3, 224, 224, generator: new Generator(5));
        foreach (FeatureVariant variant in new[] { FeatureVariant.Cls4PreNorm, FeatureVariant.Projected })
            Assert.Equal(first.Features(images, variant).data<float>().ToArray(),
                second.Features(images, variant).data<float>().ToArray());
        // The text towers too.
        using ClipModel whole = ClipModel.Open(Path.Combine(fixture, ClipFixture.Name + ".safetensors"),
            ClipFixture.Config, ClipFixture.Text),
            other = ClipModel.Open(Path.Combine(fixture, ClipFixture.OpenAiName + ".pt"), ClipFixture.Config,
                ClipFixture.Text);
        Assert.Equal(WeightLoader.Hash(whole), WeightLoader.Hash(other));
    }

    [Fact]
    public void OpenAisKeysAreThoseOfAMappingMadeApart()
    {
        using var scope = NewDisposeScope();
        string fixture = ClipFixture.Write(folder.Path);
        using SafeTensorsFile source = SafeTensorsFile.Open(Path.Combine(fixture, ClipFixture.Name + ".safetensors"));
        using WeightFile written = WeightFile.Open(Path.Combine(fixture, ClipFixture.OpenAiName + ".pt"));
        Dictionary<string, Tensor> expected =
            MappedWeightsTests.AsOpenAi(source.Entries.Keys.ToDictionary(k => k, k => source.Load(k)));
        foreach (string size in new[] { "input_resolution", "context_length", "vocab_size" }) expected.Remove(size);
        Assert.Equal(expected.Keys.Select(k => "state_dict." + k).Order(StringComparer.Ordinal),
            written.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.All(expected,
            p => Assert.True(p.Value.equal(written.Load("state_dict." + p.Key)).all().item<bool>(), p.Key));
        Assert.Equal("FIXTURE", written.Metadata["stamp"]);
    }

    [Fact]
    public void CaptionsEndWithTheLargestNumber()
    {
        using var scope = NewDisposeScope();
        long[] row = ClipFixture.Tokens(["This is dermatology image of red skin", "This"])[0].data<long>().ToArray();
        Assert.Equal((62, 63, 63), (row[0], row[8], row.Max()));
        Assert.All(row[1..8], t => Assert.InRange(t, 0, 61));
        Assert.All(row[9..], t => Assert.Equal(0, t));
    }

    [Fact]
    public void WithoutAClipItIsSaidWhatToGet()
    {
        KitSettings settings = KitSettings.FromEnvironment() with { DataDir = folder.Path };
        ModelRegistry registry = ModelRegistry.Load(Path.Combine(settings.Root, "data"));
        Table table = ClipReport.Needed(registry, settings);
        Assert.Equal(registry["monet"].Missing ?? "here",
            ((string)table.Rows[0][1]!)[..(registry["monet"].Missing ?? "here").Length]);
        if (ConceptScores.MissingVocabulary(settings) is { } missing) Assert.Contains(ClipTokenizer.FileName, missing);
        Assert.Equal(ConceptScores.MissingVocabulary(settings) ?? "here", table.Rows[1][1]);
    }
}
