using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Studies;

namespace DermKit.Cli;

/// <summary>The ledger as a table, also in data/speedrun/README.md.</summary>
internal static class SpeedrunPage
{
    private const string Begin = "<!-- entries -->\n", End = "<!-- end of entries -->";

    internal static string PathOf(KitSettings settings) => Path.Combine(settings.Data(), "speedrun", "README.md");

    internal static void Write(KitSettings settings)
    {
        string path = PathOf(settings);
        AtomicFile.WriteAllText(path, Filled(File.ReadAllText(path), new SpeedrunLedger(settings).Entries()));
    }

    internal static string Filled(string page, IReadOnlyList<SpeedrunEntry> ledger)
    {
        Table table = Entries(ledger);
        int from = page.IndexOf(Begin, Ordinal), to = page.IndexOf(End, Ordinal);
        if (from < 0 || to < from)
            throw new KitException($"data/speedrun/README.md: expected the lines '{Begin.Trim()}' and '{End}' around "
                + "the entries; bring the file back.");
        string Row(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |\n";
        string rows = string.Concat(table.Rows.Select(row => Row(row.Select((cell, i) =>
            i == 0 ? $"[{cell}](entries/{cell}.json)" : Tables.Text(cell)))));
        string heads = Row(table.Columns) + Row(table.Columns.Select(_ => "---"));
        string entries = table.Rows.Count == 0 ? "" : $"{heads}{rows}\n";
        return $"{page[..from]}{Begin}{entries}{table.Note}\n{page[to..]}";
    }

    internal static Table Entries(IReadOnlyList<SpeedrunEntry> entries) => Tables.From("Entries", entries,
        ("Entry", e => e.Name),
        ("Minutes", e => e.Minutes),
        ("Method", e => e.Config["method"].GetString()),
        ("Steps", e => e.Steps < e.StepsOfConfig ? $"{e.Steps} of {e.StepsOfConfig}" : e.Steps),
        ("Score [95 %]", e => Estimate.Of(e.Validation.Trained.Score)),
        ("kNN [95 %]", e => Estimate.Of(e.Validation.Trained.Knn)),
        ("Linear [95 %]", e => Estimate.Of(e.Validation.Trained.Linear)),
        ("Less the best", e => Behind(e, entries.First(f => f.Minutes == e.Minutes))),
        ("Untrained", e => e.Validation.Untrained.Score.Value),
        ("Null", e => e.Validation.Permuted.Score.Value),
        ("Test [95 %]", e => e.Test is { } test ? Estimate.Of(test.Trained.Score) : "")) with
    {
        Stamp = Stamps.Join(entries.Select(e => e.Stamp)),
        Note = entries.Count == 0 ? SpeedrunReport.None : "Score: mean F1 of kNN and linear probe over the locked "
            + "tasks, on parts of the training images. Null: the same with permuted training labels. An entry ties "
            + "with the best of its minutes where the interval of their paired difference contains 0.",
    };

    private static string Behind(SpeedrunEntry entry, SpeedrunEntry best) =>
        entry == best ? "" : entry.Validation.Trained.Minus(best.Validation.Trained) is not { } d ? "other images"
            : Tables.Interval(d.Difference) + (d.Difference.High >= 0 ? ", a tie" : "");
}
