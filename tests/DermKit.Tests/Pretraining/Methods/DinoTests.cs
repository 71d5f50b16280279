using DermKit.Pretraining;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;
using AdamW = DermKit.Pretraining.AdamW;
using Parameter = TorchSharp.Modules.Parameter;

namespace DermKit.Tests.Pretraining;

public sealed class DinoTests
{
    private static readonly DinoOptions Options = TinyPretraining.Options;

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Bf16)]
    public void NothingIsMadeOnAFixedDevice(Precision precision)
    {
        // The backward pass has no meta kernel in libtorch.
        using var scope = NewDisposeScope();
        using var dino = new Dino(Options with { Precision = precision }, META);
        using Views views = new MultiCrop(Options).Make(zeros([4, 3, 48, 48], uint8, META), [0, 1, 2, 3], 0);
        Assert.Equal([8, 3, 32, 32], views.Globals.shape);
        Assert.Equal([8, 3, 16, 16], views.Locals!.shape);
        Assert.Equal((DeviceType.META, DeviceType.META), (views.Globals.device_type, views.Locals.device_type));
        using MethodOutput output = dino.Forward(views, 0, 0);
        Assert.Equal([4, 24], output.Features.shape);
        Assert.Equal([8, 64], output.Targets!.shape);
        Assert.Equal((DeviceType.META, float32, 1), (output.Loss.device_type, output.Loss.dtype, output.Loss.numel()));
        dino.AfterStep(0.9);
        Assert.All(dino.Teacher.parameters(), p => Assert.False(p.requires_grad));
    }

    [Theory]
    [InlineData(Precision.Fp32, true)]
    [InlineData(Precision.Bf16, false)]
    public void IBotMakesNothingOnAFixedDevice(Precision precision, bool shared)
    {
        using var scope = NewDisposeScope();
        IBotOptions options =
            TinyPretraining.IBot with { Precision = precision, SharedHead = shared, PatchOutputs = shared ? 4096 : 32 };
        using var ibot = new IBot(options, META);
        using Views views = new MultiCrop(options).Make(zeros([4, 3, 48, 48], uint8, META), [0, 1, 2, 3], 0);
        Assert.Equal([8, 16], views.Masks!.Cells.shape);
        using MethodOutput output = ibot.Forward(views, 0, 0);
        Assert.Equal([4, 24], output.Features.shape);
        Assert.Equal((DeviceType.META, float32, 1),
            (output.Loss.device_type, output.Loss.dtype, output.PatchLoss!.numel()));
        ibot.AfterStep(0.9);
        Assert.DoesNotContain(ibot.Teacher.named_parameters(),
            p => p.name.Contains("masked_embed", StringComparison.Ordinal));
    }

    [Fact]
    public void BeforeMaskingBeginsThePatchesHaveNoLoss()
    {
        using var scope = NewDisposeScope();
        IBotOptions options = TinyPretraining.IBot with { MaskStartEpoch = 1 };
        using var ibot = new IBot(options, CPU);
        Views Of(int epoch) => new MultiCrop(options).Make(full([4, 3, 48, 48], Kept(100), uint8), [0, 1, 2, 3], epoch);
        using MethodOutput before = ibot.Forward(Of(0), 0, 0), after = ibot.Forward(Of(1), 3, 1);
        Assert.Equal(0, before.PatchLoss!.item<float>());
        Assert.True(after.PatchLoss!.item<float>() > 1);
        before.Loss.backward();
    }

    [Fact]
    public void TheTeacherStartsAsTheStudentAndIsItsMovingAverage()
    {
        using var scope = NewDisposeScope();
        using var dino = new Dino(Options, CPU);
        Parameter[] slow = [.. dino.Teacher.parameters()], fast = [.. dino.Student.parameters()];
        Assert.Equal(fast.Length, slow.Length);
        Assert.All(slow.Zip(fast), p => Assert.True(p.First.Equals(p.Second)));
        Tensor[] before = [.. slow.Select(p => p.detach().clone())];
        using (no_grad())
            foreach (Parameter p in fast) p.add_(Kept(1));
        dino.AfterStep(0.75);
        Assert.All(slow.Zip(before), p => Assert.True(p.First.allclose(p.Second + Kept(0.25), atol: 1e-6)));
        dino.AfterStep(1);
        Assert.All(slow.Zip(before), p => Assert.True(p.First.allclose(p.Second + Kept(0.25), atol: 1e-6)));
    }

    [Fact]
    public void WeightDecayActsOnMatricesTokensAndGainsOnly()
    {
        using var dino = new Dino(Options, CPU);
        string[] spared = [.. dino.Student.named_parameters().Where(p => !AdamW.Decays(p.name, p.parameter))
            .Select(p => p.name)];
        string[] decayed = [.. dino.Student.named_parameters().Where(p => AdamW.Decays(p.name, p.parameter))
            .Select(p => p.name)];
        Assert.All(spared, n => Assert.Matches(@"\.bias$|norm\d?\.weight$", n));
        Assert.All(decayed, n => Assert.DoesNotMatch(@"\.bias$|norm\d?\.weight$", n));
        foreach (string name in new[]
        {
            "backbone.cls_token", "backbone.pos_embed", "head.last_layer.weight_v", "head.last_layer.weight_g"
        })
            Assert.Contains(name,
                decayed.Concat(dino.Student.named_parameters().Where(p => !p.parameter.requires_grad)
                    .Select(p => p.name)));
    }

    [Fact]
    public void DecayAloneShrinksAParameterAndOneWithoutAGradientStays()
    {
        using var scope = NewDisposeScope();
        var matrix = new Parameter(ones(2, 2)) { grad = zeros(2, 2) };
        var bias = new Parameter(ones(2)) { grad = zeros(2) };
        var idle = new Parameter(ones(2, 2));
        using var adamW = new AdamW([("a.weight", matrix), ("a.bias", bias), ("b.weight", idle)]);
        adamW.Step(0.1, 0.5);
        Assert.Equal(0.95, matrix[0, 0].item<float>(), 1e-6);
        Assert.Equal(1, bias[0].item<float>(), 1e-6);
        Assert.Equal(1, idle[0, 0].item<float>(), 1e-6);
    }

    [Fact]
    public void TheLastLayerIsFrozenInTheFirstEpochsOnly()
    {
        using var dino = new Dino(Options with { FrozenLastLayerEpochs = 2 }, CPU);
        string[] names = [.. dino.Student.named_parameters().Select(p => p.name)];
        Assert.Equal(["head.last_layer.weight_g", "head.last_layer.weight_v"],
            names.Where(n => dino.IsFrozen(n, 0)).Order(StringComparer.Ordinal));
        Assert.Contains(names, n => dino.IsFrozen(n, 1));
        Assert.DoesNotContain(names, n => dino.IsFrozen(n, 2));
    }

    [Fact]
    public void WithoutCentringAndSharpeningTheAnswerIsKnown()
    {
        using var scope = NewDisposeScope();
        using var loss = new DinoLoss(4, studentTemperature: 1, centerMomentum: 0.9);
        // Uniform on both sides: the loss of a uniform answer is ln K, whatever the number of crops.
        Tensor uniform = loss.Targets(zeros(6, 4), 1);
        Assert.Equal(Math.Log(4), loss.Loss(zeros(12, 4), uniform).item<float>(), 1e-6);
        loss.UpdateCenter(ones(6, 4) * Kept(2));
        Assert.Equal(0.2, loss.Center[0, 3].item<float>(), 1e-6);
        // The centre is taken off before the softmax: a teacher that always says the centre is uniform.
        Assert.Equal(0.25, loss.Targets(loss.Center.expand(6, 4), 0.04)[0, 0].item<float>(), 1e-6);
        Assert.Contains("[5, 4]", Assert.Throws<ArgumentException>(() => loss.Loss(zeros(5, 4), uniform)).Message);
    }
}
