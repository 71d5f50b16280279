using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace DermKit.Notebooks;

/// <summary>What an editor asks about a cell while it is written: how a name may go on, and what a name means. Taken from the compiler's view of the cell after all cells that ran.</summary>
internal static partial class CodeHelp
{
    private static readonly string[] Keywords = [.. SyntaxFacts.GetKeywordKinds().Select(SyntaxFacts.GetText).Where(k => k.Length > 1 && char.IsAsciiLetterLower(k[0]) && !k.StartsWith("__", StringComparison.Ordinal)).Distinct()];
    private static readonly ConcurrentDictionary<string, Dictionary<string, XElement>> Documentation = new();

    internal delegate bool Lookup(string name, out object? value);

    /// <summary>Whether a cell could be run as it stands; of one that goes on, how far its next line is indented.</summary>
    internal static JsonObject IsComplete(string code)
    {
        if (CodeDepth.Problem(code) is not null) return new() { ["status"] = "invalid" };
        var options = new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script);
        SyntaxTree tree = CSharpSyntaxTree.ParseText(code, options);
        if (!SyntaxFactory.IsCompleteSubmission(tree))
        {
            SyntaxToken[] tokens = [.. tree.GetRoot().DescendantTokens().Where(t => !t.IsMissing)];
            int open = tokens.Count(t => t.IsKind(SyntaxKind.OpenBraceToken)) - tokens.Count(t => t.IsKind(SyntaxKind.CloseBraceToken));
            return new() { ["status"] = "incomplete", ["indent"] = new string(' ', 4 * Math.Max(0, open)) };
        }
        return new() { ["status"] = tree.GetDiagnostics().Any(d => d.Severity == DiagnosticSeverity.Error) ? "invalid" : "complete" };
    }

    /// <summary>Names that fit at a place.</summary>
    /// <param name="compilation">The cell.</param>
    /// <param name="cursor">Position in its text.</param>
    /// <returns>matches, and start and end of the part of the text that each of them replaces.</returns>
    internal static JsonObject Complete(Compilation compilation, int cursor)
    {
        SyntaxTree tree = compilation.SyntaxTrees.Last();
        string text = tree.ToString();
        cursor = Math.Clamp(cursor, 0, text.Length);
        int start = cursor;
        while (start > 0 && SyntaxFacts.IsIdentifierPartCharacter(text[start - 1])) start--;
        string prefix = text[start..cursor];
        int before = start;
        while (before > 0 && char.IsWhiteSpace(text[before - 1])) before--;
        IEnumerable<string> names = InTextOrComment(tree, start) ? []
            : before > 0 && text[before - 1] == '.' ? Members(compilation.GetSemanticModel(tree), tree.GetRoot().FindToken(before - 1).Parent, before)
            : prefix.Length == 0 ? [] : compilation.GetSemanticModel(tree).LookupSymbols(start).Where(s => s.CanBeReferencedByName).Select(s => s.Name).Concat(Keywords);
        string[] matches = [.. names.Where(n => n.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)).Distinct().OrderBy(n => n, StringComparer.OrdinalIgnoreCase)];
        return new() { ["matches"] = new JsonArray([.. matches.Select(m => (JsonNode)m)]), ["start"] = start, ["end"] = cursor };
    }

    /// <summary>What the name at a place means: its signature, its value when a cell set it, and the summary of its documentation where the library has one.</summary>
    /// <param name="compilation">The cell.</param>
    /// <param name="cursor">Position in its text.</param>
    /// <param name="variable">Values of variables.</param>
    /// <returns>text; empty when there is no name.</returns>
    internal static JsonObject Inspect(Compilation compilation, int cursor, Lookup variable)
    {
        SyntaxTree tree = compilation.SyntaxTrees.Last();
        string source = tree.ToString();
        int at = Math.Clamp(cursor, 0, source.Length);
        // A cursor behind the last letter, or behind the bracket that a call opens with, still means the name.
        while (at > 0 && (at == source.Length || !SyntaxFacts.IsIdentifierPartCharacter(source[at])) && (SyntaxFacts.IsIdentifierPartCharacter(source[at - 1]) || source[at - 1] is '(' or ' ')) at--;
        SemanticModel model = compilation.GetSemanticModel(tree);
        SyntaxNode? node = tree.GetRoot().FindToken(at).Parent;
        if (node is null || Symbol(model, node) is not { } symbol) return new() { ["text"] = "" };
        var lines = new List<string> { symbol.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat) };
        if (symbol is IFieldSymbol && variable(symbol.Name, out object? value)) lines.Add("= " + ValueFormatter.Format(value)["text/plain"]);
        if (Summary(compilation, symbol) is { Length: > 0 } summary) lines.Add(summary);
        return new() { ["text"] = string.Join('\n', lines) };
    }

    private static bool InTextOrComment(SyntaxTree tree, int position)
    {
        if (position == 0) return false;
        SyntaxToken token = tree.GetRoot().FindToken(position - 1, findInsideTrivia: true);
        SyntaxTrivia trivia = tree.GetRoot().FindTrivia(position - 1);
        return token.IsKind(SyntaxKind.StringLiteralToken) || token.IsKind(SyntaxKind.CharacterLiteralToken) || token.IsKind(SyntaxKind.InterpolatedStringTextToken)
            || trivia.IsKind(SyntaxKind.SingleLineCommentTrivia) || trivia.IsKind(SyntaxKind.MultiLineCommentTrivia);
    }

    private static IEnumerable<string> Members(SemanticModel model, SyntaxNode? dot, int position)
    {
        ExpressionSyntax? left = dot switch
        {
            MemberAccessExpressionSyntax member => member.Expression,
            QualifiedNameSyntax name => name.Left,
            MemberBindingExpressionSyntax binding => binding.FirstAncestorOrSelf<ConditionalAccessExpressionSyntax>()?.Expression,
            _ => null,
        };
        if (left is null) return [];
        ISymbol? named = model.GetSymbolInfo(left).Symbol;
        bool isStatic = named is INamespaceOrTypeSymbol;
        INamespaceOrTypeSymbol? container = named as INamespaceOrTypeSymbol ?? model.GetTypeInfo(left).Type;
        if (container is null or IErrorTypeSymbol) return [];
        return model.LookupSymbols(position, container, includeReducedExtensionMethods: !isStatic)
            .Where(s => s.CanBeReferencedByName && (isStatic ? s.IsStatic || s is INamespaceOrTypeSymbol : !s.IsStatic && s is not ITypeSymbol)).Select(s => s.Name);
    }

    private static ISymbol? Symbol(SemanticModel model, SyntaxNode node)
    {
        SymbolInfo info = model.GetSymbolInfo(node);
        return info.Symbol ?? info.CandidateSymbols.FirstOrDefault() ?? model.GetDeclaredSymbol(node) ?? (node is ExpressionSyntax ? model.GetTypeInfo(node).Type is { TypeKind: not TypeKind.Error } type ? type : null : null);
    }

    private static string? Summary(Compilation compilation, ISymbol symbol)
    {
        if (symbol.ContainingAssembly is not { } assembly || compilation.GetMetadataReference(assembly) is not PortableExecutableReference { FilePath: { } dll }) return null;
        string file = Path.ChangeExtension(dll, ".xml");
        if (!File.Exists(file) || symbol.OriginalDefinition.GetDocumentationCommentId() is not { } id) return null;
        Dictionary<string, XElement> members = Documentation.GetOrAdd(file, f => XDocument.Load(f).Descendants("member").Where(m => m.Attribute("name") is not null).ToDictionary(m => m.Attribute("name")!.Value));
        return members.TryGetValue(id, out XElement? member) && member.Element("summary") is { } summary ? Space().Replace(Plain(summary), " ").Trim() : null;
    }

    /// <summary>Text of a documentation element; a reference becomes the name that it refers to.</summary>
    private static string Plain(XElement element) => string.Concat(element.Nodes().Select(n => n switch
    {
        XText text => text.Value,
        XElement { IsEmpty: true } reference => reference.Attributes().FirstOrDefault()?.Value.Split(':')[^1].Split('(')[0].Split('.')[^1] ?? "",
        XElement inner => Plain(inner),
        _ => "",
    }));

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
