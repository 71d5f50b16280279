using System.Runtime.InteropServices;

namespace DermKit.Models;

/// <summary>Initialisers of an ONNX model (github.com/onnx/onnx, onnx.proto) with values inside the file. Those of a
/// ResNet's graph get torchvision's keys, others keep their names.</summary>
/// <remarks>Models of CNTK take BGR from 0 to 255 less a mean. Their first convolution is read for what the kit's
/// transforms give, RGB in ImageNet's statistics: its inputs are reversed and scaled.</remarks>
internal sealed class OnnxFile : WeightFile
{
    internal const string Ending = ".onnx";

    private const string FirstKernel = "conv1.weight";
    private const int Float = 1;

    // ImageNet's, from 0 to 255.
    internal static readonly float[] Means = [123.675f, 116.28f, 103.53f], Deviations = [58.395f, 57.12f, 57.375f];

    private readonly Dictionary<string, ReadOnlyMemory<byte>> values = [];
    private readonly List<OnnxNode> nodes = [];
    private readonly bool isOfCntk;

    private OnnxFile(string path, ReadOnlyMemory<byte> model) : base(path)
    {
        string producer = "";
        var entries = new Dictionary<string, WeightEntry>();
        try
        {
            foreach (ProtoField field in ProtoField.Of(model))
                if (field.Number == 2) producer = field.Text;
                else if (field.Number == 7) ReadGraph(field.Bytes, entries);
        }
        catch (FormatException e)
        {
            throw new KitException($"{path}: not a valid ONNX file: {e.Message}. Fetch the file again.", e);
        }
        isOfCntk = producer == "CNTK";
        Entries = entries;
        if (OnnxResNet.Keys(nodes) is { } keys && keys.Values.All(entries.ContainsKey)) Rename(keys, entries);
    }

    public override string Format => "ONNX";

    public static new OnnxFile Open(string path) => new(path, Bytes(path));

    public static bool Is(string path) => path.EndsWith(Ending, OrdinalIgnoreCase);

    public static byte[] Bytes(string path)
    {
        // Protocol buffers end at 2 GiB; larger models have external data.
        if (new FileInfo(path).Length > Array.MaxLength)
            throw new KitException($"{path}: expected an ONNX file under 2 GiB, found a larger one.");
        return File.ReadAllBytes(path);
    }

    // CNTK's mean image [1, 3, H, W], BGR from 0 to 255, in ImageNet's statistics.
    public static Tensor MeanImage(string path)
    {
        using OnnxFile file = Open(path);
        return Scoped(() => (file.Load("MeanImage").flip(1) - Colours(Means)) / Colours(Deviations));
    }

    internal static Tensor Colours(float[] values, Device? device = null) =>
        tensor(values, device: device).view(1, 3, 1, 1);

    public override void Dispose() => values.Clear();

    internal override void Read(string name, long first, Tensor target)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor all = tensor(MemoryMarshal.Cast<byte, float>(values[name].Span).ToArray());
        if (isOfCntk && name == FirstKernel)
            all = (all.view(Entries[name].Shape).flip(1) * Colours(Deviations)).view(-1);
        target.view(-1).copy_(all.narrow(0, first, target.numel()));
    }

    private void ReadGraph(ReadOnlyMemory<byte> graph, Dictionary<string, WeightEntry> entries)
    {
        foreach (ProtoField field in ProtoField.Of(graph))
            if (field.Number == 1) nodes.Add(OnnxNode.Read(field.Bytes));
            else if (field.Number == 5) ReadTensor(field.Bytes, entries);
    }

    private void ReadTensor(ReadOnlyMemory<byte> bytes, Dictionary<string, WeightEntry> entries)
    {
        var shape = new List<long>();
        string name = "";
        ulong type = 0;
        ReadOnlyMemory<byte> data = default;
        foreach (ProtoField field in ProtoField.Of(bytes))
            switch (field.Number)
            {
                case 1:
                    shape.AddRange(field.Integers());
                    break;
                case 2:
                    type = field.Value;
                    break;
                case 4 or 9:
                    data = field.Bytes;
                    break;
                case 8:
                    name = field.Text;
                    break;
                case 14 when field.Value == 1:
                    throw new KitException($"{Path}: '{Printable.Of(name)}' is in another file. Save the model with "
                        + "its weights inside (in Python: onnx.save(onnx.load(IN), OUT)).");
            }
        // Shapes and constants of other types are no weights.
        if (type != Float) return;
        var entry = new WeightEntry(name, ScalarType.Float32, [.. shape]);
        if (shape.Any(n => n < 0 || n > int.MaxValue) || entry.Bytes != data.Length)
            throw new FormatException($"'{Printable.Of(name)}' of shape [{string.Join(", ", shape)}] has "
                + $"{data.Length} bytes");
        if (!entries.TryAdd(name, entry)) throw new FormatException($"'{Printable.Of(name)}' is there twice");
        values[name] = data;
    }

    private void Rename(IReadOnlyDictionary<string, string> keys, Dictionary<string, WeightEntry> entries)
    {
        Entries = keys.ToDictionary(p => p.Key, p => entries[p.Value] with { Name = p.Key });
        var named = keys.ToDictionary(p => p.Key, p => values[p.Value]);
        values.Clear();
        foreach ((string key, ReadOnlyMemory<byte> data) in named) values[key] = data;
    }
}
