namespace DermKit.Evaluation;

/// <summary>Stamps of numbers that say nothing about skin, because of images or weights.</summary>
public static class Stamps
{
    /// <summary>The images were drawn by the kit.</summary>
    public const string Synthetic = "SYNTHETIC";

    /// <summary>The weights are random numbers in a real model's format.</summary>
    public const string Fixture = "FIXTURE";

    /// <summary>The images are a part of a data set.</summary>
    public const string Part = "PART";

    /// <summary>The stamp in brackets and a space, or nothing.</summary>
    public static string Bracket(string stamp) => stamp.Length > 0 ? $"[{stamp}] " : "";

    internal static string Of(IEnumerable<ProbeTask> tasks) => Join(tasks.Select(t => t.Definition.Stamp));

    internal static string Of(IEnumerable<TaskResult> results) => Join(results.Select(r => r.BothStamps));

    internal static string Of(IEnumerable<LabelCurve> curves) => Join(curves.Select(c => c.Stamp));

    // Each stamp once, without empty ones.
    internal static string Join(IEnumerable<string> stamps) => string.Join(" + ",
        stamps.SelectMany(s => s.Split(" + ", StringSplitOptions.RemoveEmptyEntries))
            .Distinct(StringComparer.Ordinal).OrderDescending(StringComparer.Ordinal));
}
