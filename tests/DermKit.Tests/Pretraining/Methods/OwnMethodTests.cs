using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

// <example>
/// <summary>Keys and defaults; views, networks and weights files are those of SimCLR.</summary>
public sealed record BarlowOptions : PairOptions
{
    public BarlowOptions()
    {
        BaseLearningRate = 2e-3;
        Outputs = 512;
    }

    public override string Method => "Barlow Twins";

    /// <summary>Weight of the correlations between different outputs.</summary>
    [Allowed(0)]
    public double OffDiagonal { get; init; } = 0.005;

    public override PretrainMethod Create(Device device) => new Barlow(this, device);
}

/// <summary>
/// Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230): each output is to agree between two views of an image, and to
/// be uncorrelated with all other outputs.
/// </summary>
public sealed class Barlow(BarlowOptions options, Device device) : PairMethod(options, device)
{
    private readonly Scalar weight = options.OffDiagonal;

    protected override Tensor Loss(Tensor first, Tensor second)
    {
        using var scope = NewDisposeScope();
        Tensor correlations = matmul(Standardised(first).t(), Standardised(second));
        Tensor own = correlations.diagonal(), others = correlations - diag(own);
        Tensor agreement = nn.functional.mse_loss(own, ones_like(own), nn.Reduction.Sum);
        return (agreement + (others * others).sum() * weight).MoveToOuterDisposeScope();
    }

    /// <summary>[B, outputs] with columns of mean 0 and norm 1.</summary>
    private static Tensor Standardised(Tensor x) =>
        nn.functional.normalize(x - x.mean([0], keepdim: true), dim: 0);
}
// </example>

/// <summary>A method of one file, as lib/README.md shows it.</summary>
[Collection(nameof(OwnMethodTests))]
[CollectionDefinition(nameof(OwnMethodTests), DisableParallelization = true)]
public sealed class OwnMethodTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    public OwnMethodTests() => PretrainOptions.Register(typeof(BarlowOptions).Assembly);

    public void Dispose()
    {
        PretrainOptions.Unregister(typeof(BarlowOptions).Assembly);
        tiny.Dispose();
    }

    private string Config(string text)
    {
        string path = tiny.Folder("barlow.json");
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public void ItTrainsFromAConfigAndResumes()
    {
        string path = Config("""{ "method": "Barlow Twins", "offDiagonal": 0.01 }""");
        PretrainOptions options = TinyPretraining.Small(PretrainOptions.Read(path)) with
        {
            Epochs = 5,
            WarmupEpochs = 1,
            BaseLearningRate = 0.1
        };
        Assert.Equal((0.01, 2), (options.As<BarlowOptions>().OffDiagonal, options.Recipes().Sum(g => g.Length)));
        var (checkpoint, log) = tiny.Run("whole", options);
        Assert.Equal(15, log.Length);
        Assert.All(log, s => Assert.True(double.IsFinite(s.Loss) && !s.Skipped));
        using PretrainData data = tiny.Data(options);
        using (var trainer = new Pretrainer(options, data, CPU, tiny.Folder("parts")))
        using (var stop = new CancellationTokenSource())
            Assert.ThrowsAny<OperationCanceledException>(() =>
                trainer.Run(s => { if (s.Step == 7) stop.Cancel(); }, stop.Token));
        Assert.Equal(checkpoint, tiny.Run("parts", options).Checkpoint);
    }

    [Fact]
    public void ItsKeysAreKnownByNameAndRange()
    {
        Assert.Equal(["DINO", "iBOT", "SimCLR", "BYOL", "Barlow Twins"], PretrainOptions.Methods);
        string Refused(string keys) => Assert.Throws<KitException>(() => PretrainOptions.Read(Config(keys))).Message;
        Assert.Contains("did you mean 'offDiagonal'?", Refused("""{ "method": "Barlow Twins", "offDiagonl": 1 }"""));
        Assert.Contains("'offDiagonal': expected 0 or more, found -1",
            Refused("""{ "method": "Barlow Twins", "offDiagonal": -1 }"""));
        Assert.Contains("SimCLR does not read it (only Barlow Twins)",
            Refused("""{ "method": "SimCLR", "offDiagonal": 1 }"""));
        Assert.Contains("Barlow Twins does not read it (only SimCLR)",
            Refused("""{ "method": "Barlow Twins", "temperature": 1 }"""));
    }
}
