namespace DermKit.Notebooks;

/// <summary>Printed text of one cell beyond <see cref="MaxCharacters"/> is left out, so that a runaway loop fills neither a disk nor a browser.</summary>
internal sealed class StreamLimit
{
    internal const int MaxCharacters = 1_000_000;
    private int _room = MaxCharacters;

    /// <summary>What of a text is to be shown; with the last of it a line that says so.</summary>
    internal string Take(string text)
    {
        if (_room < 0) return "";
        int room = _room;
        _room -= text.Length;
        return text.Length > room ? $"{text[..room]}\n.. cut after {MaxCharacters} characters\n" : text;
    }
}
