namespace DermKit.Evaluation;

/// <summary>Mean F1 over tasks, probes and seeds with 95 % intervals over test units, and its resamples: without the
/// images, another mean on the same rows can be subtracted. Data is a hash of those rows.</summary>
internal sealed record KeptMean
{
    // Of both probes.
    public required Interval Score { get; init; }

    public required Interval Knn { get; init; }

    public required Interval Linear { get; init; }

    // By task and probe.
    public required SortedDictionary<string, double> Tasks { get; init; }

    public required string Data { get; init; }

    // The score on each resample, in ten-thousandths. Draws depend on the rows alone.
    public required string Resamples { get; init; }

    public static KeptMean Of(IReadOnlyList<TaskResult> results)
    {
        (double value, double[] resampled) = Bootstrap.Mean(
            [.. results.Select(r => r.Rows with { Task = $"{r.Task} {r.Probe}" })]);
        Interval Mean(string probe) => Rounded(Bootstrap.MeanInterval(
            [.. results.Where(r => r.Probe.StartsWith(probe, Ordinal)).Select(r => r.Rows)]));
        byte[] data = Encoding.UTF8.GetBytes(string.Join('\n', results.Select(r => r.DataHash)));
        return new()
        {
            Score = Rounded(Bootstrap.Percentiles(value, resampled)),
            Knn = Mean("knn"),
            Linear = Mean("linear"),
            Tasks = new(results.GroupBy(r => $"{r.Task} {r.Probe}")
                .ToDictionary(g => g.Key, g => Rounded(g.Average(r => r.Metrics["f1"]))), StringComparer.Ordinal),
            Data = Convert.ToHexStringLower(SHA256.HashData(data))[..16],
            Resamples = string.Join(' ', resampled.Select(v => (int)Math.Round(v * 1e4))),
        };
    }

    // Paired; null where the other was scored on other rows.
    public PairedDifference? Minus(KeptMean other) => Data != other.Data ? null : PairedDifference.Of(
        Score.Value - other.Score.Value, [.. Draws().Zip(other.Draws(), (a, b) => (a - b) / 1e4)]);

    private IEnumerable<int> Draws() => Resamples.Split(' ').Select(v => int.Parse(v, CultureInfo.InvariantCulture));

    private static double Rounded(double value) => Math.Round(value, 4);

    private static Interval Rounded(Interval i) => new(Rounded(i.Value), Rounded(i.Low), Rounded(i.High));
}
