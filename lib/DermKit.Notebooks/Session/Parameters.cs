using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using System.Globalization;
using System.Numerics;

namespace DermKit.Notebooks;

/// <summary>The variables that a cell tagged "parameters" declares, and the cell that overrides them, as papermill has it.</summary>
internal static class Parameters
{
    internal const string Tag = "parameters";
    private const string InjectedTag = "injected-parameters";

    /// <summary>Name and type text of each top-level variable in the tagged cell; empty without such a cell.</summary>
    internal static IReadOnlyDictionary<string, string> Of(NotebookDocument notebook)
    {
        var found = new Dictionary<string, string>();
        if (Cell(notebook) is not { } cell) return found;
        foreach (FieldDeclarationSyntax field in Parse(cell).Members.OfType<FieldDeclarationSyntax>().Where(f => !f.Modifiers.Any(SyntaxKind.ConstKeyword)))
            foreach (VariableDeclaratorSyntax variable in field.Declaration.Variables)
                found[variable.Identifier.Text] = field.Declaration.Type.IsVar ? Inferred(variable.Initializer?.Value) : field.Declaration.Type.ToString();
        return found;
    }

    /// <summary>
    /// Inserts a cell with the assignments after the tagged one, in the place of all such cells that an earlier run or papermill inserted;
    /// what those set and <paramref name="values"/> do not stays set. Values of names that this notebook does not declare are left out.
    /// </summary>
    /// <exception cref="KitException">A value does not fit the declared type.</exception>
    internal static void Inject(NotebookDocument notebook, IReadOnlyDictionary<string, string> values)
    {
        IReadOnlyDictionary<string, string> known = Of(notebook);
        string[] assignments = [.. values.Where(v => known.ContainsKey(v.Key)).Select(v => $"{v.Key} = {Literal(v.Key, known[v.Key], v.Value)};")];
        if (assignments.Length == 0) return;
        NotebookCell[] earlier = [.. notebook.Cells.Where(IsInjected)];
        string[] kept = [.. Kept(earlier, values)];
        foreach (NotebookCell cell in earlier) notebook.Remove(cell);
        string before = kept.Length == 0 ? "" : $"// set before\n{string.Join('\n', kept)}\n";
        string source = $"{before}// set on the command line\n{string.Join('\n', assignments)}";
        int after = notebook.Cells.ToList().IndexOf(Cell(notebook)!);
        NotebookCell injected = notebook.InsertCode(after + 1, InjectedTag, source);
        injected.Metadata["tags"] = new System.Text.Json.Nodes.JsonArray(InjectedTag);
    }

    /// <summary>What the injected cells of a notebook set, as C#; for the report, which names what a run was given.</summary>
    internal static IReadOnlyDictionary<string, string> Set(NotebookDocument notebook)
    {
        var found = new Dictionary<string, string>();
        foreach (MemberDeclarationSyntax member in notebook.Cells.Where(IsInjected).SelectMany(c => Parse(c).Members))
            foreach ((string name, ExpressionSyntax value) in Assigned(member)) found[name] = value.ToString();
        return found;
    }

    /// <summary>Stops at a name that no notebook declares.</summary>
    /// <exception cref="KitException">Names the nearest known one.</exception>
    internal static void CheckNames(IEnumerable<string> names, IReadOnlyCollection<NotebookDocument> notebooks)
    {
        string[] known = [.. notebooks.SelectMany(n => Of(n).Keys).Distinct().Order(StringComparer.Ordinal)];
        foreach (string name in names.Where(n => !known.Contains(n)))
            throw new KitException(known.Length == 0
                ? $"--set {name}: the notebooks to run declare no parameters (a cell tagged \"{Tag}\")."
                : $"--set {name}: no notebook to run has this parameter; did you mean {KitException.Nearest(name, known)}? Known: {string.Join(", ", known)}.");
    }

    private static NotebookCell? Cell(NotebookDocument notebook) => notebook.Cells.FirstOrDefault(c => c.IsCode && c.Tags.Contains(Tag));

    private static bool IsInjected(NotebookCell cell) => cell.IsCode && cell.Tags.Contains(InjectedTag);

    private static CompilationUnitSyntax Parse(NotebookCell cell)
    {
        CodeDepth.Check(cell.Source, $"the cell '{cell.Id}'");
        var options = new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script);
        return (CompilationUnitSyntax)CSharpSyntaxTree.ParseText(cell.Source, options).GetRoot();
    }

    /// <summary>The statements of earlier injected cells that set no name of <paramref name="values"/>, each name's last one, without comments.</summary>
    private static IEnumerable<string> Kept(NotebookCell[] earlier, IReadOnlyDictionary<string, string> values)
    {
        MemberDeclarationSyntax[] members = [.. earlier.SelectMany(c => Parse(c).Members)];
        for (int i = 0; i < members.Length; i++)
        {
            string[] names = [.. Assigned(members[i]).Select(a => a.Name)];
            string[] later = [.. members[(i + 1)..].SelectMany(Assigned).Select(a => a.Name)];
            bool isReplaced = names.Length > 0 && names.All(n => values.ContainsKey(n) || later.Contains(n));
            if (!isReplaced) yield return members[i].ToString();
        }
    }

    /// <summary>Names and values that a statement sets: an assignment, or a declaration as papermill writes it.</summary>
    private static IEnumerable<(string Name, ExpressionSyntax Value)> Assigned(MemberDeclarationSyntax member) => member switch
    {
        GlobalStatementSyntax
        {
            Statement: ExpressionStatementSyntax { Expression: AssignmentExpressionSyntax { Left: IdentifierNameSyntax left } set },
        } => [(left.Identifier.Text, set.Right)],
        FieldDeclarationSyntax field => field.Declaration.Variables.Where(v => v.Initializer is not null)
            .Select(v => (v.Identifier.Text, v.Initializer!.Value)),
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
        ImplicitArrayCreationExpressionSyntax array => Inferred(array.Initializer.Expressions.FirstOrDefault()) is { Length: > 0 } item ? item + "[]" : "",
        _ => "",
    };

    /// <summary>A value as C#. Text and numbers of the plain types are checked; for any other type the value is taken as an expression.</summary>
    private static string Literal(string name, string type, string value)
    {
        string Number<T>(string suffix) where T : INumber<T> =>
            T.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out T? number) && T.IsFinite(number)
                ? number.ToString(null, CultureInfo.InvariantCulture) + suffix
                : throw new KitException($"--set {name}={value}: expected a value of type {type}.");
        if (type.EndsWith("[]", StringComparison.Ordinal))
            return $"new {type} {{ {string.Join(", ", value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(v => Literal(name, type[..^2], v)))} }}";
        return type.TrimEnd('?') switch
        {
            "string" => SymbolDisplay.FormatLiteral(value, quote: true),
            "bool" => bool.TryParse(value, out bool flag) ? (flag ? "true" : "false") : throw new KitException($"--set {name}={value}: expected true or false."),
            "int" => Number<int>(""),
            "long" => Number<long>("L"),
            "float" => Number<float>("f"),
            "double" => Number<double>("d"),
            _ => value,
        };
    }
}
