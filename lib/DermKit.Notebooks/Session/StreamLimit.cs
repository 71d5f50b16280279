namespace DermKit.Notebooks;

internal sealed class StreamLimit
{
    internal const int MaxCharacters = 1_000_000;
    private int _room = MaxCharacters;

    internal string Take(string text)
    {
        if (_room < 0) return "";
        int room = _room;
        _room -= text.Length;
        return text.Length > room ? $"{text[..room]}\n.. cut after {MaxCharacters} characters\n" : text;
    }
}
