using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>
/// Reads the safetensors layout (8-byte header length, JSON header, raw little-endian data) with the strict rules of the
/// public format: header at most 100 MB, no duplicate key, no hole, no overlap, last offset = end of file.
/// </summary>
public sealed class SafeTensorsFile : WeightFile
{
    internal const long HeaderCap = 100_000_000;

    // Those of torch's own operations.
    private const int DimensionCap = 64;

    private static readonly UTF8Encoding Encoding = new(false, throwOnInvalidBytes: true);
    private readonly FileStream stream;
    private readonly Dictionary<string, long> offsets = [];

    private SafeTensorsFile(string path, FileStream stream) : base(path) => this.stream = stream;

    /// <inheritdoc/>
    public override string Format => "safetensors";

    /// <summary>Opens a file and checks its header; data is read by <see cref="WeightFile.Load"/>. Entries stand in the order of their data.</summary>
    /// <exception cref="KitException">The header breaks a rule of the format; the message names the file, the key and the rule.</exception>
    /// <exception cref="FileNotFoundException">No such file.</exception>
    public static new SafeTensorsFile Open(string path)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            var file = new SafeTensorsFile(path, stream);
            file.ReadHeader();
            return file;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => stream.Dispose();

    internal override void Read(string name, long first, Tensor target) => TensorData.Fill(target, stream, offsets[name] + first * target.element_size());

    private void ReadHeader()
    {
        if (stream.Length < 8) throw Broken("shorter than the 8-byte header length");
        Span<byte> length = stackalloc byte[8];
        stream.ReadExactly(length);
        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(length);
        if (header > HeaderCap) throw Broken($"header of {header} bytes is over the cap of {HeaderCap}");
        if ((long)header > stream.Length - 8) throw Broken($"header of {header} bytes does not fit the file of {stream.Length}");
        byte[] json = new byte[header];
        stream.ReadExactly(json);
        if (json is not [(byte)'{', ..]) throw Broken("the header does not begin with '{'");
        try
        {
            Encoding.GetCharCount(json);
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 4 });
            Parse(document.RootElement, 8 + (long)header);
        }
        catch (DecoderFallbackException e)
        {
            throw new KitException($"{Path}: the safetensors header is not valid UTF-8 ({e.Message}). Fetch the file again.", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new KitException($"{Path}: the safetensors header is not valid JSON, holds half a character "
                + $"or repeats a key ({Printable.Of(e.Message)}). Fetch the file again.", e);
        }
    }

    private void Parse(JsonElement root, long dataStart)
    {
        if (root.ValueKind != JsonValueKind.Object) throw Broken("the header is no JSON object");
        var entries = new List<WeightEntry>();
        foreach (JsonProperty property in root.EnumerateObject())
        {
            if (property.Name == "__metadata__") Metadata = ParseMetadata(property.Value);
            else entries.Add(ParseEntry(property.Name, property.Value, dataStart));
        }
        entries.Sort((a, b) => offsets[a.Name] != offsets[b.Name] ? offsets[a.Name].CompareTo(offsets[b.Name]) : a.Bytes.CompareTo(b.Bytes));
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
        // Some writers say null where there is none.
        if (value.ValueKind == JsonValueKind.Null) return [];
        if (value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Any(p => p.Value.ValueKind != JsonValueKind.String))
            throw Broken("__metadata__ is no map of text to text");
        return value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!);
    }

    private WeightEntry ParseEntry(string name, JsonElement value, long dataStart)
    {
        if (value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Count() != 3
            || !value.TryGetProperty("dtype", out JsonElement type) || type.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out JsonElement shape) || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out JsonElement offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
            throw Broken($"'{Printable.Of(name)}' is not of the form dtype, shape, data_offsets");
        ScalarType scalar = SafeTensors.TypeOf(type.GetString())
            ?? throw Broken($"'{Printable.Of(name)}' has type {Printable.Of(type.GetString()!)}, "
                + $"which this reader does not take; expected one of {string.Join(", ", SafeTensors.TypeNames)}");
        if (shape.GetArrayLength() is var dimensions and > DimensionCap)
            throw Broken($"'{Printable.Of(name)}' has {dimensions} dimensions, over the cap of {DimensionCap}");
        long[] sizes = shape.EnumerateArray().Select(e => Integer(e, name)).ToArray();
        long begin = Integer(offsets[0], name), end = Integer(offsets[1], name), bytes = scalar.ElementSize();
        try
        {
            foreach (long s in sizes) bytes = checked(bytes * s);
        }
        catch (OverflowException)
        {
            throw Broken($"'{Printable.Of(name)}' has a shape whose size overflows");
        }
        if (end < begin || end - begin != bytes)
            throw Broken($"'{Printable.Of(name)}' spans {begin}..{end} but its shape needs {bytes} bytes");
        if (end > stream.Length - dataStart)
            throw Broken($"'{Printable.Of(name)}' ends at byte {end} of the data, beyond the end of the file");
        this.offsets[name] = dataStart + begin;
        return new(name, scalar, sizes);
    }

    private long Integer(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out long value) && value >= 0 ? value
            : throw Broken($"'{Printable.Of(name)}' has a size or offset that is no non-negative integer");

    private KitException Broken(string what) => new($"{Path}: not a valid safetensors file: {what}. Fetch the file again.");
}
