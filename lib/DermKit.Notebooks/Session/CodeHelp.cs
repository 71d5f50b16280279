using System.Xml.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace DermKit.Notebooks;

/// <summary>Completion and help, from the compiler's model of a cell after all cells that ran.</summary>
internal static class CodeHelp
{
    private static readonly string[] Keywords = [.. SyntaxFacts.GetKeywordKinds().Select(SyntaxFacts.GetText)
        .Where(k => k.Length > 1 && char.IsAsciiLetterLower(k[0]) && !k.StartsWith("__", Ordinal))
        .Distinct()];
    private static readonly ConcurrentDictionary<string, Dictionary<string, XElement>> Documentation = new();

    internal delegate bool Lookup(string name, out object? value);

    // Jupyter's is_complete reply, with the indent of the next line.
    internal static JsonObject IsComplete(string code)
    {
        if (CodeDepth.Problem(code) is not null) return new() { ["status"] = "invalid" };
        var options = new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script);
        SyntaxTree tree = CSharpSyntaxTree.ParseText(code, options);
        if (SyntaxFactory.IsCompleteSubmission(tree))
        {
            bool isInvalid = tree.GetDiagnostics().Any(d => d.Severity == DiagnosticSeverity.Error);
            return new() { ["status"] = isInvalid ? "invalid" : "complete" };
        }
        SyntaxToken[] tokens = [.. tree.GetRoot().DescendantTokens().Where(t => !t.IsMissing)];
        int open = tokens.Count(t => t.IsKind(SyntaxKind.OpenBraceToken))
            - tokens.Count(t => t.IsKind(SyntaxKind.CloseBraceToken));
        return new() { ["status"] = "incomplete", ["indent"] = new string(' ', 4 * Math.Max(0, open)) };
    }

    // Matches, and start and end of the code that they replace.
    internal static JsonObject Complete(Compilation compilation, int cursor)
    {
        SyntaxTree tree = compilation.SyntaxTrees.Last();
        string text = tree.ToString();
        cursor = Math.Clamp(cursor, 0, text.Length);
        int start = cursor;
        while (start > 0 && SyntaxFacts.IsIdentifierPartCharacter(text[start - 1])) start--;
        string prefix = text[start..cursor];
        IEnumerable<string> matches = Names(compilation, tree, start, prefix)
            .Where(n => n.StartsWith(prefix, OrdinalIgnoreCase))
            .Distinct()
            .OrderBy(n => n, StringComparer.OrdinalIgnoreCase);
        return new()
        {
            ["matches"] = new JsonArray([.. matches.Select(m => (JsonNode)m)]),
            ["start"] = start,
            ["end"] = cursor,
        };
    }

    // Signature, value of a variable, and documentation summary of the name at a cursor.
    internal static JsonObject Inspect(Compilation compilation, int cursor, Lookup variable)
    {
        SyntaxTree tree = compilation.SyntaxTrees.Last();
        string source = tree.ToString();
        int at = Math.Clamp(cursor, 0, source.Length);
        // A cursor after the last letter or the opening bracket of a call still means the name.
        while (at > 0 && (at == source.Length || !SyntaxFacts.IsIdentifierPartCharacter(source[at]))
            && (SyntaxFacts.IsIdentifierPartCharacter(source[at - 1]) || source[at - 1] is '(' or ' ')) at--;
        SyntaxNode? node = tree.GetRoot().FindToken(at).Parent;
        if (node is null || Symbol(compilation.GetSemanticModel(tree), node) is not { } symbol)
            return new() { ["text"] = "" };
        var lines = new List<string> { symbol.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat) };
        if (symbol is IFieldSymbol && variable(symbol.Name, out object? value))
            lines.Add("= " + ValueFormatter.Format(value)["text/plain"]);
        if (Summary(compilation, symbol) is { Length: > 0 } summary) lines.Add(summary);
        return new() { ["text"] = string.Join('\n', lines) };
    }

    private static IEnumerable<string> Names(Compilation compilation, SyntaxTree tree, int start, string prefix)
    {
        if (IsInStringOrComment(tree, start)) return [];
        SemanticModel model = compilation.GetSemanticModel(tree);
        int before = tree.ToString().AsSpan(0, start).TrimEnd().Length;
        if (before > 0 && tree.ToString()[before - 1] == '.')
            return Members(model, tree.GetRoot().FindToken(before - 1).Parent, before);
        return prefix.Length == 0 ? []
            : model.LookupSymbols(start).Where(s => s.CanBeReferencedByName).Select(s => s.Name).Concat(Keywords);
    }

    private static bool IsInStringOrComment(SyntaxTree tree, int position)
    {
        if (position == 0) return false;
        SyntaxToken token = tree.GetRoot().FindToken(position - 1, findInsideTrivia: true);
        SyntaxTrivia trivia = tree.GetRoot().FindTrivia(position - 1);
        return token.Kind() is SyntaxKind.StringLiteralToken or SyntaxKind.CharacterLiteralToken
                or SyntaxKind.InterpolatedStringTextToken
            || trivia.Kind() is SyntaxKind.SingleLineCommentTrivia or SyntaxKind.MultiLineCommentTrivia;
    }

    private static IEnumerable<string> Members(SemanticModel model, SyntaxNode? dot, int position)
    {
        ExpressionSyntax? left = dot switch
        {
            MemberAccessExpressionSyntax member => member.Expression,
            QualifiedNameSyntax name => name.Left,
            MemberBindingExpressionSyntax binding =>
                binding.FirstAncestorOrSelf<ConditionalAccessExpressionSyntax>()?.Expression,
            _ => null,
        };
        if (left is null) return [];
        ISymbol? named = model.GetSymbolInfo(left).Symbol;
        bool isStatic = named is INamespaceOrTypeSymbol;
        INamespaceOrTypeSymbol? container = named as INamespaceOrTypeSymbol ?? model.GetTypeInfo(left).Type;
        if (container is null or IErrorTypeSymbol) return [];
        return model.LookupSymbols(position, container, includeReducedExtensionMethods: !isStatic)
            .Where(s => s.CanBeReferencedByName
                && (isStatic ? s.IsStatic || s is INamespaceOrTypeSymbol : !s.IsStatic && s is not ITypeSymbol))
            .Select(s => s.Name);
    }

    private static ISymbol? Symbol(SemanticModel model, SyntaxNode node)
    {
        SymbolInfo info = model.GetSymbolInfo(node);
        if ((info.Symbol ?? info.CandidateSymbols.FirstOrDefault() ?? model.GetDeclaredSymbol(node)) is { } symbol)
            return symbol;
        return node is ExpressionSyntax && model.GetTypeInfo(node).Type is { TypeKind: not TypeKind.Error } type
            ? type : null;
    }

    private static string? Summary(Compilation compilation, ISymbol symbol)
    {
        if (symbol.ContainingAssembly is not { } assembly
            || compilation.GetMetadataReference(assembly) is not PortableExecutableReference { FilePath: { } dll })
            return null;
        string file = Path.ChangeExtension(dll, ".xml");
        if (!File.Exists(file) || symbol.OriginalDefinition.GetDocumentationCommentId() is not { } id) return null;
        Dictionary<string, XElement> members = Documentation.GetOrAdd(file,
            f => XDocument.Load(f).Descendants("member").Where(m => m.Attribute("name") is not null)
                .ToDictionary(m => m.Attribute("name")!.Value));
        return members.GetValueOrDefault(id)?.Element("summary") is { } summary
            ? Space.Replace(Plain(summary), " ").Trim() : null;
    }

    private static string Plain(XElement element) => string.Concat(element.Nodes().Select(n => n switch
    {
        XText text => text.Value,
        XElement { IsEmpty: true } reference =>
            reference.Attributes().FirstOrDefault()?.Value.Split(':')[^1].Split('(')[0].Split('.')[^1] ?? "",
        XElement inner => Plain(inner),
        _ => "",
    }));

    private static readonly Regex Space = new(@"\s+");
}
