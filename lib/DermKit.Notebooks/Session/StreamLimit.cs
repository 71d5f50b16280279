namespace DermKit.Notebooks;

internal sealed class StreamLimit
{
    internal const int MaxCharacters = 1_000_000;
    private int _room = MaxCharacters;

    /// <summary>The text within the limit, with a notice where it is reached.</summary>
    internal string Take(string text)
    {
        if (_room < 0) return "";
        int room = _room;
        _room -= text.Length;
        return text.Length > room ? $"{text[..room]}\n.. cut after {MaxCharacters} characters\n" : text;
    }
}
