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
    private static readonly HashSet<string> Continuing = ["else", "with", "switch", "is", "as", "and", "or"];

    // Query keywords continue after an object's '}'; elsewhere they may be names.
    private static readonly HashSet<string> Clauses =
    [
        "from", "join", "on", "equals", "into", "let", "where", "orderby", "ascending", "descending", "select", "group",
        "by",
    ];

    private readonly Stack<Level> _levels = new([new Level()]);
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

    private char Next(int ahead) => _at + ahead < _text.Length ? _text[_at + ahead] : '\0';

    private (int, string)? Read()
    {
        while (_at < _text.Length)
        {
            Step();
            if (_levels.Count > MostOpen || _chained > MostOpen || _documented > MostOpen)
                return Found($"more than {MostOpen} brackets, type arguments or tags are open at once");
            if (_texts > MostTexts)
                return Found($"more than {MostTexts} interpolated strings are nested");
            if (_parts > MostParts)
                return Found($"more than {MostParts} words and signs are in one unfinished expression or statement");
        }
        return null;
    }

    private (int, string) Found(string what)
    {
        int line = 1 + _text.AsSpan(0, Math.Min(_at, _text.Length)).Count('\n');
        return (line, $"{what}, which is too deep for the compiler; split the code.");
    }

    private void Step()
    {
        char c = _text[_at];
        if (char.IsWhiteSpace(c)) _at++;
        else if (!_plain && c == '/' && Next(1) is '/' or '*') Comment(Next(1) == '/' ? "\n" : "*/");
        else if (c == '#' && IsFirstInLine()) Directive();
        else if (!_plain && c is '"' or '$' or '@' && Quote() is { } text) Text(text);
        else if (!_plain && c == '\'') Character();
        else if (c is '(' or '[' or '{') Open(new Level { Opener = c });
        else if (c is ')' or ']' or '}') Close(c);
        else if (char.IsLetterOrDigit(c) || c == '_') Word();
        else Sign(c);
    }

    private void Word()
    {
        int start = _at;
        while (char.IsLetterOrDigit(Next(0)) || Next(0) == '_') _at++;
        string word = _text[start.._at];
        Part(Continuing.Contains(word) || (_levels.Peek().Ended == '}' && Clauses.Contains(word)));
        // The compiler does not check its stack between these.
        if (word == "not") Part(continues: true);
        // Commas do not end a query.
        if (word is "from" or "orderby") Chain(1);
    }

    private void Sign(char c)
    {
        if (c is '=' or '-' && Next(1) == '>' || c is '<' or '>' && Next(1) == '=' || c == '<' && Next(1) == '<')
        {
            _at += 2;
            Part(continues: true);
            return;
        }
        _at++;
        Level level = _levels.Peek();
        if (c is ',' or ';')
        {
            if (c == ';') level.Ended = c;
            else Reset(level);
            _begins = c == ',';
            return;
        }
        bool isPattern = _begins;
        Part(continues: true);
        if (c == '<' && !isPattern)
        {
            if (IsBeforeNumber()) level.Kept += KeptParts;
            else Chain(1);
        }
        else if (c == '>' && level.Chained > 0) Chain(-1);
    }

    private bool IsBeforeNumber()
    {
        int ahead = 0;
        while (char.IsWhiteSpace(Next(ahead))) ahead++;
        return char.IsAsciiDigit(Next(ahead)) || Next(ahead) is '-' or '.' or '"' or '\'';
    }

    private void Open(Level level)
    {
        Part(continues: false);
        _levels.Push(level);
        _begins = true;
        _at++;
    }

    private void Close(char c)
    {
        Level level = _levels.Peek();
        char opener = c switch { ')' => '(', ']' => '[', _ => '{' };
        if (level.Text is { } text && c == '}')
        {
            Pop();
            _texts--;
            _at += text.Quotes > 1 ? text.Dollars : 1;
            Text(text);
            return;
        }
        _at++;
        // An unmatched bracket lowers no depth: the compiler may continue inside the open ones.
        if (level.Opener != opener) return;
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

    private void Comment(string end)
    {
        int stop = _text.IndexOf(end, _at + 2, Ordinal);
        stop = stop < 0 ? _text.Length : stop + end.Length;
        // The compiler reads the tags of documentation too.
        if (Next(2) is '/' or '*') _documented += _text.AsSpan(_at, stop - _at).Count('<');
        _at = stop;
    }

    private bool IsFirstInLine()
    {
        int before = _at - 1;
        while (before >= 0 && _text[before] is ' ' or '\t') before--;
        return before < 0 || _text[before] is '\n' or '\r';
    }

    private void Directive()
    {
        int end = _text.IndexOf('\n', _at);
        ReadOnlySpan<char> line = _text.AsSpan(_at, (end < 0 ? _text.Length : end) - _at);
        _documented = Math.Max(line.Count('('), line.Count('!'));
        _at += line.Length;
    }

    private void Character()
    {
        int end = Next(2) == '\'' ? _at + 2 : -1;
        if (Next(1) == '\\') end = _text.IndexOf('\'', Math.Min(_at + 3, _text.Length));
        // An apostrophe without another nearby opens no character literal.
        _at = end > 0 && end - _at <= 11 ? end + 1 : _at + 1;
        Part(continues: false);
    }

    private TextKind? Quote()
    {
        int ahead = 0, dollars = 0, ats = 0, quotes = 0;
        for (; Next(ahead) is '$' or '@'; ahead++)
        {
            if (Next(ahead) == '$') dollars++;
            else ats++;
        }
        while (Next(ahead + quotes) == '"') quotes++;
        if (quotes == 0) return null;
        bool isRaw = ats == 0 && quotes >= 3;
        Part(continues: false);
        _at += ahead + (isRaw ? quotes : 1);
        return new(dollars, ats > 0, isRaw ? quotes : 1);
    }

    private void Text(TextKind kind)
    {
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == '"')
            {
                int quotes = Run('"');
                if (kind.IsVerbatim && quotes > 1) _at += quotes - (quotes % 2);
                else if (quotes < kind.Quotes) _at += quotes;
                else
                {
                    _at += kind.Quotes;
                    return;
                }
            }
            else if (c == '{' && kind.Dollars > 0)
            {
                int braces = Run('{');
                _at += braces;
                bool opens = kind.Quotes > 1 ? braces >= kind.Dollars : braces % 2 == 1;
                if (!opens) continue;
                _levels.Push(new Level { Opener = '{', Text = kind });
                _texts++;
                return;
            }
            else if (kind is { IsVerbatim: false, Quotes: 1 } && c == '\n') return;
            else _at += kind is { IsVerbatim: false, Quotes: 1 } && c == '\\' ? 2 : 1;
        }
    }

    private int Run(char c)
    {
        int length = 0;
        while (Next(length) == c) length++;
        return length;
    }

    private static readonly Regex Conditional = new(@"^\s*#\s*(?:if|elif)\b", RegexOptions.Multiline);

    private sealed record TextKind(int Dollars, bool IsVerbatim, int Quotes);

    // An open bracket, and how much inside it is unfinished.
    private sealed class Level
    {
        internal char Opener { get; init; }

        // The string literal that continues after this expression; null for brackets.
        internal TextKind? Text { get; init; }

        internal int Parts { get; set; }

        internal int Kept { get; set; }

        internal int Chained { get; set; }

        // The preceding ';' or '}', until the next word shows whether the statement continues.
        internal char Ended { get; set; }
    }
}
