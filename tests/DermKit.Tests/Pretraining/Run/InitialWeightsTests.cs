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

    [Fact]
    public void AResNetOfFewerBlocksStartsFromTheFirstOnesOfEachStage()
    {
        using var scope = NewDisposeScope();
        using ResNet source = ResNet.Random(ResNetConfig.ResNet18 with { Blocks = [1, 2, 1, 2] }, 77);
        string path = Save("deep", source.state_dict());
        PretrainOptions start = PretrainOptions.For("SimCLR") with
        {
            Network = NetworkKind.ResNet18,
            InitialWeights = path,
        };
        using PretrainMethod all = start.Create(CPU), part = (start with { Blocks = [1, 1, 1, 1] }).Create(CPU);
        Assert.Equal(source.state_dict().Keys.Order(), all.Backbone.state_dict().Keys.Order());
        Assert.Equal(source.state_dict().Keys.Where(k => !k.Contains(".1.") || k.Contains("downsample")).Order(),
            part.Backbone.state_dict().Keys.Order());
        Assert.All(part.Backbone.state_dict(), p => Assert.True(p.Value.Equals(source.state_dict()[p.Key]), p.Key));
        Assert.Contains("layer3.1",
            Assert.Throws<KitException>(() => (start with { Blocks = [1, 2, 2, 2] }).Create(CPU)).Message);
    }

    [Theory]
    [InlineData("ViT", "2,2,2,2", "ViT does not read it")]
    [InlineData("ResNet-18", "2,2,2", "[2, 2, 2, 2]")]
    [InlineData("ResNet-18", "2,2,0,2", "[2, 2, 2, 2]")]
    public void BlocksThatNoResNetHasAreRefused(string network, string blocks, string expected)
    {
        PretrainOptions options = PretrainOptions.For("SimCLR") with
        {
            Network = network == "ViT" ? NetworkKind.ViT : NetworkKind.ResNet18,
            Blocks = [.. blocks.Split(',').Select(int.Parse)],
        };
        string message = Assert.Throws<KitException>(() => options.Check()).Message;
        Assert.Contains("'blocks'", message);
        Assert.Contains(expected, message);
    }

    private string Save(string name, Dictionary<string, Tensor> state)
    {
        string path = Path.Combine(folder.Path, name + ".safetensors");
        SafeTensors.Save(path, state);
        return path;
    }
}
