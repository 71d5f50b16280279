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
        double[] rates = [.. config.GetProperty("lr").EnumerateArray().Select(e => e.GetDouble())],
            scheduled = [.. config.GetProperty("weight_decay_of_regularized").EnumerateArray()
                .Select(e => e.GetDouble())];
        // dino_lars and solo_lars of the file are forms that the kit does not have.
        foreach (ScalarType type in new[] { float32, float64 })
            foreach ((string form, double trust) in new[] { ("sgd", 0), ("lightly_lars", 0.001) })
            {
                JsonElement own = config.GetProperty(form);
                double Number(string key, double otherwise) => own.TryGetProperty(key, out JsonElement e)
                    && e.ValueKind == JsonValueKind.Number ? e.GetDouble() : otherwise;
                (string Name, Parameter Value)[] parameters = [.. file.Entries.Keys
                .Where(k => k.StartsWith("init.", StringComparison.Ordinal))
                .Select(k => (k["init.".Length..], new Parameter(file.Load(k).to(type))))];
                using var lars = new Lars(parameters, Number("trust", Number("eta", trust)), Number("momentum", 0.9));
                int compared = 0;
                for (int step = 0; step < rates.Length; step++)
                {
                    foreach ((string key, Parameter value) in parameters)
                        value.grad = file.Load($"grad.{step}.{key}").to(type);
                    lars.Step(rates[step] * Number("lr_scale", 1), Number("weight_decay", scheduled[step]));
                    foreach ((string key, Parameter value)
                        in parameters.Where(p => file.Entries.ContainsKey($"{form}.{step}.{p.Name}")))
                    {
                        Fixtures.Close(value, file.Load($"{form}.{step}.{key}"), 1e-5,
                            $"{form}, {key} after step {step}");
                        compared++;
                    }
                }
                Assert.True(compared > 0, $"{name} has no values of {form} after a step.");
            }
    }
}
