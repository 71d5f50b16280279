using DermKit.Models;
using DermKit.Pretraining;
using System.Globalization;
using System.Text.Json;
using TorchSharp;
using AdamW = DermKit.Pretraining.AdamW;
using Parameter = TorchSharp.Modules.Parameter;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("schedules*.safetensors")]
[Takes("optimizers*.safetensors")]
[Takes("clip_ema*.safetensors")]
public sealed class TrainingPartsParity
{
    private static readonly ScalarType[] Types = [float32, float64];

    public static TheoryData<string> ScheduleFiles => Fixtures.Named("schedules*.safetensors");

    public static TheoryData<string> OptimiserFiles => Fixtures.Named("optimizers*.safetensors");

    public static TheoryData<string> ClippingFiles => Fixtures.Named("clip_ema*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(ScheduleFiles))]
    public void SchedulesAreDinos(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        int steps = config.GetProperty("epochs").GetInt32() * config.GetProperty("niter_per_ep").GetInt32();
        int warmup = config.GetProperty("warmup_epochs").GetInt32() * config.GetProperty("niter_per_ep").GetInt32();
        foreach (string key in file.Entries.Keys)
        {
            double[] wanted = [.. file.Load(key).to(float64).data<double>()];
            // Where the settings do not say the ends, the first value is the start (after a warm-up, its last), and the
            // last one is the end or tells it.
            (double start, double end) = (wanted[0], wanted[^1]);
            if (key is "dino_wd" or "dino_momentum")
                (start, end) = config.TryGetProperty(key["dino_".Length..], out JsonElement ends)
                    ? (ends[0].GetDouble(), ends[1].GetDouble()) : (start, Limit(wanted));
            double[] found = key switch
            {
                "dino_lr" => Schedules.Cosine(config.GetProperty("base_lr").GetDouble(),
                    config.GetProperty("min_lr").GetDouble(), steps, warmup),
                "dino_wd" or "dino_momentum" => Schedules.Cosine(start, end, steps),
                // These say a value after the last step too, which is the end.
                "solo_tau" => [.. Schedules.Cosine(start, end, steps), end],
                "torch_cosine_annealing" => [.. Schedules.Cosine(start, end, wanted.Length - 1), end],
                "lightly_cosine" => [.. Lightly(start, end, steps), end],
                "lightly_warmup" => Lightly(wanted[Math.Max(0, warmup - 1)], end, steps, warmup),
                "drop_path_rates" => [.. Enumerable.Range(0, wanted.Length)
                    .Select(new VitConfig { Depth = wanted.Length, DropPath = end }.DropPathOf)],
                _ => throw new Xunit.Sdk.XunitException($"No schedule is called '{key}'."),
            };
            Fixtures.Close(tensor(found), tensor(wanted), file.Entries[key].Type == float32 ? 1e-7 : 1e-12, key);
        }
    }

    /// <summary>What the cosine of these values tends to.</summary>
    private static double Limit(double[] values)
    {
        double left = (1 + Math.Cos(Math.PI * (values.Length - 1) / values.Length)) / 2;
        return (values[^1] - left * values[0]) / (1 - left);
    }

    /// <summary>lightly's cosine is at its end in the last step, the kit's would be one step later; its
    /// warm-up begins one step in.</summary>
    internal static double[] Lightly(double from, double to, int steps, int warmup = 0) =>
        steps == warmup ? Schedules.Cosine(from, to, steps, warmup, from / warmup)
            : [.. Schedules.Cosine(from, to, steps - 1, warmup, from / warmup), to];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(OptimiserFiles))]
    public void AdamWIsTorchs(string name)
    {
        foreach (ScalarType type in Types) StepsAreTorchs(name, type);
    }

    private static void StepsAreTorchs(string name, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config(), groups = config.GetProperty("groups");
        (string Name, Parameter Value)[] parameters = [.. file.Entries.Keys
            .Where(k => k.StartsWith("init.", StringComparison.Ordinal))
            .Select(k => (k["init.".Length..], new Parameter(file.Load(k).to(type))))];
        string[] Listed(string group) =>
            [.. groups.GetProperty(group).EnumerateArray().Select(e => e.GetString()!).Order(StringComparer.Ordinal)];
        Assert.Equal(Listed("regularized"),
            parameters.Where(p => AdamW.Decays(p.Name, p.Value)).Select(p => p.Name).Order(StringComparer.Ordinal));
        Assert.Equal(Listed("not_regularized"),
            parameters.Where(p => !AdamW.Decays(p.Name, p.Value)).Select(p => p.Name).Order(StringComparer.Ordinal));
        using var adamW = new AdamW(parameters);
        double[] rates = [.. config.GetProperty("lr").EnumerateArray().Select(e => e.GetDouble())],
            decays = [.. config.GetProperty("weight_decay_of_regularized").EnumerateArray().Select(e => e.GetDouble())];
        int compared = 0;
        for (int step = 0; step < rates.Length; step++)
        {
            foreach ((string key, Parameter value) in parameters) value.grad = file.Load($"grad.{step}.{key}").to(type);
            adamW.Step(rates[step], decays[step]);
            foreach ((string key, Parameter value)
                in parameters.Where(p => file.Entries.ContainsKey($"adamw.{step}.{p.Name}")))
            {
                Fixtures.Close(value, file.Load($"adamw.{step}.{key}"), 1e-5, $"{key} after step {step}");
                compared++;
            }
        }
        Assert.True(compared > 0, $"{name} has no values after a step.");
        // The others are LarsParity's.
        Assert.Empty(file.Entries.Keys.Select(k => k.Split('.')[0]).Distinct()
            .Except(["init", "grad", "adamw", "sgd", "dino_lars", "lightly_lars", "solo_lars"]));
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(ClippingFiles))]
    public void ClippingAndMovingAverageAreDinos(string name)
    {
        foreach (ScalarType type in Types) UpdatesAreDinos(name, type);
    }

    private static void UpdatesAreDinos(string name, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        Tensor Load(string key) => file.Load(key).to(type);
        string[] keys = [.. file.Entries.Keys.Where(k => k.StartsWith("grad.", StringComparison.Ordinal))
            .Select(k => k["grad.".Length..])];
        // The order of the norms is that of the parameters, which the file's own order is not.
        string[] order = ["cls_token", "conv.weight", "conv.bias", "norm.weight", "norm.bias", "fc.weight", "fc.bias",
            "last_layer.weight_g", "last_layer.weight_v"];
        Assert.Equal(order.Order(StringComparer.Ordinal), keys.Order(StringComparer.Ordinal));
        foreach (JsonElement limit in file.Config().GetProperty("clip_per_parameter").EnumerateArray())
        {
            string text = limit.GetDouble().ToString(CultureInfo.InvariantCulture);
            Parameter[] parameters =
                [.. order.Select(k => new Parameter(zeros_like(Load("grad." + k))) { grad = Load("grad." + k) })];
            using var clipping = new AdamW(order.Zip(parameters));
            Fixtures.Close(clipping.Clip(limit.GetDouble()), file.Load("norms." + text), 1e-5, "norms." + text);
            for (int i = 0; i < order.Length; i++)
                Fixtures.Close(parameters[i].grad!, file.Load($"clip{text}.{order[i]}"), 1e-5,
                    $"clip{text}.{order[i]}");
        }
        // No method of the kit clips by the norm of all gradients, but it is the same as clipping one
        // parameter that holds them all.
        var whole = new Parameter(cat([.. order.Select(k => zeros_like(Load("grad." + k)).flatten())]))
        {
            grad = cat([.. order.Select(k => Load("grad." + k).flatten())])
        };
        using (var clipping = new AdamW([("whole", whole)]))
            Fixtures.Close(clipping.Clip(file.Config().GetProperty("global_max_norm").GetDouble())[0],
                file.Load("global.norm"), 1e-5, "global.norm");
        Fixtures.Close(whole.grad!, cat([.. order.Select(k => file.Load("global." + k).flatten())]), 1e-5, "global");
        foreach (JsonElement momentum in file.Config().GetProperty("ema_m").EnumerateArray())
        {
            using var teacher = new Holder([.. order.Select(k => Load("ema.teacher." + k))]);
            using var student = new Holder([.. order.Select(k => Load("ema.student." + k))]);
            foreach (Parameter parameter in teacher.parameters()) parameter.requires_grad_(false);
            using var average = new MovingAverage(teacher, student);
            average.Step(momentum.GetDouble());
            string text = momentum.GetDouble().ToString(CultureInfo.InvariantCulture);
            Parameter[] moved = [.. teacher.parameters()];
            for (int i = 0; i < order.Length; i++)
                Fixtures.Close(moved[i], file.Load($"ema.m{text}.{order[i]}"), 1e-5, $"ema.m{text}.{order[i]}");
        }
    }

    private sealed class Holder : nn.Module
    {
        public Holder(Tensor[] values) : base(nameof(Holder))
        {
            for (int i = 0; i < values.Length; i++) register_parameter($"p{i}", new Parameter(values[i]));
        }
    }
}
