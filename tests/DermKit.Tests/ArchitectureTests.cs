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
        ["Reporting"] = ["Data", "Evaluation", "Imaging"],
    };

    private static readonly string Library = Path.Combine(KitSettings.FromEnvironment().Root, "lib");

    [Fact]
    public void ArrowsPointOneWay()
    {
        var wrong = new List<string>();
        foreach (string folder in Directory.GetDirectories(Path.Combine(Library, "DermKit")).Select(f => Path.GetFileName(f)!).Where(f => f is not ("bin" or "obj")))
        {
            Assert.True(Allowed.ContainsKey(folder), $"lib/DermKit/{folder} is not on the architecture page.");
            foreach (string file in Sources(Path.Combine(Library, "DermKit", folder)))
                foreach (Match use in Regex.Matches(File.ReadAllText(file), @"\bDermKit\.(\w+)"))
                    if (Allowed.ContainsKey(use.Groups[1].Value) && use.Groups[1].Value != folder && !Allowed[folder].Contains(use.Groups[1].Value))
                        wrong.Add($"{Path.GetRelativePath(Library, file)} names {use.Value}");
        }
        Assert.Empty(wrong);
    }

    [Fact]
    public void NamespacesFollowFolders()
    {
        string[] wrong = [.. Sources(Path.Combine(Library, "DermKit")).Where(file =>
        {
            string expected = Path.GetRelativePath(Library, Path.GetDirectoryName(file)!).Replace(Path.DirectorySeparatorChar, '.');
            return Regex.Match(File.ReadAllText(file), @"^namespace ([\w.]+);", RegexOptions.Multiline).Groups[1].Value is { Length: > 0 } found && found != expected;
        })];
        Assert.Empty(wrong);
    }

    [Fact]
    public void OnlyTheCommandLineKnowsNotebooks() =>
        Assert.DoesNotContain(Sources(Path.Combine(Library, "DermKit")), file => File.ReadAllText(file).Contains("DermKit.Cli", StringComparison.Ordinal));

    [Fact]
    public void TheLibraryStaysThin()
    {
        int lines = Sources(Path.Combine(Library, "DermKit")).Sum(f => File.ReadLines(f).Count());
        Assert.True(lines < 8000, $"lib/DermKit has {lines} lines; the architecture page allows 8,000.");
    }

    private static IEnumerable<string> Sources(string folder) => Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)
        .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}") && !f.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}"));
}
