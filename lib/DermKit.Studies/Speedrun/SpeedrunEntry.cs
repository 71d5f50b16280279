using System.Text.Json;

namespace DermKit.Studies;

/// <summary>One training within a budget, and what its frozen backbone scores.</summary>
internal sealed record SpeedrunEntry
{
    public required string Name { get; init; }

    // SYNTHETIC for drawn images.
    public string Stamp { get; init; } = "";

    // The budget, and the time of the steps with their views.
    public required double Minutes { get; init; }

    public required double MinutesTrained { get; init; }

    public required int Seed { get; init; }

    // All keys that differ from the method's defaults.
    public required SortedDictionary<string, JsonElement> Config { get; init; }

    public required int Steps { get; init; }

    // More than the steps done where the budget ended first.
    public required int StepsOfConfig { get; init; }

    public required double ImagesPerSecond { get; init; }

    // SHA-256 of the file with the backbone's weights in float16.
    public required string Weights { get; init; }

    // On parts of the training images.
    public required SpeedrunScores Validation { get; init; }

    // On the frozen test images; null until they are scored, once.
    public SpeedrunScores? Test { get; init; }

    public required SortedDictionary<string, string> Provenance { get; init; }
}

/// <summary>Of the trained backbone, of the same features with permuted training labels, and of the config's backbone
/// before training.</summary>
internal sealed record SpeedrunScores
{
    public required KeptMean Trained { get; init; }

    public required KeptMean Permuted { get; init; }

    public required KeptMean Untrained { get; init; }
}

/// <summary>The entries of a folder, one JSON file each; those on drawn images stay in the cache.</summary>
internal sealed class SpeedrunLedger(KitSettings settings, bool isDrawn = false)
{
    private readonly string folder = isDrawn ? Path.Combine(settings.CacheDir, "speedrun", "entries")
        : Path.Combine(settings.Root, "data", "speedrun", "entries");

    // By minutes, the highest score first. Throws if a file is not a whole entry.
    public IReadOnlyList<SpeedrunEntry> Entries() => !Directory.Exists(folder) ? []
        : [.. Directory.GetFiles(folder, "*.json").Select(Read).OrderBy(e => e.Minutes)
            .ThenByDescending(e => e.Validation.Trained.Score.Value).ThenBy(e => e.Name, StringComparer.Ordinal)];

    public string PathOf(string name) => Path.Combine(folder, name + ".json");

    public void Write(SpeedrunEntry entry) => Results.Write(PathOf(entry.Name), entry);

    private SpeedrunEntry Read(string path)
    {
        SpeedrunEntry entry = StrictJson.Read<SpeedrunEntry>(path);
        if (PathOf(entry.Name) == path && entry.Stamp == (isDrawn ? Stamps.Synthetic : "")) return entry;
        throw new KitException($"{path}: expected an entry of the file's name, on {(isDrawn ? "drawn" : "real")} "
            + $"images, found '{entry.Name}', stamp '{entry.Stamp}'; remove the file.");
    }
}
