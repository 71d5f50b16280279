using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using static System.FormattableString;

namespace DermKit.Studies;

/// <summary>The pages of data/results, made from its JSON files alone: the same files give the same pages.</summary>
internal static partial class ResultsPage
{
    private const string Head = "# Results\n\nEvery number that the kit publishes; `kit results` makes this page from "
        + "the JSON files beside it. Brackets hold 95 % intervals. `KIT_DATA_DIR=...` stands for the folder that holds "
        + "the data sets.\n\n`kit verify` checks the files that a run wrote, each in about a minute: labels, image "
        + "files and weights by their hashes, and the features of a few images by published numbers. `kit verify NAME "
        + "--full` scores the rows again. Each check is PASS, FAIL or SKIP (data or weights are not here). `kit "
        + "evaluate --publish NAME` writes such a file; the others state the command that made them.";

    // The others follow by name.
    private static readonly string[] First = ["checkpoint", "imagenet", "four-methods", "fine-tuning", "skin-tone",
        "rare-conditions", "cross-institution", "rates", "times"];

    // Writes README.md of data/results and the tables of the kit's README.md; returns the paths.
    public static string[] Write(KitSettings settings)
    {
        string folder = PublishedFile.Folder(settings), readme = Path.Combine(settings.Root, "README.md");
        string page = Path.Combine(folder, "README.md");
        string tables = WithTables(File.ReadAllText(readme), folder);
        AtomicFile.WriteAllText(page, Page(folder));
        AtomicFile.WriteAllText(readme, tables);
        return [page, readme];
    }

    public static string Page(string folder)
    {
        string[] names = PublishedFile.Names(folder);
        IEnumerable<string> ordered = First.Intersect(names).Concat(names.Except(First));
        return string.Join("\n\n",
            [Head, .. ordered.SelectMany(n => Blocks(n, PublishedFile.Read(folder, n)))]) + "\n";
    }

    // Between "<!-- results: NAME -->" and "<!-- /results -->" the short table of that file's run.
    public static string WithTables(string text, string folder)
    {
        int marks = Regex.Count(text, "<!-- /?results");
        int found = 0;
        string made = Place().Replace(text, place =>
        {
            found += 2;
            string name = place.Groups[1].Value;
            Publication run = PublishedFile.Read(folder, name).Run ?? throw new KitException($"README.md asks for a "
                + $"table of '{name}', whose file has no run; kit evaluate --publish {name} writes it.");
            return $"<!-- results: {name} -->\n{Short(run)}\n<!-- /results -->";
        });
        return found == marks ? made : throw new KitException($"README.md: expected <!-- results: NAME --> and "
            + $"<!-- /results --> in pairs, found {marks} such comments and {found / 2} pairs.");
    }

    [GeneratedRegex("<!-- results: ([a-z0-9-]+) -->\n(?:(?!<!-- results).)*?<!-- /results -->",
        RegexOptions.Singleline)]
    private static partial Regex Place();

    private static IEnumerable<string> Blocks(string name, PublishedFile file)
    {
        string finding = file.Finding is { } found ? $"**{found}** " : "";
        yield return $"## {Stamps.Bracket(file.Run?.Stamp ?? "")}{file.Title}";
        if (file.Run is not { } run)
        {
            yield return $"{finding}{file.Test}";
            yield return $"{file.Measure}";
            yield return Markdown(file.Columns!, file.Rows!.Select(r => r.Select(Cell)));
            yield return $"{file.Limits}";
            yield return string.Join('\n', file.Provenance!.Select(Source));
        }
        else
        {
            string[] family = [.. run.Scores.Where(s => s.Difference is not null).Select(s => s.Task)];
            yield return $"{finding}{file.Test ?? Tested(run, family.Length)}";
            yield return file.Measure ?? Measured(run);
            yield return Scores(run, "images", t => $"{t.TestRows}", s => Interval(s.F1));
            if (family.Length > 0)
            {
                yield return $"Differences to {run.Settings.Baseline}, with p:";
                yield return Scores(run, "units", t => $"{t.Units}", s => s.Difference is { } d
                    ? $"{Interval(d)}, p {Tables.P(s.P, s.IsBound)}" : "–");
            }
            if (file.Limits is { } limits) yield return limits;
            yield return Source(run);
            yield return $"`kit verify {name}` accepts features {run.Tolerance.Features} and, with `--full`, F1 "
                + Invariant($"{run.Tolerance.F1} apart: {run.Tolerance.Why}");
        }
        yield return $"File: [{name}.json]({name}.json)";
    }

    private static string Tested(Publication run, int family) => family == 0 ? "One model, so no comparison."
        : $"Differences to {run.Settings.Baseline} are paired on the test units; p is Holm's over {family} differences "
            + "(≤: no resample lies on the other side of 0).";

    private static string Measured(Publication run) => "F1 (macro with more than two classes, else of the positive "
        + $"class), mean over {Tables.Counted(run.Settings.Seeds.Length, "seed")}, with 95 % bootstrap intervals over "
        + "test patients, lesions or images.";

    // Tasks and means as rows, models and probes as columns.
    private static string Scores(Publication run, string counted, Func<PublishedTask, string> count,
        Func<PublishedScore, string> shown)
    {
        (string Model, string Probe)[] columns = [.. run.Models.SelectMany(m =>
            run.Settings.Probes.Select(p => (m.Name, p)))];
        var rows = run.Tasks.Select(t => (t.Name, t.Title, Count: count(t)))
            .Concat(Means(run).Select(m => (Name: m.Task, Title: Over(m), Count: "")));
        return Markdown(["task", $"test {counted}", .. columns.Select(c => $"{c.Model}, {c.Probe}")], rows.Select(r =>
            (IEnumerable<string>)[r.Title, r.Count, .. columns.Select(c =>
                run.Score(r.Name, c.Model, c.Probe) is { } s ? shown(s) : "–")]));
    }

    // Models as rows, means (tasks, where there is none) and probes as columns.
    private static string Short(Publication run)
    {
        string[] overSeveral = [.. Means(run).Select(m => m.Task)];
        // A group of one task has no mean.
        (string Task, string Title)[] means = [.. Means(run).Select(m => (m.Task, Over(m))),
            .. run.Tasks.Where(t => !overSeveral.Contains(t.Mean)).Select(t => (t.Name, t.Title))];
        var columns = means.SelectMany(m => run.Settings.Probes.Select(p => (m.Task, m.Title, Probe: p))).ToArray();
        string table = Markdown(["model", "parameters", .. columns.Select(c => $"{c.Title}, {c.Probe}")],
            run.Models.Select(m => (IEnumerable<string>)[m.Title, Invariant($"{m.Parameters / 1e6:0.0} M"),
                .. columns.Select(c => Marked(run.Score(c.Task, m.Name, c.Probe)))]));
        string baseline = run.Models.First(m => m.Name == run.Settings.Baseline).Title;
        return $"{Stamps.Bracket(run.Stamp)}{Measured(run)} \\*: differs from {baseline}, paired, p below 0.05 after "
            + $"Holm's correction.\n\n{table}";

        static string Marked(PublishedScore? s) => s is null ? "–" : Interval(s.F1) + (s.P < 0.05 ? " \\*" : "");
    }

    private static IEnumerable<PublishedScore> Means(Publication run) =>
        run.Scores.Where(s => s.Tasks > 1).DistinctBy(s => s.Task);

    private static string Over(PublishedScore mean) => $"{mean.Task} ({mean.Tasks} tasks)";

    private static string Markdown(IReadOnlyList<string> heads, IEnumerable<IEnumerable<string>> rows)
    {
        var table = new StringBuilder(Row(heads)).Append("\n|");
        table.Append(string.Concat(heads.Select(_ => "---|")));
        foreach (IEnumerable<string> row in rows) table.Append('\n').Append(Row(row));
        return table.ToString();
    }

    private static string Row(IEnumerable<string> cells) => string.Concat(cells.Select(c => $"| {c} ")) + "|";

    private static string Interval(double[] ends) => Tables.Interval(new Estimate(ends[0], ends[1], ends[2]));

    // [value, low, high] is "value [low, high]"; numbers with a point have two decimals.
    private static string Cell(JsonElement cell) => cell.ValueKind switch
    {
        JsonValueKind.Array => Interval([.. cell.EnumerateArray().Select(n => n.GetDouble())]),
        JsonValueKind.Number when cell.GetRawText().Contains('.') => Invariant($"{cell.GetDouble():0.00}"),
        _ => cell.ToString(),
    };

    private static string Source(PublishedSource source)
    {
        string seeds = source.Seeds.Length > 0 ? $", seeds {string.Join(", ", source.Seeds)}" : "";
        string time = source.Time is { } took ? $"; {took}" : "", note = source.Note is { } said ? $" {said}" : "";
        return $"- `{source.Command}` at commit {source.Commit}{seeds}; {source.Machine}{time}.{note}";
    }

    private static string Source(Publication run)
    {
        PublishedSettings set = run.Settings;
        string[] shown = ["command", "commit"];
        IEnumerable<string> notes = run.Provenance.Where(n => !shown.Contains(n.Key))
            .Select(n => $"{n.Key}: {n.Value}");
        return $"- `{run.Provenance["command"]}` at commit {run.Provenance["commit"]}, seeds "
            + $"{string.Join(", ", set.Seeds)}; {set.Mode.ToString().ToLowerInvariant()} mode, "
            + $"{set.Split.ToString().ToLowerInvariant()} splits, {set.Precision.Spelled()} on {set.Device}; "
            + $"{string.Join("; ", notes)}.";
    }
}
