using System.Runtime.InteropServices;
using System.Text;

namespace DermKit.Tests.Models;

/// <summary>ONNX files from nothing: fields of onnx.proto in protobuf's wire format.</summary>
internal static class OnnxWriter
{
    public const int Float = 1, Long = 7;

    public static readonly byte[] Images = Input("x", "N", 3, 224, 224), Features = Output("y", "N", "D");

    /// <summary>Means of the three channels as [N, 3].</summary>
    public static readonly byte[] Pooled = [.. Node("GlobalAveragePool", "x", "p"), .. Node("Flatten", "p", "y")];

    public static byte[] Model(params IEnumerable<byte[]> graph) =>
        [.. Number(1, 8), .. Inside(8, Number(2, 13)), .. Inside(7, [.. graph, Text(2, "graph")])];

    /// <summary>Sizes are numbers, or names where they are free.</summary>
    public static byte[] Input(string name, params object[] shape) => Value(11, name, Float, shape);

    public static byte[] Output(string name, params object[] shape) => Value(12, name, Float, shape);

    public static byte[] Value(int field, string name, int type, params object[] shape)
    {
        var sizes = shape.Select(d => Inside(1, d is string free ? Text(2, free) : Number(1, Convert.ToInt64(d))));
        return Inside(field, Text(1, name), Inside(2, Inside(1, Number(1, type), Inside(2, sizes))));
    }

    public static byte[] Node(string operation, string inputs, string output, params IEnumerable<byte[]> attributes) =>
        Inside(1, [.. inputs.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(i => Text(1, i)),
            Text(2, output), Text(4, operation), .. attributes]);

    public static byte[] Integers(string name, params long[] values) =>
        Inside(5, [Text(1, name), .. values.Select(v => Number(8, v)), Number(20, 7)]);

    public static byte[] Integer(string name, long value) => Inside(5, Text(1, name), Number(3, value), Number(20, 2));

    public static byte[] Weights(string name, long[] shape, int type, params IEnumerable<byte[]> data) =>
        Inside(5, [.. shape.Select(d => Number(1, d)), Number(2, type), Text(8, name), .. data]);

    public static byte[] Values<T>(params T[] values) where T : struct =>
        Inside(9, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    public static byte[] External(string location) =>
        [.. Inside(13, Text(1, "location"), Text(2, location)), .. Number(14, 1)];

    public static byte[] Number(int field, long value) => [.. Varint((ulong)field << 3), .. Varint((ulong)value)];

    public static byte[] Text(int field, string text) => Inside(field, Encoding.UTF8.GetBytes(text));

    public static byte[] Inside(int field, params IEnumerable<byte[]> parts)
    {
        byte[] content = [.. parts.SelectMany(p => p)];
        return [.. Varint((ulong)field << 3 | 2), .. Varint((ulong)content.Length), .. content];
    }

    private static IEnumerable<byte> Varint(ulong value)
    {
        for (; value > 127; value >>= 7) yield return (byte)(value | 128);
        yield return (byte)value;
    }
}
