namespace DermKit.Notebooks;

/// <summary>Converts TeX to MathML, which needs no script; formulas with unknown commands stay as source.</summary>
internal sealed class MathMl
{
    private static readonly Dictionary<string, string> Identifiers = Pairs("""
        alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ kappa κ lambda λ mu μ nu ν xi ξ pi π
        rho ρ sigma σ tau τ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Sigma Σ Phi Φ Psi Ψ
        Omega Ω infty ∞ ell ℓ partial ∂ nabla ∇ ldots … dots … cdots ⋯
        """);

    private static readonly Dictionary<string, string> Operators = Pairs("""
        cdot ⋅ times × pm ± le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ∼ in ∈ notin ∉ to → rightarrow → leftarrow ←
        mapsto ↦ propto ∝ mid | | ‖ { { } } % % langle ⟨ rangle ⟩ circ ∘ cup ∪ cap ∩ subset ⊂ setminus ∖ odot ⊙ top ⊤
        star ⋆ ll ≪ gg ≫ lVert ‖ rVert ‖ Vert ‖ equiv ≡
        """);

    private static readonly Dictionary<string, string> Big = Pairs("sum ∑ prod ∏ int ∫");
    private static readonly Dictionary<string, string> Accents = Pairs("hat ^ bar ¯ tilde ~ vec → overline ¯");
    private static readonly Dictionary<string, string> Blackboard = Pairs("R ℝ E 𝔼 1 𝟙 N ℕ Z ℤ P ℙ");

    // Script letters outside Unicode's block of the others.
    private static readonly Dictionary<string, string> Script = Pairs("B ℬ E ℰ F ℱ H ℋ I ℐ L ℒ M ℳ R ℛ");

    private static readonly Dictionary<string, string> Spaces =
        new(Pairs(", 0.17em ; 0.28em : 0.22em ! 0 quad 1em qquad 2em")) { [" "] = "0.25em" };

    private static readonly string[] Functions = ["log", "exp", "max", "min", "arg", "argmax", "argmin", "sin", "cos",
        "det", "softmax", "ln", "tanh"];

    // Limits the recursion; deeper formulas are shown as source.
    private const int MostNested = 100;

    private readonly string[] _tokens;
    private int _at;
    private int _nested;

    private MathMl(string tex) => _tokens = [.. Token.Matches(tex).Select(m => m.Value)];

    internal static string Render(string tex, bool block)
    {
        string source = HtmlReport.Escape(tex.Trim());
        try
        {
            var reader = new MathMl(tex);
            string body = reader.Row(null);
            return $"<math display=\"{(block ? "block" : "inline")}\"><semantics><mrow>{body}</mrow><annotation "
                + $"encoding=\"application/x-tex\">{source}</annotation></semantics></math>";
        }
        catch (FormatException)
        {
            return $"<code class=\"tex\">{source}</code>";
        }
    }

    private string Row(string? end)
    {
        var row = new StringBuilder();
        while (_at < _tokens.Length && _tokens[_at] != end) row.Append(Scripted());
        if (end is not null && _at++ >= _tokens.Length) throw new FormatException(end);
        return row.ToString();
    }

    private string Scripted()
    {
        bool limits = _tokens[_at] is ['\\', ..]
            && (Big.ContainsKey(_tokens[_at][1..])
                || _tokens[_at] is "\\max" or "\\min" or "\\argmax" or "\\argmin" or "\\int");
        string nucleus = Atom(), under = "", over = "";
        while (_at < _tokens.Length && _tokens[_at] is "_" or "^" or "'")
        {
            if (_tokens[_at] == "'")
            {
                _at++;
                over += "<mo>′</mo>";
            }
            else if (_tokens[_at++] == "_") under = Atom();
            else over += Atom();
        }
        string kind = limits ? "under" : "sub", kindOver = limits ? "over" : "sup";
        return (under, over) switch
        {
            ("", "") => nucleus,
            (_, "") => $"<m{kind}>{nucleus}{under}</m{kind}>",
            ("", _) => $"<m{kindOver}>{nucleus}<mrow>{over}</mrow></m{kindOver}>",
            _ => $"<m{kind}{kindOver}>{nucleus}{under}<mrow>{over}</mrow></m{kind}{kindOver}>",
        };
    }

    private string Atom()
    {
        if (_nested == MostNested) throw new FormatException("too deep");
        _nested++;
        string atom = Nucleus();
        _nested--;
        return atom;
    }

    private string Nucleus()
    {
        if (_at >= _tokens.Length) throw new FormatException("end");
        string token = _tokens[_at++];
        if (token == "{") return $"<mrow>{Row("}")}</mrow>";
        if (token[0] != '\\')
            return char.IsDigit(token[0]) ? $"<mn>{token}</mn>" : char.IsLetter(token[0]) ? $"<mi>{token}</mi>"
                : token is "}" or "&" or "#" ? throw new FormatException(token)
                : $"<mo>{HtmlReport.Escape(token == "-" ? "−" : token)}</mo>";
        string name = token[1..];
        if (Identifiers.TryGetValue(name, out string? letter)) return $"<mi>{letter}</mi>";
        if (Operators.TryGetValue(name, out string? sign)) return $"<mo>{HtmlReport.Escape(sign)}</mo>";
        if (Big.TryGetValue(name, out string? big)) return $"<mo>{big}</mo>";
        if (Functions.Contains(name)) return $"<mi>{name}</mi>";
        if (Spaces.TryGetValue(name, out string? width)) return $"<mspace width=\"{width}\"/>";
        if (Accents.TryGetValue(name, out string? accent))
            return $"<mover accent=\"true\">{Atom()}<mo>{accent}</mo></mover>";
        return name switch
        {
            "frac" or "tfrac" or "dfrac" => $"<mfrac>{Atom()}{Atom()}</mfrac>",
            "sqrt" => $"<msqrt>{Atom()}</msqrt>",
            "mathrm" or "text" or "operatorname" or "textrm" => $"<mtext>{HtmlReport.Escape(Words())}</mtext>",
            "mathbf" or "boldsymbol" => $"<mrow style=\"font-weight:bold\">{Atom()}</mrow>",
            "mathcal" => $"<mi>{string.Concat(Words().Select(ScriptLetter))}</mi>",
            "mathbb" => $"<mi>{BlackboardLetters(Words())}</mi>",
            "left" or "right" or "big" or "Big" => _at < _tokens.Length && _tokens[_at] == "." ? Skip() : Atom(),
            _ => throw new FormatException(name),
        };
    }

    private static Dictionary<string, string> Pairs(string words) =>
        words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Chunk(2).ToDictionary(p => p[0], p => p[1]);

    private static string BlackboardLetters(string letters) =>
        Blackboard.GetValueOrDefault(letters) ?? HtmlReport.Escape(letters);

    private static string ScriptLetter(char c)
    {
        if (!char.IsAsciiLetterUpper(c)) return HtmlReport.Escape(c.ToString());
        return Script.GetValueOrDefault(c.ToString()) ?? char.ConvertFromUtf32(0x1D49C + c - 'A');
    }

    private string Skip()
    {
        _at++;
        return "";
    }

    private string Words()
    {
        if (_at >= _tokens.Length) throw new FormatException("end");
        if (_tokens[_at++] is var single and not "{") return single;
        var words = new StringBuilder();
        while (_at < _tokens.Length && _tokens[_at] != "}") words.Append(_tokens[_at++].TrimStart('\\'));
        _at++;
        return words.ToString();
    }

    private static readonly Regex Token =
        new(@"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|(?<=\\(?:text|mathrm|operatorname|textrm)\{[^}]*)\s|\S");
}
