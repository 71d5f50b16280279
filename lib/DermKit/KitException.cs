namespace DermKit;

/// <summary>Input the kit cannot use. The message says what was expected, what was found, where (file, row or key) and what to do.</summary>
public sealed class KitException : Exception
{
    /// <summary>Makes the error; control characters in the message are shown as codes.</summary>
    public KitException(string message, Exception? inner = null) : base(Printable.Text(message), inner) { }

    /// <summary>
    /// Makes the error of a text with values in it, which are made printable one by one (<see cref="KitMessage"/>).
    /// </summary>
    public KitException(KitMessage message, Exception? inner = null) : base(message.Take(), inner) { }

    /// <summary>The name in <paramref name="known"/> nearest to <paramref name="name"/> by edit distance, for "did you mean".</summary>
    public static string Nearest(string name, IEnumerable<string> known) =>
        known.OrderBy(k => EditDistance(name.ToLowerInvariant(), k.ToLowerInvariant())).ThenBy(k => k, StringComparer.Ordinal).FirstOrDefault("");

    private static int EditDistance(string a, string b)
    {
        int[] row = Enumerable.Range(0, b.Length + 1).ToArray();
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
