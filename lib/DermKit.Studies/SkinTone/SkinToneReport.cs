using DermKit.Reporting;
using DermKit.Evaluation;

namespace DermKit.Studies;

/// <summary>A gap with what it belongs to, and its p after Holm's correction over all gaps of the run.</summary>
public sealed record GapRow(string Task, string Part, string Model, string Probe, string Stamp, GroupGap Gap,
    double AdjustedP)
{
    /// <summary>
    /// True where <see cref="AdjustedP"/> is an upper bound (<see cref="PairedDifference.IsBound"/>).
    /// </summary>
    public bool IsBound { get; init; }

    /// <summary>Number of gaps that were corrected together.</summary>
    public int Family { get; init; } = 1;

    /// <summary>
    /// Gap that this sample would find four times in five with the correction over the <see cref="Family"/>.
    /// </summary>
    public double Detectable => PairedTest.Detectable(Gap.StandardError, Family);

    /// <summary>
    /// How many times the patients it would take to find a gap of that size four times in five, with the same
    /// correction.
    /// </summary>
    public double TimesTheUnits(double gap) => PairedTest.TimesTheUnits(Gap.StandardError, gap, Family);
}

/// <summary>Tables and figures of scores by skin type.</summary>
public static class SkinToneReport
{
    /// <summary>How many images, patients and images of each class a skin type has, for each task and part.</summary>
    public static Table Counts(SkinToneRun run) => Tables.From("Images of known skin type",
        Sets(run).SelectMany(s => s.Seeds[0].Types.Distinct().OrderBy(t => t, TypeOrder).Select(type =>
        {
            TypedRows first = s.Seeds[0];
            int[] rows = [.. Enumerable.Range(0, first.Types.Length).Where(i => first.Types[i] == type)];
            return (s.Task, s.Part, Type: type, Images: rows.Length, Units: rows.Select(i => first.Rows.Units[i]).Distinct().Count(),
                Classes: string.Join(", ", first.ClassNames.Select((name, c) => (name, n: rows.Count(i => first.Rows.Truth[i] == c))).Where(c => c.n > 0).Select(c => $"{c.n} {c.name}")));
        })).DistinctBy(r => (r.Task, r.Part, r.Type)),
        ("Task", r => r.Task), ("Part", r => r.Part), ("Skin type", r => r.Type), ("Images", r => r.Images), ("Patients", r => r.Units), ("Images of each class", r => r.Classes)) with
    {
        Stamp = Stamp(run),
        Note = "Patients: where a set has no ids of patients, images. Types are what the sets' files say; images without one are in training and in no score here.",
    };

    /// <summary>F1 of each type of one task and part, a column for every model and probe.</summary>
    /// <param name="run">The run.</param>
    /// <param name="task">Name of the task.</param>
    /// <param name="plan">Resamples, and the fewest units of a type that is scored.</param>
    /// <param name="balanced">Balanced accuracy in place of F1.</param>
    /// <exception cref="KitException">The run has no such task.</exception>
    public static Table Scores(SkinToneRun run, string task, SkinTonePlan plan, bool balanced = false)
    {
        var sets = Of(run, task).Select(s => (s.Part, s.Model, s.Probe, Types: GroupGaps.Scores(s.Seeds, t => t, plan.FewestUnits, plan.Suite.Probing.Resamples))).ToArray();
        (string Model, string Probe)[] columns = [.. sets.Select(s => (s.Model, s.Probe)).Distinct()];
        var rows = sets.GroupBy(s => s.Part).SelectMany(part => part.First().Types.Select(first => (Part: part.Key, First: first,
            Cells: columns.Select(c => part.Single(s => (s.Model, s.Probe) == c).Types.Single(t => t.Group == first.Group)).Select(t => Cell(balanced ? t.Balanced : t.F1)).ToArray())));
        (string, Func<(string Part, GroupScore First, string[] Cells), object?>)[] head =
            [("Skin type", r => r.First.Group), ("Part", r => r.Part), ("Images", r => r.First.Images), ("Patients", r => r.First.Units)];
        return Tables.From($"{task} by skin type: {(balanced ? "balanced accuracy" : "F1")} [95 %]", rows,
            [.. head, .. columns.Select((c, i) => ($"{c.Model}, {c.Probe}", (Func<(string Part, GroupScore First, string[] Cells), object?>)(r => r.Cells[i])))]) with
        {
            Stamp = Stamp(run),
            Basis = new("images and patients in columns", Basis.Mean(Of(run, task).Select(s => s.Seeds.Length)), Basis.Bootstrap("patients, images where a set names none"), "none here, because types differ in their classes; gaps stand in a table of their own"),
            Note = $"Over the classes that occur in a type, so types with other classes do not compare; fewer than {plan.FewestUnits} patients are counted and not scored (–).",
        };
    }

    /// <summary>F1 of the groups of types of one task and part.</summary>
    /// <exception cref="KitException">The run has no such task.</exception>
    public static BarFigure Figure(SkinToneRun run, string task, SkinTonePlan plan, string part = SkinTone.AllTyped)
    {
        var sets = Of(run, task).Where(s => s.Part == part).Select(s => (s.Model, s.Probe, Groups: GroupGaps.Scores(s.Seeds, t => SkinTypes.Group(t)!, plan.FewestUnits, plan.Suite.Probing.Resamples))).ToArray();
        string[] groups = [.. SkinTypes.Groups.Where(g => sets.Any(s => s.Groups.Any(x => x.Group == g)))];
        BarSeries[] series = [.. sets.Select(s => new BarSeries($"{s.Model}, {s.Probe}", [.. groups.Select(g => s.Groups.FirstOrDefault(x => x.Group == g)?.F1 is { } i ? Estimate.Of(i) : new Estimate(double.NaN))]))];
        string N(string group) => sets[0].Groups.FirstOrDefault(x => x.Group == group) is { } g ? $"{group} (n = {g.Units})" : group;
        return new($"skin-{task}", $"F1 by skin type: {task}", $"{part}; bars are 95 % bootstrap intervals over patients. Groups of fewer than {plan.FewestUnits} patients have no point. Groups differ in their mix of diagnoses too, which moves F1.",
            $"Points with intervals for {series.Length} model and probe pairs in {groups.Length} groups of skin types: {string.Join("; ", series.Select(s => $"{s.Name} {string.Join(", ", groups.Select((g, i) => $"{g} {s.Values[i]}"))}"))}.",
            [.. groups.Select(N)], series, "Skin types", "F1 (0-1)") { Points = true, Range = (0, 1), Stamp = Stamp(run) };
    }

    /// <summary>
    /// Every gap between two groups of types that both have patients enough, with Holm's correction over all of them,
    /// and more resamples than the plan's where their number needs them (<see cref="PairedTest.Resamples"/>).
    /// </summary>
    public static IReadOnlyList<GapRow> Gaps(SkinToneRun run, SkinTonePlan plan)
    {
        (string First, string Second)[] groups = [.. new[] { (0, 1), (0, 2), (1, 2) }
            .Select(p => (SkinTypes.Groups[p.Item1], SkinTypes.Groups[p.Item2]))];
        var sets = Sets(run).ToArray();
        int resamples = PairedTest.Resamples(plan.Suite.Probing.Resamples, sets.Length * groups.Length);
        var rows = sets.SelectMany(s => groups.Select(p =>
            (Set: s, Gap: GroupGaps.Gap(s.Seeds, p.First, p.Second, plan.FewestUnits, resamples))))
            .Where(r => r.Gap is not null).ToArray();
        var adjusted = PairedTest.Holm([.. rows.Select(r => (r.Gap!.P, r.Gap.IsBound))]);
        return [.. rows.Zip(adjusted, (r, own) =>
            new GapRow(r.Set.Task, r.Set.Part, r.Set.Model, r.Set.Probe, Stamps.Join(r.Set.Seeds.Select(s => s.Stamp)),
            r.Gap!, own.P)
            {
                IsBound = own.IsBound,
                Family = rows.Length,
            })];
    }

    /// <summary>The gaps as a table, with a headline that says how many are told from none.</summary>
    public static Table Gaps(IReadOnlyList<GapRow> gaps)
    {
        int found = gaps.Count(g => g.AdjustedP < 0.05);
        GapRow? widest = gaps.MinBy(g => g.Gap.P);
        return Tables.From("Gaps in F1 between skin types, lighter minus darker", gaps,
            ("Task", g => g.Task), ("Part", g => g.Part), ("Model", g => g.Model), ("Probe", g => g.Probe), ("Groups", g => $"{g.Gap.First} minus {g.Gap.Second}"),
            ("Patients", g => $"{g.Gap.FirstUnits} and {g.Gap.SecondUnits}"),
            ("Gap [95 %]", g => Cell(g.Gap.Difference)), ("p (Holm)", g => Tables.P(g.AdjustedP, g.IsBound))) with
        {
            Stamp = Stamps.Join(gaps.Select(g => g.Stamp)),
            Headline = widest is null ? "" : $"{Stamps.Bracket(Stamps.Join(gaps.Select(g => g.Stamp)))}{found} of "
                + $"{gaps.Count} gaps between skin types are told from none after Holm's correction over all "
                + $"{widest.Family}; "
                + $"the smallest p has {widest.Task} ({widest.Part}), {widest.Model}, {widest.Probe}: "
                + $"{widest.Gap.First} minus {widest.Gap.Second} {Cell(widest.Gap.Difference)}, p "
                + $"{Tables.P(widest.AdjustedP, widest.IsBound)}, n = {widest.Gap.FirstUnits} and "
                + $"{widest.Gap.SecondUnits} patients.",
            Basis = new("patients of both groups in a column", Seeds(gaps),
                Basis.Bootstrap("the patients of both groups together"),
                Basis.Paired("lighter minus darker, within one model and probe",
                $"all {(gaps.Count > 0 ? gaps[0].Family : 0)} gaps of the run", gaps.Any(g => g.IsBound))),
            Note = $"Positive: better on lighter skin. Macro F1 over the classes that both groups have, else F1 of the positive class; {gaps.Sum(g => g.Gap.Difference.Undefined)} resamples without a positive row are left out. An interval that holds 0 shows no gap, and does not show that there is none.",
        };
    }

    /// <summary>The smallest gap that each sample could have found, and how many times the patients a gap of 0.1 would take.</summary>
    public static Table Allows(IReadOnlyList<GapRow> gaps) => Tables.From("What these numbers of patients allow to say", gaps.Where(g => g.Probe == "linear" || gaps.All(x => x.Probe != "linear")),
        ("Task", g => g.Task), ("Part", g => g.Part), ("Model", g => g.Model), ("Groups", g => $"{g.Gap.First} and {g.Gap.Second}"), ("Patients", g => $"{g.Gap.FirstUnits} and {g.Gap.SecondUnits}"),
        ("Standard error of the gap", g => g.Gap.StandardError), ("Gap found four times in five", g => g.Detectable),
        ("Times the patients for a gap of 0.1", g => g.TimesTheUnits(0.1))) with
    {
        Stamp = Stamps.Join(gaps.Select(g => g.Stamp)),
        Basis = new("patients of both groups in a column", Seeds(gaps), "standard error from the resampled gaps", "lighter minus darker; no test is made here"),
        Note = $"Gap found four times in five: {RareReport.Power(gaps.Select(g => g.Family))}.",
    };

    private static string Cell(Interval? interval) => interval is null ? "–" : Tables.Interval(interval);

    private static string Seeds(IReadOnlyList<GapRow> gaps) => Basis.Mean(gaps.Select(g => g.Gap.Seeds));

    private static string Stamp(SkinToneRun run) => Stamps.Join(run.Rows.Select(r => r.Stamp));

    private static IEnumerable<(string Task, string Part, string Model, string Probe, TypedRows[] Seeds)> Of(SkinToneRun run, string task) =>
        Sets(run).Where(s => s.Task == task).ToArray() is { Length: > 0 } sets ? sets
            : throw new KitException($"No result by skin type on '{task}'; the run has {Names.Listed(run.Rows.Select(r => r.Rows.Task).Distinct())}.");

    private static IEnumerable<(string Task, string Part, string Model, string Probe, TypedRows[] Seeds)> Sets(SkinToneRun run) =>
        run.Rows.GroupBy(r => (r.Rows.Task, r.Part, r.Model, r.Probe)).Select(g => (g.Key.Task, g.Key.Part, g.Key.Model, g.Key.Probe, g.ToArray()));

    private static readonly Comparer<string> TypeOrder = Comparer<string>.Create((a, b) => string.CompareOrdinal(Key(a), Key(b)));

    private static string Key(string type) => $"{Array.IndexOf(["I", "II", "III", "IV", "V", "VI"], type.Split('-')[0])}{type}";
}
