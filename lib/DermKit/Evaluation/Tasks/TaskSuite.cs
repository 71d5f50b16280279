using DermKit.Data;

namespace DermKit.Evaluation;

/// <summary>The tasks of data/tasks: the kit's own on real images, the paper's in its order, then synthetic
/// ones.</summary>
public sealed class TaskSuite
{
    /// <summary>The seeds of the paper's protocol.</summary>
    public static IReadOnlyList<int> Seeds { get; } = [1, 9, 21, 42, 555];

    private const string Suffix = $"-{DataSetManifest.Part}";

    private readonly string folder;

    private TaskSuite(string folder, IReadOnlyList<TaskDefinition> tasks, IReadOnlyDictionary<string, string> broken)
    {
        this.folder = folder;
        Tasks = tasks;
        Broken = broken;
    }

    /// <summary>All tasks, with or without their data.</summary>
    public IReadOnlyList<TaskDefinition> Tasks { get; }

    /// <summary>File, key and expectation for each task file that is not valid, by task name.</summary>
    public IReadOnlyDictionary<string, string> Broken { get; }

    /// <summary>The task with a name; -part at its end takes the images that are present of its data sets.</summary>
    /// <exception cref="KitException">The name is unknown (the nearest is named), or its file is not valid.</exception>
    public TaskDefinition this[string name] => Tasks.FirstOrDefault(t => t.Name == name)
        ?? Tasks.Where(t => $"{t.Name}{Suffix}" == name).Select(Part).FirstOrDefault()
        ?? throw new KitException(Broken.GetValueOrDefault(name)
            ?? $"{folder}: no task '{name}'; did you mean '{KitException.Nearest(name, Tasks.Select(t => t.Name))}'?");

    /// <summary>Reads every data/tasks/*.json under the kit's data/ folder.</summary>
    /// <exception cref="KitException">There is no folder of tasks.</exception>
    public static TaskSuite Load(string dataRoot)
    {
        string folder = Path.Combine(dataRoot, "tasks");
        if (!Directory.Exists(folder))
            throw new KitException($"{folder}: expected a folder with task files, found none.");
        var tasks = new List<TaskDefinition>();
        var broken = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in Directory.GetFiles(folder, "*.json"))
        {
            try
            {
                tasks.Add(Read(path, dataRoot));
            }
            catch (Exception e) when (e is KitException or IOException or UnauthorizedAccessException)
            {
                string message = e is KitException ? e.Message : $"{path}: {e.Message}";
                broken[Path.GetFileNameWithoutExtension(path)] = message.ReplaceLineEndings(" ");
            }
        }
        var sorted = tasks.OrderBy(t => t.Stamp, StringComparer.Ordinal).ThenBy(t => t.Paper ?? 0);
        return new(folder, [.. sorted.ThenBy(t => t.Name, StringComparer.Ordinal)], broken);
    }

    /// <summary>Null when the task's data is present, else the missing set and what to get.</summary>
    public static string? Missing(TaskDefinition task, KitSettings settings)
    {
        (string? set, string? manifest) =
            task.DataSets.FirstOrDefault(d => !DataSetCatalog.IsPresent(settings, d.Key, d.Value));
        if (set is null) return null;
        (int here, int? all) = DataSetCatalog.Files(settings, set);
        string part = here == 0 || task.IsPart || all is null ? ""
            : $" Of it {here} of {all} image files are here: task {task.Name}{Suffix} takes them.";
        string of = manifest is null ? "" : $" ({manifest})";
        return $"data not here: {set}{of}. {task.WhatToGet}{part}".TrimEnd();
    }

    /// <summary>The tasks without those that are part of another one.</summary>
    public static TaskDefinition[] Wholes(IReadOnlyList<TaskDefinition> tasks) =>
        [.. tasks.Where(t => !tasks.Any(t.IsPartOf))];

    /// <summary>Reads the task's data sets, checks them against its manifests and labels the images. The strict version
    /// has an image file once (<see cref="ImageTable.Once"/>) and omits those of a cleaning list; its note counts
    /// them.</summary>
    /// <exception cref="KitException">Data is absent or differs from the manifest, frozen test images have other
    /// colours than the rest, or the number of classes is wrong.</exception>
    public static ProbeTask Open(TaskDefinition task, KitSettings settings, SplitVersion version = SplitVersion.Strict)
    {
        if (Missing(task, settings) is { } missing) throw new KitException($"Task '{task.Name}': {missing}");
        if (task.DataSets.Keys.Any(set => DataSetCatalog.IsFixture(settings, set)))
            task = task with { Stamp = Stamps.Join([task.Stamp, Stamps.Fixture]) };
        if (task.IsPart) task = task with { Stamp = Stamps.Join([task.Stamp, Stamps.Part]), InMeans = false };
        var notes = new List<string> { task.Note };
        ImageTable[] tables = [.. task.DataSets.Select(d =>
        {
            ImageTable given = DataSetCatalog.Load(settings, d.Key, d.Value);
            notes.Add(given.Part);
            if (version == SplitVersion.Original) return given;
            ImageTable whole = given.Once(task.Label);
            if (whole.Count < given.Count)
                notes.Add($"{given.Count - whole.Count} of {given.Count} rows left out, whose image another row has "
                    + $"too: {Names.Listed(given.Ids.Except(whole.Ids))}.");
            if (DataSetCatalog.Folder(settings, d.Key) is not { } folder || Cleaning.List(folder) is not { } list)
                return whole;
            ImageTable cleaned = Cleaning.Apply(whole, list);
            notes.Add($"{whole.Count - cleaned.Count} of {whole.Count} images left out by {Path.GetFileName(list)}.");
            return cleaned;
        })];
        if (version == SplitVersion.Original && task.Original is not null)
            notes.Add("The paper's own split, its leaks included.");
        task = task with { Note = string.Join(" ", notes.Where(n => n.Length > 0)) };
        ImageTable all = tables is [var only] ? only
            : ImageTable.Concat(string.Join(" + ", task.DataSets.Keys), tables);
        string?[] values = all.Column(task.Label);
        string[] names = task.Classes.Count > 0 ? [.. task.Classes.Keys]
            : [.. values.OfType<string>().Except(task.Exclude).Order(StringComparer.Ordinal)];
        if (task.IsPart && task.Classes.Count == 0 && names.Length is >= 2 && names.Length < task.ClassCount)
            task = task with
            {
                ClassCount = names.Length,
                Note = $"{task.Note} {names.Length} of {task.ClassCount} classes.".TrimStart()
            };
        if (names.Length != task.ClassCount)
            throw new KitException($"Task '{task.Name}': expected {task.ClassCount} classes, found {names.Length} in "
                + $"column '{task.Label}' of {all.Name}.");
        var classOf = names
            .SelectMany((name, c) => (task.Classes.GetValueOrDefault(name) ?? [name]).Select(v => (v, c)))
            .ToDictionary(p => p.v, p => p.c, StringComparer.Ordinal);
        int[] rows = [.. Enumerable.Range(0, all.Count).Where(i => !task.Exclude.Contains(values[i] ?? ""))];
        int[] labels = Array.ConvertAll(rows, i => classOf.TryGetValue(values[i] ?? "", out int label) ? label
            : throw new KitException($"Task '{task.Name}': image '{Printable.Of(all.Ids[i])}' of {all.Name} has "
                + $"{task.Label} '{Printable.Of(values[i])}', which no class and no exclude names; expected "
                + $"{Names.Listed(classOf.Keys)}."));
        ImageTable table = rows.Length == all.Count ? all : all.Rows(rows);
        bool[] frozen = FrozenTest.Mask(settings, table);
        if (version == SplitVersion.Strict && task.Split != SplitKind.Frozen && frozen.Contains(true))
            throw new KitException($"Task '{task.Name}': split is {task.Split}, but {all.Name} has frozen test images, "
                + "which a draw would put into training; declare split 'frozen'.");
        bool isDrawn = task.Stamp.Contains(Stamps.Synthetic) || task.Stamp.Contains(Stamps.Fixture);
        if (!isDrawn && CutValues.Warning(table, frozen) is { } colours)
            // A user's own parts may differ by their cameras.
            task = task.DataSets.Keys.Any(DataSetCatalog.RealSets.Contains)
                ? throw new KitException($"Task '{task.Name}' is not scored: {colours} {task.WhatToGet}".TrimEnd())
                : task with { Note = $"{task.Note} Colours: {colours}".TrimStart() };
        return new(task, table, labels, names, frozen) { Version = version };
    }

    private static TaskDefinition Part(TaskDefinition task) => task with
    {
        Name = $"{task.Name}{Suffix}",
        Title = $"{task.Title} (part)",
        DataSets = task.DataSets.ToDictionary(d => d.Key, _ => (string?)DataSetManifest.Part),
        InMeans = false,
        Paper = null,
    };

    private static TaskDefinition Read(string path, string dataRoot)
    {
        TaskDefinition task = StrictJson.Read<TaskDefinition>(path);
        void Expect(bool condition, string key, string expected)
        {
            if (!condition) throw new KitException($"{path}, key '{key}': expected {expected}.");
        }
        Expect(task.Name == Path.GetFileNameWithoutExtension(path), "name", "the name of the file");
        Expect(task.Version >= 1, "version", "1 or more");
        Expect(task.DataSets.Count > 0, "dataSets", "at least one data set");
        foreach ((string set, string? manifest) in task.DataSets)
            Expect(manifest is null or DataSetManifest.Part
                || DataSetManifest.All(dataRoot, set).Any(m => m.Name == manifest), "dataSets",
                $"a manifest of data/manifests for '{set}', found '{manifest}'");
        Expect(task.Classes.Values.All(v => v is not null && !v.Contains(null)), "classes",
            "a list of values for each class");
        string? missing = task.Classes.Values.SelectMany(v => v)
            .FirstOrDefault(v => v.Length > 0 && Data.Missing.Is(v));
        Expect(missing is null, "classes", $"labels, found '{missing}', which stands for a missing value; name it in "
            + "'exclude' to leave its images out, or write another word here and in the label file");
        Expect(!task.Exclude.Contains(null), "exclude", "values");
        Expect(!task.Groups.Contains(null), "groups", "names of columns");
        Expect(task.ClassCount >= 2 && (task.Classes.Count == 0 || task.Classes.Count == task.ClassCount), "classCount",
            "the number of classes, 2 or more");
        Expect(task.Classes.Values.SelectMany(v => v).Concat(task.Exclude).CountBy(v => v).All(v => v.Value == 1),
            "classes", "each value once, in one class or in exclude");
        Expect(task.ClassCount != 2 || task.Positive is not null && task.Classes.Keys.LastOrDefault() == task.Positive,
            "positive", "the name of the second of two classes");
        Expect(task.ClassCount == 2 || task.Positive is null, "positive", "none with more than two classes");
        Expect(task.Unit is not null || task.Split != SplitKind.Patient && task.Original != SplitKind.Patient, "unit",
            "the column to split by");
        Expect(task.Stamp is "" or "SYNTHETIC", "stamp", "\"\" or \"SYNTHETIC\"");
        Expect(task.Stamp == "SYNTHETIC" == task.DataSets.ContainsKey("synthetic"), "stamp",
            "\"SYNTHETIC\" for the synthetic set and for no other");
        // Words for a missing value in the label file have no value in the table.
        return task with { Exclude = [.. task.Exclude.Select(v => Data.Missing.Known(v) ?? "").Distinct()] };
    }
}
