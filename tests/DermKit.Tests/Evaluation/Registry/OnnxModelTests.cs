using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Reporting;
using DermKit.Studies;
using DermKit.Tests.Cli;
using DermKit.Tests.Data;
using DermKit.Tests.Imaging;
using DermKit.Tests.Models;
using System.Text.Json.Nodes;
using TorchSharp;
using static DermKit.Tests.Models.OnnxWriter;

namespace DermKit.Tests.Evaluation;

/// <summary>ONNX encoders as models of the registry.</summary>
public sealed class OnnxModelTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public OnnxModelTests()
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, "models"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "weights"));
    }

    public void Dispose() => folder.Dispose();

    private ModelRegistry Load() => ModelRegistry.Load(folder.Path);

    /// <summary>Channel means times three weights.</summary>
    internal static byte[] Scaled(params float[] weights) => Model(Node("Mul", "x w", "s"),
        Node("GlobalAveragePool", "s", "p"), Node("Flatten", "p", "y"),
        Weights("w", [1, 3, 1, 1], Float, Values(weights)), Images, Features);

    private string Write(string name, byte[] file) => folder.Write(Path.Combine("weights", name), file);

    private void Declare(Action<JsonObject>? change = null)
    {
        var model = new JsonObject
        {
            ["name"] = "mine",
            ["version"] = 1,
            ["title"] = "Mine",
            ["family"] = "onnx",
            ["parameters"] = 3,
            ["source"] = "weights/x.onnx",
            ["features"] = "avgpool",
            ["preprocessing"] = "dino",
            ["input"] = "0-255",
            ["licence"] = "MIT",
            ["whatToGet"] = "Export it.",
        };
        change?.Invoke(model);
        File.WriteAllText(Path.Combine(folder.Path, "models", "mine.json"), model.ToJsonString());
    }

    [Theory]
    [InlineData("ResNet18.onnx")]
    [InlineData("ResNetPreprocess.onnx")]
    public void WithoutThePackagesFilesTheModelOfImageNetSaysHowToGetThem(string absent)
    {
        string kit = KitSettings.FromEnvironment().Root, data = Path.Combine(folder.Path, "kit", "data");
        Directory.CreateDirectory(Path.Combine(data, "models"));
        File.Copy(Path.Combine(kit, "data", "models", "resnet18-imagenet.json"),
            Path.Combine(data, "models", "resnet18-imagenet.json"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "kit", "lib", "bin", "models"));
        foreach (string name in new[] { "ResNet18.onnx", "ResNetPreprocess.onnx" }.Where(n => n != absent))
            folder.Write(Path.Combine("kit", "lib", "bin", "models", name), new byte[8]);
        ModelDefinition model = Assert.Single(ModelRegistry.Load(data).Models);
        Assert.False(model.IsPresent);
        Assert.Contains($"weights not here: lib/bin/models/{absent}. Building the kit puts it there: dotnet build",
            Assert.Throws<KitException>(() => model.Create(0)).Message);
    }

    [Fact]
    public void AnEncoderInTheWeightsFolderIsARowThatSaysWhatWasAssumed()
    {
        Write("x.onnx", Model(Node("Add", "x w", "s"), Node("GlobalAveragePool", "s", "p"),
            Node("Flatten", "p", "y"), Weights("w", [1, 3, 1, 1], Float, External("x.bin")), Images, Features));
        Write("x.bin", new byte[12]);
        ModelRegistry registry = Load();
        ModelDefinition model = Assert.Single(registry.Models);
        Assert.Equal(("x", "onnx", 3, FeatureVariant.AvgPool, new EvalTransform()),
            (model.Name, model.Family, model.Parameters, model.Features, model.Transform));
        Assert.Equal((true, true), (model.IsPresent, model.IsUndeclared));
        Assert.Equal((3, double.NaN), (model.Cost!.Parameters, model.Cost.GigaMacs));
        Assert.Contains("it gets the paper's transform and ImageNet's statistics", model.Note);
        Assert.Contains(model.Note, registry.Card(model));
        Assert.Contains("undeclared, ONNX encoder", ProbingReport.Registry(registry).ToString());
        Write("x.onnx", [1, 2, 3]);
        Assert.Contains("x.onnx is here but not recognised",
            Assert.Single(Load().Models, m => m.Source.EndsWith(".onnx", StringComparison.Ordinal)).Missing);
    }

    [Fact]
    public void ADeclaredEncoderHasItsTransformInputAndHash()
    {
        Declare();
        Assert.Contains("weights not here: data/weights/x.onnx. Export it.", Assert.Single(Load().Models).Missing);
        string path = Write("x.onnx", Scaled(1, 2, 3));
        Declare(m => m["sha256"] = WeightLoader.FileHash(path));
        ModelDefinition model = Assert.Single(Load().Models);
        Assert.Equal((true, EvalTransform.Dino, 3),
            (model.IsPresent, model.Transform, model.Cost!.Parameters));
        using (torch.NewDisposeScope())
        using (Backbone made = model.Create(0))
        {
            Assert.False(made.training);
            torch.Tensor white = torch.full([1, 3, 224, 224], 255, torch.uint8);
            float[] found = made.forward(model.Transform.Normalise(white)).data<float>().ToArray();
            Assert.Equal([255, 510, 765], found.Select(v => Math.Round(v, 2)));
        }
        Write("x.onnx", Scaled(3, 2, 1));
        Assert.Contains("expected SHA-256", Assert.Throws<KitException>(() => model.Create(0)).Message);

        string Refused(string key, JsonNode value)
        {
            Declare(m => m[key] = value);
            return Assert.Throws<KitException>(() => Load()).Message;
        }
        Assert.Contains("key 'features': expected \"avgpool\" for onnx", Refused("features", "cls4"));
        Assert.Contains("key 'source': expected a file that ends in .onnx", Refused("source", "random"));
        Assert.Contains("key 'input': expected none but for the family onnx", Refused("family", "resnet"));
        Assert.Contains("0-255, caffe", Refused("input", "0-256"));
        Declare(m => m["parameters"] = 4);
        Assert.Contains("expected 4 parameters, found 3",
            Assert.Throws<KitException>(() => Load().Models[0].Create(0)).Message);
    }

    [Fact]
    public void FeaturesAreKeptByFileInputAndRuntime()
    {
        string[] paths = [.. Enumerable.Range(0, 3).Select(i =>
            folder.Write($"{i}.png", ImageCodec.EncodePng(TestImages.Draw(50, 40, i))))];
        using ImageCache cache = ImageCache.Build(folder.Path, paths, new());
        var options = new FeatureOptions { Variant = FeatureVariant.AvgPool };
        FeatureSet Extract(OnnxInput input, params float[] weights)
        {
            Write("x.onnx", Scaled(weights));
            using Backbone model = (Load()["x"] with { Input = input }).Create(0);
            Assert.Contains("ONNX Runtime 1.", model.Architecture);
            return FeatureExtractor.Extract(model, cache, options);
        }
        FeatureSet first = Extract(OnnxInput.Unit, 1, 2, 3), again = Extract(OnnxInput.Unit, 1, 2, 3),
            bytes = Extract(OnnxInput.Bytes, 1, 2, 3), other = Extract(OnnxInput.Unit, 1, 2, 4);
        Assert.Equal((first.Key, first.WeightsHash), (again.Key, again.WeightsHash));
        Assert.Equal(first.Values, again.Values);
        Assert.Equal(3, new[] { first.Key, bytes.Key, other.Key }.Distinct().Count());
        Assert.NotEqual(first.WeightsHash, other.WeightsHash);
        Assert.Contains("its file computes them",
            Assert.Throws<KitException>(() => Extract(OnnxInput.Unit, 1, float.NaN, 3)).Message);
    }

    [Fact]
    public void FineTuningItIsRefusedBeforeAnyImageIsRead()
    {
        string path = Write("x.onnx", Scaled(1, 2, 3));
        KitSettings settings = DrawnOnce.In(folder);
        string data = Path.Combine(settings.Root, "data");
        FineTuningPlan plan = FineTuningPlan.For(RunMode.Quick) with { Model = path };
        Assert.Contains("Model 'x': an ONNX encoder has no gradients", Assert.Throws<KitException>(() =>
            FineTuningRun.Run(settings, [], ModelRegistry.Load(data), plan)).Message);
    }

    [Fact]
    public async Task EvaluateTakesAPath()
    {
        string path = Write("mine.onnx", Scaled(1, 2, 3)), tables = Path.Combine(folder.Path, "tables");
        (int code, string text, string error) = await KitProcess.Run(
            ["evaluate", "--tasks", "synthetic-malignancy", "--models", path, "--baseline", path, "--out", tables],
            new Dictionary<string, string>
            {
                ["KIT_CACHE_DIR"] = DrawnOnce.In(folder).CacheDir,
                ["KIT_MODE"] = "quick",
                ["OMP_NUM_THREADS"] = "1",
            });
        Assert.True(code == 0, text + error);
        Assert.Contains("ONNX encoder", text);
        string[] rows = File.ReadAllLines(Path.Combine(tables, "leaderboard.csv"));
        Assert.Contains(rows, r => r.StartsWith("synthetic-malignancy,", StringComparison.Ordinal)
            && r.Contains(",mine,linear,", StringComparison.Ordinal));

        File.WriteAllBytes(path, Model(Pooled, Input("x", 1, 224, 224, 3), Features));
        (code, text, error) = await KitProcess.Run(["evaluate", "--tasks", "synthetic-malignancy", "--models", path]);
        Assert.Equal(2, code);
        Assert.Contains("x Float [1, 224, 224, 3]", error);
        Assert.DoesNotContain("   at ", error);
    }
}
