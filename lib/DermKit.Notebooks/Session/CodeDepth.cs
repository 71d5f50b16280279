namespace DermKit.Notebooks;

/// <summary>Measures the nesting of C# code without recursion. The compiler's lexer and parser recurse, partly without
/// checking the stack: thousands of brackets would end the process and lose all variables.</summary>
internal sealed class CodeDepth
{
    // Most open brackets, type arguments or documentation tags.
    internal const int MostOpen = 200;

    // Most nested interpolated strings: each doubles the compiler's time.
    internal const int MostTexts = 12;

    // Most words and signs of unfinished statements and expressions.
    internal const int MostParts = 1600;

    // Parts that a comma does not end: the compiler reads "A<1, A<1" as type arguments.
    private const int KeptParts = 3;

    // Words that continue what a ';' or a '}' seems to end.
    private static readonly HashSet<string> Continuing = [.. "else with switch is as and or".Split(' ')];

    // Query keywords continue after an object's '}'; elsewhere they may be names.
    private static readonly HashSet<string> Clauses =
        [.. "from join on equals into let where orderby ascending descending select group by".Split(' ')];

    private readonly Stack<Level> _levels = new([new('\0')]);
    private readonly string _text;
    private readonly bool _plain;
    private int _at, _parts, _chained, _documented, _texts;

    // After an opening bracket or a comma no type argument can begin.
    private bool _begins;

    private CodeDepth(string text, bool plain)
    {
        _text = text;
        _plain = plain;
    }

    // The line (from 1) at which code is too deep, and a message; null for none.
    internal static (int Line, string Message)? Problem(string text)
    {
        // In code that a directive excludes, a quote opens no string; only the compiler knows that code.
        return new CodeDepth(text, plain: false).Read()
            ?? (Conditional.IsMatch(text) ? new CodeDepth(text, plain: true).Read() : null);
    }

    internal static void Check(string text, string name)
    {
        if (Problem(text) is { } problem) throw new KitException($"{name}, line {problem.Line}: {problem.Message}");
    }

    private (int, string)? Read()
    {
        while (_at < _text.Length)
        {
            Step();
            string? found = _levels.Count > MostOpen || _chained > MostOpen || _documented > MostOpen
                ? $"{MostOpen} brackets, type arguments or tags are open at once"
                : _texts > MostTexts ? $"{MostTexts} interpolated strings are nested"
                : _parts > MostParts ? $"{MostParts} words and signs are in one unfinished expression or statement"
                : null;
            if (found is null) continue;
            int line = 1 + _text.AsSpan(0, Math.Min(_at, _text.Length)).Count('\n');
            return (line, $"more than {found}, which is too deep for the compiler; split the code.");
        }
        return null;
    }

    private void Step()
    {
        Match token = (_plain ? PlainToken : Token).Match(_text, _at);
        bool Is(string kind) => token.Groups[kind].Success;
        _at += token.Length;
        if (Is("word")) Word(token.Value);
        else if (Is("sign")) Sign(token.Value);
        else if (Is("text")) Text(Quote(token));
        else if (Is("character")) Part(continues: false);
        // The compiler reads the tags of documentation too.
        else if (Is("comment") && token.ValueSpan is [_, _, '/' or '*', ..]) _documented += token.ValueSpan.Count('<');
        else if (Is("directive")) _documented = Math.Max(token.ValueSpan.Count('('), token.ValueSpan.Count('!'));
    }

    private void Word(string word)
    {
        Part(Continuing.Contains(word) || (_levels.Peek().Ended == '}' && Clauses.Contains(word)));
        // The compiler does not check its stack between these.
        if (word == "not") Part(continues: true);
        // Commas do not end a query.
        if (word is "from" or "orderby") Chain(1);
    }

    private void Sign(string sign)
    {
        Level level = _levels.Peek();
        switch (sign)
        {
            case "(" or "[" or "{":
                Part(continues: false);
                _levels.Push(new(sign[0]));
                _begins = true;
                return;
            case ")" or "]" or "}":
                Close(level, sign[0]);
                return;
            case ",":
                Reset(level);
                _begins = true;
                return;
            case ";":
                level.Ended = ';';
                _begins = false;
                return;
        }
        bool isPattern = _begins;
        Part(continues: true);
        if (sign == "<" && !isPattern)
        {
            if (Constant.IsMatch(_text, _at)) level.Kept += KeptParts;
            else Chain(1);
        }
        else if (sign == ">" && level.Chained > 0) Chain(-1);
    }

    private void Close(Level level, char c)
    {
        if (level.Text is { } text && c == '}')
        {
            Pop();
            _texts--;
            _at += text.Quotes > 1 ? text.Dollars - 1 : 0;
            Text(text);
            return;
        }
        // An unmatched bracket lowers no depth: the compiler may continue inside the open ones.
        if (level.Opener != c switch { ')' => '(', ']' => '[', _ => '{' }) return;
        Pop();
        if (c == '}') _levels.Peek().Ended = c;
        else Part(continues: true);
    }

    private void Pop()
    {
        Level level = _levels.Pop();
        _parts -= level.Parts;
        _chained -= level.Chained;
    }

    private void Part(bool continues)
    {
        Level level = _levels.Peek();
        if (level.Ended != '\0' && !continues)
        {
            level.Kept = 0;
            Reset(level);
            Chain(-level.Chained);
        }
        level.Ended = '\0';
        _begins = false;
        level.Parts++;
        _parts++;
        _documented = 0;
    }

    private void Chain(int change)
    {
        _levels.Peek().Chained += change;
        _chained += change;
    }

    private void Reset(Level level)
    {
        _parts += level.Kept - level.Parts;
        level.Parts = level.Kept;
    }

    private TextKind Quote(Match opening)
    {
        Part(continues: false);
        ReadOnlySpan<char> signs = opening.ValueSpan;
        bool isVerbatim = signs.Contains('@');
        int quotes = signs.Count('"');
        // A verbatim string begins with one quote.
        if (isVerbatim) _at -= quotes - 1;
        return new(signs.Count('$'), isVerbatim, isVerbatim ? 1 : quotes);
    }

    // Reads to the end of a string literal, or into its next hole.
    private void Text(TextKind kind)
    {
        bool hasEscapes = kind is { IsVerbatim: false, Quotes: 1 };
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == '\n' && hasEscapes) return;
            int length = _text.AsSpan(_at).IndexOfAnyExcept(c) is var other and > 0 ? other : _text.Length - _at;
            if (c == '"' && (kind.IsVerbatim ? length % 2 == 1 : length >= kind.Quotes))
            {
                _at += kind.IsVerbatim ? length : kind.Quotes;
                return;
            }
            // A backslash escapes the next character.
            _at += c == '\\' && hasEscapes ? length + (length % 2) : length;
            if (c != '{' || kind.Dollars == 0) continue;
            if (kind.Quotes > 1 ? length < kind.Dollars : length % 2 == 0) continue;
            _levels.Push(new('{', kind));
            _texts++;
            return;
        }
    }

    private const string Plain = @"\s+|(?<directive>#(?<=(?:^|[\r\n])[ \t]*#)[^\n]*)|(?<word>[\p{L}\p{Nd}_]+)"
        + @"|(?<sign>[=-]>|[<>]=|<<|[\s\S])";

    // An apostrophe without another nearby opens no character literal.
    private const string Quoted = @"(?<comment>//[^\n]*|/\*(?:[\s\S]*?\*/|[\s\S]*))"
        + @"|(?<text>(?>[$@]*)""(?:""""+)?)|(?<character>'(?:(?:\\[\s\S][^']{0,8}|[^\\])')?)|";

    private static readonly Regex PlainToken = new($@"\G(?:{Plain})");
    private static readonly Regex Token = new($@"\G(?:{Quoted}{Plain})");
    private static readonly Regex Constant = new(@"\G\s*[-0-9.""']");
    private static readonly Regex Conditional = new(@"^\s*#\s*(?:if|elif)\b", RegexOptions.Multiline);

    private sealed record TextKind(int Dollars, bool IsVerbatim, int Quotes);

    // An open bracket, and how much inside it is unfinished. Text is the string literal that continues after it.
    private sealed class Level(char opener, TextKind? text = null)
    {
        internal char Opener => opener;

        internal TextKind? Text => text;

        internal int Parts { get; set; }

        internal int Kept { get; set; }

        internal int Chained { get; set; }

        // The preceding ';' or '}', until the next word shows whether the statement continues.
        internal char Ended { get; set; }
    }
}
