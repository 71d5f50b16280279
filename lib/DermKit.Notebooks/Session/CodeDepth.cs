using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>
/// How deep a C# text nests. The compiler's lexer and parser descend by recursion, in places without looking at the
/// stack, so that some
/// thousand brackets end the process and with it the variables of all cells. This reads the text once, without
/// recursion, before the compiler does.
/// </summary>
internal sealed partial class CodeDepth
{
    /// <summary>Most brackets, type arguments or tags of documentation that are open at once.</summary>
    internal const int MostOpen = 200;

    /// <summary>Most interpolated strings in one another: the time of the compiler doubles with each.</summary>
    internal const int MostTexts = 12;

    /// <summary>
    /// Most words and signs of unfinished statements, arguments and expressions, over all that is open at once.
    /// </summary>
    internal const int MostParts = 1600;

    /// <summary>
    /// Parts of a comparison with a number that a comma does not end: in "new A&lt;1, A&lt;1, ..." the compiler
    /// reads type arguments in one another.
    /// </summary>
    private const int KeptParts = 3;

    /// <summary>Words that go on with what a ';' or a '}' seems to end.</summary>
    private static readonly HashSet<string> Continuing = ["else", "with", "switch", "is", "as", "and", "or"];

    /// <summary>Words of a query, which go on behind the '}' of an object; elsewhere they may be names.</summary>
    private static readonly HashSet<string> Clauses =
    [
        "from", "join", "on", "equals", "into", "let", "where", "orderby", "ascending", "descending", "select", "group",
        "by",
    ];

    private readonly Stack<Level> _levels = new([new Level()]);
    private readonly string _text;
    private readonly bool _plain;
    private int _at, _parts, _chained, _documented, _texts;

    /// <summary>True behind an opening bracket or a comma, where no type argument can begin.</summary>
    private bool _begins;

    private CodeDepth(string text, bool plain)
    {
        _text = text;
        _plain = plain;
    }

    /// <summary>
    /// Null, or the line (from 1) at which a text is too deep for the compiler, and what is too deep.
    /// </summary>
    internal static (int Line, string Message)? Problem(string text)
    {
        // In text that a directive leaves out a quote opens no string, and which text that is only the compiler knows.
        return new CodeDepth(text, plain: false).Read()
            ?? (Conditional().IsMatch(text) ? new CodeDepth(text, plain: true).Read() : null);
    }

    /// <summary>Stops at a text that is too deep for the compiler.</summary>
    /// <exception cref="KitException">Names the line.</exception>
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
                return Found($"more than {MostTexts} interpolated strings stand in one another");
            if (_parts > MostParts)
                return Found($"more than {MostParts} words and signs stand in one unfinished expression or statement");
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
        // The compiler does not look at its stack between these.
        if (word == "not") Part(continues: true);
        // Clauses of a query follow one another over commas.
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

    /// <summary>Whether a number or a text comes next, which is no type.</summary>
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
        // One that closes nothing lowers no depth: the compiler may go on in the brackets that are open.
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
        int stop = _text.IndexOf(end, _at + 2, StringComparison.Ordinal);
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
        // An apostrophe that closes nowhere near is none of a character.
        _at = end > 0 && end - _at <= 11 ? end + 1 : _at + 1;
        Part(continues: false);
    }

    /// <summary>The kind of text that begins here; null for a sign that begins none.</summary>
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

    /// <summary>Reads on in a text up to its end or to a place where an expression stands in it.</summary>
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

    [GeneratedRegex(@"^\s*#\s*(?:if|elif)\b", RegexOptions.Multiline)]
    private static partial Regex Conditional();

    /// <summary>A string literal: how many '$' and quotes open it, and whether an '@' does.</summary>
    private sealed record TextKind(int Dollars, bool IsVerbatim, int Quotes);

    /// <summary>What is open, and how much of it is unfinished.</summary>
    private sealed class Level
    {
        internal char Opener { get; init; }

        /// <summary>The text that goes on behind this expression; null for brackets.</summary>
        internal TextKind? Text { get; init; }

        internal int Parts { get; set; }

        /// <summary>Those of the parts that a comma does not end.</summary>
        internal int Kept { get; set; }

        internal int Chained { get; set; }

        /// <summary>The ';' or the '}' before this place until the next word says whether something goes on.</summary>
        internal char Ended { get; set; }
    }
}
