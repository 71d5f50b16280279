using System.Text.Json;
using System.Text.Json.Serialization;

namespace DermKit.Data;

/// <summary>A file of a data set, or of a model's weights, that has an address of its own.</summary>
public sealed record SourceFile
{
    /// <summary>Name that it gets in the folder, whatever its publisher calls it.</summary>
    public required string Name { get; init; }

    /// <summary>https address.</summary>
    public required string Address { get; init; }

    /// <summary>Length; null when not known for certain.</summary>
    public required long? Bytes { get; init; }

    /// <summary>SHA-256 in hex; null when not known for certain, see <see cref="Unverified"/>.</summary>
    public required string? Sha256 { get; init; }

    /// <summary>Why there is no hash, or no length; empty when both are there.</summary>
    public string Unverified { get; init; } = "";

    /// <summary>True for an archive, which is unpacked into the set's folder.</summary>
    public bool Unpack { get; init; }

    /// <summary>True for a file that changes what the set means, such as a cleaning list: fetched only when it is named.</summary>
    public bool Optional { get; init; }
}

/// <summary>Where a data set or the weights of a model come from, and under which terms: an entry of data/sources.json.</summary>
public sealed record DataSource
{
    /// <summary>Name of the set or model as its authors call it.</summary>
    public required string Title { get; init; }

    /// <summary>Page that describes it.</summary>
    public required string Address { get; init; }

    /// <summary>Licence or terms.</summary>
    public required string Licence { get; init; }

    /// <summary>What to cite.</summary>
    public required string Citation { get; init; }

    /// <summary>What is left to do by hand, registration included.</summary>
    public required string Steps { get; init; }

    /// <summary>Files that can be fetched without registration.</summary>
    public required SourceFile[] Files { get; init; }

    /// <summary>True for weights and what goes with them: files for data/weights of the kit, no data set.</summary>
    public bool Weights { get; init; }

    /// <summary>The folder that its files go into.</summary>
    public string Folder(KitSettings settings, string name) => Weights ? Path.Combine(settings.Root, "data", "weights") : Path.Combine(settings.DataDir, name);

    /// <summary>Its files that are where they belong, and their paths; none of a set of drawn fixtures, which have real files' names.</summary>
    public (SourceFile File, string Path)[] Present(KitSettings settings, string name) =>
        (Weights ? Folder(settings, name) : DataSetCatalog.IsFixture(settings, name) ? null : DataSetCatalog.Folder(settings, name)) is not { } folder ? []
        : [.. Files.Select(f => (f, Path.Combine(folder, f.Name))).Where(f => File.Exists(f.Item2))];

    /// <summary>Every entry of data/sources.json by the name of the set, or of the model whose weights it is.</summary>
    /// <param name="dataRoot">The kit's own data/ folder.</param>
    /// <exception cref="KitException">The file is not valid; the key or file is named.</exception>
    public static IReadOnlyDictionary<string, DataSource> All(string dataRoot)
    {
        string path = Path.Combine(dataRoot, "sources.json");
        Dictionary<string, DataSource> all;
        try
        {
            all = JsonSerializer.Deserialize<Dictionary<string, DataSource>>(File.ReadAllText(path), Json)!;
        }
        catch (JsonException e)
        {
            throw new KitException($"{path}: {e.Message}", e);
        }
        foreach ((string set, DataSource source) in all)
            foreach (SourceFile file in source.Files)
            {
                void Expect(bool holds, string expected)
                {
                    if (!holds) throw new KitException($"{path}, {set}, file '{file.Name}': expected {expected}.");
                }
                Expect(file.Name.Length > 0 && Path.GetFileName(file.Name) == file.Name, "a name without folders");
                Expect(Uri.TryCreate(file.Address, UriKind.Absolute, out Uri? uri) && (uri.Scheme == Uri.UriSchemeHttps || uri.IsLoopback), "an https address");
                Expect(file.Sha256 is null || file.Sha256.Length == 64 && file.Sha256.All(char.IsAsciiHexDigitLower), "64 small hex digits of SHA-256, or null");
                Expect(file.Bytes is null or > 0, "a length above 0, or null");
                Expect(file.Unverified.Length > 0 == (file.Sha256 is null || file.Bytes is null), "the reason in 'unverified' where sha256 or bytes is null, and only there");
            }
        return all;
    }

    /// <summary>The entry of one set or model.</summary>
    /// <exception cref="KitException">There is none; the nearest is named.</exception>
    public static DataSource Of(string dataRoot, string set)
    {
        IReadOnlyDictionary<string, DataSource> all = All(dataRoot);
        return all.GetValueOrDefault(set)
            ?? throw new KitException($"data/sources.json: no data set and no weights '{set}'; did you mean '{KitException.Nearest(set, all.Keys)}'? There are: {Names.Listed(all.Keys)}.");
    }

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };
}
