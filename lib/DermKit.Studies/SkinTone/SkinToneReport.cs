namespace DermKit.Studies;

/// <summary>Tables and figures of scores by skin type.</summary>
public static class SkinToneReport
{
    private const string Patients = "patients of both groups in a column";

    /// <summary>Tasks with skin types, and whether their data is here.</summary>
    public static Table Tasks(TaskSuite suite, KitSettings settings) => Tables.From("Tasks with skin types",
        suite.Tasks.Where(t => SkinTypes.ColumnOf(t) is not null),
        ("Task", t => t.Name), ("What", t => t.Title), ("Column", t => SkinTypes.ColumnOf(t)),
        ("Data", t => TaskSuite.Missing(t, settings) ?? "here"));

    /// <summary>Images, patients and classes of each skin type, task and part.</summary>
    public static Table Counts(SkinToneRun run)
    {
        var sets = run.Rows.DistinctBy(r => (r.Rows.Task, r.Part));
        var rows = sets.SelectMany(set => set.Types.Distinct().OrderBy(SkinTypes.Order).ThenBy(t => t.Length)
            .Select(type => (Set: set, Type: type, Rows: set.Within(t => t == type))));
        static string Classes(string[] names, TestRows rows)
        {
            var counts = names.Select((name, c) => (Name: name, Images: rows.Truth.Count(t => t == c)));
            return string.Join(", ", counts.Where(c => c.Images > 0).Select(c => $"{c.Images} {c.Name}"));
        }
        return Tables.From("Images of known skin type", rows,
            ("Task", r => r.Set.Rows.Task), ("Part", r => r.Set.Part), ("Skin type", r => r.Type),
            ("Images", r => r.Rows.Truth.Length), ("Patients", r => r.Rows.Units.Distinct().Count()),
            ("Images of each class", r => Classes(r.Set.ClassNames, r.Rows))) with
        {
            Stamp = Stamp(run),
            Note = "Without patient ids images count as patients. Types are those in the sets' files; images without "
                + "one are in training and in no score here.",
        };
    }

    /// <summary>F1 or balanced accuracy of each type, a column for every model and probe.</summary>
    public static Table Scores(SkinToneRun run, string task, SkinTonePlan plan, bool balanced = false)
    {
        TypedRows[][] sets = Of(run, task);
        var scored = sets.ToDictionary(s => (s[0].Part, s[0].Model, s[0].Probe), s =>
            GroupGaps.Scores(s, t => t, plan.FewestUnits, plan.Suite.Probing.Resamples));
        var models = sets.Select(s => (s[0].Model, s[0].Probe)).Distinct().ToArray();
        var rows = sets.Select(s => s[0].Part).Distinct().SelectMany(part =>
            scored[(part, models[0].Model, models[0].Probe)].Select(first => (Part: part, First: first)));
        string Cell(string part, string group, (string Model, string Probe) by)
        {
            GroupScore score = scored[(part, by.Model, by.Probe)].Single(t => t.Group == group);
            return (balanced ? score.Balanced : score.F1) is { } interval ? Tables.Interval(interval) : "–";
        }
        string[] head = ["Skin type", "Part", "Images", "Patients"];
        return new($"{task} by skin type: {(balanced ? "balanced accuracy" : "F1")} [95 %]",
            [.. head, .. models.Select(m => $"{m.Model}, {m.Probe}")],
            [.. rows.Select(r => (IReadOnlyList<object?>)[r.First.Group, r.Part, r.First.Images, r.First.Units,
                .. models.Select(m => Cell(r.Part, r.First.Group, m))])])
        {
            Stamp = Stamp(run),
            Footnote = new("images and patients in columns", TableFootnote.Mean(sets.Select(s => s.Length)),
                TableFootnote.Bootstrap("patients, images where a set names none"),
                "none here, because types differ in their classes; gaps are in a separate table"),
            Note = "Over the classes of a type, so types with other classes do not compare; fewer than "
                + $"{plan.FewestUnits} patients are not scored (–).",
        };
    }

    /// <summary>F1 of the groups of types of one task and part.</summary>
    public static BarFigure Figure(SkinToneRun run, string task, SkinTonePlan plan, string part = SkinTone.AllTyped)
    {
        TypedRows[][] sets = [.. Of(run, task).Where(s => s[0].Part == part)];
        IReadOnlyList<GroupScore>[] scores = [.. sets.Select(s => GroupGaps.Scores(s, t => SkinTypes.Group(t)!,
            plan.FewestUnits, plan.Suite.Probing.Resamples))];
        string[] groups = [.. SkinTypes.Groups.Where(g => scores.Any(s => s.Any(x => x.Group == g)))];
        Estimate Value(IReadOnlyList<GroupScore> of, string group) =>
            of.FirstOrDefault(x => x.Group == group)?.F1 is { } f1 ? Estimate.Of(f1) : new(double.NaN);
        BarSeries[] series = [.. sets.Zip(scores, (set, of) =>
            new BarSeries($"{set[0].Model}, {set[0].Probe}", [.. groups.Select(g => Value(of, g))]))];
        string Name(string group) =>
            scores[0].FirstOrDefault(x => x.Group == group) is { } g ? $"{group} (n = {g.Units})" : group;
        return new($"skin-{task}", $"F1 by skin type: {task}",
            $"{part}; bars are 95 % bootstrap intervals over patients. Groups of fewer than {plan.FewestUnits} "
            + "patients have no point. Groups differ in their mix of diagnoses too, which moves F1.",
            $"Points with intervals for {series.Length} model and probe pairs in {groups.Length} groups: "
            + $"{StudyReport.Listed(series, groups)}.",
            [.. groups.Select(Name)], series, "Skin types", "F1 (0-1)")
        {
            Points = true,
            Range = (0, 1),
            Stamp = Stamp(run),
        };
    }

    /// <summary>Every gap between two groups with enough patients, Holm's correction over all. Resamples increase with
    /// the number of gaps (<see cref="PairedTest.Resamples"/>).</summary>
    public static IReadOnlyList<GroupGap> Gaps(SkinToneRun run, SkinTonePlan plan)
    {
        TypedRows[][] sets = Sets(run);
        IReadOnlyList<string> groups = SkinTypes.Groups;
        (string First, string Second)[] pairs =
            [(groups[0], groups[1]), (groups[0], groups[2]), (groups[1], groups[2])];
        int resamples = PairedTest.Resamples(plan.Suite.Probing.Resamples, sets.Length * pairs.Length);
        var gaps = sets.SelectMany(s =>
            pairs.Select(p => GroupGaps.Gap(s, p.First, p.Second, plan.FewestUnits, resamples)));
        return TestedDifference.Correct(gaps.OfType<GroupGap>());
    }

    /// <summary>The gaps; the headline counts those found.</summary>
    public static Table Gaps(IReadOnlyList<GroupGap> gaps)
    {
        string stamp = Stamps.Join(gaps.Select(g => g.Stamp));
        int family = gaps.Count > 0 ? gaps[0].Family : 0;
        return Tables.From("Gaps in F1 between skin types, lighter minus darker", gaps,
            ("Task", g => g.Task), ("Part", g => g.Part), ("Model", g => g.Model), ("Probe", g => g.Probe),
            ("Groups", g => $"{g.First} minus {g.Second}"),
            ("Patients", g => $"{g.FirstUnits} and {g.SecondUnits}"),
            ("Gap [95 %]", g => g.Shown), ("p (Holm)", g => g.ShownP)) with
        {
            Stamp = stamp,
            Headline = gaps.Count == 0 ? "" : Stamps.Bracket(stamp) + Headline(gaps),
            Footnote = new(Patients, Seeds(gaps), TableFootnote.Bootstrap("the patients of both groups together"),
                TableFootnote.Paired("lighter minus darker, within one model and probe",
                $"all {family} gaps of the run", gaps.Any(g => g.IsBound))),
            Note = gaps.Count == 0 ? "No two groups of skin types have enough patients for a gap."
                : "Positive: better on lighter skin. Macro F1 over the classes that both groups have, else F1 of the "
                + $"positive class; {gaps.Sum(g => g.Difference!.Difference.Undefined)} resamples without a positive "
                + "row are left out. An interval that includes 0 shows no gap, but does not exclude one.",
        };
    }

    /// <summary>The smallest gap that each sample could find, and the factor on patients for a gap of 0.1.</summary>
    public static Table Allows(IReadOnlyList<GroupGap> gaps)
    {
        bool anyLinear = gaps.Any(g => g.Probe == "linear");
        return Tables.From("What these numbers of patients allow to say",
            gaps.Where(g => g.Probe == "linear" || !anyLinear),
            ("Task", g => g.Task), ("Part", g => g.Part), ("Model", g => g.Model),
            ("Groups", g => $"{g.First} and {g.Second}"), ("Patients", g => $"{g.FirstUnits} and {g.SecondUnits}"),
            ("Standard error of the gap", g => g.StandardError), ("Gap found four times in five", g => g.Detectable),
            ("Times the patients for a gap of 0.1", g => g.TimesTheUnits(0.1))) with
        {
            Stamp = Stamps.Join(gaps.Select(g => g.Stamp)),
            Footnote = new(Patients, Seeds(gaps), "standard error from the resampled gaps",
                "lighter minus darker; no test is made here"),
            Note = gaps.Count == 0 ? "" : $"Gap found four times in five: {StudyReport.Power(gaps)}.",
        };
    }

    private static string Headline(IReadOnlyList<GroupGap> gaps)
    {
        GroupGap least = gaps.MinBy(g => g.Difference!.P)!;
        return $"{gaps.Count(g => g.IsFound)} of {gaps.Count} gaps between skin types are found after Holm's "
            + $"correction over all {least.Family}; the smallest p has {least.Task} ({least.Part}), {least.Model}, "
            + $"{least.Probe}: {least.First} minus {least.Second} {least.Shown}, p {least.ShownP}, "
            + $"n = {least.FirstUnits} and {least.SecondUnits} patients.";
    }

    private static string Seeds(IReadOnlyList<GroupGap> gaps) => TableFootnote.Mean(gaps.Select(g => g.Seeds));

    private static string Stamp(SkinToneRun run) => Stamps.Join(run.Rows.Select(r => r.Stamp));

    private static TypedRows[][] Sets(SkinToneRun run) =>
        [.. run.Rows.GroupBy(r => (r.Rows.Task, r.Part, r.Model, r.Probe)).Select(g => g.ToArray())];

    private static TypedRows[][] Of(SkinToneRun run, string task)
    {
        TypedRows[][] sets = [.. Sets(run).Where(s => s[0].Rows.Task == task)];
        return sets.Length > 0 ? sets : throw new KitException($"No result by skin type on '{task}'; the run has "
            + $"{Names.Listed(run.Rows.Select(r => r.Rows.Task).Distinct())}.");
    }
}
