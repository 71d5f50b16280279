using System.Buffers.Binary;

namespace DermKit.Models;

/// <summary>Reads safetensors (8-byte header length, JSON header, raw little-endian data) by the format's strict rules:
/// header at most 100 MB, no duplicate key, hole or overlap, last offset = end of file.</summary>
internal sealed class SafeTensorsFile : WeightFile
{
    internal const long HeaderCap = 100_000_000;

    private const int DimensionCap = 64;

    private readonly FileStream stream;
    private readonly Dictionary<string, long> offsets = [];

    private SafeTensorsFile(string path, FileStream stream) : base(path)
    {
        this.stream = stream;
        ReadHeader();
    }

    public override string Format => "safetensors";

    // Checks the header; entries in the order of their data.
    public static new SafeTensorsFile Open(string path) =>
        Owned.Make(() => File.OpenRead(path), stream => new SafeTensorsFile(path, stream));

    public override void Dispose() => stream.Dispose();

    internal override void Read(string name, long first, Tensor target) =>
        TensorData.Fill(target, stream, offsets[name] + first * target.element_size());

    private void ReadHeader()
    {
        if (stream.Length < 8) throw Broken("shorter than the 8-byte header length");
        Span<byte> length = stackalloc byte[8];
        stream.ReadExactly(length);
        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(length);
        if (header > HeaderCap) throw Broken($"header of {header} bytes is over the cap of {HeaderCap}");
        if ((long)header > stream.Length - 8)
            throw Broken($"header of {header} bytes does not fit the file of {stream.Length}");
        byte[] json = new byte[header];
        stream.ReadExactly(json);
        if (json is not [(byte)'{', ..]) throw Broken("the header does not begin with '{'");
        try
        {
            using var document = JsonDocument.Parse(json, new() { AllowDuplicateProperties = false, MaxDepth = 4 });
            Parse(document.RootElement, 8 + (long)header);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Broken($"the header is not valid JSON in UTF-8, or repeats a key ({Printable.Of(e.Message)})", e);
        }
    }

    private void Parse(JsonElement root, long dataStart)
    {
        var entries = new List<WeightEntry>();
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Name == "__metadata__") Metadata = ParseMetadata(property.Value);
            else entries.Add(ParseEntry(property.Name, property.Value, dataStart));
        }
        entries.Sort((a, b) => (offsets[a.Name], a.Bytes).CompareTo((offsets[b.Name], b.Bytes)));
        long end = dataStart;
        foreach (WeightEntry entry in entries)
        {
            long begin = offsets[entry.Name];
            if (begin != end)
                throw Broken($"'{Printable.Of(entry.Name)}' begins at byte {begin - dataStart} of the data, "
                    + $"expected {end - dataStart} (no hole, no overlap)");
            end += entry.Bytes;
        }
        if (end != stream.Length) throw Broken($"the data ends at byte {end} but the file has {stream.Length}");
        Entries = entries.ToDictionary(e => e.Name);
    }

    private Dictionary<string, string> ParseMetadata(JsonElement value)
    {
        // Some writers store null.
        if (value.ValueKind == JsonValueKind.Null) return [];
        return value.ValueKind == JsonValueKind.Object
            && value.EnumerateObject().All(p => p.Value.ValueKind == JsonValueKind.String)
            ? value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!)
            : throw Broken("__metadata__ is no map of text to text");
    }

    private WeightEntry ParseEntry(string name, JsonElement value, long dataStart)
    {
        string shown = Printable.Of(name);
        if (value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Count() != 3) throw Malformed(shown);
        JsonElement Field(string key, JsonValueKind kind) =>
            value.TryGetProperty(key, out JsonElement field) && field.ValueKind == kind ? field
                : throw Malformed(shown);
        string type = Field("dtype", JsonValueKind.String).GetString()!;
        JsonElement shape = Field("shape", JsonValueKind.Array), span = Field("data_offsets", JsonValueKind.Array);
        (ScalarType scalar, string? known, _) = Array.Find(SafeTensors.Types, t => t.Name == type);
        if (known is null)
            throw Broken($"'{shown}' has type {Printable.Of(type)}, which this reader does not take; expected one of "
                + string.Join(", ", SafeTensors.Types.Select(t => t.Name)));
        if (shape.GetArrayLength() is var dimensions and > DimensionCap)
            throw Broken($"'{shown}' has {dimensions} dimensions, over the cap of {DimensionCap}");
        long[] Integers(JsonElement array) => [.. array.EnumerateArray().Select(e => Integer(e, shown))];
        long[] sizes = Integers(shape);
        if (Integers(span) is not [var begin, var end]) throw Malformed(shown);
        long bytes = scalar.ElementSize();
        try
        {
            foreach (long s in sizes) bytes = checked(bytes * s);
        }
        catch (OverflowException)
        {
            throw Broken($"'{shown}' has a shape whose size overflows");
        }
        if (end < begin || end - begin != bytes)
            throw Broken($"'{shown}' spans {begin}..{end} but its shape needs {bytes} bytes");
        if (end > stream.Length - dataStart)
            throw Broken($"'{shown}' ends at byte {end} of the data, beyond the end of the file");
        offsets[name] = dataStart + begin;
        return new(name, scalar, sizes);
    }

    private long Integer(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out long value) && value >= 0 ? value
            : throw Broken($"'{name}' has a size or offset that is no non-negative integer");

    private KitException Malformed(string name) => Broken($"'{name}' is not of the form dtype, shape, data_offsets");

    private KitException Broken(string what, Exception? inner = null) =>
        new($"{Path}: not a valid safetensors file: {what}. Fetch the file again.", inner);
}
