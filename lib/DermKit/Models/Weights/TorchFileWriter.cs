using System.IO.Compression;
using System.Text;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>Writes the little of PyTorch's zip that a checkpoint of float32 weights needs, a pickle of protocol 2 and the values beside it; <see cref="TorchFile"/> reads it, and so does torch.load.</summary>
internal static class TorchFileWriter
{
    /// <summary>Writes a dictionary with the key state_dict and the texts beside it, whole or not at all.</summary>
    /// <param name="path">Target; replaced by rename.</param>
    /// <param name="tensors">float32, of any device and layout.</param>
    /// <param name="text">Text by key.</param>
    /// <exception cref="ArgumentException">A tensor of another type.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> text)
    {
        if (tensors.FirstOrDefault(t => t.Value.dtype != ScalarType.Float32) is { Key: { } wrong }) throw new ArgumentException($"Tensor '{wrong}': expected float32, found {tensors[wrong].dtype}.", nameof(tensors));
        AtomicFile.Write(path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            void Add(string name, Action<Stream> write)
            {
                using Stream entry = zip.CreateEntry($"archive/{name}", CompressionLevel.NoCompression).Open();
                write(entry);
            }
            Add("data.pkl", entry => entry.Write(Pickle(tensors, text)));
            Add("byteorder", entry => entry.Write("little"u8));
            foreach ((int i, Tensor tensor) in tensors.Values.Index()) Add($"data/{i}", entry => TensorData.ForEachPart(tensor, entry.Write));
            Add("version", entry => entry.Write("3\n"u8));
        });
    }

    // The letters are the opcodes of the protocol: X text, J number, c name, ( t tuple, } ( u dictionary, Q what lies beside the pickle, R call.
    private static byte[] Pickle(IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> text) =>
        [0x80, 2, .. "}("u8, .. text.SelectMany(p => Text(p.Key).Concat(Text(p.Value))), .. Text("state_dict"), .. "}("u8, .. tensors.Index().SelectMany(t => Text(t.Item.Key).Concat(Rebuilt(t.Item.Value, t.Index))), .. "uu."u8];

    // Offset 0; neither gradients (0x89, false) nor hooks.
    private static byte[] Rebuilt(Tensor tensor, int index) =>
    [
        .. "ctorch._utils\n_rebuild_tensor_v2\n(("u8, .. Text("storage"), .. "ctorch\nFloatStorage\n"u8, .. Text($"{index}"), .. Text("cpu"), .. Number(tensor.numel()), .. "tQK\0"u8,
        .. Numbers(tensor.shape), .. Numbers(tensor.shape.Select((_, d) => tensor.shape[(d + 1)..].Aggregate(1L, (a, b) => a * b))), 0x89, .. "ccollections\nOrderedDict\n)RtR"u8,
    ];

    private static byte[] Text(string value) => [(byte)'X', .. BitConverter.GetBytes(Encoding.UTF8.GetByteCount(value)), .. Encoding.UTF8.GetBytes(value)];

    private static byte[] Number(long value) => [(byte)'J', .. BitConverter.GetBytes((int)value)];

    private static byte[] Numbers(IEnumerable<long> values) => [(byte)'(', .. values.SelectMany(Number), (byte)'t'];
}
