using System.ComponentModel;

namespace DermKit.Evaluation;

/// <summary>Size of a run of the suite.</summary>
public sealed record SuitePlan
{
    /// <summary>Names of tasks; null takes every real task that is present and no part of another, else the synthetic
    /// ones.</summary>
    public string[]? Tasks { get; init; }

    /// <summary>Version of each task.</summary>
    public SplitVersion Version { get; init; }

    /// <summary>Names of models; null takes the baselines and all with weights present.</summary>
    public string[]? Models { get; init; }

    /// <summary>Seeds of splits, probes and random weights; the paper's five.</summary>
    public IReadOnlyList<int> Seeds { get; init; } = TaskSuite.Seeds;

    /// <summary>Most training images of a task.</summary>
    [DisplayName("Most training images")]
    public int MostTrain { get; init; } = int.MaxValue;

    /// <summary>Most test images of a task.</summary>
    [DisplayName("Most test images")]
    public int MostTest { get; init; } = int.MaxValue;

    /// <summary>Pixels to which every image is resized first (<see cref="Imaging.OneGeometry"/>); null keeps
    /// sizes.</summary>
    [DisplayName("Images brought to")]
    public (int Width, int Height)? Geometry { get; init; }

    /// <summary><see cref="Geometry"/> in words.</summary>
    public string ImageSize => Geometry is var (width, height) ? FormattableString.Invariant($"{width}x{height}")
        : "as they come";

    /// <summary>Parses a size such as 200x150; an empty text is null.</summary>
    /// <exception cref="KitException">The text is no size from 1x1 to 4096x4096.</exception>
    public static (int Width, int Height)? GeometryOf(string text)
    {
        static int Side(string side) =>
            int.TryParse(side, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n <= 4096 ? n : 0;
        if (text.Length == 0) return null;
        return text.Split('x') is [var w, var h] && Side(w) > 0 && Side(h) > 0 ? (Side(w), Side(h))
            : throw new KitException($"Geometry: expected width x height in pixels, such as 200x150, found '{text}'.");
    }

    /// <summary>Precision of feature extraction: fp32 or bf16.</summary>
    public Precision Precision { get; init; } = Precision.Fp32;

    /// <summary>Model of the paired differences.</summary>
    public string Baseline { get; init; } = "vit-tiny-random";

    /// <summary>Further models of comparison. Like the baseline they take part whatever their size.</summary>
    public IReadOnlyList<string> OtherBaselines { get; init; } = [];

    // The baseline and the others.
    internal IEnumerable<string> Baselines => OtherBaselines.Prepend(Baseline);

    /// <summary>Most parameters of a model that is not named.</summary>
    [DisplayName("Most parameters of a model")]
    public long MostParameters { get; init; } = long.MaxValue;

    // Reads no stored features and results, and stores none.
    internal bool IsFresh { get; init; }

    /// <summary>Probes and metrics.</summary>
    public ProbingOptions Probing { get; init; } = new();

    /// <summary>The numbers of a mode: quick takes models up to 10 million parameters, at most 320 training and 320
    /// test images of a task and two seeds, workshop models up to 16 million.</summary>
    public static SuitePlan For(RunMode mode) => mode switch
    {
        RunMode.Quick => new() { MostTrain = 320, MostTest = 320, MostParameters = 10_000_000, Seeds = [1, 9] },
        RunMode.Workshop => new() { MostParameters = 16_000_000 },
        _ => new(),
    };
}
