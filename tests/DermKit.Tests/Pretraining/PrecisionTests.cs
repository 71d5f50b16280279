using DermKit.Pretraining;
using TorchSharp;

namespace DermKit.Tests.Pretraining;

/// <summary>What bfloat16 changes in a run: the roundings of its matrix products, and no more.</summary>
public sealed class PrecisionTests
{
    /// <summary>Largest relative distance of the two loss curves, each averaged over 20 steps.</summary>
    private const double Band = 0.02;

    [Theory]
    [InlineData("DINO")]
    [InlineData("iBOT")]
    public void TheLossOfTwoHundredStepsStaysWithinTheBandOfFloat32(string method)
    {
        using var tiny = new TinyPretraining(40);
        PretrainOptions options = TinyPretraining.For(method) with { Epochs = 20, WarmupEpochs = 2, BaseLearningRate = 0.03, MonitorEvery = 1000 };
        double[] Curve(string precision)
        {
            using PretrainData data = tiny.Data(options);
            IReadOnlyList<TrainingStep> log = Pretrainer.Train(options with { Precision = precision }, data, torch.CPU);
            Assert.Equal(200, log.Count);
            return [.. log.Chunk(20).Select(c => c.Average(s => s.Loss))];
        }
        double[] single = Curve("fp32"), half = Curve("bf16");
        double[] apart = [.. single.Zip(half, (a, b) => Math.Abs(a - b) / a)];
        Assert.True(apart.Max() <= Band, $"{method}: relative distances {string.Join(", ", apart.Select(a => a.ToString("f4", System.Globalization.CultureInfo.InvariantCulture)))}");
        Assert.NotEqual(single, half);
    }
}
