using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

/// <summary>The key initialWeights, for every method.</summary>
public sealed class InitialWeightsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static PretrainOptions Options(string method) => method == "DINO" ? TinyPretraining.Options
        : PairTests.Options(method);

    [Theory]
    [InlineData("DINO", "student.backbone.", "teacher.backbone.")]
    [InlineData("SimCLR", "backbone.")]
    [InlineData("BYOL", "backbone.", "backbone_momentum.")]
    public void TheBackbonesStartFromTheFileWithoutItsClassifier(string method, params string[] places)
    {
        using var scope = NewDisposeScope();
        using VisionTransformer source = VisionTransformer.Random(Options(method).Vit(isStudent: false), 77);
        Dictionary<string, Tensor> state = source.state_dict();
        string path = Save("vit", new(state) { ["head.weight"] = zeros(10, 24), ["head.bias"] = zeros(10) });
        using PretrainMethod from = (Options(method) with { InitialWeights = path }).Create(CPU),
            drawn = Options(method).Create(CPU);
        foreach (string place in places)
        {
            Assert.All(state, p => Assert.True(p.Value.Equals(from.State[place + p.Key]), place + p.Key));
            Assert.False(state["pos_embed"].Equals(drawn.State[place + "pos_embed"]));
        }
        // All but the backbone is drawn as without a file.
        Assert.All(from.State.Where(s => !places.Any(p => s.Key.StartsWith(p, StringComparison.Ordinal))),
            s => Assert.True(s.Value.Equals(drawn.State[s.Key]), s.Key));
    }

    [Theory]
    [InlineData("DINO")]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void AWrongFileIsRefusedInWordsAndLeavesNothingBehind(string method)
    {
        using var scope = NewDisposeScope();
        using VisionTransformer wide =
            VisionTransformer.Random(Options(method).Vit(isStudent: false) with { Dim = 36 }, 1);
        using ResNet other = ResNet.Random(new() { Planes = [4, 4, 4, 4], Blocks = [1, 1, 1, 1] }, 1);
        foreach ((string path, string reason) in new[]
        {
            (Save("wide", wide.state_dict()), "misshapen"), (Save("other", other.state_dict()), "missing"),
            (Path.Combine(folder.Path, "none.safetensors"), "found none at")
        })
        {
            long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            string message =
                Assert.Throws<KitException>(() => (Options(method) with { InitialWeights = path }).Create(CPU)).Message;
            Assert.Contains("'initialWeights'", message);
            Assert.Contains(path, message);
            Assert.Contains(reason, message);
            Assert.True(message.Length < 1000);
            Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
    }

    private string Save(string name, Dictionary<string, Tensor> state)
    {
        string path = Path.Combine(folder.Path, name + ".safetensors");
        SafeTensors.Save(path, state);
        return path;
    }
}
