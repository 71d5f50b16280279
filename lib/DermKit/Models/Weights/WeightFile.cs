using System.Buffers.Binary;

namespace DermKit.Models;

internal sealed record WeightEntry(string Name, ScalarType Type, long[] Shape)
{
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);

    public long Bytes => Count * Type.ElementSize();
}

/// <summary>A file of named tensors: safetensors, several under one index, PyTorch's zip, or ONNX. Opening checks all
/// but the values.</summary>
internal abstract class WeightFile(string path) : IDisposable
{
    private static readonly string[] Endings =
        [".safetensors", ShardedFile.Ending, ".pth", ".pt", ".bin", ".ckpt", OnnxFile.Ending];

    public string Path { get; } = path;

    public abstract string Format { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; protected set; } = new Dictionary<string, string>();

    public IReadOnlyDictionary<string, WeightEntry> Entries { get; protected set; } =
        new Dictionary<string, WeightEntry>();

    // By content, whatever its name.
    public static WeightFile Open(string path)
    {
        if (ShardedFile.IsIndex(path)) return ShardedFile.Open(path);
        if (OnnxFile.Is(path)) return OnnxFile.Open(path);
        Span<byte> first = stackalloc byte[64];
        using (FileStream stream = File.OpenRead(path))
            first = first[..stream.ReadAtLeast(first, first.Length, throwOnEndOfStream: false)];
        if (first is [(byte)'P', (byte)'K', 3 or 5, 4 or 6, ..]) return TorchFile.Open(path);
        // As a header length, the first bytes of a pickle or text exceed any file.
        bool isLong = first.Length < 8 || BinaryPrimitives.ReadUInt64LittleEndian(first) > SafeTensorsFile.HeaderCap;
        if (isLong && first is [0x80, >= 1 and <= 5, ..])
            throw new KitException($"{path}: a pickle without a zip around it, as PyTorch wrote before version 1.6. In "
                + $"Python: torch.save(torch.load('{System.IO.Path.GetFileName(path)}', map_location='cpu', "
                + "weights_only=True), 'new.pth').");
        if (isLong && first.Length >= 4 && first.ToArray().All(b => b is >= 0x20 or 9 or 10 or 13))
            throw IsText(path, Encoding.Latin1.GetString(first));
        return SafeTensorsFile.Open(path);
    }

    // The path, or the only present one with another ending; null for none.
    public static string? Find(string path)
    {
        if (File.Exists(path)) return path;
        return EndingOf(path) is { } ending
            ? Endings.Select(e => path[..^ending.Length] + e).FirstOrDefault(File.Exists) : null;
    }

    // Name without its weights ending; null for another kind of file.
    internal static string? Stem(string path) =>
        EndingOf(path) is { } ending ? System.IO.Path.GetFileName(path)[..^ending.Length] : null;

    internal long[] Shape(string key) => Entries.TryGetValue(key, out WeightEntry? entry) ? entry.Shape : [];

    // Different names behind a prefix, such as blocks.
    internal int CountParts(string prefix)
    {
        IEnumerable<string> below = Entries.Keys.Where(k => k.StartsWith(prefix, Ordinal));
        return below.Select(k => k[prefix.Length..].Split('.')[0]).Distinct().Count();
    }

    public Tensor Load(string name, Device? device = null)
    {
        WeightEntry entry = Entry(name);
        Tensor tensor = empty(entry.Shape, entry.Type);
        Read(name, 0, tensor);
        if (device is null || device.type == DeviceType.CPU) return tensor;
        using (tensor) return tensor.to(device);
    }

    // Casts to the target's type and device; no buffer where both agree.
    public void LoadInto(string name, Tensor target)
    {
        if (Entry(name).Type == target.dtype && target.device_type == DeviceType.CPU && target.is_contiguous())
        {
            Read(name, 0, target);
            return;
        }
        using Tensor stored = Load(name);
        target.copy_(stored);
    }

    public abstract void Dispose();

    // Fills a contiguous cpu tensor of the entry's type from value first on, in C order.
    internal abstract void Read(string name, long first, Tensor target);

    private static string? EndingOf(string path) => Array.Find(Endings, e => path.EndsWith(e, OrdinalIgnoreCase));

    private static KitException IsText(string path, string text)
    {
        text = text.ReplaceLineEndings(" ");
        string what = "text instead of weights";
        if (text.StartsWith("version https://git-lfs", Ordinal))
            what = "a Git LFS pointer, not the file that it points to: fetch it with git lfs pull";
        else if (text.TrimStart().StartsWith('<'))
            what = "a web page instead of weights: the download failed or needs a login";
        return new($"{path}: {what}. It begins with '{Printable.Of(text[..Math.Min(40, text.Length)])}'.");
    }

    private WeightEntry Entry(string name) => Entries.TryGetValue(name, out WeightEntry? entry) ? entry
        : throw new KitException($"{Path}: no tensor '{Printable.Of(name)}'; "
            + $"the nearest key is '{Printable.Of(KitException.Nearest(name, Entries.Keys))}'.");
}
