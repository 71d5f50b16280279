using System.Globalization;
using System.Text.RegularExpressions;
using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("logreg*.safetensors")]
[Takes("linear_probe_sgd*.safetensors")]
public sealed class LinearProbeParity
{
    public static TheoryData<string> Logistic => Fixtures.Named("logreg*.safetensors");
    public static TheoryData<string> Sgd => Fixtures.Named("linear_probe_sgd*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Logistic))]
    public void FitIsThatOfScikitLearn(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        Tensor train = file.Load("train_x"), test = file.Load("test_x");
        string[] kinds = [.. file.Entries.Keys.Where(k => k.EndsWith(".coef", StringComparison.Ordinal))
            .Select(k => k[..^5])];
        Assert.NotEmpty(kinds);
        foreach (string kind in kinds)
        {
            int[] labels = KnnParity.Labels(file, "train_y");
            LinearProbe options = kind switch
            {
                "balanced" => new() { Balanced = true },
                "scaled" => new() { C = FixtureReadme.ScaledC(name), Standardise = true },
                "binary" => new(),
                _ => new()
                {
                    C = double.Parse(Regex.Match(kind, @"^c([\d.eE+-]+)$").Groups[1].Value,
                        CultureInfo.InvariantCulture)
                },
            };
            // The comparison is of solutions, not of stopping rules.
            options = options with { Tolerance = 1e-9 };
            if (kind == "binary") labels = Array.ConvertAll(labels, l => l % 2);
            int classes = labels.Max() + 1;
            LinearFit fit = options.Fit(train, labels, classes);
            Assert.True(fit.Converged, $"{kind}: gradient {fit.GradientNorm} after {fit.Iterations} iterations");
            Tensor coefficients = file.Load($"{kind}.coef"), intercepts = file.Load($"{kind}.intercept");
            Fixtures.Close(tensor(fit.Coefficients), coefficients, 1e-5, $"{kind}.coef");
            Fixtures.Close(tensor(fit.Intercepts), intercepts, 1e-5, $"{kind}.intercept");
            if (kind == "scaled")
            {
                Fixtures.Close(tensor(fit.Mean), file.Load("scaled.scaler_mean"), 1e-5, "mean");
                Fixtures.Close(tensor(fit.Scale), file.Load("scaled.scaler_scale"), 1e-5, "scale");
            }
            double reference = Objective(train, labels, fit, coefficients, intercepts, options);
            Assert.Equal(reference, fit.Objective, Math.Abs(reference) * 1e-6);
            double[,] p = fit.Predict(test, classes);
            Fixtures.Close(KnnParity.Columns(tensor(p), fit.Present, file.Load($"{kind}.proba")),
                file.Load($"{kind}.proba"), 1e-5, $"{kind}.proba");
            if (!file.Entries.ContainsKey($"{kind}.pred")) continue;
            int[] expected = KnnParity.Labels(file, $"{kind}.pred"), predicted = Metrics.ArgMax(p);
            for (int i = 0; i < expected.Length; i++)
                Assert.True(expected[i] == predicted[i] || p[i, predicted[i]] - p[i, expected[i]] < 1e-4,
                    $"{kind} row {i}");
        }
    }

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Sgd))]
    public void SgdStepsAreThoseOfTorch(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        var config = file.Config();
        Assert.Equal(config.GetProperty("epochs").GetInt32(), config.GetProperty("T_max").GetInt32());
        Tensor order = file.Load("order");
        int[][] rows = [.. Enumerable.Range(0, (int)order.shape[0])
            .Select(e => order[e].data<long>().Select(v => (int)v).ToArray())];
        (Tensor weight, Tensor bias, double[] losses) = SgdProbe.Fit(file.Load("train_x"),
            KnnParity.Labels(file, "train_y"), file.Load("w0"), rows, new()
            {
                LearningRate = config.GetProperty("lr").GetDouble(),
                Momentum = config.GetProperty("momentum").GetDouble(),
                WeightDecay = config.GetProperty("weight_decay").GetDouble(),
                Batch = config.GetProperty("batch").GetInt32(),
            });
        Fixtures.Close(tensor(losses), file.Load("loss"), 1e-5, "loss");
        Fixtures.Close(weight, file.Load("w"), 1e-5, "w");
        Fixtures.Close(bias, file.Load("b"), 1e-5, "b");
    }

    private static double Objective(Tensor train, int[] labels, LinearFit fit, Tensor coefficients, Tensor intercepts,
        LinearProbe options)
    {
        Tensor x = (train.to(float64) - tensor(fit.Mean)) / tensor(fit.Scale),
            logits = x.mm(coefficients.t()) + intercepts;
        if (fit.Present.Length == 2) logits = cat([zeros_like(logits), logits], 1);
        Tensor loss = -logits.log_softmax(1)
            .gather(1, tensor(Array.ConvertAll(labels, l => (long)Array.IndexOf(fit.Present, l))).unsqueeze(1))
            .squeeze(1);
        double[] weight = Array.ConvertAll(labels,
            l => options.Balanced ? labels.Length / ((double)fit.Present.Length * labels.Count(o => o == l)) : 1);
        return (loss * tensor(weight)).sum().item<double>()
            + 0.5 * coefficients.square().sum().item<double>() / options.C;
    }
}
