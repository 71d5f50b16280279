using DermKit.Pretraining;
using TorchSharp;

namespace DermKit.Tests.Pretraining;

/// <summary>What bfloat16 changes in a run: the roundings of its matrix products, and no more.</summary>
public sealed class PrecisionTests
{
    /// <summary>
    /// Largest distance of the two loss curves, each averaged over 50 steps, as a share of the largest loss. Batch
    /// normalisation over eight images makes more of a
    /// rounding than the norm of a token does.
    /// </summary>
    private static double Band(string method) => method is "DINO" or "iBOT" ? 0.02 : 0.1;

    [Theory]
    [InlineData("DINO")]
    [InlineData("iBOT")]
    [InlineData("SimCLR")]
    [InlineData("BYOL")]
    public void TheLossOfTwoHundredStepsStaysWithinTheBandOfFloat32(string method)
    {
        using var tiny = new TinyPretraining(40);
        PretrainOptions options = TinyPretraining.For(method) with
        {
            Batch = 8,
            Epochs = 40,
            WarmupEpochs = 4,
            BaseLearningRate = 0.015,
            MonitorEvery = 1000
        };
        double[] Curve(Precision precision)
        {
            using PretrainData data = tiny.Data(options);
            IReadOnlyList<TrainingStep> log = Pretrainer.Train(options with { Precision = precision }, data, torch.CPU);
            Assert.Equal(200, log.Count);
            return [.. log.Chunk(50).Select(c => c.Average(s => s.Loss))];
        }
        double[] single = Curve(Precision.Fp32), half = Curve(Precision.Bf16);
        // BYOL's loss is negative and starts near 0, so the largest loss of the curve is the measure.
        double scale = single.Max(Math.Abs);
        double[] apart = [.. single.Zip(half, (a, b) => Math.Abs(a - b) / scale)];
        Assert.True(apart.Max() <= Band(method),
            $"{method}: relative distances "
            + $"{string.Join(", ",
                apart.Select(a => a.ToString("f4", System.Globalization.CultureInfo.InvariantCulture)))}");
        Assert.NotEqual(single, half);
    }
}
