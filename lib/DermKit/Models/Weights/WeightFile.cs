using System.Buffers.Binary;
using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>One tensor of a weights file.</summary>
/// <param name="Name">Key.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar.</param>
public sealed record WeightEntry(string Name, ScalarType Type, long[] Shape)
{
    /// <summary>Number of values.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);

    /// <summary>Length of its values in bytes.</summary>
    public long Bytes => Count * Type.ElementSize();
}

/// <summary>A file of named tensors: safetensors, several safetensors files under one index, or PyTorch's zip. Opening it reads and checks all but the values.</summary>
/// <param name="path">The file.</param>
public abstract class WeightFile(string path) : IDisposable
{
    private static readonly string[] Endings = [".safetensors", ".safetensors.index.json", ".pth", ".pt", ".bin", ".ckpt"];

    /// <summary>The file.</summary>
    public string Path { get; } = path;

    /// <summary>What kind of file it is, in words.</summary>
    public abstract string Format { get; }

    /// <summary>Text by key, as the format holds it; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; protected set; } = new Dictionary<string, string>();

    /// <summary>Entries by key.</summary>
    public IReadOnlyDictionary<string, WeightEntry> Entries { get; protected set; } = new Dictionary<string, WeightEntry>();

    /// <summary>Opens a file by what it holds, whatever its name.</summary>
    /// <exception cref="KitException">It is no weights file, or breaks a rule of its format; the message names the file and the rule.</exception>
    /// <exception cref="FileNotFoundException">No such file.</exception>
    public static WeightFile Open(string path)
    {
        if (path.EndsWith(ShardedFile.Ending, StringComparison.OrdinalIgnoreCase)) return ShardedFile.Open(path);
        Span<byte> first = stackalloc byte[64];
        using (FileStream stream = File.OpenRead(path)) first = first[..stream.ReadAtLeast(first, first.Length, throwOnEndOfStream: false)];
        if (first is [(byte)'P', (byte)'K', 3 or 5, 4 or 6, ..]) return TorchFile.Open(path);
        // Read as safetensors, a pickle's or a text's first eight bytes are a header longer than any file.
        bool isLong = first.Length < 8 || BinaryPrimitives.ReadUInt64LittleEndian(first) > SafeTensorsFile.HeaderCap;
        if (isLong && first is [0x80, >= 1 and <= 5, ..])
            throw new KitException($"{path}: a pickle without PyTorch's zip around it, as PyTorch wrote before version 1.6; this reader takes the zip only. In Python: torch.save(torch.load(\"{System.IO.Path.GetFileName(path)}\", map_location=\"cpu\", weights_only=True), \"new.pth\").");
        if (isLong && first.Length >= 4 && first.ToArray().All(b => b is >= 0x20 or 9 or 10 or 13))
        {
            string text = Encoding.Latin1.GetString(first).ReplaceLineEndings(" ");
            string what = text.StartsWith("version https://git-lfs", StringComparison.Ordinal) ? "a Git LFS pointer, not the file that it points to: fetch it with git lfs pull"
                : text.TrimStart().StartsWith('<') ? "a web page instead of weights: the download failed or asked for something" : "text instead of weights";
            string start = Printable.Of(text[..Math.Min(40, text.Length)]);
            throw new KitException($"{path}: {what}. It begins with '{start}'.");
        }
        return SafeTensorsFile.Open(path);
    }

    /// <summary>The file, or, where it is not there, one of the same name with another ending of weights files; null when there is none.</summary>
    public static string? Find(string path) => File.Exists(path) ? path
        : Endings.FirstOrDefault(e => path.EndsWith(e, StringComparison.OrdinalIgnoreCase)) is { } ending ? Array.Find([.. Endings.Select(e => path[..^ending.Length] + e)], File.Exists) : null;

    /// <summary>A path without its folder and without the ending of weights files; null for another kind of file.</summary>
    internal static string? Stem(string path) => Endings.Reverse().FirstOrDefault(e => path.EndsWith(e, StringComparison.OrdinalIgnoreCase)) is { } ending ? System.IO.Path.GetFileName(path)[..^ending.Length] : null;

    /// <summary>Reads one tensor, in its stored type, onto <paramref name="device"/> (cpu when null).</summary>
    /// <exception cref="KitException">No such key; the nearest one is named.</exception>
    /// <exception cref="EndOfStreamException">The file was cut after it was opened.</exception>
    public Tensor Load(string name, Device? device = null)
    {
        WeightEntry entry = Entry(name);
        Tensor tensor = empty(entry.Shape, entry.Type);
        Read(name, 0, tensor);
        if (device is null || device.type == DeviceType.CPU) return tensor;
        using (tensor) return tensor.to(device);
    }

    /// <summary>Fills a tensor of the same shape, cast to its type and device; straight into its memory where neither differs.</summary>
    /// <exception cref="KitException">No such key; the nearest one is named.</exception>
    public void LoadInto(string name, Tensor target)
    {
        if (Entry(name).Type == target.dtype && target.device_type == DeviceType.CPU && target.is_contiguous()) Read(name, 0, target);
        else
        {
            using Tensor stored = Load(name);
            target.copy_(stored);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the file.</summary>
    protected abstract void Dispose(bool disposing);

    /// <summary>Fills a contiguous cpu tensor of the entry's type with its values from the one numbered <paramref name="first"/> on, counted in C order.</summary>
    internal abstract void Read(string name, long first, Tensor target);

    private WeightEntry Entry(string name) => Entries.TryGetValue(name, out WeightEntry? entry) ? entry
        : throw new KitException($"{Path}: no tensor '{Printable.Of(name)}'; "
            + $"the nearest key is '{Printable.Of(KitException.Nearest(name, Entries.Keys))}'.");
}
