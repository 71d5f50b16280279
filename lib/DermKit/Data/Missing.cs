namespace DermKit.Data;

/// <summary>Recognises missing values: nothing, or a word that pandas, R and SQL write, in any case.</summary>
internal static class Missing
{
    private static readonly HashSet<string> Words = new(StringComparer.OrdinalIgnoreCase)
    {
        "nan", "-nan", "none", "na", "n/a", "<na>", "#n/a", "#na", "null", "nat",
    };

    public static bool Is(string? text) => text?.Trim() is not { Length: > 0 } word || Words.Contains(word);

    public static string? Known(string? text) => Is(text) ? null : text;
}
