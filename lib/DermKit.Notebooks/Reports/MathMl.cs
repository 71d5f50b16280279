namespace DermKit.Notebooks;

/// <summary>Converts TeX to MathML, which needs no script; formulas with unknown commands stay as source.</summary>
internal sealed class MathMl
{
    private static readonly Dictionary<string, string> Symbols = new(
    [
        .. Pairs("""
            alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ kappa κ lambda λ
            mu μ nu ν xi ξ pi π rho ρ sigma σ tau τ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ
            Theta Θ Lambda Λ Sigma Σ Phi Φ Psi Ψ Omega Ω infty ∞ ell ℓ partial ∂ nabla ∇ ldots …
            dots … cdots ⋯ log log exp exp max max min min arg arg argmax argmax argmin argmin sin sin cos cos
            det det softmax softmax ln ln tanh tanh
            """, sign => $"<mi>{sign}</mi>"),
        .. Pairs("""
            cdot ⋅ times × pm ± le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ∼ in ∈ notin ∉
            to → rightarrow → leftarrow ← mapsto ↦ propto ∝ mid | | ‖ { { } } % % langle ⟨ rangle ⟩
            circ ∘ cup ∪ cap ∩ subset ⊂ setminus ∖ odot ⊙ top ⊤ star ⋆ ll ≪ gg ≫ lVert ‖
            rVert ‖ Vert ‖ equiv ≡ sum ∑ prod ∏ int ∫
            """, sign => $"<mo>{sign}</mo>"),
        .. Pairs(", 0.17em ; 0.28em : 0.22em ! 0 quad 1em qquad 2em", Space),
        new(" ", Space("0.25em")),
    ]);

    private static readonly Dictionary<string, string> Accents = new(Pairs("hat ^ bar ¯ tilde ~ vec → overline ¯"));
    private static readonly Dictionary<string, string> Blackboard = new(Pairs("R ℝ E 𝔼 1 𝟙 N ℕ Z ℤ P ℙ"));
    private static readonly Dictionary<string, string> Script = new(Pairs("""
        A 𝒜 B ℬ C 𝒞 D 𝒟 E ℰ F ℱ G 𝒢 H ℋ I ℐ J 𝒥 K 𝒦 L ℒ M ℳ N 𝒩 O 𝒪 P 𝒫
        Q 𝒬 R ℛ S 𝒮 T 𝒯 U 𝒰 V 𝒱 W 𝒲 X 𝒳 Y 𝒴 Z 𝒵
        """));

    // Show subscripts below and superscripts above.
    private static readonly string[] WithLimits =
        ["\\sum", "\\prod", "\\int", "\\max", "\\min", "\\argmax", "\\argmin"];

    // Limits the recursion; deeper formulas are shown as source.
    private const int MostNested = 100;

    private readonly string[] _tokens;
    private int _at;
    private int _nested;

    private MathMl(string tex) => _tokens = [.. Token.Matches(tex).Select(m => m.Value)];

    internal static string Render(string tex, bool block)
    {
        string source = Escape(tex.Trim());
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
        bool limits = WithLimits.Contains(_tokens[_at]);
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
        string kind = (under == "" ? "" : limits ? "under" : "sub") + (over == "" ? "" : limits ? "over" : "sup");
        if (over != "") over = $"<mrow>{over}</mrow>";
        return kind == "" ? nucleus : $"<m{kind}>{nucleus}{under}{over}</m{kind}>";
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
                : $"<mo>{Escape(token == "-" ? "−" : token)}</mo>";
        string name = token[1..];
        if (Symbols.TryGetValue(name, out string? symbol)) return symbol;
        if (Accents.TryGetValue(name, out string? accent))
            return $"<mover accent=\"true\">{Atom()}<mo>{accent}</mo></mover>";
        return name switch
        {
            "frac" or "tfrac" or "dfrac" => $"<mfrac>{Atom()}{Atom()}</mfrac>",
            "sqrt" => $"<msqrt>{Atom()}</msqrt>",
            "mathrm" or "text" or "operatorname" or "textrm" => $"<mtext>{Escape(Words())}</mtext>",
            "mathbf" or "boldsymbol" => $"<mrow style=\"font-weight:bold\">{Atom()}</mrow>",
            "mathcal" => Letters(Script),
            "mathbb" => Letters(Blackboard),
            "left" or "right" or "big" or "Big" => Atom() is var sign and not "<mo>.</mo>" ? sign : "",
            _ => throw new FormatException(name),
        };
    }

    private static IEnumerable<KeyValuePair<string, string>> Pairs(string words, Func<string, string>? show = null) =>
        words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Chunk(2)
            .Select(p => KeyValuePair.Create(p[0], show is null ? p[1] : show(p[1])));

    private static string Space(string width) => $"<mspace width=\"{width}\"/>";

    private string Letters(Dictionary<string, string> shapes) =>
        $"<mi>{string.Concat(Words().Select(c => shapes.GetValueOrDefault($"{c}") ?? Escape($"{c}")))}</mi>";

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
