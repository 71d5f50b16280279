namespace DermKit.Studies;

/// <summary>A paired difference of two scores, with Holm's correction over a family.</summary>
public abstract record TestedDifference
{
    /// <summary>First minus second with interval and uncorrected p; null without a comparison.</summary>
    public PairedDifference? Difference { get; init; }

    /// <summary>Standard deviation of the resampled differences; NaN without any.</summary>
    public double StandardError { get; init; } = double.NaN;

    /// <summary>p after Holm's correction over the <see cref="Family"/>; null without a difference.</summary>
    public double? AdjustedP { get; init; }

    /// <summary>True when <see cref="AdjustedP"/> is an upper bound (<see cref="PairedDifference.IsBound"/>).</summary>
    public bool IsBound { get; init; }

    /// <summary>Number of differences corrected together.</summary>
    public int Family { get; init; } = 1;

    /// <summary>True when the corrected p is below 0.05.</summary>
    public bool IsFound => AdjustedP < 0.05;

    /// <summary>Difference that this sample would find four times in five, with the same correction.</summary>
    public double Detectable => DetectableDifference.ErrorsToFind(Family) * StandardError;

    /// <summary>Factor on the test units to find a difference of that size four times in five; the standard error falls
    /// with their root.</summary>
    public double TimesTheUnits(double difference) => Math.Pow(Detectable / difference, 2);

    // Such as 0.10 [0.02, 0.18].
    internal string Shown => Difference is { } d ? Tables.Interval(d.Difference) : "–";

    internal string ShownP => Tables.P(AdjustedP, IsBound);

    internal static T[] Correct<T>(IEnumerable<T> family) where T : TestedDifference
    {
        T[] all = [.. family];
        int[] tested = [.. Enumerable.Range(0, all.Length).Where(i => all[i].Difference is not null)];
        var adjusted = PairedTest.Holm(tested.Select(i => all[i].Difference!));
        foreach ((int i, var own) in tested.Zip(adjusted))
            all[i] = all[i] with { AdjustedP = own.P, IsBound = own.IsBound, Family = tested.Length };
        return all;
    }
}
