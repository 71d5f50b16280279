using System.IO.Compression;
using System.Text;
using static TorchSharp.torch;

namespace DermKit.Models.Weights;

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

    private static byte[] Pickle(IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> text)
    {
        var bytes = new MemoryStream();
        void Put(string latin) => bytes.Write(Encoding.Latin1.GetBytes(latin));
        void Text(string value)
        {
            Put("X");
            bytes.Write(BitConverter.GetBytes(Encoding.UTF8.GetByteCount(value)));
            bytes.Write(Encoding.UTF8.GetBytes(value));
        }
        void Tuple(IEnumerable<long> values)
        {
            Put("(");
            foreach (long value in values)
            {
                Put("J");
                bytes.Write(BitConverter.GetBytes((int)value));
            }
            Put("t");
        }
        Put("\u0080\u0002}(");
        foreach ((string key, string value) in text)
        {
            Text(key);
            Text(value);
        }
        Text("state_dict");
        Put("}(");
        foreach ((int i, (string key, Tensor tensor)) in tensors.Index())
        {
            Text(key);
            Put("ctorch._utils\n_rebuild_tensor_v2\n((");
            Text("storage");
            Put("ctorch\nFloatStorage\n");
            Text($"{i}");
            Text("cpu");
            Put("J");
            bytes.Write(BitConverter.GetBytes((int)tensor.numel()));
            Put("tQK\u0000");
            Tuple(tensor.shape);
            Tuple(tensor.shape.Select((_, d) => tensor.shape[(d + 1)..].Aggregate(1L, (a, b) => a * b)));
            // Neither gradients nor hooks.
            Put("\u0089ccollections\nOrderedDict\n)RtR");
        }
        Put("uu.");
        return bytes.ToArray();
    }
}
