namespace DermKit.Data;

internal sealed record SourceFile
{
    // Name in the folder, whatever its publisher calls it.
    public required string Name { get; init; }

    public required string Address { get; init; }

    // Null if uncertain, as Sha256.
    public required long? Bytes { get; init; }

    public required string? Sha256 { get; init; }

    // Why the hash or length is missing; else empty.
    public string Unverified { get; init; } = "";

    public bool Unpack { get; init; }

    // Changes the meaning of the set, as a cleaning list does; fetched only by name.
    public bool Optional { get; init; }
}

/// <summary>Origin and terms of a data set or model: an entry of data/sources.json.</summary>
internal sealed record DataSource
{
    public required string Title { get; init; }

    public required string Address { get; init; }

    public required string Licence { get; init; }

    public required string Citation { get; init; }

    public required string Steps { get; init; }

    public required SourceFile[] Files { get; init; }

    // Files go to data/weights.
    public bool Weights { get; init; }

    public string Folder(KitSettings settings, string name) => Weights ? Path.Combine(settings.Root, "data", "weights")
        : Path.Combine(settings.DataDir, name);

    // None of a fixture, which has real files' names.
    public (SourceFile File, string Path)[] Present(KitSettings settings, string name)
    {
        string? folder = Weights ? Folder(settings, name)
            : DataSetCatalog.IsFixture(settings, name) ? null : DataSetCatalog.Folder(settings, name);
        return folder is null ? []
            : [.. Files.Select(f => (f, Path.Combine(folder, f.Name))).Where(f => File.Exists(f.Item2))];
    }

    public static IReadOnlyDictionary<string, DataSource> All(string dataRoot)
    {
        string path = Path.Combine(dataRoot, "sources.json");
        var all = StrictJson.Read<Dictionary<string, DataSource>>(path);
        foreach ((string set, DataSource source) in all)
            foreach (SourceFile file in source.Files)
            {
                void Expect(bool holds, string expected)
                {
                    if (!holds) throw new KitException($"{path}, {set}, file '{file.Name}': expected {expected}.");
                }
                Expect(file.Name.Length > 0 && Path.GetFileName(file.Name) == file.Name, "a name without folders");
                Expect(Uri.TryCreate(file.Address, UriKind.Absolute, out Uri? uri)
                    && (uri.Scheme == Uri.UriSchemeHttps || uri.IsLoopback), "an https address");
                Expect(file.Sha256 is null || file.Sha256.Length == 64 && file.Sha256.All(char.IsAsciiHexDigitLower),
                    "64 small hex digits of SHA-256, or null");
                Expect(file.Bytes is null or > 0, "a length above 0, or null");
                Expect(file.Unverified.Length > 0 == (file.Sha256 is null || file.Bytes is null),
                    "the reason in 'unverified' where sha256 or bytes is null, and only there");
            }
        return all;
    }

    public static DataSource Of(string dataRoot, string set)
    {
        IReadOnlyDictionary<string, DataSource> all = All(dataRoot);
        return all.GetValueOrDefault(set)
            ?? throw KitException.Unknown("data/sources.json: data set or weights", set, all.Keys);
    }
}
