using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Writes safetensors files; <see cref="WeightLoader"/> reads them.</summary>
public static class SafeTensors
{
    private static readonly Dictionary<ScalarType, string> Names = new()
    {
        [float64] = "F64",
        [float32] = "F32",
        [float16] = "F16",
        [bfloat16] = "BF16",
        [int64] = "I64",
        [int32] = "I32",
        [ScalarType.Int16] = "I16",
        [ScalarType.Int8] = "I8",
        [ScalarType.Byte] = "U8",
        [ScalarType.Bool] = "BOOL",
    };

    internal static IEnumerable<string> TypeNames => Names.Values;

    internal static ScalarType? TypeOf(string name) =>
        Names.FirstOrDefault(p => p.Value == name) is { Value: not null } pair ? pair.Key : null;

    /// <summary>Writes tensors of any device and layout atomically, the widest type first, then by name: equal content
    /// gives equal bytes. Copies one tensor at a time.</summary>
    /// <exception cref="ArgumentException">A type that the format lacks, or the reserved key __metadata__.</exception>
    public static void Save(
        string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        foreach ((string key, Tensor tensor) in tensors)
            if (key == "__metadata__" || !Names.ContainsKey(tensor.dtype))
                throw new ArgumentException(
                    $"Tensor '{key}' of type {tensor.dtype} cannot be stored: the key __metadata__ is reserved, "
                        + $"and the type must be one of {string.Join(", ", Names.Keys)}.", nameof(tensors));
        Save(path, tensors.Select(p => new WeightEntry(p.Key, p.Value.dtype, p.Value.shape)),
            key => tensors[key], metadata);
    }

    internal static void Save(string path, WeightFile source, IEnumerable<string> keys,
        IReadOnlyDictionary<string, string>? metadata) =>
            Save(path, keys.Select(k => source.Entries[k]), key => source.Load(key), metadata);

    private static void Save(string path, IEnumerable<WeightEntry> tensors, Func<string, Tensor> value,
        IReadOnlyDictionary<string, string>? metadata)
    {
        WeightEntry[] ordered =
            [.. tensors.OrderByDescending(t => t.Type.ElementSize()).ThenBy(t => t.Name, StringComparer.Ordinal)];
        byte[] header = Header(ordered, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (WeightEntry tensor in ordered)
            {
                using var scope = NewDisposeScope();
                TensorData.ForEachPart(value(tensor.Name), stream.Write);
            }
        });
    }

    private static byte[] Header(WeightEntry[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(p => p.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (WeightEntry tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", Names[tensor.Type]);
                WriteArray(json, "shape", tensor.Shape);
                WriteArray(json, "data_offsets", [offset, offset += tensor.Bytes]);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (stream.Length % 8 != 0) stream.WriteByte((byte)' ');
        return stream.ToArray();
    }

    private static void WriteArray(Utf8JsonWriter json, string key, long[] values)
    {
        json.WriteStartArray(key);
        foreach (long value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
