using System.Text.Encodings.Web;
using System.Text.RegularExpressions;

namespace DermKit.Evaluation;

/// <summary>A JSON file of data/results: prose by hand, and either a table by hand or the <see cref="Run"/> that the
/// tables are made of.</summary>
internal sealed record PublishedFile
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    public required string Title { get; init; }

    public string? Finding { get; init; }

    public string? Test { get; init; }

    public string? Measure { get; init; }

    // A file has a table and its sources, or a run.
    public string[]? Columns { get; init; }

    public JsonElement[][]? Rows { get; init; }

    public string? Limits { get; init; }

    public PublishedSource[]? Provenance { get; init; }

    public Publication? Run { get; init; }

    public static string Folder(KitSettings settings) => Path.Combine(settings.Root, "data", "results");

    public static string[] Names(string folder) =>
        [.. Directory.GetFiles(folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!)
            .Order(StringComparer.Ordinal)];

    // A name of the folder, or the path of a .json file.
    public static string PathOf(string folder, string name)
    {
        if (name.EndsWith(".json", Ordinal)) return Path.GetFullPath(name);
        return Regex.IsMatch(name, "^[a-z0-9][a-z0-9-]*$") ? Path.Combine(folder, $"{name}.json")
            : throw new KitException($"Result '{name}': expected small letters, digits and hyphens, or the path of a "
                + ".json file.");
    }

    public static PublishedFile Read(string folder, string name)
    {
        string path = PathOf(folder, name);
        if (!File.Exists(path))
            throw KitException.Unknown($"{Path.GetDirectoryName(path)}: result", name, Names(folder));
        PublishedFile file = StrictJson.Read<PublishedFile>(path);
        if (file.Run is { } run) Check(path, run);
        else if (file is not { Columns: not null, Rows: not null, Provenance: not null })
            throw new KitException($"{path}: expected 'run', or 'columns', 'rows' and 'provenance'; kit evaluate "
                + "--publish writes a run.");
        return file;
    }

    // With arrays of numbers or words on one line.
    public void Write(string path)
    {
        string text = Regex.Replace(JsonSerializer.Serialize(this, Json), @"\[\s*\n[^\[\]{}]*\]",
            list => Regex.Replace(list.Value, @"\s*\n\s*", " ").Replace("[ ", "[").Replace(" ]", "]"));
        AtomicFile.WriteAllText(path, text + "\n");
    }

    private static void Check(string path, Publication run)
    {
        void Expect(bool condition, string key, string expected)
        {
            if (!condition)
                throw new KitException($"{path}, key 'run.{key}': expected {expected}; kit evaluate --publish writes "
                    + "it.");
        }
        Expect(!((object?[])[.. run.Tasks, .. run.Models, .. run.Scores]).Contains(null), "scores", "no null");
        Expect(run.Settings.Seeds.Length > 0, "settings.seeds", "at least one seed");
        try
        {
            run.Settings.Plan();
        }
        catch (KitException e)
        {
            throw new KitException($"{path}, key 'run.settings': {e.Message}", e);
        }
        Expect(run.Tolerance is { Features: > 0, F1: > 0 }, "tolerance", "numbers above 0");
        Expect(run.Provenance.ContainsKey("command") && run.Provenance.ContainsKey("commit"), "provenance",
            "command and commit");
        Expect(run.Scores.Length > 0 && run.Scores.All(s => s.F1.Length == 3 && s.Seeds.Length > 0
            && s.Difference is null or { Length: 3 }), "scores", "scores with value, low and high, and their seeds");
        Expect(run.Tasks.All(t => t.Data.Length == 1 || t.Data.Length == run.Settings.Seeds.Length), "tasks.data",
            "a hash for each seed, or one");
        Expect(run.Models.SelectMany(m => m.Fingerprint).All(f => run.Samples.TryGetValue(f.Key, out var sample)
            && f.Value.Length == sample.Ids.Length && f.Value.All(v => v.Length == Fingerprint.Numbers)),
            "models.fingerprint", $"{Fingerprint.Numbers} numbers for each image of a sample");
    }
}

/// <summary>A command that made a table by hand, with commit, seeds and machine.</summary>
internal sealed record PublishedSource(string Command, string Commit, int[] Seeds, string Machine, string? Time = null,
    string? Note = null);
