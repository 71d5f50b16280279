using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

public sealed class ClipModelTests : IDisposable
{
    internal static readonly ClipVisionConfig Vision =
        new() { Dim = 24, Depth = 4, Heads = 3, Patch = 8, ImageSize = 32, Hidden = 40, Projection = 10 };
    internal static readonly ClipTextConfig Text =
        new() { Dim = 16, Depth = 2, Heads = 2, Context = 12, Vocabulary = 50, Hidden = 24, Projection = 10 };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("large", 427_616_513)]
    [InlineData("base", 151_277_313)]
    public void ParameterCountsAreThoseOfTheReleasedModels(string size, long expected)
    {
        ClipTextConfig text = size == "large" ? new() : new() { Dim = 512, Heads = 8, Hidden = 2048, Projection = 512 };
        using ClipModel model = ClipModel.Unset(ClipVisionConfig.Named(size), text, META);
        Assert.Equal(expected, model.parameters().Sum(p => p.numel()));
    }

    [Fact]
    public void ATokenSeesOnlyThoseBeforeItAndTheLargestIsPooled()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using ClipTextTransformer model = ClipTextTransformer.Random(Text, 1);
        Tensor ids = tensor(new long[,] { { 48, 3, 4, 49, 0, 0 }, { 48, 49, 0, 0, 0, 0 } }), changed = ids.clone();
        changed[0, 2] = 7;
        Tensor states = model.LastHiddenState(ids), other = model.LastHiddenState(changed);
        Assert.True(states[0].narrow(0, 0, 2).equal(other[0].narrow(0, 0, 2)).all().item<bool>());
        Assert.False(states[0, 2].equal(other[0, 2]).all().item<bool>());
        Assert.True(model.Pooled(ids).equal(stack([states[0, 3], states[1, 1]])).all().item<bool>());
        // Shorter captions need no padding; the explicit form of attention gives the same.
        Assert.True(model.LastHiddenState(ids.narrow(1, 0, 4)).allclose(states.narrow(1, 0, 4), 1e-5, 1e-6));
        Dense.ComputeIn(model, bfloat16);
        Assert.Equal(float32, model.LastHiddenState(ids).dtype);
        Assert.True(model.LastHiddenState(ids).allclose(states, 0.05, 0.05));
        foreach (Tensor wrong in new[] { ids.to(int32), ids[0], zeros([1, 13], int64) })
            Assert.Contains("1 to 12", Assert.Throws<ArgumentException>(() => model.forward(wrong)).Message);
    }

    [Fact]
    public void LogitsAreScaledCosinesAndRunOnTheMetaDevice()
    {
        using var scope = NewDisposeScope();
        using ClipModel model = ClipModel.Random(Vision, Text, 1), meta = ClipModel.Unset(Vision, Text, META);
        Tensor x = rand(2, 3, 32, 32), ids = tensor(new long[,] { { 48, 3, 49 }, { 48, 4, 49 }, { 48, 5, 49 } });
        Tensor logits = model.forward(x, ids);
        Assert.Equal([2, 3], logits.shape);
        Tensor cosine = nn.functional.cosine_similarity(model.Vision.forward(x)[1], model.Text.forward(ids)[2], 0);
        Assert.Equal(cosine.item<float>() / 0.07, logits[1, 2].item<float>(), 1e-4);
        logits.sum().backward();
        Assert.All(model.named_parameters(), p => Assert.True(p.parameter.grad is not null, p.name));
        Assert.Equal([2, 3], meta.forward(empty([2, 3, 32, 32], device: META), zeros([3, 5], int64, META)).shape);
        Assert.Contains("found 8",
            Assert.Throws<KitException>(() => ClipModel.Unset(Vision, Text with { Projection = 8 })).Message);
        Assert.Throws<KitException>(() => ClipTextTransformer.Unset(Text with { Heads = 3 }));
    }

    [Fact]
    public void BothTowersFillFromOneFileOrNotAtAll()
    {
        using var scope = NewDisposeScope();
        using ClipModel source = ClipModel.Random(Vision, Text, 1), target = ClipModel.Random(Vision, Text, 5);
        string path = Path.Combine(folder.Path, "m.safetensors"), before = WeightLoader.Hash(target);
        Dictionary<string, Tensor> state = source.state_dict();
        Tensor scale = state["logit_scale"];
        state.Remove("logit_scale");
        SafeTensors.Save(path, state);
        Assert.Contains("missing: logit_scale",
            Assert.Throws<KitException>(() => WeightLoader.LoadStrict(target, path)).Message);
        Assert.Equal(before, WeightLoader.Hash(target));
        state["logit_scale"] = scale;
        SafeTensors.Save(path, state);
        WeightLoader.LoadStrict(target, path);
        Assert.Equal(WeightLoader.Hash(source), WeightLoader.Hash(target));
        Assert.True(target.Vision.state_dict().All(p => p.Value.Equals(state[p.Key])));
    }
}
