namespace DermKit.Models;

/// <summary>Tensors of an ONNX file without their values: protobuf's wire format and the fields of onnx.proto
/// (github.com/onnx/onnx). Memory does not depend on what the file says.</summary>
internal sealed class OnnxContents
{
    private enum Message { Model, Function, Graph, Node, Attribute, Sparse, Tensor, Entry }

    private static readonly Dictionary<(Message, ulong Field), Message> Inner = new()
    {
        [(Message.Model, 7)] = Message.Graph,
        [(Message.Model, 25)] = Message.Function,
        [(Message.Function, 7)] = Message.Node,
        [(Message.Graph, 1)] = Message.Node,
        [(Message.Graph, 5)] = Message.Tensor,
        [(Message.Graph, 15)] = Message.Sparse,
        [(Message.Node, 5)] = Message.Attribute,
        [(Message.Attribute, 5)] = Message.Tensor,
        [(Message.Attribute, 6)] = Message.Graph,
        [(Message.Attribute, 10)] = Message.Tensor,
        [(Message.Attribute, 11)] = Message.Graph,
        [(Message.Sparse, 1)] = Message.Tensor,
        [(Message.Tensor, 13)] = Message.Entry,
    };

    private readonly FileStream file;
    private readonly SortedSet<string> locations = new(StringComparer.Ordinal);

    private OnnxContents(FileStream file) => this.file = file;

    /// <summary>Values of all tensors, without integers of 32 or 64 bits, truth values and text.</summary>
    public long Parameters { get; private set; }

    /// <summary>Paths of the files with external data, in order.</summary>
    public IReadOnlyList<string> Files { get; private set; } = [];

    // Throws a KitException for what is no ONNX file and for external data outside its folder or not there.
    public static OnnxContents Read(string path)
    {
        using FileStream stream = File.OpenRead(path);
        var contents = new OnnxContents(stream);
        try
        {
            contents.Read(Message.Model, stream.Length, 0);
        }
        catch (InvalidDataException)
        {
            throw new KitException($"{path}: expected an ONNX model, found {Found(path)} at byte {stream.Position}.");
        }
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string[] parts = [.. contents.locations];
        if (Array.Find(parts, p => Path.IsPathRooted(p) || p.Contains("..", Ordinal)) is { } outside)
            throw new KitException($"{path}: its external data '{outside}' are not in its folder.");
        contents.Files = Array.ConvertAll(parts, p => Path.Combine(folder, p));
        return contents.Files.FirstOrDefault(p => !File.Exists(p)) is not { } absent ? contents
            : throw new KitException($"{path}: expected its external data {absent}, found no such file; copy it there.");
    }

    private static string Found(string path)
    {
        try
        {
            using WeightFile other = WeightFile.Open(path);
            return $"a file of the format {other.Format} (give it that format's ending), which is no protobuf";
        }
        catch (KitException)
        {
            return "a broken or truncated protobuf";
        }
    }

    private void Read(Message message, long end, int depth)
    {
        // Protobuf's own limit.
        if (depth > 100) throw new InvalidDataException();
        long count = 1;
        ulong type = 0;
        string key = "";
        while (file.Position < end)
        {
            ulong tag = Varint(end), field = tag >> 3, value = 0;
            if ((tag & 7) is 0 or 2) value = Varint(end);
            ulong length = (tag & 7) switch
            {
                0 => 0,
                1 => 8,
                2 => value,
                5 => 4,
                _ => ulong.MaxValue,
            };
            if (field == 0 || length > (ulong)(end - file.Position)) throw new InvalidDataException();
            long next = file.Position + (long)length;
            if ((tag & 7) == 2 && Inner.TryGetValue((message, field), out Message inner)) Read(inner, next, depth + 1);
            else if (message == Message.Tensor && tag == (1 << 3 | 0)) count = unchecked(count * (long)value);
            else if (message == Message.Tensor && tag == (1 << 3 | 2))
                while (file.Position < next) count = unchecked(count * (long)Varint(next));
            else if (message == Message.Tensor && tag == 2 << 3) type = value;
            else if (message == Message.Entry && tag == (1 << 3 | 2)) key = Text(length);
            else if (message == Message.Entry && tag == (2 << 3 | 2) && key == "location") locations.Add(Text(length));
            file.Position = next;
        }
        if (message == Message.Tensor && type is not (6 or 7 or 8 or 9)) Parameters = unchecked(Parameters + count);
    }

    private string Text(ulong length)
    {
        byte[] bytes = new byte[length <= 4096 ? length : throw new InvalidDataException()];
        file.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private ulong Varint(long end)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64 && file.Position < end; shift += 7)
        {
            int part = file.ReadByte();
            value |= (ulong)(part & 127) << shift;
            if (part < 128) return value;
        }
        throw new InvalidDataException();
    }
}
