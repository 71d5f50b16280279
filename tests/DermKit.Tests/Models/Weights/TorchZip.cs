using DermKit.Models;
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Models;

/// <summary>Pickles as torch.save writes them (protocol 2), from nothing: each function gives the bytes
/// that push one value.</summary>
internal static class Pickled
{
    public static readonly byte[] None = "N"u8.ToArray(), EmptyTuple = ")"u8.ToArray(), EmptyDict = "}"u8.ToArray(),
        EmptyList = "]"u8.ToArray(), False = [0x89], True = [0x88];

    public static byte[] Whole(byte[] value) => [0x80, 2, .. value, (byte)'.'];

    public static byte[] Text(string text) => [(byte)'X', .. U32((uint)Encoding.UTF8.GetByteCount(text)),
        .. Encoding.UTF8.GetBytes(text)];

    public static byte[] Int(long value) => value is >= 0 and < 256 ? [(byte)'K', (byte)value]
        : value is >= int.MinValue and <= int.MaxValue ? [(byte)'J', .. U32((uint)(int)value)]
        : [0x8a, 8, .. BitConverter.GetBytes(value)];

    public static byte[] Real(double value)
    {
        byte[] bytes = new byte[9];
        bytes[0] = (byte)'G';
        BinaryPrimitives.WriteDoubleBigEndian(bytes.AsSpan(1), value);
        return bytes;
    }

    public static byte[] Tuple(params byte[][] items) => [(byte)'(', .. items.SelectMany(i => i), (byte)'t'];

    public static byte[] Sizes(params long[] sizes) => Tuple([.. sizes.Select(Int)]);

    public static byte[] List(params byte[][] items) => [(byte)']', (byte)'(', .. items.SelectMany(i => i), (byte)'e'];

    public static byte[] Dict(params (string Key, byte[] Value)[] items) => [(byte)'}', (byte)'(',
        .. items.SelectMany(i => (byte[])[.. Text(i.Key), .. i.Value]), (byte)'u'];

    public static byte[] Global(string module, string name) => [(byte)'c',
        .. Encoding.Latin1.GetBytes($"{module}\n{name}\n")];

    public static byte[] Call(byte[] function, params byte[][] arguments) => [.. function,
        .. Tuple(arguments), (byte)'R'];

    public static byte[] Ordered(params (string Key, byte[] Value)[] items) =>
        [.. Call(Global("collections", "OrderedDict")),
            .. items.Length == 0 ? []
                : (byte[])[(byte)'(', .. items.SelectMany(i => (byte[])[.. Text(i.Key), .. i.Value]), (byte)'u']];

    public static byte[] Object(byte[] type, params (string Key, byte[] Value)[] attributes) => [.. type, (byte)')',
        0x81, .. Dict(attributes), (byte)'b'];

    public static byte[] Storage(string type, string key, long count) =>
        [.. Tuple(Text("storage"), Global("torch", type), Text(key), Text("cpu"), Int(count)), (byte)'Q'];

    public static byte[] Tensor(byte[] storage, long offset, long[] shape, long[] strides) =>
        Call(Global("torch._utils", "_rebuild_tensor_v2"), storage, Int(offset), Sizes(shape), Sizes(strides),
            False, Ordered());

    private static byte[] U32(uint value) => BitConverter.GetBytes(value);
}

/// <summary>Writes PyTorch's zip.</summary>
internal sealed class TorchZip
{
    private readonly List<Tensor> storages = [];

    public static string TypeName(ScalarType type) => type switch
    {
        ScalarType.Float64 => "DoubleStorage",
        ScalarType.Float32 => "FloatStorage",
        ScalarType.Float16 => "HalfStorage",
        ScalarType.BFloat16 => "BFloat16Storage",
        ScalarType.Int64 => "LongStorage",
        ScalarType.Int32 => "IntStorage",
        ScalarType.Int16 => "ShortStorage",
        ScalarType.Int8 => "CharStorage",
        ScalarType.Byte => "ByteStorage",
        ScalarType.Bool => "BoolStorage",
        _ => throw new ArgumentException(type.ToString()),
    };

    /// <summary>A storage with a tensor's values in C order; the tensor must live until the file is written.</summary>
    public byte[] Storage(Tensor tensor)
    {
        storages.Add(tensor);
        return Pickled.Storage(TypeName(tensor.dtype), $"{storages.Count - 1}", tensor.numel());
    }

    /// <summary>A tensor over a storage of its own.</summary>
    public byte[] Tensor(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return Pickled.Tensor(Storage(tensor), 0, tensor.shape, empty(tensor.shape, device: META).stride());
    }

    /// <summary>A state dict with torch's _metadata attribute.</summary>
    public byte[] State(IEnumerable<KeyValuePair<string, Tensor>> state) =>
        [.. Pickled.Ordered([.. state.Select(p => (p.Key, Tensor(p.Value)))]),
            .. Pickled.Dict(("_metadata", Pickled.Ordered(("", Pickled.Dict(("version", Pickled.Int(1))))))),
            (byte)'b'];

    public string Write(string path, byte[] value, CompressionLevel level = CompressionLevel.NoCompression,
        string root = "archive", params (string Name, byte[] Content)[] more)
    {
        using var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
        void Add(string name, byte[] content)
        {
            using Stream entry = zip.CreateEntry($"{root}/{name}", level).Open();
            entry.Write(content);
        }
        Add("data.pkl", Pickled.Whole(value));
        Add("byteorder", "little"u8.ToArray());
        for (int i = 0; i < storages.Count; i++)
        {
            using Stream entry = zip.CreateEntry($"{root}/data/{i}", level).Open();
            TensorData.ForEachPart(storages[i], part => entry.Write(part));
        }
        foreach ((string name, byte[] content) in more) Add(name, content);
        Add("version", "3\n"u8.ToArray());
        return path;
    }

    /// <summary>A file of one state dict.</summary>
    public static string Save(string path, IEnumerable<KeyValuePair<string, Tensor>> state)
    {
        var zip = new TorchZip();
        return zip.Write(path, zip.State(state));
    }
}
