using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class WeightLoaderTests : IDisposable
{
    private static readonly VitConfig Small = new() { Dim = 12, Depth = 2, Heads = 3, Patch = 8, ImageSize = 32 };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void SavedWeightsMakeTheSameModel()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer one = VisionTransformer.Random(Small, 1), other = VisionTransformer.Random(Small, 2);
        Assert.NotEqual(WeightLoader.Hash(one), WeightLoader.Hash(other));
        WeightLoader.LoadStrict(other, Save(one.state_dict()));
        Assert.Equal(WeightLoader.Hash(one), WeightLoader.Hash(other));
        Assert.All(other.parameters(), p => Assert.True(p.requires_grad));
    }

    [Fact]
    public void HalfPrecisionIsCastToTheModelsType()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer one = VisionTransformer.Random(Small, 1), other = VisionTransformer.Random(Small, 2);
        WeightLoader.LoadStrict(other, Save(one.state_dict().ToDictionary(p => p.Key, p => p.Value.to(float16))));
        Tensor difference = one.state_dict()["pos_embed"] - other.state_dict()["pos_embed"];
        Assert.Equal(float32, other.state_dict()["pos_embed"].dtype);
        Assert.InRange(difference.abs().max().item<float>(), 1e-9f, 1e-4f);
    }

    [Fact]
    public void MissingExtraAndMisshapenKeysAreListedAndNothingIsLoaded()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small, 1), source = VisionTransformer.Random(Small, 2);
        string before = WeightLoader.Hash(model);
        Dictionary<string, Tensor> state = source.state_dict();
        state.Remove("blocks.1.mlp.fc2.bias");
        state["head.weight"] = zeros(3, 12);
        state["norm.weight"] = zeros(13);
        state["norm.bias"] = zeros(12, ScalarType.Int32);
        string path = Save(state);
        string message = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(model, path)).Message;
        Assert.Contains(path, message);
        Assert.Contains("missing: blocks.1.mlp.fc2.bias.", message);
        Assert.Contains("extra: head.weight.", message);
        Assert.Contains("misshapen: norm.weight [13] for [12].", message);
        Assert.Contains("norm.bias Int32 for Float32", message);
        Assert.Equal(before, WeightLoader.Hash(model));
    }

    [Fact]
    public void WeightsThatAreNotFiniteAreListedAndNothingIsLoaded()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small, 1), source = VisionTransformer.Random(Small, 2);
        string before = WeightLoader.Hash(model);
        Dictionary<string, Tensor> state = source.state_dict();
        state["norm.weight"] = tensor([1f, float.NaN, 3f, 4f, 5f, 6f, 7f, 8f, 9f, 10f, 11f, float.NegativeInfinity]);
        state["norm.bias"] = full(12, Kept(float.PositiveInfinity), ScalarType.Float16);
        // Finite as it is stored, infinite in the model.
        state["cls_token"] = full([1, 1, 12], Kept(1e300), ScalarType.Float64);
        // What is left out may be anything.
        state["head.weight"] = full(3, Kept(float.NaN));
        string path = Save(state);
        string message = Assert.Throws<KitException>(() => WeightLoader.LoadStrict(model, path, ["head.*"])).Message;
        Assert.StartsWith($"{path}: expected finite weights", message, StringComparison.Ordinal);
        Assert.Contains("norm.weight (2 of 12)", message);
        Assert.Contains("norm.bias (12 of 12)", message);
        Assert.Contains("cls_token (12 of 12)", message);
        Assert.DoesNotContain("head", message);
        Assert.Equal(before, WeightLoader.Hash(model));
    }

    [Fact]
    public void KeysToLeaveOutAreNotExtra()
    {
        using var scope = NewDisposeScope();
        using VisionTransformer model = VisionTransformer.Random(Small, 1), source = VisionTransformer.Random(Small, 2);
        Dictionary<string, Tensor> state = source.state_dict();
        state["head.weight"] = zeros(3, 12);
        WeightLoader.LoadStrict(model, Save(state), ["head.weight", "head.bias"]);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(model));
    }

    private string Save(Dictionary<string, Tensor> state)
    {
        string path = Path.Combine(folder.Path, $"{Guid.NewGuid():N}.safetensors");
        SafeTensors.Save(path, state);
        return path;
    }
}
