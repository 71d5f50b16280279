using System.Numerics;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace DermKit.Notebooks;

/// <summary>The cell tagged "parameters", and the injected cell that overrides it, as in papermill.</summary>
internal static class Parameters
{
    internal const string Tag = "parameters";
    private const string InjectedTag = "injected-parameters";

    internal static IReadOnlyDictionary<string, string> Of(NotebookDocument notebook)
    {
        var found = new Dictionary<string, string>();
        if (Cell(notebook) is not { } cell) return found;
        foreach (FieldDeclarationSyntax field in Members(cell).OfType<FieldDeclarationSyntax>()
            .Where(f => !f.Modifiers.Any(SyntaxKind.ConstKeyword)))
            foreach (VariableDeclaratorSyntax variable in field.Declaration.Variables)
                found[variable.Identifier.Text] = field.Declaration.Type.IsVar ? Inferred(variable.Initializer?.Value)
                    : field.Declaration.Type.ToString();
        return found;
    }

    // Replaces earlier injected cells, keeps their other assignments, ignores undeclared names.
    internal static void Inject(NotebookDocument notebook, IReadOnlyDictionary<string, string> values)
    {
        IReadOnlyDictionary<string, string> known = Of(notebook);
        string[] assignments = [.. values.Where(v => known.ContainsKey(v.Key))
            .Select(v => $"{v.Key} = {Literal(v.Key, known[v.Key], v.Value)};")];
        if (assignments.Length == 0) return;
        NotebookCell[] earlier = [.. notebook.Cells.Where(IsInjected)];
        List<string> kept = Kept(earlier, values);
        foreach (NotebookCell cell in earlier) notebook.Remove(cell);
        string before = kept.Count == 0 ? "" : $"// set before\n{string.Join('\n', kept)}\n";
        string source = $"{before}// set on the command line\n{string.Join('\n', assignments)}";
        int after = notebook.Cells.ToList().IndexOf(Cell(notebook)!);
        NotebookCell injected = notebook.InsertCode(after + 1, InjectedTag, source);
        injected.Metadata["tags"] = new JsonArray(InjectedTag);
    }

    internal static IReadOnlyDictionary<string, string> Set(NotebookDocument notebook)
    {
        var found = new Dictionary<string, string>();
        foreach ((string name, string value) in notebook.Cells.Where(IsInjected).SelectMany(Members)
            .SelectMany(Assigned)) found[name] = value;
        return found;
    }

    internal static void CheckNames(IEnumerable<string> names, IReadOnlyCollection<NotebookDocument> notebooks)
    {
        string[] known = [.. notebooks.SelectMany(n => Of(n).Keys).Distinct().Order(StringComparer.Ordinal)];
        foreach (string name in names.Where(n => !known.Contains(n)))
            throw new KitException(known.Length == 0
                ? $"--set {name}: the notebooks to run declare no parameters (a cell tagged \"{Tag}\")."
                : $"--set {name}: no notebook to run has this parameter; did you mean "
                    + $"{KitException.Nearest(name, known)}? Known: {string.Join(", ", known)}.");
    }

    private static NotebookCell? Cell(NotebookDocument notebook) =>
        notebook.Cells.FirstOrDefault(c => c.IsCode && c.Tags.Contains(Tag));

    private static bool IsInjected(NotebookCell cell) => cell.IsCode && cell.Tags.Contains(InjectedTag);

    private static IEnumerable<MemberDeclarationSyntax> Members(NotebookCell cell)
    {
        CodeDepth.Check(cell.Source, $"the cell '{cell.Id}'");
        return CodeHelp.Parse(cell.Source).GetCompilationUnitRoot().Members;
    }

    // Statements of earlier injected cells that nothing replaces.
    private static List<string> Kept(NotebookCell[] earlier, IReadOnlyDictionary<string, string> values)
    {
        var kept = new List<string>();
        HashSet<string> replaced = [.. values.Keys];
        // From the last one, which replaces those before it.
        foreach (MemberDeclarationSyntax member in earlier.SelectMany(Members).Reverse())
        {
            string[] names = [.. Assigned(member).Select(a => a.Name)];
            if (names.Length == 0 || !replaced.IsSupersetOf(names)) kept.Insert(0, member.ToString());
            replaced.UnionWith(names);
        }
        return kept;
    }

    // What an assignment sets, or a declaration as papermill writes it.
    private static IEnumerable<(string Name, string Value)> Assigned(MemberDeclarationSyntax member) => member switch
    {
        FieldDeclarationSyntax field => field.Declaration.Variables.Where(v => v.Initializer is not null)
            .Select(v => (v.Identifier.Text, v.Initializer!.Value.ToString())),
        GlobalStatementSyntax { Statement: ExpressionStatementSyntax { Expression: AssignmentExpressionSyntax set } }
            when set.Left is IdentifierNameSyntax left => [(left.Identifier.Text, set.Right.ToString())],
        _ => [],
    };

    private static string Inferred(ExpressionSyntax? value) => value switch
    {
        LiteralExpressionSyntax literal when literal.Token.Value is { } constant => constant switch
        {
            string => "string",
            bool => "bool",
            int => "int",
            long => "long",
            float => "float",
            double => "double",
            _ => "",
        },
        PrefixUnaryExpressionSyntax minus => Inferred(minus.Operand),
        ArrayCreationExpressionSyntax array => array.Type.ToString(),
        ImplicitArrayCreationExpressionSyntax array =>
            Inferred(array.Initializer.Expressions.FirstOrDefault()) is { Length: > 0 } item ? item + "[]" : "",
        _ => "",
    };

    // A value as C#: values of plain types are checked, other types take any expression.
    private static string Literal(string name, string type, string value)
    {
        string Number<T>(string suffix) where T : INumber<T> =>
            T.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out T? number) && T.IsFinite(number)
                ? number.ToString(null, CultureInfo.InvariantCulture) + suffix
                : throw new KitException($"--set {name}={value}: expected a value of type {type}.");
        if (type.EndsWith("[]", Ordinal))
        {
            const StringSplitOptions Split = StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries;
            return $"new {type} {{ "
                + $"{string.Join(", ", value.Split(',', Split).Select(v => Literal(name, type[..^2], v)))} }}";
        }
        return type.TrimEnd('?') switch
        {
            "string" => SymbolDisplay.FormatLiteral(value, quote: true),
            "bool" => bool.TryParse(value, out bool flag) ? (flag ? "true" : "false")
                : throw new KitException($"--set {name}={value}: expected true or false."),
            "int" => Number<int>(""),
            "long" => Number<long>("L"),
            "float" => Number<float>("f"),
            "double" => Number<double>("d"),
            _ => value,
        };
    }
}
