using System.Buffers.Binary;

namespace DermKit.Imaging;

/// <summary>Reads the markers of a JPEG and the codes between them.</summary>
internal ref struct JpegBits(ReadOnlySpan<byte> file)
{
    // Encoders write so many zeros only for flat areas, with a table that codes them so.
    private static ReadOnlySpan<byte> Hole => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly ReadOnlySpan<byte> file = file;

    // Unused bits, from the highest on, and how many; the last ones are made up after the data's end.
    private ulong bits;
    private int at = 2, start, count, madeUp;

    // True if codes needed bits behind the end of their data.
    public readonly bool IsShort => count < madeUp;

    // Moves behind the next marker; returns its code, -1 at the end of the file.
    public int NextMarker()
    {
        while (at < file.Length)
        {
            int next = file[at..].IndexOf((byte)0xFF);
            if (next < 0) break;
            at += next;
            while (at < file.Length && file[at] == 0xFF) at++;
            if (at < file.Length && file[at++] is > 0 and var code) return code;
        }
        at = file.Length;
        return -1;
    }

    // Moves behind a marker's segment; false if it is cut.
    public bool Segment(out ReadOnlySpan<byte> segment)
    {
        segment = default;
        if (at + 2 > file.Length) return false;
        int length = BinaryPrimitives.ReadUInt16BigEndian(file[at..]);
        if (length < 2 || at + length > file.Length) return false;
        segment = file.Slice(at + 2, length - 2);
        at += length;
        return true;
    }

    public void Begin()
    {
        start = at;
        bits = 0;
        count = 0;
        madeUp = 0;
    }

    // Returns to the first byte without a used bit. Zeros for codes leave unread bytes; where zeros are valid codes for
    // values, a long run of them is taken for missing data.
    public string? End(bool zerosAreValues)
    {
        for (int left = (count - madeUp) / 8; left > 0; left--)
            at -= at >= 2 && file[at - 1] == 0 && file[at - 2] == 0xFF ? 2 : 1;
        int end = at;
        bool leftOver = NextByte() >= 0;
        at = end;
        bool tail = leftOver && end + 2 <= file.Length && file[(end - 1)..(end + 2)].IndexOfAnyExcept((byte)0) < 0
            && file[end - 2] != 0xFF;
        return tail || (leftOver || zerosAreValues) && file[start..end].IndexOf(Hole) >= 0
            ? "zeros are in the place of a scan's data" : null;
    }

    public void Skip(int n)
    {
        bits <<= n;
        count -= n;
    }

    // The next symbol, -1 for an unknown code; 32 bits or more stay buffered.
    public int Symbol(JpegCodes codes)
    {
        if (count < 48) Fill();
        int entry = codes.Symbol((int)(bits >> 48));
        Skip(entry >> 8);
        return entry == 0 ? -1 : entry & 0xFF;
    }

    public uint Several(JpegCodes codes)
    {
        if (count < 32) Fill();
        return codes.Several((int)(bits >> (64 - JpegCodes.Window)));
    }

    public int Read(int n)
    {
        if (n == 0) return 0;
        if (count < n) Fill();
        int value = (int)(bits >> (64 - n));
        Skip(n);
        return value;
    }

    // Buffers 56 bits or more.
    private void Fill()
    {
        if (at + 8 <= file.Length && madeUp == 0)
        {
            ulong next = BinaryPrimitives.ReadUInt64BigEndian(file[at..]);
            if (((~next - 0x0101010101010101) & next & 0x8080808080808080) == 0)
            {
                bits |= next >> count;
                at += (63 - count) >> 3;
                count |= 56;
                return;
            }
        }
        for (; count <= 56; count += 8)
        {
            int value = madeUp > 0 ? -1 : NextByte();
            if (value < 0) madeUp += 8;
            else bits |= (ulong)value << (56 - count);
        }
    }

    // The next byte of codes; -1 at a marker or the end.
    private int NextByte()
    {
        if (at >= file.Length) return -1;
        if (file[at] != 0xFF) return file[at++];
        int end = at + 1;
        while (end < file.Length && file[end] == 0xFF) end++;
        if (end >= file.Length || file[end] != 0) return -1;
        at = end + 1;
        return 0xFF;
    }
}
