namespace DermKit;

internal static class Names
{
    public const int Most = 10;

    // The first names, each escaped, and the number of the others.
    public static string Listed(IEnumerable<string?> names, int most = Most, string separator = ", ")
    {
        string?[] all = [.. names];
        string shown = string.Join(separator, all.Take(most).Select(name => Printable.Of(name)));
        return all.Length <= most ? shown : $"{shown} and {all.Length - most} more";
    }
}
