using System.Buffers.Binary;

namespace DermKit.Models;

/// <summary>Writes safetensors files; <see cref="WeightLoader"/> reads them.</summary>
public static class SafeTensors
{
    // With the names of torch's storages.
    internal static readonly (ScalarType Type, string Name, string Storage)[] Types =
    [
        (float64, "F64", "Double"), (float32, "F32", "Float"), (float16, "F16", "Half"),
        (bfloat16, "BF16", "BFloat16"), (int64, "I64", "Long"), (int32, "I32", "Int"),
        (ScalarType.Int16, "I16", "Short"), (ScalarType.Int8, "I8", "Char"), (ScalarType.Byte, "U8", "Byte"),
        (ScalarType.Bool, "BOOL", "Bool"),
    ];

    /// <summary>Writes tensors of any device and layout atomically, the widest type first, then by name: equal content
    /// gives equal bytes. Copies one tensor at a time.</summary>
    /// <exception cref="ArgumentException">A type that the format lacks, or the reserved key __metadata__.</exception>
    public static void Save(
        string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        foreach ((string key, Tensor tensor) in tensors)
            if (key == "__metadata__" || !Types.Any(t => t.Type == tensor.dtype))
                throw new ArgumentException($"Tensor '{key}' of type {tensor.dtype} cannot be stored: the key "
                    + "__metadata__ is reserved, and the type must be one of "
                    + $"{string.Join(", ", Types.Select(t => t.Type))}.", nameof(tensors));
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
        var header = new OrderedDictionary<string, object>();
        if (metadata is not null)
            header["__metadata__"] =
                new SortedDictionary<string, string>(metadata.ToDictionary(), StringComparer.Ordinal);
        long offset = 0;
        foreach (WeightEntry tensor in tensors)
            header[tensor.Name] = new
            {
                dtype = Array.Find(Types, t => t.Type == tensor.Type).Name,
                shape = tensor.Shape,
                data_offsets = new[] { offset, offset += tensor.Bytes },
            };
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        return [.. json, .. Enumerable.Repeat((byte)' ', -json.Length & 7)];
    }
}
