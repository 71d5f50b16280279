using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Pretraining;
using System.Text.Json;
using TorchSharp;
using static DermKit.Tests.Models.Pickled;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>The key names of others, and the one way that all weights files take.</summary>
public sealed class MappedWeightsTests : IDisposable
{
    private static readonly VitConfig Vit = new() { Dim = 24, Heads = 3, Depth = 2, Patch = 8, ImageSize = 32 };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string At(string name) => Path.Combine(folder.Path, name);

    [Theory]
    [InlineData("", "head.weight")]
    [InlineData("model.", "head.bias")]
    [InlineData("state_dict.module.", "head.weight")]
    [InlineData("teacher.", "head.mlp.0.weight")]
    [InlineData("teacher.backbone.", "masked_embed")]
    [InlineData("student.module.backbone.", "masked_embed")]
    public void AViTIsFoundInACheckpoint(string prefix, string beside)
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(Vit, 1), target = VisionTransformer.Random(Vit, 2);
        Dictionary<string, Tensor> state = source.state_dict().ToDictionary(p => prefix + p.Key, p => p.Value);
        state[prefix + beside] = zeros(1, 24);
        if (prefix.Length > 0) state["optimizer.state.0.exp_avg"] = zeros(4);
        TorchZip.Save(At("x.pth"), state);
        using MappedWeights file = MappedWeights.Open(At("x.pth"));
        Assert.Equal((WeightFamily.Vit, prefix, prefix.Length > 0 ? "optimizer.state.0.exp_avg" : null),
            (file.Family, file.Prefix, file.Unused.SingleOrDefault()));
        WeightLoader.LoadStrict(target, At("x.pth"), VisionTransformer.NotBackbone);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(target));
    }

    [Fact]
    public void AWrapperWithoutANetworkDoesNotHideTheNext()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(Vit, 1);
        TorchZip.Save(At("x.pth"),
            source.state_dict().ToDictionary(p => "state_dict.backbone." + p.Key, p => p.Value)
                .Append(KeyValuePair.Create("teacher.x", zeros(1)))
                .Append(KeyValuePair.Create("state_dict.model.head.weight", zeros(1))));
        using MappedWeights file = MappedWeights.Open(At("x.pth"));
        Assert.Equal((WeightFamily.Vit, "state_dict.backbone."), (file.Family, file.Prefix));
        Assert.Equal(["state_dict.model.head.weight", "teacher.x"], file.Unused);
    }

    [Fact]
    public void TheAuthorsCheckpointGivesItsTeacher()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer teacher = VisionTransformer.Random(Vit, 1), student = VisionTransformer.Random(Vit, 2),
            target = VisionTransformer.Random(Vit, 3);
        var zip = new TorchZip();
        byte[] Side(VisionTransformer model, string prefix) => zip.State(model.state_dict()
            .Select(p => KeyValuePair.Create(prefix + "backbone." + p.Key, p.Value))
            .Append(KeyValuePair.Create(prefix + "head.last_layer.weight_g", ones(8, 1))));
        zip.Write(At("x.pth"),
            Dict(("student", Side(student, "module.")), ("teacher", Side(teacher, "")), ("epoch", Int(99)),
                ("loss", Real(1.5)), ("config", Dict(("arch", Text("vit_tiny")))),
                ("optimizer", Dict(("state", EmptyDict), ("param_groups", List(Dict(("lr", Real(0.1))))))),
                ("dino_loss", Ordered(("center", zip.Tensor(zeros(1, 8)))))));
        using (MappedWeights file = MappedWeights.Open(At("x.pth")))
        {
            Assert.Equal(("teacher.backbone.", "99", "vit_tiny", "0.1"),
                (file.Prefix, file.Metadata["epoch"], file.Metadata["config.arch"],
                    file.Metadata["optimizer.param_groups.0.lr"]));
            Assert.Contains("dino_loss.center", file.Unused);
            Assert.Contains("teacher.head.last_layer.weight_g", file.Unused);
        }
        WeightLoader.LoadStrict(target, At("x.pth"), VisionTransformer.NotBackbone);
        Assert.Equal(WeightLoader.Hash(teacher), WeightLoader.Hash(target));
    }

    [Fact]
    public void EveryWayInTakesAnyFile()
    {
        using var scope = NewDisposeScope();
        Directory.CreateDirectory(At("models"));
        Directory.CreateDirectory(At("weights"));
        using VisionTransformer tiny = VisionTransformer.Random(VitConfig.Tiny, 1);
        TorchZip.Save(At("weights/mine.pth"),
            tiny.state_dict().ToDictionary(p => "teacher.backbone." + p.Key, p => p.Value));
        TorchZip.Save(At("weights/other.pt"), tiny.state_dict());
        File.WriteAllText(At("models/mine.json"),
            """{ "name": "mine", "version": 1, "title": "M", "family": "vit", "parameters": 5524416, "source": "weights/mine.safetensors", "licence": "none", "whatToGet": "It." }""");
        // Declared under another ending, and not declared at all.
        IReadOnlyList<ModelDefinition> models = ModelRegistry.Load(folder.Path).Models;
        Assert.Equal(["mine", "other"], models.Select(m => m.Name));
        foreach (ModelDefinition model in models)
        {
            using Backbone made = model.Create(0);
            Assert.Equal(WeightLoader.Hash(tiny), WeightLoader.Hash(made));
        }
        // initialWeights.
        using VisionTransformer small =
            VisionTransformer.Random(Pretraining.TinyPretraining.Options.Vit(isStudent: false), 7);
        TorchZip.Save(At("start.pth"), small.state_dict().ToDictionary(p => "module." + p.Key, p => p.Value));
        using PretrainMethod from =
            (Pretraining.TinyPretraining.Options with { InitialWeights = At("start.pth") }).Create(CPU);
        Assert.All(small.state_dict(),
            p => Assert.True(p.Value.Equals(from.State["student.backbone." + p.Key]), p.Key));
    }

    [Fact]
    public void AResNetIsReadByNameAndByNumber()
    {
        using var scope = NewDisposeScope();
        ResNetConfig config = new() { Planes = [4, 5, 6, 7], Blocks = [1, 1, 1, 1] };
        using ResNet source = ResNet.Random(config, 1), target = ResNet.Random(config, 2);
        Dictionary<string, Tensor> state = source.state_dict();
        TorchZip.Save(At("named.pth"), state.Append(KeyValuePair.Create("fc.weight", zeros(10, 28))));
        var numbers = new Dictionary<string, string>
        {
            ["conv1"] = "0",
            ["bn1"] = "1",
            ["layer1"] = "4",
            ["layer2"] = "5",
            ["layer3"] = "6",
            ["layer4"] = "7"
        };
        TorchZip.Save(At("numbered.ckpt"),
            state.ToDictionary(p => $"state_dict.backbone.{numbers[p.Key.Split('.')[0]]}{p.Key[p.Key.IndexOf('.')..]}",
                p => p.Value));
        // The authors' BYOL: the network, and again inside of the online and the target encoder.
        TorchZip.Save(At("byol.pth"),
            state.SelectMany(
                p => new[] { "net.", "online_encoder.net.", "target_encoder.net." }.Select((of, i) =>
                    KeyValuePair.Create($"state_dict.{of}{p.Key}", i == 0 ? p.Value : zeros_like(p.Value))))
                .Append(KeyValuePair.Create("state_dict.net.fc.bias", zeros(10))));
        foreach (string file in new[] { "named.pth", "numbered.ckpt", "byol.pth" })
        {
            using ResNet model = ResNet.Random(config, 2);
            WeightLoader.LoadStrict(model, At(file), ResNet.NotBackbone);
            Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(model));
        }
        state["0.weight"] = zeros(4, 3, 7, 7);
        SafeTensors.Save(At("both.safetensors"), state);
        Assert.Contains("both the kit's 'conv1.weight'",
            Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, At("both.safetensors"))).Message);
    }

    /// <summary>The same weights under openai/CLIP's names, by torch operations of their own.</summary>
    internal static Dictionary<string, Tensor> AsOpenAi(Dictionary<string, Tensor> state)
    {
        var result = new Dictionary<string, Tensor>
        {
            ["visual.class_embedding"] = state["vision_model.embeddings.class_embedding"],
            ["visual.conv1.weight"] = state["vision_model.embeddings.patch_embedding.weight"],
            ["visual.positional_embedding"] = state["vision_model.embeddings.position_embedding.weight"],
            ["visual.proj"] = state["visual_projection.weight"].t().contiguous(),
            ["token_embedding.weight"] = state["text_model.embeddings.token_embedding.weight"],
            ["positional_embedding"] = state["text_model.embeddings.position_embedding.weight"],
            ["text_projection"] = state["text_projection.weight"].t().contiguous(),
            ["logit_scale"] = state["logit_scale"],
            ["input_resolution"] = tensor(32L),
            ["context_length"] = tensor(12L),
            ["vocab_size"] = tensor(50L),
        };
        foreach (string end in new[] { "weight", "bias" })
        {
            foreach ((string to, string from) in new[]
            {
                ("visual.ln_pre", "vision_model.pre_layrnorm"), ("visual.ln_post", "vision_model.post_layernorm"),
                ("ln_final", "text_model.final_layer_norm")
            }) result[$"{to}.{end}"] = state[$"{from}.{end}"];
            foreach ((string to, string from) in new[]
            {
                ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
                ("transformer.resblocks.", "text_model.encoder.layers.")
            })
                for (int i = 0; state.ContainsKey($"{from}{i}.mlp.fc1.bias"); i++)
                {
                    result[$"{to}{i}.attn.in_proj_{end}"] = cat([state[$"{from}{i}.self_attn.q_proj.{end}"],
                        state[$"{from}{i}.self_attn.k_proj.{end}"], state[$"{from}{i}.self_attn.v_proj.{end}"]], 0);
                    foreach ((string a, string b) in new[]
                    {
                        ("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"),
                        ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")
                    }) result[$"{to}{i}.{a}.{end}"] = state[$"{from}{i}.{b}.{end}"];
                }
        }
        return result;
    }

    [Theory]
    [InlineData("state")]
    [InlineData("script")]
    [InlineData("safetensors")]
    public void OpenAisClipIsThatOfHuggingFace(string form)
    {
        using var scope = NewDisposeScope();
        using ClipModel source = ClipModel.Random(ClipModelTests.Vision, ClipModelTests.Text, 1),
            target = ClipModel.Random(ClipModelTests.Vision, ClipModelTests.Text, 5);
        // Biases and norms of their own, so that no mix-up goes unseen.
        using (no_grad())
            foreach ((_, TorchSharp.Modules.Parameter parameter) in source.named_parameters())
                parameter.copy_(randn(parameter.shape));
        Dictionary<string, Tensor> state = AsOpenAi(source.state_dict());
        string path = At(form == "safetensors" ? "m.safetensors" : "m.pt");
        if (form == "safetensors") SafeTensors.Save(path, state);
        else if (form == "state") TorchZip.Save(path, state);
        else Script(path, state);
        using (MappedWeights file = MappedWeights.Open(path))
            Assert.Equal((WeightFamily.OpenAiClip, form == "script"),
                (file.Family, file.Format.Contains("TorchScript", StringComparison.Ordinal)));
        WeightLoader.LoadStrict(target, path, ClipModel.NotWeights);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(target));
        using ClipVisionTransformer vision = ClipVisionTransformer.Random(ClipModelTests.Vision, 9);
        WeightLoader.LoadStrict(vision, path, ClipVisionTransformer.NotVision);
        Assert.Equal(WeightLoader.Hash(source.Vision), WeightLoader.Hash(vision));
    }

    [Fact]
    public void AnOpenAiClipOfTheReleasedWidthIsARow()
    {
        using var scope = NewDisposeScope();
        Directory.CreateDirectory(At("models"));
        Directory.CreateDirectory(At("weights"));
        using ClipModel source = ClipModel.Random(ClipVisionConfig.Named("base") with { Depth = 1 },
            ClipModelTests.Text with { Projection = 512 }, 1);
        TorchZip.Save(At("weights/vit-b-32.pt"), AsOpenAi(source.state_dict()));
        ModelDefinition model = Assert.Single(ModelRegistry.Load(folder.Path).Models);
        Assert.Contains("keys look like openai/CLIP's; 12 heads", model.Note);
        using Backbone made = model.Create(0);
        Assert.Equal(WeightLoader.Hash(source.Vision), WeightLoader.Hash(made));
    }

    [Fact]
    public void WhatDoesNotFitIsListedByNameAndNothingIsLoaded()
    {
        using var scope = NewDisposeScope();
        using ClipModel source = ClipModel.Random(ClipModelTests.Vision, ClipModelTests.Text, 1),
            target = ClipModel.Random(ClipModelTests.Vision, ClipModelTests.Text, 5);
        string before = WeightLoader.Hash(target);
        Dictionary<string, Tensor> state = AsOpenAi(source.state_dict());
        state["visual.transformer.resblocks.0.attn.in_proj_weight"] = zeros(71, 24);
        state["visual.transformer.resblocks.1.attn.in_proj_weight"] = zeros(69, 24);
        state.Remove("ln_final.bias");
        state["visual.extra"] = zeros(1);
        TorchZip.Save(At("m.pt"), state);
        string message =
            Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, At("m.pt"), ClipModel.NotWeights))
                .Message;
        Assert.Contains("its keys are those of openai/CLIP", message);
        Assert.Contains("text_model.final_layer_norm.bias", message);
        Assert.Contains("vision_model.encoder.layers.0.self_attn.q_proj.weight", message);
        Assert.Contains("visual.extra", message);
        Assert.Contains("vision_model.encoder.layers.1.self_attn.v_proj.weight [23, 24] for [24, 24]", message);
        Assert.Equal(before, WeightLoader.Hash(target));

        using VisionTransformer vit = VisionTransformer.Random(Vit, 1);
        Assert.Contains("its keys are those of openai/CLIP",
            Assert.Throws<KitException>(() => WeightLoader.LoadStrict(vit, At("m.pt"), VisionTransformer.NotBackbone))
                .Message);
        TorchZip.Save(At("none.pth"), new Dictionary<string, Tensor> { ["a.b"] = zeros(2), ["teacher.c"] = zeros(2) });
        Assert.Contains("its keys, such as a.b, teacher.c, are of no family that the kit knows",
            Assert.Throws<KitException>(() => WeightLoader.LoadStrict(vit, At("none.pth"))).Message);
    }

    [Fact]
    public void AKeyOfAMillionWrappersIsNoNetworkAndIsReadOnce()
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(folder.Path, "wrapped.safetensors");
        SafeTensors.Save(path,
            new Dictionary<string, Tensor> { [string.Concat(Enumerable.Repeat("model.", 200_000)) + "x"] = zeros(1) });
        long before = GC.GetAllocatedBytesForCurrentThread();
        using MappedWeights file = MappedWeights.Open(path);
        Assert.Equal(WeightFamily.Unknown, file.Family);
        // A copy of the key for each wrapper would be some 240 GB.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1L << 30);
    }

    [Fact]
    public void SeveralFilesUnderOneIndexAreOne()
    {
        using var scope = NewDisposeScope();
        Directory.CreateDirectory(At("models"));
        Directory.CreateDirectory(At("weights"));
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny, 1);
        Dictionary<string, Tensor> state = source.state_dict();
        Dictionary<string, string> map = state.Keys.ToDictionary(k => k,
            k => k.StartsWith("blocks.", StringComparison.Ordinal) ? "big-1.safetensors" : "big-2.safetensors");
        string index = At("weights/big.safetensors.index.json");
        void Write(object content)
        {
            foreach (string file in map.Values.Distinct())
                SafeTensors.Save(At("weights/" + file),
                    state.Where(p => map[p.Key] == file)
                        .ToDictionary(p => p.Key, p => p.Value.to(ScalarType.BFloat16)));
            File.WriteAllText(index, JsonSerializer.Serialize(content));
        }
        Write(new { metadata = new { total_size = 1 }, weight_map = map });
        using (MappedWeights file = MappedWeights.Open(index))
            Assert.Equal(("safetensors in 2 files", state.Count, ScalarType.BFloat16),
                (file.Format, file.Entries.Count, file.Entries["cls_token"].Type));
        ModelDefinition model = Assert.Single(ModelRegistry.Load(folder.Path).Models);
        Assert.Equal("big", model.Name);
        using (Backbone made = model.Create(0))
            foreach ((string key, Tensor value) in made.state_dict())
                Assert.True(value.Equals(state[key].to(ScalarType.BFloat16).to(float32)), key);
        string hash = WeightLoader.FileHash(index);
        state["blocks.0.norm1.bias"] = ones(192);
        Write(new { metadata = new { total_size = 1 }, weight_map = map });
        Assert.NotEqual(hash, WeightLoader.FileHash(index));

        void Refused(object content, string expected)
        {
            File.WriteAllText(index, content as string ?? JsonSerializer.Serialize(content));
            string message = Assert.Throws<KitException>(() => WeightFile.Open(index)).Message;
            Assert.Contains(index, message);
            Assert.Contains(expected, message);
        }
        Refused(new { weight_map = new Dictionary<string, string>(map) { ["cls_token"] = "big-3.safetensors" } },
            "names big-3.safetensors, which is not beside it");
        Refused(new { weight_map = new Dictionary<string, string>(map) { ["cls_token"] = "big-1.safetensors" } },
            "missing: cls_token in big-1.safetensors. not in the index: cls_token in big-2.safetensors");
        Refused(new { weight_map = map.Where(p => p.Key != "pos_embed").ToDictionary() },
            "not in the index: pos_embed in big-2.safetensors");
        Refused(new { weight_map = new Dictionary<string, string> { ["a"] = "../big-1.safetensors" } },
            "in the same folder");
        Refused(new { weight_map = new Dictionary<string, int> { ["a"] = 1 } }, "in the same folder");
        Refused(new { weight_map = new Dictionary<string, string>() }, "weight_map is empty");
        Refused(new { other = 1 }, "weight_map");
        Refused("""{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}""", "twice");
        Refused("{", "no JSON");
        Refused("[" + new string('[', 50), "no JSON");
    }

    /// <summary>As TorchScript stores it: modules inside of modules, each with its tensors as attributes.</summary>
    private static void Script(string path, Dictionary<string, Tensor> state)
    {
        var zip = new TorchZip();
        byte[] Module(string prefix) => Object(Global("__torch__", "M" + prefix.Length),
            [("training", False),
                .. state.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal))
                    .Select(k => k[prefix.Length..].Split('.')[0]).Distinct()
                    .Select(part => (part,
                        state.TryGetValue(prefix + part, out Tensor? tensor) ? zip.Tensor(tensor)
                            : Module($"{prefix}{part}.")))]);
        zip.Write(path, Module(""),
            more: [("constants.pkl", Whole(EmptyTuple)), ("code/clip.py", "def forward(self): ..."u8.ToArray())]);
    }
}
