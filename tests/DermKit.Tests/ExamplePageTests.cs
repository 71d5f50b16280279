using System.Text.RegularExpressions;

namespace DermKit.Tests;

/// <summary>The examples of lib/README.md are code that compiles; KIT_WRITE_PAGES=1 writes
/// them into the page.</summary>
public sealed class ExamplePageTests
{
    private static readonly string Root = KitSettings.FromEnvironment().Root;

    [Fact]
    public void EveryExampleIsTheCodeOfItsFile()
    {
        string page = Path.Combine(Root, "lib", "README.md");
        string text = File.ReadAllText(page);
        string expected = Regex.Replace(text, "<!-- example: (\\S+) -->\n(?:```csharp\n.*?\n```\n)?",
            m => $"<!-- example: {m.Groups[1].Value} -->\n```csharp\n{Example(m.Groups[1].Value)}\n```\n",
            RegexOptions.Singleline);
        Assert.Contains("```csharp", expected, StringComparison.Ordinal);
        if (Environment.GetEnvironmentVariable("KIT_WRITE_PAGES") == "1") AtomicFile.WriteAllText(page, expected);
        Assert.Equal(expected, File.ReadAllText(page));
    }

    /// <summary>The lines between the marks of a file, or what follows its namespace,
    /// without common indentation.</summary>
    private static string Example(string path)
    {
        string text = File.ReadAllText(Path.Combine(Root, path));
        Match marked = Regex.Match(text, "// <example>\n(.*?)\\s*// </example>", RegexOptions.Singleline);
        string code = marked.Success ? marked.Groups[1].Value
            : Regex.Split(text, "^namespace .*;\n\n", RegexOptions.Multiline)[1];
        string[] lines = code.TrimEnd().Split('\n');
        int indent = lines.Where(l => l.Length > 0).Min(l => l.Length - l.TrimStart().Length);
        return string.Join('\n', lines.Select(l => l.Length > 0 ? l[indent..] : l));
    }
}
