using System.Text.Json;
using System.Text.RegularExpressions;
using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("metrics*.json")]
[Takes("metrics_inputs*.safetensors")]
public sealed class MetricsParity
{
    public static TheoryData<string> Files => Fixtures.Named("metrics*.json");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void EveryNumberIsThatOfTheReference(string name)
    {
        string inputs = InputsOf(name);
        Assert.SkipUnless(File.Exists(Fixtures.PathOf(inputs)), $"{inputs} is missing beside {name}.");
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(inputs);
        // Python writes NaN, which JSON does not have.
        using JsonDocument document =
            JsonDocument.Parse(Regex.Replace(File.ReadAllText(Fixtures.PathOf(name)), @"\bNaN\b", "null"));
        JsonElement root = document.RootElement;
        int classes = file.Config().GetProperty("classes").GetInt32();
        int[] truth = KnnParity.Labels(file, "y_true"), predicted = KnnParity.Labels(file, "y_pred"),
            group = KnnParity.Labels(file, "group");
        double[,] p = ProbeInput.ToArray(file.Load("y_prob"));
        Assert.Equal(predicted, Metrics.ArgMax(p));
        Assert.Equal(root.GetProperty("n").GetInt32(), truth.Length);
        Assert.Equal(root.GetProperty("classes").GetInt32(), classes);

        Compare(root.GetProperty("overall"), truth, predicted, p, "overall");
        foreach (JsonProperty each in root.GetProperty("per_group").EnumerateObject())
            CompareRows(each, i => group[i].ToString() == each.Name);
        foreach (JsonProperty each in root.GetProperty("binned_groups").EnumerateObject())
        {
            int[] ends = [.. each.Name.Split('-').Select(int.Parse)];
            CompareRows(each, i => group[i] >= ends[0] && group[i] <= ends[^1]);
        }
        void CompareRows(JsonProperty expected, Func<int, bool> inGroup)
        {
            int[] rows = [.. Enumerable.Range(0, truth.Length).Where(inGroup)];
            double[,] part = new double[rows.Length, classes];
            for (int i = 0; i < rows.Length; i++)
                for (int c = 0; c < classes; c++) part[i, c] = p[rows[i], c];
            Compare(expected.Value, [.. rows.Select(r => truth[r])], [.. rows.Select(r => predicted[r])], part,
                expected.Name);
        }

        var byGroup = ReferenceMetrics.ByGroup([.. group.Select(g => g < 1 ? null : g.ToString())], truth,
            predicted, classes);
        foreach (JsonProperty each in root.GetProperty("group_gaps_types_1_to_6").EnumerateObject())
        {
            (double max, double min, double gap) = ReferenceMetrics.Gap(byGroup.Values, Threshold(each.Name));
            Equal(each.Value.GetProperty("max"), max, each.Name);
            Equal(each.Value.GetProperty("min"), min, each.Name);
            Equal(each.Value.GetProperty("gap"), gap, each.Name);
        }
        CompareBinary(root.GetProperty("binary_class0_vs_rest"), truth, Metrics.Column(p, 0));

        long[,] indices = Matrix(file.Load("bootstrap_idx").to(int64));
        ushort[][] draws = [.. Enumerable.Range(0, indices.GetLength(0)).Select(r =>
        {
            ushort[] counts = new ushort[indices.GetLength(1)];
            for (int i = 0; i < counts.Length; i++) counts[indices[r, i]]++;
            return counts;
        })];
        foreach (JsonProperty each in root.GetProperty("bootstrap_percentile_ci95").EnumerateObject())
        {
            double[] values = Array.ConvertAll(draws,
                w => Threshold(each.Name)(ClassCounts.Of(truth, predicted, classes, w)));
            Fixtures.Close(tensor(values), file.Load($"bootstrap.{each.Name}"), 1e-9, each.Name);
            Interval interval = Bootstrap.Percentiles(0, values);
            Equal(each.Value.GetProperty("low"), interval.Low, each.Name);
            Equal(each.Value.GetProperty("high"), interval.High, each.Name);
            Equal(each.Value.GetProperty("mean"), values.Average(), each.Name);
            Equal(each.Value.GetProperty("std_ddof1"),
                Math.Sqrt(values.Sum(v => Math.Pow(v - values.Average(), 2)) / (values.Length - 1)), each.Name);
        }
    }

    internal static string InputsOf(string name) => "metrics_inputs"
        + name["metrics".Length..].Replace(".json", ".safetensors", StringComparison.Ordinal);

    private static void Compare(JsonElement expected, int[] truth, int[] predicted, double[,] p, string where)
    {
        int classes = p.GetLength(1);
        ClassCounts counts = ClassCounts.Of(truth, predicted, classes);
        foreach (JsonProperty each in expected.EnumerateObject())
        {
            string what = $"{where}.{each.Name}";
            switch (each.Name)
            {
                case "n":
                    Equal(each.Value, truth.Length, what);
                    break;
                case "confusion_matrix":
                    int[][] matrix = Metrics.ConfusionMatrix(truth, predicted, classes);
                    for (int t = 0; t < classes; t++)
                        for (int c = 0; c < classes; c++) Equal(each.Value[t][c], matrix[t][c], what);
                    break;
                case "precision_per_class":
                    EqualEach(each.Value, counts.Precision, what);
                    break;
                case "recall_per_class":
                    EqualEach(each.Value, counts.Recall, what);
                    break;
                case "f1_per_class":
                    EqualEach(each.Value, counts.F1, what);
                    break;
                case "roc_auc_per_class":
                    EqualEach(each.Value, c => ReferenceMetrics.AurocPerClass(truth, p)[c], what);
                    break;
                case "average_precision_per_class":
                    EqualEach(each.Value, c => ReferenceMetrics.AveragePrecisionPerClass(truth, p)[c], what);
                    break;
                case "roc_auc_ovr_macro":
                    Equal(each.Value, new ScoredRows(truth, predicted, p).Auroc, what);
                    break;
                case "roc_auc_ovr_weighted":
                    Equal(each.Value, ReferenceMetrics.WeightedAuroc(truth, p), what);
                    break;
                case "roc_auc_ovo_macro":
                    Equal(each.Value, ReferenceMetrics.AurocOneVsOne(truth, p), what);
                    break;
                case "log_loss":
                    Equal(each.Value, Metrics.LogLoss(truth, p), what);
                    break;
                case "top2_accuracy":
                    Equal(each.Value, ReferenceMetrics.TopAccuracy(truth, p, 2), what);
                    break;
                default:
                    Equal(each.Value, Threshold(each.Name)(counts), what);
                    break;
            }
        }
    }

    private static void CompareBinary(JsonElement expected, int[] truth, double[] score)
    {
        // Class 0 is the positive one: as a two-class task it gets index 1.
        int[] y = Array.ConvertAll(truth, t => t == 0 ? 1 : 0),
            called = Array.ConvertAll(score, s => s >= expected.GetProperty("threshold").GetDouble() ? 1 : 0);
        bool[] positive = Metrics.Is(y, 1);
        ClassCounts counts = ClassCounts.Of(y, called, 2);
        var ranking = new Ranking(score);
        int[][] matrix = Metrics.ConfusionMatrix(y, called, 2);
        foreach (JsonProperty each in expected.EnumerateObject())
            Equal(each.Value, each.Name switch
            {
                "threshold" => each.Value.GetDouble(),
                "auroc" => ranking.Auroc(positive),
                "auprc" => ranking.AveragePrecision(positive),
                "sensitivity" => counts.Recall(1),
                "specificity" => counts.Recall(0),
                "ppv" => counts.Precision(1),
                "npv" => counts.Precision(0),
                "f1" => counts.PaperF1(),
                "brier" => Metrics.Brier(score, positive),
                "tn" => matrix[0][0],
                "fp" => matrix[0][1],
                "fn" => matrix[1][0],
                "tp" => matrix[1][1],
                "roc_points" => ranking.RocPoints,
                _ => throw new Xunit.Sdk.XunitException($"The reference has {each.Name}; this test does not know it."),
            }, each.Name);
    }

    private static Func<ClassCounts, double> Threshold(string name) => name switch
    {
        "accuracy" or "f1_micro" => c => c.Accuracy,
        "balanced_accuracy" => c => c.BalancedAccuracy,
        "f1_macro_present_labels" => c => c.F1Macro,
        "f1_macro_all_labels" => c => Enumerable.Range(0, c.Hits.Length).Average(c.F1),
        "f1_weighted" => c => c.F1Weighted,
        "cohen_kappa" => c => c.Kappa,
        "mcc" => c => c.Mcc,
        _ => throw new Xunit.Sdk.XunitException($"The reference has {name}; this test does not know it."),
    };

    private static void EqualEach(JsonElement expected, Func<int, double> actual, string what)
    {
        for (int c = 0; c < expected.GetArrayLength(); c++) Equal(expected[c], actual(c), $"{what}[{c}]");
    }

    private static void Equal(JsonElement expected, double actual, string what)
    {
        double value = expected.ValueKind is JsonValueKind.Null ? double.NaN : expected.GetDouble();
        Assert.True((double.IsNaN(value) && double.IsNaN(actual))
            || Math.Abs(value - actual) <= 1e-9 * Math.Max(1, Math.Abs(value)),
            $"{what}: expected {value}, found {actual}");
    }

    private static long[,] Matrix(Tensor values)
    {
        long[,] result = new long[values.shape[0], values.shape[1]];
        Buffer.BlockCopy(values.data<long>().ToArray(), 0, result, 0, result.Length * sizeof(long));
        return result;
    }
}
