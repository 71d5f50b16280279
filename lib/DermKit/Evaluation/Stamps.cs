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

    /// <summary>One stamp of several: each once, empty ones left out.</summary>
    public static string Join(IEnumerable<string> stamps) =>
        string.Join(" + ", stamps.SelectMany(s => s.Split(" + ", StringSplitOptions.RemoveEmptyEntries)).Distinct(StringComparer.Ordinal).OrderDescending(StringComparer.Ordinal));
}
