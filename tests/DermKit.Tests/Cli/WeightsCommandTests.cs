using DermKit.Evaluation;
using DermKit.Models;
using DermKit.Tests.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Cli;

/// <summary>kit weights as a user types it.</summary>
public sealed class WeightsCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task ACheckpointIsListedConvertedAndListedAgain()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny with { Depth = 1 }, 1),
            target = VisionTransformer.Random(VitConfig.Tiny with { Depth = 1 }, 2);
        string path = Path.Combine(folder.Path, "x.pth"), converted = Path.Combine(folder.Path, "out", "x.safetensors");
        var zip = new TorchZip();
        Dictionary<string, Tensor> teacher = source.state_dict()
            .ToDictionary(p => "module.backbone." + p.Key,
                p => p.Key == "cls_token" ? p.Value : p.Value.to(ScalarType.Float16));
        teacher["module.backbone.head.weight"] = zeros(3, 192);
        zip.Write(path,
            Pickled.Dict(("epoch", Pickled.Int(7)), ("student", Pickled.Dict(("a", zip.Tensor(zeros(2))))),
                ("teacher", zip.State(teacher)),
                ("optimizer",
                    Pickled.Dict(("state",
                        [.. Pickled.EmptyDict, .. Pickled.Int(0), .. Pickled.Dict(("exp_avg", zip.Tensor(zeros(5)))),
                            (byte)'s'])))));
        (int code, string text, string error) = await KitProcess.Run(["weights", "inspect", path]);
        Assert.True(code == 0, text + error);
        Assert.Contains("PyTorch zip", text);
        Assert.Contains("its keys are those of timm's and DINO's ViT, under teacher.module.backbone.", text);
        Assert.Contains("  epoch = 7", text);
        Assert.Matches(@"teacher\.module\.backbone\.patch_embed\.proj\.weight +Float16 +\[192, 3, 16, 16\]", text);
        Assert.Matches(@"optimizer\.state\.0\.exp_avg +Float32 +\[5\]", text);
        Assert.Contains(WeightLoader.FileHash(path), text);

        (code, text, error) = await KitProcess.Run(["weights", "convert", path, converted]);
        Assert.True(code == 0, text + error);
        Assert.Contains("left out: optimizer.state.0.exp_avg, student.a, head.weight", text);
        WeightLoader.LoadStrict(target, converted);
        Assert.All(target.state_dict(),
            p => Assert.True(p.Value.Equals(teacher["module.backbone." + p.Key].to(float32)), p.Key));
        using (SafeTensorsFile file = SafeTensorsFile.Open(converted))
        {
            Assert.Equal((ScalarType.Float16, ScalarType.Float32),
                (file.Entries["norm.weight"].Type, file.Entries["cls_token"].Type));
            Assert.Equal(("x.pth", WeightLoader.FileHash(path), "7"),
                (file.Metadata["converted from"], file.Metadata["sha256 of that file"], file.Metadata["epoch"]));
        }

        (code, text, error) = await KitProcess.Run(["weights", "convert", path, converted, "--raw"]);
        Assert.True(code == 0, text + error);
        using SafeTensorsFile raw = SafeTensorsFile.Open(converted);
        Assert.Equal(teacher.Keys.Select(k => "teacher." + k).Append("student.a").Append("optimizer.state.0.exp_avg")
            .Order(StringComparer.Ordinal), raw.Entries.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ConvertRefusesWhatEvaluationRefuses()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny with { Depth = 1 }, 1);
        using VisionTransformer narrow = VisionTransformer.Random(new() { Dim = 24, Depth = 1 }, 1);
        string target = Path.Combine(folder.Path, "y.safetensors");
        string Altered(string key, Tensor? value, VisionTransformer? of = null)
        {
            Dictionary<string, Tensor> state = (of ?? source).state_dict();
            if (value is null) state.Remove(key);
            else state[key] = value;
            return TorchZip.Save(Path.Combine(folder.Path, $"{Guid.NewGuid():N}.pth"), state);
        }
        foreach ((string path, string expected) in new[]
        {
            (Altered("norm.bias", null), "missing: norm.bias"),
            (Altered("pos_embed", null), "expected pos_embed of the shape"),
            (Altered("stray", zeros(1)), "extra: stray"),
            (Altered("norm.bias", zeros(3)), "misshapen: norm.bias [3] for [192]"),
            (Altered("norm.bias", zeros(192, ScalarType.Int64)), "norm.bias Int64 for Float32"),
            (Altered("norm.bias", full(192, Kept(float.NaN))), "norm.bias (192 of 192)"),
            (Altered("blocks.0.ls1.gamma", ones(192)), "LayerScale"),
            (Altered("norm.bias", zeros(24), narrow), "24 wide with 1 blocks is none of tiny"),
        })
        {
            KitException refusal = Assert.Throws<KitException>(() => Check(path));
            Assert.Contains(expected, refusal.Message);
            Assert.Contains(path, refusal.Message);
        }
        string broken = Altered("norm.bias", full(192, Kept(float.NaN)));
        (int code, string text, string error) = await KitProcess.Run(["weights", "convert", broken, target]);
        Assert.Equal(2, code);
        Assert.Contains("norm.bias (192 of 192)", error + text);
        Assert.False(File.Exists(target));

        static void Check(string path)
        {
            using MappedWeights file = MappedWeights.Open(path);
            ModelRegistry.Check(file, [.. file.Entries.Keys]);
        }
    }

    [Fact]
    public async Task OneOfSeveralEncodersIsConvertedByItsPrefixAndHostileNamesAreEscaped()
    {
        using var scope = NewDisposeScope();
        VitConfig config = VitConfig.Tiny with { Depth = 1 };
        using VisionTransformer one = VisionTransformer.Random(config, 1), two = VisionTransformer.Random(config, 2);
        string path = Path.Combine(folder.Path, "two.safetensors");
        string target = Path.Combine(folder.Path, "out.safetensors");
        Dictionary<string, Tensor> state = one.state_dict().ToDictionary(p => "left." + p.Key, p => p.Value);
        foreach ((string key, Tensor value) in two.state_dict()) state["right." + key] = value;
        state["\u001b]0;title\a\u202e"] = zeros(1);
        state[new string('k', 100_000)] = zeros(1);
        SafeTensors.Save(path, state, new Dictionary<string, string> { ["\u001b[2J"] = "line\nline" });
        (int code, string text, string error) = await KitProcess.Run(["weights", "convert", path, target]);
        Assert.Equal(2, code);
        Assert.Contains("under 'left.', timm's and DINO's ViT under 'right.'", error);
        Assert.False(File.Exists(target));
        (code, text, error) = await KitProcess.Run(["weights", "convert", path, target, "--prefix", "right"]);
        Assert.True(code == 0, text + error);
        using VisionTransformer loaded = VisionTransformer.Random(config, 3);
        WeightLoader.LoadStrict(loaded, target);
        Assert.Equal(WeightLoader.Hash(two), WeightLoader.Hash(loaded));
        Harmless(text);
        (code, text, error) = await KitProcess.Run(["weights", "inspect", path]);
        Assert.True(code == 0, text + error);
        Assert.Contains("  \\u001b[2J = line\\nline", text);
        Assert.Contains("\\u001b]0;title\\u0007\\u202e ", text);
        Assert.Contains("... (100,000 characters)", text);
        Harmless(text);

        static void Harmless(string text) => Assert.All(text.ReplaceLineEndings("\n").Split('\n'), line =>
        {
            Assert.DoesNotContain(line, c => char.IsControl(c) || c == '\u202e');
            Assert.InRange(line.Length, 0, 30_000);
        });
    }

    [Fact]
    public async Task WhatCannotBeDoneSaysSo()
    {
        using var scope = NewDisposeScope();
        string odd = TorchZip.Save(Path.Combine(folder.Path, "odd.pt"),
            new Dictionary<string, Tensor> { ["a"] = zeros(2) }), target = Path.Combine(folder.Path, "y.safetensors");
        foreach ((string[] arguments, string expected) in new (string[], string)[]
        {
            (["inspect", Path.Combine(folder.Path, "none.pth")], "expected a weights file, found none"),
            (["inspect", folder.Write("words.pth", "Only words here."u8.ToArray())], "text instead of weights"),
            (["convert", odd, target], "Pass --raw"),
            (["convert", odd, Path.Combine(folder.Path, "y.pth")], "expected the name of a .safetensors file"),
        })
        {
            (int code, string text, string error) = await KitProcess.Run(["weights", .. arguments]);
            Assert.Equal(2, code);
            Assert.Contains(expected, error + text);
        }
        Assert.False(File.Exists(target));
    }
}
