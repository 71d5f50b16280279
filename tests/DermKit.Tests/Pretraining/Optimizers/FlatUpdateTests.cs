using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;
using AdamW = DermKit.Pretraining.AdamW;
using Parameter = TorchSharp.Modules.Parameter;

namespace DermKit.Tests.Pretraining;

/// <summary>Updates of many parameters as rows of one block, in float32 and float64.</summary>
public sealed class FlatUpdateTests
{
    /// <summary>Shorter than a row, no multiple of one, longer than a part.</summary>
    private static readonly long[][] Shapes = [[3], [7, 5], [192], [1029, 1301]];

    private static Parameter[] Drawn(ScalarType type, int seed)
    {
        using var generator = new Generator((ulong)seed);
        return [.. Shapes.Select(shape => new Parameter(randn(shape, generator: generator).to(type)))];
    }

    private static void Near(IEnumerable<Tensor> expected, IEnumerable<Tensor> found)
    {
        foreach ((Tensor a, Tensor b) in expected.Zip(found))
            Assert.InRange((a - b).abs().max().item<double>(), 0, 2e-6);
    }

    [Fact]
    public void AdamWInFloat32IsThatInFloat64()
    {
        using var scope = NewDisposeScope();
        Parameter[] single = Drawn(float32, 1), exact = Drawn(float64, 1);
        string[] names = ["a.bias", "a.weight", "b.bias", "b.weight"];
        using AdamW fast = new(names.Zip(single)), plain = new(names.Zip(exact));
        for (int step = 0; step < 5; step++)
        {
            foreach ((Parameter[] parameters, ScalarType type) in new[] { (single, float32), (exact, float64) })
                foreach ((Parameter parameter, Parameter gradient) in parameters.Zip(Drawn(type, 100 + step)))
                    // One parameter sits out two steps: its moments and its count stay.
                    parameter.grad = step is 1 or 2 && parameter.numel() == 192 ? null : gradient.detach();
            fast.Step(0.01, 0.3);
            plain.Step(0.01, 0.3);
            Near(exact, single);
        }
        using Tensor steps = fast.State()["steps"], expected = plain.State()["steps"];
        Assert.Equal([5, 5, 3, 5], steps.data<long>());
        Assert.Equal(expected.data<long>(), steps.data<long>());
    }

    [Theory]
    [InlineData(0), InlineData(2), InlineData(100), InlineData(1e6)]
    public void ClippingInFloat32IsThatInFloat64(double limit)
    {
        using var scope = NewDisposeScope();
        Parameter[] single = Drawn(float32, 1), exact = Drawn(float64, 1);
        foreach ((Parameter parameter, Parameter gradient) in single.Zip(Drawn(float32, 2)))
            parameter.grad = gradient.detach();
        foreach ((Parameter parameter, Parameter gradient) in exact.Zip(Drawn(float64, 2)))
            parameter.grad = gradient.detach();
        single[1].grad = null;
        exact[1].grad = null;
        string[] names = ["a.bias", "a.weight", "b.bias", "b.weight"];
        using AdamW one = new(names.Zip(single)), two = new(names.Zip(exact));
        Tensor norms = one.Clip(limit), expected = two.Clip(limit);
        Assert.Equal([3], norms.shape);
        Assert.True(norms.to(float64).allclose(expected, rtol: 1e-6));
        Near(exact.Where(p => p.grad is not null).Select(p => p.grad!),
            single.Where(p => p.grad is not null).Select(p => p.grad!));
    }

    [Fact]
    public void AGradientThatIsNotFiniteShowsInItsNorm()
    {
        using var scope = NewDisposeScope();
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
        {
            Parameter parameter = new(zeros(100)) { grad = ones(100) };
            parameter.grad![57] = bad;
            using var clipping = new AdamW([("a", parameter)]);
            Assert.False(clipping.Clip(1).isfinite().item<bool>());
        }
    }

    [Fact]
    public void TheAverageInFloat32IsThatInFloat64()
    {
        using var scope = NewDisposeScope();
        Parameter[] slow = Drawn(float32, 1), fast = Drawn(float32, 2), slowExact = Drawn(float64, 1),
            fastExact = Drawn(float64, 2);
        foreach (Parameter parameter in slow.Concat(slowExact)) parameter.requires_grad_(false);
        using (var average = new MovingAverage(new Holder(slow), new Holder(fast))) average.Step(0.996);
        using (var average = new MovingAverage(new Holder(slowExact), new Holder(fastExact))) average.Step(0.996);
        Near(slowExact, slow);
    }

    [Fact]
    public void TheNumberOfThreadsChangesNoBit()
    {
        using var scope = NewDisposeScope();
        int threads = get_num_threads();
        Parameter[] Stepped(int count)
        {
            set_num_threads(count);
            Parameter[] parameters = Drawn(float32, 1);
            foreach ((Parameter parameter, Parameter gradient) in parameters.Zip(Drawn(float32, 2)))
                parameter.grad = gradient.detach();
            using var adamW = new AdamW(parameters.Select((p, i) => ($"{i}", p)));
            adamW.Clip(2);
            adamW.Step(0.01, 0.1);
            return parameters;
        }
        try
        {
            Assert.All(Stepped(1).Zip(Stepped(4)), p => Assert.True(p.First.Equals(p.Second)));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void TheStateOfRowsIsTakenUp()
    {
        using var scope = NewDisposeScope();
        Parameter[] first = Drawn(float64, 1), second = Drawn(float64, 2);
        string[] names = ["a.bias", "a.weight", "b.bias", "b.weight"];
        using AdamW run = new(names.Zip(first)), resumed = new(names.Zip(second));
        void Step(AdamW optimiser, Parameter[] parameters, int step)
        {
            foreach ((Parameter parameter, Parameter gradient) in parameters.Zip(Drawn(float64, step)))
                parameter.grad = gradient.detach();
            optimiser.Step(0.01, 0.3);
        }
        for (int step = 0; step < 3; step++) Step(run, first, step);
        Dictionary<string, Tensor> state = run.State();
        using (no_grad())
        {
            foreach ((Parameter to, Parameter from) in second.Zip(first)) to.copy_(from);
            foreach ((string key, Tensor to) in resumed.State().Where(s => s.Key != "steps")) to.copy_(state[key]);
        }
        resumed.SetSteps(state["steps"]);
        foreach ((AdamW optimiser, Parameter[] parameters) in new[] { (run, first), (resumed, second) })
            Step(optimiser, parameters, 3);
        Assert.All(first.Zip(second), p => Assert.True(p.First.Equals(p.Second)));
    }

    [Fact]
    public void UpdatesStayOnTheirDevice()
    {
        using var scope = NewDisposeScope();
        Parameter[] parameters = [
            .. Shapes.Select(shape => new Parameter(zeros(shape, device: META)) { grad = zeros(shape, device: META) })];
        parameters[2].grad = null;
        var named = parameters.Select((p, i) => ($"{i}.weight", p)).ToArray();
        foreach (DermKit.Pretraining.Optimizer optimiser in new DermKit.Pretraining.Optimizer[]
        {
            new AdamW(named), new DermKit.Pretraining.Adam(named), new Lars(named)
        })
            using (optimiser)
            {
                Tensor norms = optimiser.Clip(1);
                Assert.Equal((DeviceType.META, 3), (norms.device_type, norms.shape[0]));
                optimiser.Step(0.1, 0.1);
                Assert.All(optimiser.State().Where(s => s.Key != "steps"),
                    s => Assert.Equal(DeviceType.META, s.Value.device_type));
            }
        using var teacher =
            new Holder([.. Shapes.Select(shape => new Parameter(zeros(shape, device: META), requires_grad: false))]);
        using var average = new MovingAverage(teacher, new Holder(parameters));
        average.Step(0.9);
        Assert.Equal(Shapes, parameters.Select(p => p.shape));
        Assert.All(parameters.Concat(teacher.parameters()), p => Assert.Equal(DeviceType.META, p.device_type));
    }

    private sealed class Holder : nn.Module
    {
        public Holder(Parameter[] values) : base(nameof(Holder))
        {
            for (int i = 0; i < values.Length; i++) register_parameter($"p{i}", values[i]);
        }
    }
}
