using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>Encoders under the prefixes of others' checkpoints.</summary>
public sealed class EncoderSearchTests : IDisposable
{
    private static readonly VitConfig Vit = new() { Dim = 24, Heads = 3, Depth = 2, Patch = 8, ImageSize = 32 };
    private static readonly ResNetConfig Planes = new() { Planes = [4, 5, 6, 7], Blocks = [1, 1, 1, 1] };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("ViT", nameof(WeightFamily.Vit))]
    [InlineData("ResNet", nameof(WeightFamily.ResNet))]
    [InlineData("numbered ResNet", nameof(WeightFamily.ResNet))]
    [InlineData("CLIP", nameof(WeightFamily.Clip))]
    [InlineData("openai/CLIP", nameof(WeightFamily.OpenAiClip))]
    public void EveryFamilyIsFoundUnderAnyPrefix(string family, string expected)
    {
        string[] prefixes =
        [
            "", "model.", "net.encoder.", "_orig_mod.module.backbone.", "teacher.backbone.", "student.",
            "visual_encoder.", "a.b.c.d.e.f.g.h.", "module.encoder_q.", "state_dict.img_encoder.0.",
            "größe.", "Teacher_EMA.",
        ];
        using var scope = NewDisposeScope();
        using nn.Module source = Random(family, 1);
        Dictionary<string, Tensor> state = Named(family, source);
        foreach (string prefix in prefixes)
        {
            var file = state.ToDictionary(p => prefix + p.Key, p => p.Value);
            if (prefix.Length > 0) file["projector.0.weight"] = zeros(3);
            using MappedWeights mapped = Open(file);
            Assert.Equal((expected, prefix), (mapped.Family.ToString(), mapped.Prefix));
            Assert.Equal(prefix.Length > 0 ? ["projector.0.weight"] : [], mapped.Unused);
            using nn.Module target = Random(family, 2);
            WeightLoader.LoadStrict(target, mapped.Path, mapped.Heads);
            Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(target));
        }
    }

    [Fact]
    public void TheTeacherComesBeforeAStudentOfItsSizeWhateverTheirPrefixes()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> teacher = State(1), student = State(2);
        foreach ((string of, string other) in new[]
        {
            ("teacher.backbone.", "student.module.backbone."), ("model.teacher.", "model.student."),
            ("x.ema_teacher.net.", "student."),
        })
        {
            using MappedWeights file = Open(Under(of, teacher).Concat(Under(other, student)));
            Assert.Equal(of, file.Prefix);
            Assert.True(file.Load("pos_embed").Equals(teacher["pos_embed"]));
        }
        // A teacher that lacks a key is still the one that is meant, and is refused.
        teacher.Remove("norm.bias");
        using MappedWeights lacking = Open(Under("teacher.", teacher).Concat(Under("student.", student)));
        using VisionTransformer target = VisionTransformer.Random(Vit, 3);
        KitException refusal = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, lacking.Path));
        Assert.Contains("missing: norm.bias", refusal.Message);
        // Of a larger teacher, the student is another encoder.
        using VisionTransformer large = VisionTransformer.Random(Vit with { Dim = 48 }, 1);
        using MappedWeights distilled = Open(Under("teacher.", large.state_dict()).Concat(Under("student.", student)));
        Assert.Contains("2 different encoders", distilled.Description);
    }

    [Fact]
    public void TheMovingCopyOfATrainedByolIsNoSecondEncoder()
    {
        using var scope = NewDisposeScope();
        foreach (string wrapper in new[] { "", "model." })
        {
            var states = Under($"{wrapper}backbone.", State(1)).Concat(Under($"{wrapper}backbone_momentum.", State(2)));
            using MappedWeights file = Open(states);
            Assert.Equal($"{wrapper}backbone.", file.Prefix);
        }
    }

    [Fact]
    public void SeveralDifferentEncodersAreListedAndOneIsChosenByItsPrefix()
    {
        using var scope = NewDisposeScope();
        using ResNet resnet = ResNet.Random(Planes, 1);
        Dictionary<string, Tensor> one = State(1), two = State(2);
        IEnumerable<KeyValuePair<string, Tensor>> vits = Under("", one).Concat(Under("ema.", two));
        using MappedWeights file = Open(vits.Concat(Under("net.\u001b[2J.", resnet.state_dict())));
        Assert.Equal((WeightFamily.Unknown, ""), (file.Family, file.Prefix));
        Assert.Contains("3 different encoders: timm's and DINO's ViT under '', timm's and DINO's ViT under 'ema.', "
            + "torchvision's ResNet under 'net.\\u001b[2J.'", file.Description);
        Assert.Contains("--prefix PREFIX", file.Description);
        using VisionTransformer target = VisionTransformer.Random(Vit, 3);
        string before = WeightLoader.Hash(target);
        string message = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, file.Path)).Message;
        Assert.StartsWith($"{file.Path}: it has 3 different encoders", message, StringComparison.Ordinal);
        Assert.Equal(before, WeightLoader.Hash(target));
        foreach ((string prefix, Dictionary<string, Tensor> of) in new[] { ("", one), ("ema", two), ("ema.", two) })
        {
            using MappedWeights chosen = MappedWeights.Open(file.Path, prefix);
            Assert.Equal(of.Keys.Order(StringComparer.Ordinal), chosen.Entries.Keys.Order(StringComparer.Ordinal));
            Assert.All(of, p => Assert.True(chosen.Load(p.Key).Equals(p.Value)));
            Assert.Equal(file.Entries.Count - of.Count, chosen.Unused.Count);
        }
        KitException none = Assert.Throws<KitException>(() => MappedWeights.Open(file.Path, "teacher"));
        Assert.Contains("under 'ema.'", none.Message);
    }

    [Fact]
    public void EqualCopiesAndMomentsAreNoOtherEncoders()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> one = State(1), two = State(2);
        IEnumerable<KeyValuePair<string, Tensor>> headed = one.Append(new("head.weight", zeros(2, 24)));
        using (MappedWeights file = Open(Under("model.", headed).Concat(Under("_orig_mod.model.", one))))
            Assert.Equal("model.", file.Prefix);
        IEnumerable<KeyValuePair<string, Tensor>> all = Under("encoder.", one).Concat(Under("exp_avg_sq.", two));
        using (MappedWeights file = Open(all.Concat(Under("optimizer.encoder.", two))))
            Assert.Equal("encoder.", file.Prefix);
        one["norm.bias"] = ones(24);
        using (MappedWeights file = Open(Under("a.", one).Concat(Under("b.", State(1)))))
            Assert.NotNull(file.Ambiguity);
    }

    [Fact]
    public void PartsThatTheKitDoesNotBuildAreNamed()
    {
        using var scope = NewDisposeScope();
        // DINOv2 as it is trained: blocks in chunks; and as it is published with registers and SwiGLU.
        Dictionary<string, Tensor> chunked = [], published = [];
        foreach ((string key, Tensor value) in State(1))
        {
            string gated = key.Replace(".fc1.", ".w12.", StringComparison.Ordinal);
            gated = gated.Replace(".fc2.", ".w3.", StringComparison.Ordinal);
            chunked[key.Replace("blocks.", "blocks.0.", StringComparison.Ordinal)] = value;
            published[gated] = value;
        }
        chunked["blocks.0.0.ls1.gamma"] = ones(24);
        chunked["mask_token"] = published["mask_token"] = zeros(1, 24);
        published["register_tokens"] = zeros(1, 4, 24);
        Expect(chunked, "blocks in chunks, as DINOv2 trains them (extra: blocks.0.0.",
            "LayerScale, as in DINOv2 (extra: blocks.0.0.ls1.gamma)", "a mask token (extra: mask_token)");
        Expect(published, "register tokens (extra: register_tokens)", "SwiGLU (extra: blocks.0.mlp.w12.", "mask token");

        void Expect(IEnumerable<KeyValuePair<string, Tensor>> state, params string[] parts)
        {
            using MappedWeights file = Open(Under("teacher.backbone.", state));
            using VisionTransformer target = VisionTransformer.Random(Vit, 3);
            IReadOnlyCollection<string> heads = VisionTransformer.NotBackbone;
            KitException refusal = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, file.Path, heads));
            string message = refusal.Message;
            Assert.All(parts, part => Assert.Contains(part, message));
            Assert.Contains("The kit does not build this kind of ", message);
            Assert.DoesNotContain("missing", message);
        }
    }

    private static Dictionary<string, Tensor> State(long seed)
    {
        using VisionTransformer model = VisionTransformer.Random(Vit, seed);
        return model.state_dict().ToDictionary(p => p.Key, p => p.Value.detach().clone());
    }

    private static nn.Module Random(string family, long seed) => family switch
    {
        "ViT" => VisionTransformer.Random(Vit, seed),
        "ResNet" or "numbered ResNet" => ResNet.Random(Planes, seed),
        _ => ClipModel.Random(ClipModelTests.Vision, ClipModelTests.Text, seed),
    };

    private static Dictionary<string, Tensor> Named(string family, nn.Module model)
    {
        Dictionary<string, Tensor> state = model.state_dict();
        if (family == "openai/CLIP") return MappedWeightsTests.AsOpenAi(state);
        if (family != "numbered ResNet") return state;
        string[] layers = ["conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"];
        var numbered = new Dictionary<string, Tensor>();
        foreach ((string key, Tensor value) in state)
        {
            int dot = key.IndexOf('.', StringComparison.Ordinal);
            numbered[$"{Array.IndexOf(layers, key[..dot])}{key[dot..]}"] = value;
        }
        return numbered;
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Under(
        string prefix, IEnumerable<KeyValuePair<string, Tensor>> state) =>
        state.Select(p => KeyValuePair.Create(prefix + p.Key, p.Value));

    private MappedWeights Open(IEnumerable<KeyValuePair<string, Tensor>> state)
    {
        string path = Path.Combine(folder.Path, $"{Guid.NewGuid():N}.safetensors");
        SafeTensors.Save(path, state.ToDictionary(p => p.Key, p => p.Value));
        return MappedWeights.Open(path);
    }
}
