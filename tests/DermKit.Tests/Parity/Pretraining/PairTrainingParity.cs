using DermKit.Models;
using DermKit.Pretraining;
using System.Globalization;
using System.Text.Json;
using TorchSharp;
using static DermKit.KeptScalar;
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
        SimClrOptions options = new SimClrOptions() with
        {
            // A cosine from a value to itself is constant.
            Precision = Precision.Fp32,
            Optimizer = OptimizerKind.Lars,
            Batch = batch,
            BaseLearningRate = rate * 256 / batch,
            MinLearningRate = rate,
            WeightDecay = decay,
            WeightDecayEnd = decay,
            ClipGradient = 0,
            WarmupEpochs = 0,
            Epochs = 1,
            Temperature = config.GetProperty("temperature").GetDouble(),
            HeadHidden = config.GetProperty("head")[1].GetInt32(),
            Outputs = config.GetProperty("head")[2].GetInt32(),
        };
        using var method = new SimClr(options, _ => ResNet.Random(Sizes(config), 1), CPU);
        Fill(method, file);
        using var updates = new TrainingLoop(method, options, steps);
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
        Dictionary<string, Tensor> found = ByolTrajectory(file, noise: 0);
        Dictionary<string, Tensor> expected = found.Keys.ToDictionary(key => key, key => file.Load(key));
        double Error(string key) => Fixtures.RelativeError(found[key], expected[key]);
        if (found.Keys.All(key => Error(key) <= Tolerance)) return;
        // The first step has met no update yet, and holds in any case. Its loss is what remains of cosines up to 1, so
        // that rounding, some units of 6e-8, is measured against 1.
        double first = found["loss"][0].item<float>() - expected["loss"][0].item<float>();
        Assert.InRange(first, -1.5e-6, 1.5e-6);
        // An activation within rounding of zero may fall on either side, as the processor rounds, and the gradients
        // behind it follow. Changes of the initial weights in the last bit show by how much the trajectory may move.
        Dictionary<string, Tensor>[] near = [.. Enumerable.Range(1, 8).Select(seed => ByolTrajectory(file, seed))];
        foreach (string key in found.Keys)
        {
            double reach = near.Max(other => Fixtures.RelativeError(other[key], found[key]));
            Fixtures.Close(found[key], expected[key], Math.Max(Tolerance, 2 * reach), key);
        }
    }

    /// <summary>"loss" of each step and "final.*" of the weights, from initial weights that are changed in their last
    /// bit where <paramref name="noise"/> is a seed, not 0.</summary>
    private static Dictionary<string, Tensor> ByolTrajectory(SafeTensorsFile file, int noise)
    {
        JsonElement config = file.Config();
        int steps = (int)file.Entries["loss"].Shape[0];
        int[] head = [.. config.GetProperty("proj").EnumerateArray().Select(e => e.GetInt32())];
        var options = new ByolOptions { Precision = Precision.Fp32, HeadHidden = head[1], Outputs = head[2] };
        using var method = new Byol(options, _ => ResNet.Random(Sizes(config), 1), CPU);
        Fill(method, file);
        if (noise != 0) ChangeLastBits(method, noise);
        string[] schedule = config.GetProperty("momentum_schedule").GetString()!.TrimEnd(')').Split(',');
        double[] numbers = [.. schedule[1..].Select(n => double.Parse(n, CultureInfo.InvariantCulture))];
        double[] momenta = TrainingPartsParity.Lightly(numbers[1], numbers[2], (int)numbers[0]);
        // lightly's example trains by plain SGD.
        using var sgd = new Lars(method.Student.named_parameters(), trust: 0, momentum: 0);
        float[] losses = new float[steps];
        for (int step = 0; step < steps; step++)
        {
            using Views views = ViewsOf(file, step);
            method.BeforeStep(momenta[step]);
            using MethodOutput output = method.Forward(views, step, 0);
            losses[step] = output.Loss.item<float>();
            output.Loss.backward();
            sgd.Step(config.GetProperty("lr").GetDouble(), 0);
            method.Student.zero_grad(set_to_none: true);
        }
        Dictionary<string, Tensor> found = method.State.ToDictionary(p => "final." + p.Key,
            p => p.Value.detach().clone());
        found["loss"] = tensor(losses);
        return found;
    }

    /// <summary>The target keeps the student's weights.</summary>
    private static void ChangeLastBits(Byol method, int seed)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var random = new Generator((ulong)seed);
        Dictionary<string, Tensor> target = method.Target.named_parameters()
            .ToDictionary(p => p.name, p => (Tensor)p.parameter);
        foreach ((string key, TorchSharp.Modules.Parameter weight) in method.Student.named_parameters())
        {
            weight.mul_(Kept(1) + (Kept(1.2e-7f) * randn(weight.shape, generator: random)));
            if (target.TryGetValue(key, out Tensor? copy)) copy.copy_(weight);
        }
    }

    private static ResNetConfig Sizes(JsonElement config)
    {
        int[] Of(string key) => [.. config.GetProperty(key).EnumerateArray().Select(e => e.GetInt32())];
        return new() { Planes = Of("planes"), Blocks = Of("blocks") };
    }

    private static void Fill(PretrainMethod method, SafeTensorsFile file)
    {
        Assert.Equal(file.Entries.Keys.Where(k => k.StartsWith("init.", StringComparison.Ordinal))
            .Select(k => k["init.".Length..]).Order(StringComparer.Ordinal),
            method.State.Keys.Order(StringComparer.Ordinal));
        using var noGrad = no_grad();
        foreach ((string key, Tensor target) in method.State) target.copy_(file.Load("init." + key));
    }

    private static Views ViewsOf(SafeTensorsFile file, int step) =>
        new(file.Load($"views.{step}").to(float32).flatten(0, 1), null);

    private static void Compare(PretrainMethod method, SafeTensorsFile file, double tolerance)
    {
        foreach ((string key, Tensor found) in method.State)
            Fixtures.Close(found, file.Load("final." + key), tolerance, key);
    }
}
