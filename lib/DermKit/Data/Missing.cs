namespace DermKit.Data;

/// <summary>
/// How a table writes that a value is missing: nothing, or one of the words that pandas, R and SQL write, in any case
/// and with white space around.
/// Ids, labels, metadata and skin types are all asked here.
/// </summary>
public static class Missing
{
    private static readonly HashSet<string> Words = new(StringComparer.OrdinalIgnoreCase)
    {
        "nan", "-nan", "none", "na", "n/a", "<na>", "#n/a", "#na", "null", "nat",
    };

    /// <summary>True for null, white space, nan, none, NA, N/A, &lt;NA&gt;, null and their kind.</summary>
    public static bool Is(string? text) => text?.Trim() is not { Length: > 0 } word || Words.Contains(word);

    /// <summary>The text as it is; null where it is missing.</summary>
    public static string? Known(string? text) => Is(text) ? null : text;
}
