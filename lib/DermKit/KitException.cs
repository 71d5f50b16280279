namespace DermKit;

/// <summary>An input that the kit cannot use. The message says what was expected and found, where, and what to
/// do.</summary>
public sealed class KitException : Exception
{
    /// <summary>Creates the exception; control characters in the message are escaped.</summary>
    public KitException(string message, Exception? inner = null) : base(Printable.Text(message), inner) { }

    /// <summary>Creates the exception from an interpolated string whose values are escaped one by one.</summary>
    public KitException(KitMessage message, Exception? inner = null) : base(message.Take(), inner) { }

    // Says what could have been meant, such as "Method" with a name that is no method's.
    internal static KitException Unknown(string what, string name, IEnumerable<string> known)
    {
        string[] all = [.. known];
        return new($"{what} '{name}' is unknown; did you mean '{Nearest(name, all)}'? Known: {Names.Listed(all)}.");
    }

    // The known name nearest by edit distance, for "did you mean".
    internal static string Nearest(string name, IEnumerable<string> known) => known.Order(StringComparer.Ordinal)
        .MinBy(k => EditDistance(name.ToLowerInvariant(), k.ToLowerInvariant())) ?? "";

    private static int EditDistance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.Length];
    }
}
