using System.Xml.Linq;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Scripting;

namespace DermKit.Notebooks;

/// <summary>Completion and help, from the compiler's model of a cell after all cells that ran.</summary>
internal static class CodeHelp
{
    private static readonly string[] Keywords = [.. SyntaxFacts.GetKeywordKinds().Select(SyntaxFacts.GetText)];

    // As a cell.
    internal static CSharpSyntaxTree Parse(string code)
    {
        var options = new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script);
        return (CSharpSyntaxTree)CSharpSyntaxTree.ParseText(code, options);
    }

    // Jupyter's is_complete reply, with the indent of the next line.
    internal static JsonObject IsComplete(string code)
    {
        if (CodeDepth.Problem(code) is not null) return new() { ["status"] = "invalid" };
        CSharpSyntaxTree tree = Parse(code);
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
        IEnumerable<string> matches = Names(compilation.GetSemanticModel(tree), start, prefix)
            .Where(n => n.StartsWith(prefix, OrdinalIgnoreCase));
        return new()
        {
            ["matches"] = new JsonArray([.. matches.Distinct().Order(StringComparer.OrdinalIgnoreCase)]),
            ["start"] = start,
            ["end"] = cursor,
        };
    }

    // Signature, value of a variable, and documentation summary of the name at a cursor.
    internal static JsonObject Inspect(Compilation compilation, int cursor, Func<string, ScriptVariable?> variable)
    {
        SyntaxTree tree = compilation.SyntaxTrees.Last();
        string source = tree.ToString();
        int at = Math.Clamp(cursor, 0, source.Length);
        bool IsName(int i) => i < source.Length && SyntaxFacts.IsIdentifierPartCharacter(source[i]);
        // A cursor after the last letter or the opening bracket of a call still means the name.
        while (at > 0 && !IsName(at) && (IsName(at - 1) || source[at - 1] is '(' or ' ')) at--;
        SyntaxNode? node = tree.GetRoot().FindToken(at).Parent;
        if (node is null || Symbol(compilation.GetSemanticModel(tree), node) is not { } symbol)
            return new() { ["text"] = "" };
        var lines = new List<string> { symbol.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat) };
        if (symbol is IFieldSymbol && variable(symbol.Name) is { } found)
            lines.Add("= " + ValueFormatter.Format(found.Value)["text/plain"]);
        if (Summary(compilation, symbol) is { Length: > 0 } summary) lines.Add(summary);
        return new() { ["text"] = string.Join('\n', lines) };
    }

    private static IEnumerable<string> Names(SemanticModel model, int start, string prefix)
    {
        SyntaxNode root = model.SyntaxTree.GetRoot();
        if (start > 0 && IsInStringOrComment(root, start - 1)) return [];
        string before = root.ToFullString()[..start].TrimEnd();
        if (before.EndsWith('.')) return Members(model, root.FindToken(before.Length - 1).Parent, before.Length);
        return prefix.Length == 0 ? []
            : model.LookupSymbols(start).Where(s => s.CanBeReferencedByName).Select(s => s.Name).Concat(Keywords);
    }

    private static bool IsInStringOrComment(SyntaxNode root, int position) =>
        root.FindToken(position, findInsideTrivia: true).Kind() is SyntaxKind.StringLiteralToken
            or SyntaxKind.CharacterLiteralToken or SyntaxKind.InterpolatedStringTextToken
        || root.FindTrivia(position).Kind() is SyntaxKind.SingleLineCommentTrivia
            or SyntaxKind.MultiLineCommentTrivia;

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
        return info.Symbol ?? info.CandidateSymbols.FirstOrDefault() ?? model.GetDeclaredSymbol(node)
            ?? (model.GetTypeInfo(node).Type is { TypeKind: not TypeKind.Error } type ? type : null);
    }

    private static string? Summary(Compilation compilation, ISymbol symbol)
    {
        if (symbol.ContainingAssembly is not { } assembly
            || compilation.GetMetadataReference(assembly) is not PortableExecutableReference { FilePath: { } dll })
            return null;
        string file = Path.ChangeExtension(dll, ".xml");
        if (!File.Exists(file) || symbol.OriginalDefinition.GetDocumentationCommentId() is not { } id) return null;
        XElement? member = XDocument.Load(file).Descendants("member")
            .FirstOrDefault(m => (string?)m.Attribute("name") == id);
        return member?.Element("summary") is not { } summary ? null
            : string.Join(' ', Plain(summary).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private static string Plain(XElement element) => string.Concat(element.Nodes().Select(n => n switch
    {
        XText text => text.Value,
        XElement { IsEmpty: true } reference =>
            reference.Attributes().FirstOrDefault()?.Value.Split(':')[^1].Split('(')[0].Split('.')[^1] ?? "",
        XElement inner => Plain(inner),
        _ => "",
    }));
}
