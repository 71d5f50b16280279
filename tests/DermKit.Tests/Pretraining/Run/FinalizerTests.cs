using DermKit.Pretraining;
using TorchSharp;

namespace DermKit.Tests.Pretraining;

/// <summary>Runs while another thread collects garbage and finalises without a pause: numbers that tensor operations
/// read must stay alive.</summary>
public sealed class FinalizerTests
{
    [Theory]
    [InlineData("DINO", Precision.Fp32)]
    [InlineData("DINO", Precision.Bf16)]
    [InlineData("iBOT", Precision.Fp32)]
    [InlineData("SimCLR", Precision.Fp32)]
    [InlineData("BYOL", Precision.Fp32)]
    public void ARunUnderConstantCollectionGivesTheSameLosses(string method, Precision precision)
    {
        using var tiny = new TinyPretraining();
        PretrainOptions options = TinyPretraining.For(method) with { Precision = precision, Epochs = 6 };
        using PretrainData data = tiny.Data(options);
        double[] calm = [.. Pretrainer.Train(options, data, torch.CPU).Select(s => s.Loss)];
        bool stop = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        try
        {
            Assert.Equal(calm, Pretrainer.Train(options, data, torch.CPU).Select(s => s.Loss));
        }
        finally
        {
            Volatile.Write(ref stop, true);
            collector.Join();
        }
    }
}
