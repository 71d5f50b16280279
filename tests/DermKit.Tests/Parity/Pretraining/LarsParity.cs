using DermKit.Models;
using DermKit.Pretraining;
using System.Text.Json;
using TorchSharp;
using Parameter = TorchSharp.Modules.Parameter;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("optimizers*.safetensors")]
public sealed class LarsParity
{
    public static TheoryData<string> Files => Fixtures.Named("optimizers*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void EveryFormIsItsSources(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        JsonElement config = file.Config();
        double[] rates = [.. config.GetProperty("lr").EnumerateArray().Select(e => e.GetDouble())], scheduled = [.. config.GetProperty("weight_decay_of_regularized").EnumerateArray().Select(e => e.GetDouble())];
        // Float32 on the cpu takes the passes, all else the tensor operations on rows.
        foreach (ScalarType type in new[] { float32, float64 })
        foreach ((string form, LarsOptions options) in new[] { ("sgd", LarsOptions.Sgd), ("dino_lars", LarsOptions.Dino), ("lightly_lars", LarsOptions.Lightly), ("solo_lars", LarsOptions.Solo) })
        {
            JsonElement own = config.GetProperty(form);
            double Number(string key, double otherwise) => own.TryGetProperty(key, out JsonElement e) && e.ValueKind == JsonValueKind.Number ? e.GetDouble() : otherwise;
            (string Name, Parameter Value)[] parameters = [.. file.Entries.Keys.Where(k => k.StartsWith("init.", StringComparison.Ordinal)).Select(k => (k["init.".Length..], new Parameter(file.Load(k).to(type))))];
            using var lars = new Lars(parameters, options with
            {
                Momentum = Number("momentum", options.Momentum), Trust = Number("trust", Number("eta", options.Trust)),
                ClipsRate = own.TryGetProperty("clip_lr", out JsonElement clips) ? clips.GetBoolean() : options.ClipsRate,
            });
            int compared = 0;
            for (int step = 0; step < rates.Length; step++)
            {
                foreach ((string key, Parameter value) in parameters) value.grad = file.Load($"grad.{step}.{key}").to(type);
                lars.Step(rates[step] * Number("lr_scale", 1), Number("weight_decay", scheduled[step]));
                foreach ((string key, Parameter value) in parameters.Where(p => file.Entries.ContainsKey($"{form}.{step}.{p.Name}")))
                {
                    Fixtures.Close(value, file.Load($"{form}.{step}.{key}"), 1e-5, $"{form}, {key} after step {step}");
                    compared++;
                }
            }
            Assert.True(compared > 0, $"{name} has no values of {form} after a step.");
        }
    }
}
