using System.Buffers.Binary;

namespace DermKit.Models;

/// <summary>A field of a protocol buffers message (protobuf.dev): a number, or the bytes of text, packed numbers or a
/// nested message.</summary>
internal readonly record struct ProtoField(int Number, ulong Value, ReadOnlyMemory<byte> Bytes)
{
    public string Text => Encoding.UTF8.GetString(Bytes.Span);

    // Throws FormatException.
    public static IEnumerable<ProtoField> Of(ReadOnlyMemory<byte> message)
    {
        int at = 0;
        while (at < message.Length)
        {
            ulong tag = Varint(message.Span, ref at), value = 0;
            ReadOnlyMemory<byte> bytes = default;
            int kind = (int)(tag & 7);
            if (kind == 0) value = Varint(message.Span, ref at);
            else
            {
                ulong length = kind switch
                {
                    1 => 8,
                    2 => Varint(message.Span, ref at),
                    5 => 4,
                    _ => throw new FormatException($"a field of kind {kind} at byte {at} of a message"),
                };
                if (length > (ulong)(message.Length - at))
                    throw new FormatException($"a field of {length} bytes where {message.Length - at} are left");
                bytes = message.Slice(at, (int)length);
                at += (int)length;
            }
            yield return new((int)(tag >> 3), value, bytes);
        }
    }

    // One number, or the packed ones.
    public IEnumerable<long> Integers()
    {
        if (Bytes.IsEmpty) yield return (long)Value;
        for (int at = 0; at < Bytes.Length;) yield return (long)Varint(Bytes.Span, ref at);
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64 && at < bytes.Length; shift += 7)
        {
            byte next = bytes[at++];
            value |= (ulong)(next & 127) << shift;
            if (next < 128) return value;
        }
        throw new FormatException("it ends, or runs on, inside a number");
    }
}
