using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>The machine part of a <see cref="PublishedFile"/>: what a run scored, and what it takes to check that
/// elsewhere. It holds no image content.</summary>
internal sealed record Publication
{
    public required PublishedSettings Settings { get; init; }

    // Images of the fingerprints, by data set.
    public required Dictionary<string, PublishedSample> Samples { get; init; }

    public required PublishedTask[] Tasks { get; init; }

    public required PublishedModel[] Models { get; init; }

    // Of means over tasks, then of tasks.
    public required PublishedScore[] Scores { get; init; }

    public required PublishedTolerance Tolerance { get; init; }

    // Command, commit, versions and machine.
    public required Dictionary<string, string> Provenance { get; init; }

    [JsonIgnore]
    public string Stamp => Stamps.Join([.. Tasks.Select(t => t.Stamp), .. Models.Select(m => m.Stamp)]);

    public PublishedScore? Score(string task, string model, string probe) =>
        Scores.FirstOrDefault(s => s.Task == task && s.Model == model && s.Probe == probe);
}

/// <summary>What decides the numbers besides data, weights and code; null limits are none.</summary>
internal sealed record PublishedSettings
{
    [JsonConverter(typeof(SpelledEnumConverter<RunMode>))]
    public required RunMode Mode { get; init; }

    [JsonConverter(typeof(SpelledEnumConverter<SplitVersion>))]
    public required SplitVersion Split { get; init; }

    public required Precision Precision { get; init; }

    public required string Device { get; init; }

    public string Geometry { get; init; } = "";

    public int? MostTrain { get; init; }

    public int? MostTest { get; init; }

    public required int Resamples { get; init; }

    public required string[] Probes { get; init; }

    public required string Baseline { get; init; }

    public required int[] Seeds { get; init; }

    public static PublishedSettings Of(KitSettings settings, SuitePlan plan) => new()
    {
        Mode = settings.Mode,
        Split = plan.Version,
        Precision = plan.Precision,
        Device = settings.Device,
        Geometry = plan.Geometry is null ? "" : plan.ImageSize,
        MostTrain = plan.MostTrain == int.MaxValue ? null : plan.MostTrain,
        MostTest = plan.MostTest == int.MaxValue ? null : plan.MostTest,
        Resamples = plan.Probing.Resamples,
        Probes = [.. plan.Probing.Probes.Select(p => p.Name)],
        Baseline = plan.Baseline,
        Seeds = [.. plan.Seeds],
    };

    // Of the same numbers, without tasks and models.
    public SuitePlan Plan() => new()
    {
        Version = Split,
        Precision = Precision,
        Geometry = SuitePlan.GeometryOf(Geometry),
        MostTrain = MostTrain ?? int.MaxValue,
        MostTest = MostTest ?? int.MaxValue,
        Probing = new() { Resamples = Resamples, Probes = Probe.Parse(string.Join(',', Probes)) },
        Baseline = Baseline,
        Seeds = Seeds,
    };
}

/// <summary>Ids of the fingerprints' images, which are the task's that hash lowest.</summary>
internal sealed record PublishedSample(string Task, string[] Ids);

/// <summary>Data has a hash over ids, labels, units and parts for each seed, or one for all; Images the SHA-256 over
/// the contents of all files. Mean is the name of the mean that the task is in, else empty.</summary>
internal sealed record PublishedTask(string Name, int Version, string Title, string DataSet, string Stamp, string Mean,
    int TrainRows, int TestRows, int Units, string[] Data, string Images)
{
    // The kit draws such images itself, and another processor may round a pixel in another way.
    [JsonIgnore]
    public bool IsDrawn => Stamp.Contains(Stamps.Synthetic) || Stamp.Contains(Stamps.Fixture);
}

/// <summary>Weights has a SHA-256 (<see cref="TaskResult.WeightsHash"/>) for each seed, or one for all; Fingerprint the
/// numbers of each image of a data set's sample.</summary>
internal sealed record PublishedModel(string Name, int Version, string Title, string Stamp, bool IsDrawn,
    string Features, Precision Precision, long Parameters, string[] Weights,
    Dictionary<string, double[][]> Fingerprint);

/// <summary>F1 as value, low and high, of a task, or of a mean over so many Tasks; Seeds has the value of each
/// seed. Difference is to the baseline, likewise; P is Holm's, or its upper bound.</summary>
internal sealed record PublishedScore(string Task, int Tasks, string Model, string Probe, double[] F1, double[] Seeds,
    double[]? Difference = null, double? P = null, bool IsBound = false)
{
    [JsonIgnore]
    public double[] Numbers => [.. F1, .. Difference ?? []];
}

/// <summary>Largest differences that <see cref="Verification"/> accepts.</summary>
internal sealed record PublishedTolerance(double Features, double F1, string Why)
{
    public static PublishedTolerance Of(Precision precision) => new(precision == Precision.Fp32 ? 1e-3 : 0.05, 0.02,
        "libtorch picks its kernels by the processor, and they round differently: one product in the seventh digit in "
        + "fp32 and in the third in bf16, which layers add up, where the numbers of a fingerprint are of size 1; "
        + "rounding moves single test images over a decision, and with few of a class one moves F1 by 0.01 or more.");
}
