using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace DermKit.Tests;

/// <summary>data/results/README.md is made from the JSON files beside it; KIT_WRITE_PAGES=1 writes it.</summary>
public sealed class ResultsPageTests
{
    private static readonly string Folder = Path.Combine(KitSettings.FromEnvironment().Root, "data", "results");

    private static readonly string[] Order =
        ["checkpoint", "imagenet", "four-methods", "fine-tuning", "skin-tone", "rare-conditions", "cross-institution",
            "rates", "times"];

    [Fact]
    public void ThePageSaysWhatTheFilesSay()
    {
        string page = Path.Combine(Folder, "README.md"), expected = Page();
        if (Environment.GetEnvironmentVariable("KIT_WRITE_PAGES") == "1") AtomicFile.WriteAllText(page, expected);
        Assert.Equal(expected, File.ReadAllText(page));
    }

    [Fact]
    public void EveryResultNamesCommandCommitSeedsAndMachine()
    {
        foreach (string name in Order)
        {
            JsonArray sources = Read(name)["provenance"]!.AsArray();
            Assert.NotEmpty(sources);
            foreach (JsonNode? source in sources)
            {
                Assert.Matches("^[0-9a-f]{7}$", source!["commit"]!.ToString());
                Assert.Contains("dotnet run", source["command"]!.ToString(), StringComparison.Ordinal);
                Assert.NotNull(source["seeds"]);
                Assert.NotNull(source["machine"]);
            }
        }
    }

    [Fact]
    public void EveryFileIsOnThePage() =>
        Assert.Equal(Order.Order(),
            Directory.GetFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)).Order());

    private static JsonNode Read(string name) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name + ".json")))!;

    private static string Page()
    {
        var page = new StringBuilder("# Results\n\n");
        page.Append("Every number that the kit publishes, made from the JSON files of this folder ");
        page.Append("(`KIT_WRITE_PAGES=1 dotnet test tests/DermKit.Tests -c Release --filter "
            + "FullyQualifiedName~ResultsPageTests`). ");
        page.Append("Brackets hold 95 % intervals. `KIT_DATA_DIR=...` stands for the folder that holds the "
            + "data sets.\n");
        foreach (string name in Order) Append(page, name, Read(name));
        return page.ToString();
    }

    private static void Append(StringBuilder page, string name, JsonNode result)
    {
        page.Append(CultureInfo.InvariantCulture,
            $"\n## {result["title"]}\n\n**{result["finding"]}** {result["test"]}\n\n");
        page.Append(CultureInfo.InvariantCulture, $"{result["measure"]}\n\n");
        AppendRow(page, result["columns"]!.AsArray());
        page.Append('|').Insert(page.Length, "---|", result["columns"]!.AsArray().Count).Append('\n');
        foreach (JsonNode? row in result["rows"]!.AsArray()) AppendRow(page, row!.AsArray());
        page.Append(CultureInfo.InvariantCulture, $"\n{result["limits"]}\n\n");
        foreach (JsonNode? source in result["provenance"]!.AsArray()) AppendSource(page, source!);
        page.Append(CultureInfo.InvariantCulture, $"\nFile: [{name}.json]({name}.json)\n");
    }

    private static void AppendSource(StringBuilder page, JsonNode source)
    {
        page.Append(CultureInfo.InvariantCulture, $"- `{source["command"]}` at commit {source["commit"]}");
        JsonArray seeds = source["seeds"]!.AsArray();
        if (seeds.Count > 0) page.Append(CultureInfo.InvariantCulture, $", seeds {string.Join(", ", seeds)}");
        page.Append(CultureInfo.InvariantCulture, $"; {source["machine"]}");
        if (source["time"] is { } time) page.Append(CultureInfo.InvariantCulture, $"; {time}");
        page.Append('.');
        if (source["note"] is { } note) page.Append(CultureInfo.InvariantCulture, $" {note}");
        page.Append('\n');
    }

    private static void AppendRow(StringBuilder page, JsonArray cells)
    {
        page.Append('|');
        foreach (JsonNode? cell in cells) page.Append(CultureInfo.InvariantCulture, $" {Cell(cell!)} |");
        page.Append('\n');
    }

    /// <summary>[value, low, high] is "value [low, high]"; numbers with a point have two decimals.</summary>
    private static string Cell(JsonNode cell) => cell switch
    {
        JsonArray interval => string.Create(
            CultureInfo.InvariantCulture,
            $"{(double)interval[0]!:0.00} [{(double)interval[1]!:0.00}, {(double)interval[2]!:0.00}]"),
        _ when cell.GetValueKind() == System.Text.Json.JsonValueKind.Number && cell.ToJsonString().Contains('.') =>
            ((double)cell).ToString("0.00", CultureInfo.InvariantCulture),
        _ => cell.ToString(),
    };
}
