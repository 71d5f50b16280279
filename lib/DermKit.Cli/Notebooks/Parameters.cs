using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using System.Globalization;
using System.Numerics;

namespace DermKit.Cli.Notebooks;

/// <summary>The variables that a cell tagged "parameters" declares, and the cell that overrides them, as papermill has it.</summary>
internal static class Parameters
{
    internal const string Tag = "parameters";

    /// <summary>Name and type text of each top-level variable in the tagged cell; empty without such a cell.</summary>
    internal static IReadOnlyDictionary<string, string> Of(NotebookDocument notebook)
    {
        var found = new Dictionary<string, string>();
        if (Cell(notebook) is not { } cell) return found;
        var options = new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script);
        var unit = (CompilationUnitSyntax)CSharpSyntaxTree.ParseText(cell.Source, options).GetRoot();
        foreach (FieldDeclarationSyntax field in unit.Members.OfType<FieldDeclarationSyntax>().Where(f => !f.Modifiers.Any(SyntaxKind.ConstKeyword)))
            foreach (VariableDeclaratorSyntax variable in field.Declaration.Variables)
                found[variable.Identifier.Text] = field.Declaration.Type.IsVar ? Inferred(variable.Initializer?.Value) : field.Declaration.Type.ToString();
        return found;
    }

    /// <summary>Inserts a cell with the assignments after the tagged one; values of names that this notebook does not declare are left out.</summary>
    /// <exception cref="KitException">A value does not fit the declared type.</exception>
    internal static void Inject(NotebookDocument notebook, IReadOnlyDictionary<string, string> values)
    {
        IReadOnlyDictionary<string, string> known = Of(notebook);
        string[] assignments = [.. values.Where(v => known.ContainsKey(v.Key)).Select(v => $"{v.Key} = {Literal(v.Key, known[v.Key], v.Value)};")];
        if (assignments.Length == 0) return;
        int after = notebook.Cells.ToList().IndexOf(Cell(notebook)!);
        NotebookCell cell = notebook.InsertCode(after + 1, "injected-parameters", "// set on the command line\n" + string.Join('\n', assignments));
        cell.Metadata["tags"] = new System.Text.Json.Nodes.JsonArray("injected-parameters");
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
