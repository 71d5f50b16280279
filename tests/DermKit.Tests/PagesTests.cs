using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using DermKit.Cli;

namespace DermKit.Tests;

/// <summary>What the pages and the notebooks' text name is there: files, commands and options.</summary>
public sealed class PagesTests
{
    private const string LongForm = "dotnet run --project lib/DermKit.Cli -c Release -- ";

    private static readonly string Root = KitSettings.FromEnvironment().Root;

    /// <summary>Relative path of every page and notebook that git would commit.</summary>
    public static TheoryData<string> Pages =>
        [.. Folders().SelectMany(Files).Append("README.md").Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void EveryRelativeLinkLeadsToAFile(string page)
    {
        string folder = Path.GetDirectoryName(Path.Combine(Root, page))!;
        IEnumerable<string> links = Regex.Matches(Prose(page), @"\]\((?!https?://|#|attachment:|data:)([^)#\s]+)")
            .Select(m => m.Groups[1].Value);
        string[] broken = [.. links.Where(link => !Path.Exists(Path.GetFullPath(Path.Combine(folder, link))))];
        Assert.Empty(broken);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void EveryCommandAndOptionExists(string page)
    {
        string[] faults = [.. Commands(Prose(page)).Select(Fault).OfType<string>()];
        Assert.Empty(faults);
    }

    [Fact]
    public void AnUnknownCommandOrOptionIsFound()
    {
        Assert.NotNull(Fault("rum notebooks/01-pretraining.ipynb"));
        Assert.NotNull(Fault("run --fast"));
        Assert.NotNull(Fault("data fetsh NAME"));
        Assert.Null(Fault("data fetch NAME --accept-licence --file FILE"));
    }

    [Fact]
    public void TheReadmeHasAtMost150Lines() =>
        Assert.InRange(File.ReadAllLines(Path.Combine(Root, "README.md")).Length, 40, 150);

    private static IEnumerable<string> Folders() => ["data", "environment", "lib", "notebooks"];

    private static IEnumerable<string> Files(string folder) => Directory
        .EnumerateFiles(Path.Combine(Root, folder), "*", SearchOption.AllDirectories)
        .Where(f => f.EndsWith(".md", StringComparison.Ordinal) || f.EndsWith(".ipynb", StringComparison.Ordinal))
        .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
        // What the user brings, and what editors leave.
        .Where(f => !Regex.IsMatch(f, @"/(bin|obj|\.cache|\.ipynb_checkpoints|weights)/"))
        .Where(f => !f.StartsWith("data/", StringComparison.Ordinal)
            || Regex.IsMatch(f,
                @"^data/(README\.md|(tasks|models|results|manifests|splits|pretraining|checkpoints|speedrun)/)"));

    /// <summary>The text of a page, or of a notebook's markdown cells.</summary>
    private static string Prose(string page)
    {
        string text = File.ReadAllText(Path.Combine(Root, page));
        if (!page.EndsWith(".ipynb", StringComparison.Ordinal)) return text;
        IEnumerable<JsonNode?> cells = JsonNode.Parse(text)!["cells"]!.AsArray()
            .Where(c => c!["cell_type"]!.ToString() == "markdown");
        return string.Join('\n',
            cells.SelectMany(c => c!["source"]!.AsArray().Select(line => line!.ToString().TrimEnd('\n'))));
    }

    /// <summary>What follows "kit" in code spans and code blocks.</summary>
    private static IEnumerable<string> Commands(string prose)
    {
        IEnumerable<string> spans = Regex.Matches(prose, "`([^`\n]+)`").Select(m => m.Groups[1].Value);
        IEnumerable<string> lines = Regex.Matches(prose, "```[a-z]*\n(.*?)```", RegexOptions.Singleline)
            .SelectMany(m => m.Groups[1].Value.Split('\n'));
        foreach (string code in spans.Concat(lines))
        {
            Match match = Regex.Match(code, $@"(?:^|[\s=])(?:kit |{Regex.Escape(LongForm)})([a-z-].*)$");
            if (match.Success) yield return match.Groups[1].Value.Split('#')[0];
        }
    }

    /// <summary>The first word that is no command or option; null when there is none.</summary>
    private static string? Fault(string words)
    {
        Command command = KitCommand.Create();
        string[] parts = words.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        bool named = false;
        foreach (string part in parts)
        {
            if (part.StartsWith("--", StringComparison.Ordinal))
            {
                string option = part.Split('=')[0];
                if (option is not ("--help" or "--version") && command.Options.All(o => o.Name != option))
                    return $"{words}: {option}";
            }
            else if (!named && command.Subcommands.FirstOrDefault(c => c.Name == part) is { } found) command = found;
            else if (!named && command.Subcommands.Count > 0) return $"{words}: {part}";
            else named = true;
        }
        return null;
    }
}
