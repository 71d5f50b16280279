using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Reporting;
using DermKit.Studies;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Evaluation;

/// <summary>Weights files that no declaration names.</summary>
public sealed class UndeclaredModelsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public UndeclaredModelsTests()
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, "models"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "weights"));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AViTInTimmsKeysIsARowWithoutADeclaration()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source =
            VisionTransformer.Random(VitConfig.Small with { Patch = 32, ImageSize = 384 }, 5);
        Dictionary<string, Tensor> state = source.state_dict();
        (state["head.weight"], state["head.bias"]) = (zeros(10, 384), zeros(10));
        Save("my-vit", state);
        ModelDefinition model = Assert.Single(Load());
        Assert.Equal(("my-vit", "vit", "small", 32, 384, "unknown", ""),
            (model.Name, model.Family, model.Size, model.Patch, model.ImageSize, model.Licence, model.Stamp));
        Assert.Contains("keys look like timm's ViT-S/32", model.Note);
        Assert.Equal(source.ParameterCount, model.Parameters);
        Assert.Equal((FeatureVariant.Cls4, new DermKit.Imaging.EvalTransform()), (model.Features, model.Transform));
        using (Backbone made = model.Create(0)) Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(made));
        ModelRegistry registry = ModelRegistry.Load(folder.Path);
        Assert.Contains(model.Note, registry.Card(model));
        Assert.Contains("here", ProbingReport.Registry(registry).ToString());
        Assert.Equal(source.ParameterCount, model.Cost!.Parameters);
    }

    [Fact]
    public void AClipInHuggingFacesKeysIsARow()
    {
        string file = Path.Combine(ClipFixture.Write(folder.Path), ClipFixture.Name + ".safetensors");
        ModelRegistry both = ModelRegistry.Load(folder.Path, Path.GetDirectoryName(file)!);
        Assert.Equal([ClipFixture.Name, ClipFixture.OpenAiName], both.Models.Select(m => m.Name));
        ModelDefinition stamped = both[ClipFixture.Name];
        Assert.Equal((ClipFixture.Name, "clip", FeatureVariant.Cls4PreNorm, "FIXTURE", ClipFixture.Config),
            (stamped.Name, stamped.Family, stamped.Features, stamped.Stamp, stamped.Clip));
        Assert.Contains("2 heads and QuickGELU are what the file says", stamped.Note);
        Assert.True(stamped.IsPresent);
        using (Backbone made = stamped.Create(0))
            Assert.Equal((256, stamped.Parameters), (made.Width(stamped.Features), made.ParameterCount));

        // Without the file's own word, the heads are OpenAI's for the width.
        using var scope = NewDisposeScope();
        using ClipVisionTransformer wide =
            ClipVisionTransformer.Random(ClipVisionConfig.Named("base") with { Depth = 4 }, 1);
        Save("base", wide.state_dict());
        ModelDefinition plain = Assert.Single(Load());
        Assert.Equal((ClipVisionConfig.Named("base") with { Depth = 4 }, ""), (plain.Clip, plain.Stamp));
        Assert.Contains("12 heads and QuickGELU are assumed", plain.Note);
        using Backbone again = plain.Create(0);
        Assert.Equal(WeightLoader.Hash(wide), WeightLoader.Hash(again));
    }

    [Fact]
    public void AResNetInTorchvisionsKeysIsARow()
    {
        using var scope = NewDisposeScope();
        using ResNet source = ResNet.Random(new() { Planes = [4, 5, 6, 7], Blocks = [2, 1, 1, 2] }, 5);
        Dictionary<string, Tensor> state = source.state_dict();
        (state["fc.weight"], state["fc.bias"]) = (zeros(10, 28), zeros(10));
        Save("my-resnet", state);
        state.Remove("layer3.0.bn2.bias");
        Save("not-whole", state);
        ModelDefinition[] models = [.. Load()];
        Assert.Equal(("my-resnet", "resnet", FeatureVariant.AvgPool, source.ParameterCount),
            (models[0].Name, models[0].Family, models[0].Features, models[0].Parameters));
        Assert.Contains("keys look like torchvision's ResNet-20, blocks 2, 1, 1, 2, 28 features", models[0].Note);
        using (Backbone made = models[0].Create(0))
            Assert.Equal((WeightLoader.Hash(source), 28), (WeightLoader.Hash(made), made.Width(models[0].Features)));
        Assert.Equal(source.ParameterCount, models[0].Cost!.Parameters);
        Assert.Contains("missing: layer3.0.bn2.bias", models[1].Missing);
    }

    [Fact]
    public void WhatIsNotRecognisedSaysWhyAndIsNeverRun()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer vit = VisionTransformer.Random(VitConfig.Tiny, 1),
            odd = VisionTransformer.Random(new() { Dim = 24, Heads = 3, Depth = 2 }, 1);
        using ClipVisionTransformer narrow =
            ClipVisionTransformer.Random(new() { Dim = 64, Depth = 2, Heads = 2, Hidden = 80 }, 1),
            large = ClipVisionTransformer.Random(ClipFixture.Config with { ImageSize = 256 }, 1);
        Dictionary<string, Tensor> scaled = vit.state_dict(), gone = vit.state_dict();
        scaled["blocks.0.ls1.gamma"] = zeros(192);
        gone.Remove("norm.bias");
        Save("a-scaled", scaled);
        Save("b-gone", gone);
        Save("c-odd", odd.state_dict());
        Save("d-narrow", narrow.state_dict());
        Save("e-large", large.state_dict(),
            new() { ["architecture"] = System.Text.Json.JsonSerializer.Serialize(large.Config) });
        Save("f-resnet", new() { ["conv1.weight"] = zeros(1), ["fc.bias"] = zeros(2) });
        Save("g-words", narrow.state_dict(), new() { ["architecture"] = "large" });
        folder.Write(Path.Combine("weights", "h-cut.safetensors"), [1, 2, 3]);
        folder.Write(Path.Combine("weights", "i-words.pth"), "No weights."u8.ToArray());
        folder.Write(Path.Combine("weights", "notes.txt"), [1, 2, 3]);
        string[] expected =
        [
            "extra: blocks.0.ls1.gamma", "missing: norm.bias", "24 wide with 2 blocks is none of tiny",
            "number of heads cannot be read", "images of 256 pixels",
            "found 2 tensors such as conv1.weight, fc.bias", "not a CLIP configuration",
            "shorter than the 8-byte header", "text instead of weights",
        ];
        IReadOnlyList<ModelDefinition> models = Load();
        Assert.Equal(expected.Length, models.Count);
        foreach ((ModelDefinition model, string reason) in models.Zip(expected))
        {
            Assert.False(model.IsPresent);
            Assert.Contains("is here but not recognised", model.Missing);
            Assert.Contains(reason, model.Missing);
            Assert.Contains($"data/models/{model.Name}.json", model.Missing);
            Assert.Null(model.Cost);
            Assert.Contains(reason, Assert.Throws<KitException>(() => model.Create(0)).Message);
        }
        Assert.Empty(ModelRegistry.Load(folder.Path).Present);
    }

    [Fact]
    public void ADeclaredFileIsNotListedTwiceAndATakenNameIsNotTakenAgain()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny, 3);
        Save("mine", source.state_dict());
        Save("named", source.state_dict());
        File.WriteAllText(Path.Combine(folder.Path, "models", "mine.json"),
            """{ "name": "mine", "version": 1, "title": "M", "family": "vit", "parameters": 5524416, "source": "weights/named.safetensors", "licence": "none", "whatToGet": "It." }""");
        Assert.Equal(["mine", "mine-undeclared"], Load().Select(m => m.Name));
        Assert.All(Load(), m => Assert.True(m.IsPresent));
    }

    [Theory]
    [InlineData(null, "What it has seen is not known.")]
    [InlineData("unknown", "What it has seen is not known.")]
    [InlineData("isic2017, ham10000", "It says that it has seen isic2017, ham10000.")]
    [InlineData("isic2017, unknown",
        "It says that it has seen isic2017; what the weights that it began with had seen is not known.")]
    public void WhatAFileHasSeenIsItsOwnWord(string? seen, string sentence)
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny, 5);
        Save("seen", source.state_dict(), seen is null ? null : new() { ["pretrainedOn"] = seen });
        ModelDefinition model = Assert.Single(Load());
        Assert.EndsWith(sentence, model.Note);
        Assert.Equal(seen?.Split(", ") ?? [], model.PretrainedOn);
    }

    [Fact]
    public void SeveralEncodersAndUnbuiltPartsAreNamedInTheRow()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer one = VisionTransformer.Random(VitConfig.Tiny, 1);
        using VisionTransformer two = VisionTransformer.Random(VitConfig.Tiny, 2);
        Dictionary<string, Tensor> chunked = [], integers = one.state_dict();
        foreach ((string key, Tensor value) in one.state_dict())
            chunked[key.Replace("blocks.", "blocks.0.", StringComparison.Ordinal)] = value;
        integers["norm.bias"] = zeros(192, ScalarType.Int32);
        IEnumerable<KeyValuePair<string, Tensor>> Under(string prefix, VisionTransformer model) =>
            model.state_dict().Select(p => KeyValuePair.Create(prefix + p.Key, p.Value));
        Save("a-two", Under("net.left.", one).Concat(Under("net.right.", two)).ToDictionary());
        Save("b-chunked", chunked);
        Save("c-one", Under("net.left.", one).Append(new("net.right.x", zeros(1))).ToDictionary());
        Save("d-integers", integers);
        Save("e-\u202ename", new() { ["a\u001b[2J\n"] = zeros(1), [new string('k', 100_000)] = zeros(1) });
        IReadOnlyList<ModelDefinition> models = Load();
        Assert.Contains("2 different encoders: timm's and DINO's ViT under 'net.left.', timm's", models[0].Missing);
        Assert.Contains("ViT under 'net.right.'", models[0].Missing);
        Assert.Contains("blocks in chunks", models[1].Missing);
        Assert.DoesNotContain("missing", models[1].Missing);
        Assert.Contains("ViT-T/16, under net.left.", models[2].Note);
        using (Backbone made = models[2].Create(0))
        {
            Assert.Equal(WeightLoader.Hash(one), WeightLoader.Hash(made));
            Assert.Equal($"Model 'c-one' ({models[2].Source})", made.Origin);
        }
        Assert.Contains("of another kind of number: norm.bias Int32 for Float32", models[3].Missing);
        Assert.Contains("a\\u001b[2J\\n", models[4].Missing);
        Assert.Contains("... (100,000 characters)", models[4].Missing);
        Assert.InRange(models[4].Missing!.Length, 200, 2_000);
    }

    [Fact]
    public void WeightsThatAreNotFiniteAreRefusedWithTheModelsName()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny, 5);
        Dictionary<string, Tensor> state = source.state_dict();
        state["blocks.3.norm1.bias"] = full(192, Kept(float.NaN));
        Save("nan", state);
        ModelDefinition model = Assert.Single(Load());
        string message = Assert.Throws<KitException>(() => model.Create(0)).Message;
        Assert.StartsWith($"Model 'nan': {model.Source}: expected finite weights", message, StringComparison.Ordinal);
        Assert.Contains("blocks.3.norm1.bias (192 of 192)", message);
    }

    private IReadOnlyList<ModelDefinition> Load() => ModelRegistry.Load(folder.Path).Models;

    private void Save(string name, Dictionary<string, Tensor> state, Dictionary<string, string>? metadata = null) =>
        SafeTensors.Save(Path.Combine(folder.Path, "weights", name + ".safetensors"), state, metadata);
}
