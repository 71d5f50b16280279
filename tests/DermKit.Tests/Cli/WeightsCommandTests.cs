using DermKit.Models;
using DermKit.Models.Weights;
using DermKit.Tests.Models.Weights;
using TorchSharp;
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
        using VisionTransformer source = VisionTransformer.Random(VitConfig.Tiny with { Depth = 1 }, 1), target = VisionTransformer.Random(VitConfig.Tiny with { Depth = 1 }, 2);
        string path = Path.Combine(folder.Path, "x.pth"), converted = Path.Combine(folder.Path, "out", "x.safetensors");
        var zip = new TorchZip();
        Dictionary<string, Tensor> teacher = source.state_dict().ToDictionary(p => "module.backbone." + p.Key, p => p.Key == "cls_token" ? p.Value : p.Value.to(ScalarType.Float16));
        teacher["module.backbone.head.weight"] = zeros(3, 192);
        zip.Write(path, Pickled.Dict(("epoch", Pickled.Int(7)), ("student", Pickled.Dict(("a", zip.Tensor(zeros(2))))), ("teacher", zip.State(teacher)),
            ("optimizer", Pickled.Dict(("state", [.. Pickled.EmptyDict, .. Pickled.Int(0), .. Pickled.Dict(("exp_avg", zip.Tensor(zeros(5)))), (byte)'s'])))));
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
        Assert.All(target.state_dict(), p => Assert.True(p.Value.Equals(teacher["module.backbone." + p.Key].to(float32)), p.Key));
        using (SafeTensorsFile file = SafeTensorsFile.Open(converted))
        {
            Assert.Equal((ScalarType.Float16, ScalarType.Float32), (file.Entries["norm.weight"].Type, file.Entries["cls_token"].Type));
            Assert.Equal(("x.pth", WeightLoader.FileHash(path), "7"), (file.Metadata["converted from"], file.Metadata["sha256 of that file"], file.Metadata["epoch"]));
        }

        (code, text, error) = await KitProcess.Run(["weights", "convert", path, converted, "--raw"]);
        Assert.True(code == 0, text + error);
        using SafeTensorsFile raw = SafeTensorsFile.Open(converted);
        Assert.Equal(teacher.Keys.Select(k => "teacher." + k).Append("student.a").Append("optimizer.state.0.exp_avg").Order(StringComparer.Ordinal), raw.Entries.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task WhatCannotBeDoneSaysSo()
    {
        using var scope = NewDisposeScope();
        string odd = TorchZip.Save(Path.Combine(folder.Path, "odd.pt"), new Dictionary<string, Tensor> { ["a"] = zeros(2) }), target = Path.Combine(folder.Path, "y.safetensors");
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
