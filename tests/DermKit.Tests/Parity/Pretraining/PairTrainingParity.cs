using DermKit.Models;
using DermKit.Pretraining;
using System.Globalization;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("train_simclr*.safetensors")]
[Takes("train_byol*.safetensors")]
public sealed class PairTrainingParity
{
    public static TheoryData<string> SimClrFiles => Fixtures.Named("train_simclr*.safetensors");

    public static TheoryData<string> ByolFiles => Fixtures.Named("train_byol*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(SimClrFiles))]
    public void TheTrajectoryOfSimClrIsLightlys(string name)
    {
        // Ten times what two versions of torch differ by.
        const double Tolerance = 3.4e-5;
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        Tensor losses = file.Load("loss");
        int steps = (int)losses.shape[0], batch = (int)file.Entries["views.0"].Shape[1];
        double rate = config.GetProperty("lr").GetDouble(), decay = config.GetProperty("weight_decay").GetDouble();
        PretrainOptions options = PretrainOptions.For("SimCLR") with
        {
            // A cosine from a value to itself is constant.
            Precision = "fp32", Optimizer = "LARS", Batch = batch, BaseLearningRate = rate * 256 / batch, MinLearningRate = rate, WeightDecay = decay, WeightDecayEnd = decay, ClipGradient = 0,
            WarmupEpochs = 0, Epochs = 1, Temperature = config.GetProperty("temperature").GetDouble(), HeadHidden = config.GetProperty("head")[1].GetInt32(), Outputs = config.GetProperty("head")[2].GetInt32(),
        };
        using var method = new SimClr(options, _ => ResNet.Random(Sizes(config), 1), CPU);
        Fill(method, file);
        using var updates = new Updates(method, options, steps);
        float[] found = new float[steps];
        for (int step = 0; step < steps; step++)
        {
            using Views views = ViewsOf(file, step);
            found[step] = (float)updates.Next(views).Loss;
        }
        Fixtures.Close(tensor(found), losses, Tolerance, "loss");
        Compare(method, file, Tolerance);
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(ByolFiles))]
    public void TheTrajectoryOfByolIsLightlys(string name)
    {
        const double Tolerance = 1.4e-4;
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        Tensor losses = file.Load("loss");
        int steps = (int)losses.shape[0];
        int[] head = [.. config.GetProperty("proj").EnumerateArray().Select(e => e.GetInt32())];
        PretrainOptions options = PretrainOptions.For("BYOL") with { Precision = "fp32", HeadHidden = head[1], Outputs = head[2] };
        using var method = new Byol(options, _ => ResNet.Random(Sizes(config), 1), CPU);
        Fill(method, file);
        double[] schedule = [.. config.GetProperty("momentum_schedule").GetString()!.TrimEnd(')').Split(',')[1..].Select(n => double.Parse(n, CultureInfo.InvariantCulture))];
        double[] momenta = TrainingPartsParity.Lightly(schedule[1], schedule[2], (int)schedule[0]);
        // lightly's example trains by plain SGD.
        using var sgd = new Lars(method.Student.named_parameters(), LarsOptions.Sgd with { Momentum = 0 });
        float[] found = new float[steps];
        for (int step = 0; step < steps; step++)
        {
            using Views views = ViewsOf(file, step);
            method.BeforeStep(momenta[step]);
            using MethodOutput output = method.Forward(views, step, 0);
            found[step] = output.Loss.item<float>();
            output.Loss.backward();
            sgd.Step(config.GetProperty("lr").GetDouble(), 0);
            method.Student.zero_grad(set_to_none: true);
        }
        Fixtures.Close(tensor(found), losses, Tolerance, "loss");
        Compare(method, file, Tolerance);
    }

    private static ResNetConfig Sizes(JsonElement config)
    {
        int[] Of(string key) => [.. config.GetProperty(key).EnumerateArray().Select(e => e.GetInt32())];
        return new() { Planes = Of("planes"), Blocks = Of("blocks") };
    }

    private static void Fill(PretrainMethod method, SafeTensorsFile file)
    {
        Assert.Equal(file.Entries.Keys.Where(k => k.StartsWith("init.", StringComparison.Ordinal)).Select(k => k["init.".Length..]).Order(StringComparer.Ordinal), method.State.Keys.Order(StringComparer.Ordinal));
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in method.State) target.copy_(file.Load("init." + key));
    }

    private static Views ViewsOf(SafeTensorsFile file, int step) => new(file.Load($"views.{step}").to(float32).flatten(0, 1), null);

    private static void Compare(PretrainMethod method, SafeTensorsFile file, double tolerance)
    {
        foreach ((string key, Tensor found) in method.State) Fixtures.Close(found, file.Load("final." + key), tolerance, key);
    }
}
