using DermKit;
using DermKit.Benchmarks;
using System.Diagnostics;
using TorchSharp;

// The first thing that happens: what a user waits for before the first tensor.
torch.ones(1).Dispose();
double startUp = (DateTime.Now - Process.GetCurrentProcess().StartTime).TotalSeconds;

string? json = Option("--json"), filter = Option("--filter");
string peerSeconds = Option("--peer-seconds") ?? "1200";
if (!double.TryParse(peerSeconds, System.Globalization.CultureInfo.InvariantCulture, out double peerLimit)
    || !(peerLimit > 0 && peerLimit <= 86_400))
{
    Console.Error.WriteLine($"--peer-seconds '{peerSeconds}': expected seconds, more than 0 and at most a day, after "
        + "which scikit-learn is stopped.");
    return 2;
}
(string Name, Func<IEnumerable<Row>> Run)[] benchmarks =
[
    ("start-up", () => [new("start-up to the first torch operation", startUp, "s", null)]),
    ("decode", DecodeBenchmarks.Decode),
    ("cache-build", DecodeBenchmarks.CacheBuild),
    ("features", ModelBenchmarks.FeatureExtraction),
    ("vit-l14-forward-bf16", ModelBenchmarks.LargeForward),
    ("weights-load", WeightBenchmarks.Load),
    ("tokenize", WeightBenchmarks.Tokenize),
    ("knn", ProbeBenchmarks.Knn),
    ("bootstrap-f1", LabelBenchmarks.BootstrapF1),
    ("probes", () => LabelBenchmarks.Probes(peerLimit)),
    ("views-per-core", PretrainBenchmarks.Views),
    ("optimiser-clip-ema", PretrainBenchmarks.Optimiser),
    ("dino-step-fp32", () => PretrainBenchmarks.Step("fp32")),
    ("dino-step-bf16", () => PretrainBenchmarks.Step("bf16")),
    .. new[] { "iBOT", "SimCLR", "BYOL" }.SelectMany(method => new[] { "fp32", "bf16" }.Select(precision =>
        ($"{method.ToLowerInvariant()}-step-{precision}",
            (Func<IEnumerable<Row>>)(() => PretrainBenchmarks.Other(method, precision))))),
];
if (filter is not null && !benchmarks.Any(b => b.Name.Contains(filter, StringComparison.OrdinalIgnoreCase)))
{
    Console.Error.WriteLine($"--filter '{filter}' matches none of {string.Join(", ", benchmarks.Select(b => b.Name))}; "
        + $"did you mean '{KitException.Nearest(filter, benchmarks.Select(b => b.Name))}'?");
    return 2;
}
var rows = new List<Row>();
foreach ((string name, Func<IEnumerable<Row>> run) in benchmarks)
    if (filter is not null ? name.Contains(filter, StringComparison.OrdinalIgnoreCase) : IsForThisProcessor(name))
        foreach (Row row in run())
        {
            rows.Add(row);
            Console.WriteLine(row);
        }
if (json is not null) AtomicFile.WriteAllText(json, Row.ToJson(rows));
return 0;

// Without native products in bfloat16 such a row takes minutes and says nothing of what a user runs;
// --filter asks for it all the same.
static bool IsForThisProcessor(string name)
{
    bool isSkipped = name.EndsWith("bf16", StringComparison.Ordinal) && !Processor.MultipliesBFloat16;
    if (isSkipped) Console.WriteLine($"{name}: left out, the processor does not multiply bfloat16 natively");
    return !isSkipped;
}

string? Option(string name) => Array.IndexOf(args, name) is >= 0 and int i
    ? i + 1 < args.Length ? args[i + 1] : throw new KitException($"{name} expects a value.")
    : null;
