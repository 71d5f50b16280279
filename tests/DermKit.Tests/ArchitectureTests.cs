using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace DermKit.Tests;

/// <summary>Which folder of lib/DermKit may name which: Imaging and Models know nothing of the rest.</summary>
public sealed class ArchitectureTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Imaging"] = [],
        ["Models"] = [],
        ["Data"] = ["Imaging"],
        ["Pretraining"] = ["Data", "Imaging", "Models"],
        ["Evaluation"] = ["Data", "Imaging", "Models"],
        ["Reporting"] = ["Data", "Evaluation", "Imaging", "Pretraining"],
    };

    private static readonly string Library = Path.Combine(KitSettings.FromEnvironment().Root, "lib");

    /// <summary>Each name in lib/DermKit as the compiler understands it: file, and the full name of the namespace that
    /// the named thing lies in.</summary>
    private static readonly Lazy<HashSet<(string File, string Namespace)>> Names = new(Bind);

    private static readonly Lazy<(CSharpCompilation Compilation, SyntaxTree[] Trees)> Core = new(Compile);

    [Fact]
    public void ArrowsPointOneWay()
    {
        string[] folders = [.. Names.Value.Select(n => Folder(n.File)).Where(f => f != ".").Distinct()];
        Assert.Empty(folders.Except(Allowed.Keys));
        Assert.NotEmpty(folders);
        Assert.DoesNotContain(Names.Value,
            n => Folder(n.File) is var own && own != "." && n.Namespace.Split('.') is ["DermKit", var used, ..]
                && used != own && !Allowed[own].Contains(used));
    }

    [Fact]
    public void ReportsHoldNoTensors() =>
        // Provenance names the version.
        Assert.Equal([Path.Combine("Reporting", "Provenance.cs")],
            Names.Value.Where(n => Folder(n.File) == "Reporting" && n.Namespace.Split('.')[0] == "TorchSharp")
                .Select(n => n.File).Distinct());

    /// <summary>A scalar that only an expression holds may be collected during the native call; see
    /// <see cref="KeptScalar"/>. A field or a using variable holds its own.</summary>
    [Fact]
    public void NoExpressionMakesAScalarThatNothingHolds()
    {
        (CSharpCompilation compilation, SyntaxTree[] trees) = Core.Value;
        string[] found = [.. trees.Where(t => Path.GetFileName(t.FilePath) != "KeptScalar.cs").AsParallel()
            .SelectMany(tree =>
            {
                SemanticModel model = compilation.GetSemanticModel(tree);
                return tree.GetRoot().DescendantNodes().OfType<ExpressionSyntax>()
                    .Where(e => e.Parent is not EqualsValueClauseSyntax && MakesScalar(model, e))
                    .Select(e => $"{tree.FilePath}: {e}");
            })];
        Assert.Empty(found);

        static bool MakesScalar(SemanticModel model, ExpressionSyntax e) =>
            model.GetConversion(e) is { IsUserDefined: true, MethodSymbol.ContainingType.Name: "Scalar" }
            || e is BinaryExpressionSyntax && model.GetSymbolInfo(e).Symbol is IMethodSymbol { Parameters.Length: 2 }
                operation && operation.ContainingType?.Name == "Tensor"
                && (operation.Parameters.Any(p => p.Type.Name is not ("Tensor" or "Scalar"))
                    || operation.Name == "op_Addition");
    }

    [Fact]
    public void OneAssemblyKnowsEachHeavyPackage()
    {
        Assert.Equal(["DermKit.Figures"], Naming("Plotly.NET"));
        Assert.Equal(["DermKit.Notebooks"], Naming("Microsoft.CodeAnalysis"));
        Assert.Equal(["DermKit.Interactive"], Naming("Microsoft.DotNet.Interactive"));
        // The kernel's ports are the kit's own; the tests speak to them as another implementation does.
        Assert.Empty(Naming("NetMQ"));

        static string[] Naming(string package) =>
            [.. new[]
            {
                "DermKit.dll", "DermKit.Studies.dll", "DermKit.Notebooks.dll", "DermKit.Cli.dll",
                "DermKit.Interactive.dll", Path.Combine("figures", "DermKit.Figures.dll")
            }.Where(dll =>
            {
                using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, dll)));
                MetadataReader metadata = file.GetMetadataReader();
                return metadata.AssemblyReferences
                    .Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name))
                    .Any(name => name == package || name.StartsWith(package + ".", StringComparison.Ordinal));
            }).Select(dll => Path.GetFileNameWithoutExtension(dll))];
    }

    [Fact]
    public void ProjectsReferToOneAnotherOneWay()
    {
        var expected = new Dictionary<string, string[]>
        {
            ["DermKit"] = [],
            ["DermKit.Cli"] = ["DermKit", "DermKit.Figures", "DermKit.Interactive", "DermKit.Notebooks",
                "DermKit.Studies"],
            ["DermKit.Figures"] = ["DermKit"],
            ["DermKit.Interactive"] = ["DermKit"],
            ["DermKit.Notebooks"] = ["DermKit"],
            ["DermKit.Studies"] = ["DermKit"],
        };
        string[] projects = Directory.GetFiles(Library, "*.csproj", SearchOption.AllDirectories);
        Assert.Equal(expected.Keys.Order(), projects.Select(p => Path.GetFileNameWithoutExtension(p)).Order());
        foreach (string project in projects)
        {
            IEnumerable<string> used = Regex.Matches(File.ReadAllText(project),
                @"ProjectReference Include=""[^""]*/([\w.]+)\.csproj""")
                .Select(m => m.Groups[1].Value);
            Assert.Equal(expected[Path.GetFileNameWithoutExtension(project)], used.Order());
        }
    }

    [Fact]
    public void TheNotebookHostKnowsNoScience()
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, "DermKit.Notebooks.dll")));
        MetadataReader metadata = file.GetMetadataReader();
        string[] used = [.. metadata.TypeReferences
            .Select(t => metadata.GetString(metadata.GetTypeReference(t).Namespace))
            .Where(n => n.StartsWith("DermKit", StringComparison.Ordinal)).Distinct().Order()];
        Assert.Equal(["DermKit", "DermKit.Reporting"], used);
    }

    [Fact]
    public void NamespacesAreThoseOfProjectAndArea()
    {
        string[] wrong = [.. Sources(Library).Where(file =>
        {
            string[] path = Path.GetRelativePath(Library, file).Split(Path.DirectorySeparatorChar);
            string expected = path is ["DermKit", var area, _, ..] ? $"DermKit.{area}" : path[0];
            Match found = Regex.Match(File.ReadAllText(file), @"^namespace ([\w.]+);", RegexOptions.Multiline);
            return found.Success && found.Groups[1].Value != expected;
        })];
        Assert.Empty(wrong);
    }

    [Fact]
    public void FoldersHoldAtMostFifteenFiles()
    {
        string[] full = [.. Sources(Path.GetDirectoryName(Library)!).GroupBy(f => Path.GetDirectoryName(f)!)
            .Where(g => g.Count() > 15).Select(g => g.Key)];
        Assert.Empty(full);
    }

    [Fact]
    public void EachProjectKeepsItsBudget()
    {
        // The table of lib/README.md: | project | at most, bytes |; "A and B" share a line.
        MatchCollection rows = Regex.Matches(File.ReadAllText(Path.Combine(Library, "README.md")),
            @"^\| (DermKit[^|]*?) \| ([\d,]+) \|$", RegexOptions.Multiline);
        string[] named = [.. rows.SelectMany(r => r.Groups[1].Value.Split(" and ")).Order()];
        Assert.Equal(Directory.GetFiles(Library, "*.csproj", SearchOption.AllDirectories)
            .Select(p => Path.GetFileNameWithoutExtension(p)).Order(), named);
        foreach (Match row in rows)
        {
            long most = long.Parse(row.Groups[2].Value.Replace(",", ""),
                System.Globalization.CultureInfo.InvariantCulture);
            long bytes = row.Groups[1].Value.Split(" and ").Sum(project => Counted(Path.Combine(Library, project)));
            Assert.True(bytes <= most,
                $"{row.Groups[1].Value}: {bytes:N0} bytes of source, at most {most:N0} are allowed.");
        }

        static long Counted(string folder) => Sources(folder, "*.cs").Concat(Sources(folder, "*.css"))
            .Concat(Sources(folder, "*.js"))
            .Sum(file => new FileInfo(file).Length);
    }

    private static string Folder(string file) => Path.GetDirectoryName(file) is { Length: > 0 } folder
        ? folder.Split(Path.DirectorySeparatorChar)[0] : ".";

    private static (CSharpCompilation, SyntaxTree[]) Compile()
    {
        const string Usings = "global using System; global using System.IO; global using System.Linq; global using "
            + "System.Threading; global using System.Threading.Tasks; global using System.Collections.Generic; global "
            + "using System.Net.Http;";
        string root = Path.Combine(Library, "DermKit");
        SyntaxTree[] trees = [.. Sources(root)
            .Select(f => CSharpSyntaxTree.ParseText(File.ReadAllText(f), new(LanguageVersion.Latest),
                Path.GetRelativePath(root, f)))];
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => !Path.GetFileName(p).StartsWith("DermKit", StringComparison.Ordinal))
            .Select(p => MetadataReference.CreateFromFile(p));
        var compilation = CSharpCompilation.Create("DermKit",
            [CSharpSyntaxTree.ParseText(Usings, new(LanguageVersion.Latest)), .. trees], references,
            new(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true,
                nullableContextOptions: NullableContextOptions.Enable));
        // A name that does not bind would slip through.
        Assert.Empty(compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error)
            .Select(d => d.ToString()));
        return (compilation, trees);
    }

    private static HashSet<(string, string)> Bind()
    {
        (CSharpCompilation compilation, SyntaxTree[] trees) = Core.Value;
        return [.. trees.AsParallel().SelectMany(tree =>
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            return tree.GetRoot().DescendantNodes(descendIntoTrivia: false).OfType<SimpleNameSyntax>()
                .Select(name => model.GetSymbolInfo(name).Symbol)
                .Select(symbol => (symbol as INamespaceSymbol ?? symbol?.ContainingNamespace)?.ToDisplayString())
                .Where(n => n is not null).Select(n => (tree.FilePath, n!));
        })];
    }

    private static IEnumerable<string> Sources(string folder, string pattern = "*.cs") => Directory.GetFiles(folder,
        pattern, SearchOption.AllDirectories)
        .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")
            && !f.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}"));
}
