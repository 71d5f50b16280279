using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Studies;
using System.Text.Json.Nodes;

namespace DermKit.Tests.Evaluation;

public sealed class ModelRegistryTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TheKitsOwnModelsAreValidAndCarded()
    {
        ModelRegistry registry = ModelRegistry.Load(Path.Combine(KitSettings.FromEnvironment().Root, "data"));
        ModelDefinition random = registry["vit-tiny-random"];
        Assert.True(random.IsPresent);
        Assert.Equal(TaskSuite.Seeds, random.Seeds);
        Assert.Equal(new DermKit.Imaging.EvalTransform(), random.Transform);
        Assert.Equal(FeatureVariant.Cls4PreNorm, registry["vit-tiny-imagenet"].Features);
        Assert.Equal(FeatureVariant.Cls4PreNorm, registry["monet"].Features);
        Assert.Equal((FeatureVariant.AvgPool, 23_508_032),
            (registry["resnet50-imagenet"].Features, registry["resnet50-imagenet"].Cost!.Parameters));
        Assert.Contains("'vit-tiny-random'", Assert.Throws<KitException>(() => registry["vit-tiny-ramdom"]).Message);
        foreach (ModelDefinition model in registry.Models.Where(m => !m.IsUndeclared))
        {
            if (model.Cost is { } cost) Assert.Equal(model.Parameters, cost.Parameters);
            Assert.Contains(model.Title, registry.Card(model));
            Assert.Contains($"| {model.Parameters:n0} |", registry.Card(model));
            if (!model.IsPresent) Assert.Contains(model.Source.Split('/')[0], model.Missing);
        }
    }

    [Fact]
    public void EveryAbsentModelNamesItsAddressAndItsPlace()
    {
        string data = Path.Combine(KitSettings.FromEnvironment().Root, "data");
        IReadOnlyDictionary<string, DataSource> sources = DataSource.All(data);
        ModelRegistry registry = ModelRegistry.Load(data);
        ModelDefinition[] fetched =
            [.. registry.Models.Where(m =>
                !m.IsUndeclared && m.Source.StartsWith("weights/", StringComparison.Ordinal))];
        Assert.Superset(new HashSet<string>
        {
            "monet", "vit-tiny-imagenet", "resnet50-imagenet", "vit-tiny-dino-paper", "vit-tiny-ibot-paper",
            "resnet50-simclr-paper", "resnet50-byol-paper", "vit-small-dino-imagenet"
        }, fetched.Select(m => m.Name).ToHashSet());
        // Beside those of models: the tokenizer's vocabulary and OpenAI's CLIPs, which are recognised by their keys.
        Assert.Equal(fetched.Select(m => m.Name).Concat(["clip", "clip-openai"]).Order(StringComparer.Ordinal),
            sources.Where(s => s.Value.Weights).Select(s => s.Key).Order(StringComparer.Ordinal));
        foreach (ModelDefinition model in fetched)
        {
            DataSource source = sources[model.Name];
            Assert.False(source.Files[0].Optional);
            foreach (SourceFile file in source.Files)
            {
                // Under this name the registry finds it, whatever its ending.
                Assert.Equal(WeightFile.Stem(model.Source), WeightFile.Stem(file.Name));
                Assert.Contains(file.Address, registry.Card(model));
                if (model.Missing is not { } missing) continue;
                Assert.Contains(file.Address, missing);
                Assert.Contains($"data/weights/{file.Name}", missing);
            }
            if (model.Missing is { } absent) Assert.Contains($"kit data fetch {model.Name} --accept-licence", absent);
        }
        Assert.All(sources["clip-openai"].Files, f => Assert.Contains(f.Sha256!, f.Address));
    }

    [Fact]
    public void ALicenceThatIsNotTheSourcesIsRefused()
    {
        Write("m", m => (m["source"], m["whatToGet"]) = ("weights/m.safetensors", ""));
        void Source(string licence) => AtomicFile.WriteAllText(Path.Combine(folder.Path, "sources.json"), $$"""
            { "m": { "title": "M", "weights": true, "address": "https://example.org/m", "licence": "{{licence}}",
            "citation": "C", "steps": "S",
              "files": [ { "name": "m.pth", "address": "https://example.org/m.pth", "bytes": 5,
              "sha256": "{{new string('a', 64)}}" } ] } }
            """);
        Source("none");
        Assert.Equal("weights not here: data/weights/m.safetensors. kit data fetch m --accept-licence gets it "
            + "(licence: none); by hand: https://example.org/m.pth as data/weights/m.pth.", Only().Missing);
        Source("MIT");
        Assert.Contains("key 'licence': expected that of data/sources.json, 'MIT'",
            Assert.Throws<KitException>(Only).Message);
    }

    [Fact]
    public void OnePathBringsAFileIn()
    {
        Write("m", m => m["source"] = "weights/m.safetensors");
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny, 77);
        string path = Path.Combine(folder.Path, "elsewhere", "m.pth"),
            words = folder.Write("words.pt", "Only words, no weights at all."u8.ToArray());
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        DermKit.Tests.Models.TorchZip.Save(path,
            source.state_dict().ToDictionary(p => "teacher.backbone." + p.Key, p => p.Value));
        ModelRegistry registry = ModelRegistry.Load(folder.Path);
        ModelDefinition model = registry[path];
        Assert.Equal(("m-undeclared", true, FeatureVariant.Cls4), (model.Name, model.IsPresent, model.Features));
        Assert.Same(model, registry[path]);
        Assert.Same(model, registry["m-undeclared"]);
        Assert.Contains(model, registry.Present);
        using (Backbone made = model.Create(0)) Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(made));
        Assert.Equal([model], SuiteRun.Choose(registry, new SuitePlan { Models = [path], Baseline = "m-undeclared" }));
        Assert.Contains("text instead of weights", registry[words].Missing);
        Assert.Contains("nor a weights file of that path",
            Assert.Throws<KitException>(() => registry[path + "x"]).Message);
        // A declared model's own file is that model.
        File.Copy(path,
            Path.Combine(Directory.CreateDirectory(Path.Combine(folder.Path, "weights")).FullName, "m.pth"));
        Assert.Equal("m", ModelRegistry.Load(folder.Path)[Path.Combine(folder.Path, "weights", "m.pth")].Name);
    }

    [Fact]
    public void ARandomModelIsItsSeed()
    {
        ModelDefinition model =
            ModelRegistry.Load(Path.Combine(KitSettings.FromEnvironment().Root, "data"))["vit-tiny-random"];
        using Backbone one = model.Create(1), again = model.Create(1), other = model.Create(9);
        Assert.False(one.training);
        Assert.Equal(WeightLoader.Hash(one), WeightLoader.Hash(again));
        Assert.NotEqual(WeightLoader.Hash(one), WeightLoader.Hash(other));
    }

    [Fact]
    public void AFileDroppedIntoItsPlaceMakesTheModelPresent()
    {
        Write("m", m => m["source"] = "weights/m.safetensors");
        string file = Path.Combine(folder.Path, "weights", "m.safetensors");
        ModelDefinition model = Only();
        Assert.Equal("weights not here: data/weights/m.safetensors. Ask somebody.", model.Missing);
        Assert.Contains("Ask somebody", Assert.Throws<KitException>(() => model.Create(0)).Message);
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny, 77);
        SafeTensors.Save(file, source.state_dict());
        Assert.True(model.IsPresent);
        using (Backbone made = model.Create(0)) Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(made));

        Write("m", m => (m["source"], m["sha256"]) = ("weights/m.safetensors", WeightLoader.FileHash(file)));
        using (Backbone made = Only().Create(0)) Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(made));
        Write("m", m => (m["source"], m["sha256"]) = ("weights/m.safetensors", new string('0', 64)));
        Assert.Contains("expected SHA-256 0000", Assert.Throws<KitException>(() => Only().Create(0)).Message);
        Write("m", m => (m["source"], m["size"], m["parameters"]) = ("weights/m.safetensors", "small", 21_665_664));
        Assert.Contains("misshapen", Assert.Throws<KitException>(() => Only().Create(0)).Message);
        Write("m", m => m["parameters"] = 5);
        Assert.Contains("expected 5 parameters, found 5524416",
            Assert.Throws<KitException>(() => Only().Create(0)).Message);
    }

    [Theory]
    [InlineData("fetures", "cls4", "'features'")]
    [InlineData("features", "cls5", "features")]
    [InlineData("name", "other", "the name of the file")]
    [InlineData("version", 0, "1 or more")]
    [InlineData("source", "../x.safetensors", "inside data/")]
    [InlineData("size", "smal", "'small'")]
    [InlineData("whatToGet", "", "what to get")]
    [InlineData("features", "projected", "no features 'Projected'")]
    [InlineData("preprocessing", "mone", "preprocessing")]
    [InlineData("imageSize", 8, "at most imageSize")]
    [InlineData("gigaMacs", 1.3, "expected 1.25, as counted layer by layer")]
    public void AWrongFileIsRefusedByNameAndKey(string key, object value, string expected)
    {
        Write("m", m =>
        {
            m["source"] = "weights/m.safetensors";
            m[key] = JsonValue.Create(value);
        });
        string message = Assert.Throws<KitException>(Only).Message;
        Assert.Contains(expected, message);
    }

    [Fact]
    public void AClipModelIsJustAnotherRow()
    {
        void Clip(string clip, string variant = "cls4-prenorm", string preprocessing = "paper") => Write("m", m =>
        {
            m["family"] = "clip";
            m["source"] = "weights/m.safetensors";
            m["parameters"] = 367_488;
            m["features"] = variant;
            m["preprocessing"] = preprocessing;
            m["clip"] = JsonNode.Parse(clip);
        });
        const string Sizes = """{ "dim": 64, "depth": 5, "heads": 2, "patch": 32, "hidden": 128, "projection": 32 }""";
        Clip(Sizes);
        File.Move(Path.Combine(ClipFixture.Write(folder.Path), ClipFixture.Name + ".safetensors"),
            Path.Combine(Directory.CreateDirectory(Path.Combine(folder.Path, "weights")).FullName, "m.safetensors"));
        ModelDefinition model = Only();
        Assert.Equal(new DermKit.Imaging.EvalTransform(), model.Transform);
        using (Backbone made = model.Create(0))
            Assert.Equal((256, 32), (made.Width(FeatureVariant.Cls4PreNorm), made.Width(FeatureVariant.Projected)));
        Clip(Sizes, "projected", "monet");
        Assert.Equal((FeatureVariant.Projected, DermKit.Imaging.EvalTransform.Monet),
            (Only().Features, Only().Transform));
        Clip(Sizes.Replace("\"dim\": 64", "\"dim\": 65"));
        Assert.Contains("heads must divide dim", Assert.Throws<KitException>(Only).Message);
        Clip(Sizes.Replace("patch", "ptach"));
        Assert.Contains("ptach", Assert.Throws<KitException>(Only).Message);
        Clip(Sizes.Replace("\"patch\": 32", "\"patch\": 32, \"imageSize\": 320"));
        Assert.Contains("one size only", Assert.Throws<KitException>(Only).Message);
    }

    private ModelDefinition Only() => Assert.Single(ModelRegistry.Load(folder.Path).Models, m => !m.IsUndeclared);

    private void Write(string name, Action<JsonObject> change)
    {
        var model = new JsonObject
        {
            ["name"] = name,
            ["version"] = 1,
            ["title"] = "M",
            ["family"] = "vit",
            ["parameters"] = 5_524_416,
            ["source"] = "random",
            ["licence"] = "none",
            ["whatToGet"] = "Ask somebody.",
        };
        change(model);
        AtomicFile.WriteAllText(Path.Combine(folder.Path, "models", $"{name}.json"), model.ToJsonString());
    }
}
