namespace DermKit;

/// <summary>Lists of names in messages.</summary>
public static class Names
{
    /// <summary>Names that a message shows at most.</summary>
    public const int Most = 10;

    /// <summary>
    /// The names with commas between; of more than <paramref name="most"/> the first ones and the count of the rest.
    /// </summary>
    /// <param name="names">Names in the order to show; a null is shown as nothing.</param>
    /// <param name="most">Names to show.</param>
    /// <param name="separator">Text between two names.</param>
    public static string Listed(IEnumerable<string?> names, int most = Most, string separator = ", ")
    {
        string?[] all = [.. names];
        string shown = string.Join(separator, all.Take(most));
        return all.Length <= most ? shown : $"{shown} and {all.Length - most} more";
    }
}
