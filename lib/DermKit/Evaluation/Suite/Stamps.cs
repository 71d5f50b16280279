namespace DermKit.Evaluation;

/// <summary>What a number is stamped with when it says nothing about skin: by its images, by its weights, or by both.</summary>
public static class Stamps
{
    /// <summary>Stands on what rests on images that the kit drew.</summary>
    public const string Synthetic = "SYNTHETIC";

    /// <summary>Stands on what rests on a weights file of random numbers in the format of a real model.</summary>
    public const string Fixture = "FIXTURE";

    /// <summary>Stands on what rests on a part of a data set: no number of the whole set.</summary>
    public const string Part = "PART";

    /// <summary>A stamp as it stands before a sentence: in brackets with a space behind, or nothing.</summary>
    public static string Bracket(string stamp) => stamp.Length > 0 ? $"[{stamp}] " : "";

    /// <summary>The stamp of what rests on all of these tasks' images.</summary>
    public static string Of(IEnumerable<ProbeTask> tasks) => Join(tasks.Select(t => t.Definition.Stamp));

    /// <summary>The stamp of what rests on all of these results, the baseline's among them.</summary>
    public static string Of(IEnumerable<TaskResult> results) => Join(results.Select(r => r.BothStamps));

    /// <summary>The stamp of what rests on all of these curves, the baseline's among them.</summary>
    public static string Of(IEnumerable<LabelCurve> curves) => Join(curves.Select(c => c.Stamp));

    /// <summary>One stamp of several: each once, empty ones left out.</summary>
    public static string Join(IEnumerable<string> stamps) =>
        string.Join(" + ", stamps.SelectMany(s => s.Split(" + ", StringSplitOptions.RemoveEmptyEntries)).Distinct(StringComparer.Ordinal).OrderDescending(StringComparer.Ordinal));
}
