using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Writes the safetensors layout; <see cref="SafeTensorsFile"/> reads it.</summary>
public static class SafeTensors
{
    private static readonly Dictionary<ScalarType, string> Names = new()
    {
        [ScalarType.Float64] = "F64", [ScalarType.Float32] = "F32", [ScalarType.Float16] = "F16", [ScalarType.BFloat16] = "BF16",
        [ScalarType.Int64] = "I64", [ScalarType.Int32] = "I32", [ScalarType.Int16] = "I16", [ScalarType.Int8] = "I8",
        [ScalarType.Byte] = "U8", [ScalarType.Bool] = "BOOL",
    };

    /// <summary>The element types as the format writes them.</summary>
    internal static IEnumerable<string> TypeNames => Names.Values;

    /// <summary>The element type that the format calls <paramref name="name"/>; null when none is.</summary>
    internal static ScalarType? TypeOf(string? name) => Names.FirstOrDefault(p => p.Value == name) is { Value: not null } pair ? pair.Key : null;

    /// <summary>
    /// Writes tensors of any device and layout, whole or not at all; widest element type first, then by name, so that equal
    /// content gives equal bytes. One tensor at a time is copied at most.
    /// </summary>
    /// <param name="path">Target; replaced by rename.</param>
    /// <param name="tensors">Tensors by key.</param>
    /// <param name="metadata">Text by key, or null.</param>
    /// <exception cref="ArgumentException">An element type that the format has no name for, or the reserved key __metadata__.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        foreach ((string key, Tensor tensor) in tensors)
            if (key == "__metadata__" || !Names.ContainsKey(tensor.dtype))
                throw new ArgumentException($"Tensor '{key}' of type {tensor.dtype} cannot be stored: the key __metadata__ is reserved, and the type must be one of {string.Join(", ", Names.Keys)}.", nameof(tensors));
        Save(path, tensors.Select(p => (new WeightEntry(p.Key, p.Value.dtype, p.Value.shape), (Func<Tensor>)(() => p.Value))), metadata);
    }

    /// <summary>Writes a file's tensors in their stored types, one at a time in memory.</summary>
    /// <param name="path">Target; replaced by rename.</param>
    /// <param name="source">Where they come from.</param>
    /// <param name="keys">Which.</param>
    /// <param name="metadata">Text by key, or null.</param>
    public static void Save(string path, WeightFile source, IEnumerable<string> keys, IReadOnlyDictionary<string, string>? metadata = null) =>
        Save(path, keys.Select(k => (source.Entries[k], (Func<Tensor>)(() => source.Load(k)))), metadata);

    private static void Save(string path, IEnumerable<(WeightEntry Entry, Func<Tensor> Value)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        (WeightEntry Entry, Func<Tensor> Value)[] ordered = [.. tensors.OrderByDescending(t => t.Entry.Type.ElementSize()).ThenBy(t => t.Entry.Name, StringComparer.Ordinal)];
        byte[] header = Header(ordered.Select(t => t.Entry), metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach ((_, Func<Tensor> value) in ordered)
            {
                using var scope = NewDisposeScope();
                TensorData.ForEachPart(value(), part => stream.Write(part));
            }
        });
    }

    private static byte[] Header(IEnumerable<WeightEntry> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(p => p.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (WeightEntry tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", Names[tensor.Type]);
                json.WriteStartArray("shape");
                foreach (long size in tensor.Shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (stream.Length % 8 != 0) stream.WriteByte((byte)' ');
        return stream.ToArray();
    }
}
