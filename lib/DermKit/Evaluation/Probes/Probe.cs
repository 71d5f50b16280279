namespace DermKit.Evaluation;

/// <summary>A classifier on frozen features. Derive a record to add a probe and name it in
/// <see cref="ProbingOptions.Probes"/>; public properties are options and part of every result's key. Results are
/// stored by Name; increase Version when the same input and options give other scores.</summary>
public abstract record Probe([property: JsonIgnore] string Name, [property: JsonIgnore] int Version = 0)
{
    /// <summary>The kit's probes with the paper's options.</summary>
    public static IReadOnlyList<Probe> All { get; } = [new KnnProbe(), new LinearProbe()];

    /// <summary>The probes of a list such as "knn,linear".</summary>
    /// <exception cref="KitException">A name is unknown; the nearest is named.</exception>
    public static IReadOnlyList<Probe> Parse(string names) =>
        [.. names.Split(',', StringSplitOptions.TrimEntries).Select(name => (Probe)name)];

    /// <summary>The probe of <see cref="All"/> with a name.</summary>
    /// <exception cref="KitException">The name is unknown; the nearest is named.</exception>
    public static implicit operator Probe(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new KitException($"Probe '{name}' is unknown; did you mean "
            + $"'{KitException.Nearest(name, All.Select(p => p.Name))}'?");

    /// <summary>The name.</summary>
    public sealed override string ToString() => Name;

    /// <summary>Fits training rows [N, D] with N class indices and classifies test rows [M, D]; the seed decides every
    /// draw.</summary>
    /// <exception cref="KitException">Features are not finite, labels out of range, or sizes do not match.</exception>
    public abstract ProbeOutcome Run(Tensor train, int[] labels, Tensor test, int classes, int seed = 1);

    /// <summary>Fits each draw of training rows and classifies the test rows, as <see cref="Run"/>; each draw has rows
    /// of every class. Override it where many small fits can share work.</summary>
    public virtual IReadOnlyList<DrawOutcome> RunDraws(Tensor train, int[] labels, Tensor test, int classes,
        IReadOnlyList<LabelDraw> draws, CancellationToken cancellation = default) => [.. draws.Select(draw =>
        {
            cancellation.ThrowIfCancellationRequested();
            using Tensor rows = ProbeInput.Rows(train, draw.Rows);
            ProbeOutcome outcome = Run(rows, Array.ConvertAll(draw.Rows, r => labels[r]), test, classes, draw.Seed);
            return new DrawOutcome(outcome.Predicted, outcome.K, outcome.Converged ?? true);
        })];
}

/// <summary>Predicted class of each test row, and probabilities [test rows, classes]; each row sums to 1.</summary>
public sealed record ProbeOutcome(int[] Predicted, double[,] Probabilities)
{
    /// <summary>Predicts the most probable class of each row, the first of equals.</summary>
    public ProbeOutcome(double[,] probabilities) : this(Metrics.ArgMax(probabilities), probabilities)
    {
    }

    /// <summary>Number of neighbours; null for other probes.</summary>
    public int? K { get; init; }

    /// <summary>F1 on the validation part by k; empty when k was not chosen.</summary>
    public IReadOnlyDictionary<int, double> ValidationF1 { get; init; } = new Dictionary<int, double>();

    /// <summary>Whether the optimiser converged; null without one.</summary>
    public bool? Converged { get; init; }

    /// <summary>Optimiser iterations; null without an optimiser.</summary>
    public int? Iterations { get; init; }

    /// <summary>Largest absolute gradient entry at the solution; null without an optimiser.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Deviation from the protocol; empty when there is none.</summary>
    public string Note { get; init; } = "";
}

/// <summary>Predicted class of each test row after fitting one draw of labels. K is null for other probes than
/// kNN.</summary>
public sealed record DrawOutcome(int[] Predicted, int? K = null, bool Converged = true);
