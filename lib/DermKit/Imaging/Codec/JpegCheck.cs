using System.Buffers.Binary;
using System.Numerics;

namespace DermKit.Imaging;

/// <summary>Detects a JPEG whose data ends early: libjpeg then fills in grey or leaves out refinements and only warns,
/// which Skia hides. Reads every Huffman code (ITU-T T.81) without making pixels: scans must hold the codes of all
/// blocks and bring every coefficient down to its last bit, and the end marker must follow.</summary>
internal ref struct JpegCheck
{
    private const string Broken = "the data is cut short or broken: ";

    // Encoders write so many zeros only for flat areas, with a table that codes them so.
    private static ReadOnlySpan<byte> Hole => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly ReadOnlySpan<byte> file;
    private readonly JpegCodes?[] tables = new JpegCodes?[8];
    private Component[] components = [];
    private bool progressive, zerosAreValues, tablesAreImplied;
    private int restartInterval, columns, rows;

    // Unused bits, from the highest on, and how many; the last ones are made up after the data's end.
    private ulong bits;
    private int at, start, count, madeUp, endOfBands;

    private JpegCheck(ReadOnlySpan<byte> file) => this.file = file;

    // What is missing; null for a whole file, and for lossless and arithmetic JPEG (not checked). Motion JPEG, without
    // tables, only needs the end marker.
    internal static string? Fault(ReadOnlySpan<byte> file) => new JpegCheck(file).Markers();

    private string? Markers()
    {
        at = 2;
        while (NextMarker() is >= 0 and var marker)
        {
            if (marker is 0x01 or 0xD8 or >= 0xD0 and <= 0xD7) continue;
            if (marker == 0xD9) return tablesAreImplied ? null : Missing();
            if (at + 2 > file.Length) break;
            int length = BinaryPrimitives.ReadUInt16BigEndian(file[at..]);
            if (length < 2 || at + length > file.Length) break;
            ReadOnlySpan<byte> segment = file.Slice(at + 2, length - 2);
            at += length;
            if (marker == 0xC4) Tables(segment);
            else if (marker == 0xDD && segment.Length >= 2)
                restartInterval = BinaryPrimitives.ReadUInt16BigEndian(segment);
            else if (marker is >= 0xC0 and <= 0xCF and not 0xC8 and not 0xCC)
            {
                if (marker > 0xC2 || !Frame(segment, marker == 0xC2)) return null;
            }
            else if (marker == 0xDA && Scan(segment) is { } fault) return Broken + fault;
        }
        return Broken + "there is no end marker";
    }

    // Moves behind the next marker; returns its code, -1 at the end of the file.
    private int NextMarker()
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

    private readonly void Tables(ReadOnlySpan<byte> segment)
    {
        while (segment.Length >= 17)
        {
            int symbols = 0;
            foreach (byte n in segment.Slice(1, 16)) symbols += n;
            if (segment.Length < 17 + symbols) return;
            tables[(segment[0] >> 4 & 1) * 4 + (segment[0] & 3)] = JpegCodes.Of(segment[1..(17 + symbols)]);
            segment = segment[(17 + symbols)..];
        }
    }

    // False for a frame that cannot be checked; the decoder reports the error.
    private bool Frame(ReadOnlySpan<byte> segment, bool progressive)
    {
        if (segment.Length < 6 || segment.Length < 6 + 3 * segment[5] || components.Length > 0) return false;
        int height = BinaryPrimitives.ReadUInt16BigEndian(segment[1..]),
            width = BinaryPrimitives.ReadUInt16BigEndian(segment[3..]);
        var found = new Component[segment[5]];
        int widest = 1, highest = 1;
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = new(segment[6 + 3 * i], segment[7 + 3 * i] >> 4, segment[7 + 3 * i] & 15);
            if (found[i].Across is < 1 or > 4 || found[i].Down is < 1 or > 4) return false;
            widest = Math.Max(widest, found[i].Across);
            highest = Math.Max(highest, found[i].Down);
        }
        if (height == 0 || width == 0 || found.Length is 0 or > 4) return false;
        columns = Parts(width, 8 * widest);
        rows = Parts(height, 8 * highest);
        foreach (Component c in found)
        {
            c.Columns = Parts(width * c.Across, 8 * widest);
            c.Rows = Parts(height * c.Down, 8 * highest);
            c.Stride = columns * c.Across;
            if (progressive) c.NonZero = new ulong[c.Stride * rows * c.Down];
        }
        this.progressive = progressive;
        components = found;
        return true;
    }

    private static int Parts(int length, int size) => (length + size - 1) / size;

    private readonly string? Missing()
    {
        if (components.Length == 0) return Broken + "there is no image in it";
        foreach (Component c in components)
            for (int k = 0; k < 64; k++)
                if (c.BitsLeft[k] != 0)
                    return $"{Broken}scans are missing, coefficient {k} of component {c.Id} "
                        + $"lacks {(c.BitsLeft[k] < 0 ? "all" : $"{c.BitsLeft[k]}")} bits";
        return null;
    }

    private string? Scan(ReadOnlySpan<byte> header)
    {
        if (header.Length < 1 || header.Length < 4 + 2 * header[0] || header[0] is 0 or > 4)
            return "a scan has no header";
        var parts = new Component[header[0]];
        for (int i = 0; i < parts.Length; i++)
        {
            byte id = header[1 + 2 * i], codes = header[2 + 2 * i];
            parts[i] = Array.Find(components, c => c.Id == id)!;
            if (parts[i] is null) return "a scan is of a component that the frame does not have";
            parts[i].Dc = tables[codes >> 4 & 3];
            parts[i].Ac = tables[4 + (codes & 3)];
        }
        ReadOnlySpan<byte> band = header[(1 + 2 * parts.Length)..];
        (int first, int last, int high, int low) = progressive
            ? (band[0], band[1], band[2] >> 4, band[2] & 15) : (0, 63, 0, 0);
        if (first > last || last > 63 || first > 0 && parts.Length > 1)
            return "a scan has an invalid band of coefficients";
        // Motion JPEG leaves out the standard's tables; its scans are not checked.
        tablesAreImplied = !progressive && Array.TrueForAll(tables, t => t is null);
        if (tablesAreImplied) return null;
        foreach (Component c in parts)
        {
            if (first == 0 && high == 0 && c.Dc is null || last > 0 && c.Ac is null) return null;
            c.BitsLeft.AsSpan(first, last - first + 1).Fill((sbyte)low);
        }
        zerosAreValues = last > 0 && Array.Exists(parts, c => !c.Ac!.ZerosEndABlock);
        bool alone = parts.Length == 1;
        int across = alone ? parts[0].Columns : columns, units = across * (alone ? parts[0].Rows : rows), restarts = 0;
        ResetBits();
        for (int unit = 0; unit < units; unit++)
        {
            if (restartInterval > 0 && unit > 0 && unit % restartInterval == 0)
            {
                if (EndOfCodes() is { } end) return end;
                if (NextMarker() != 0xD0 + restarts++ % 8) return "a restart marker is missing";
                ResetBits();
            }
            foreach (Component c in parts)
            {
                int wide = alone ? 1 : c.Across, high1 = alone ? 1 : c.Down, top = unit / across * high1,
                    left = unit % across * wide;
                for (int block = 0; block < wide * high1; block++)
                {
                    bool read = !progressive ? Block(c.Dc!, c.Ac!)
                        : first == 0 ? DcBlock(c.Dc, high)
                        : AcBlock(c, (top + block / wide) * c.Stride + left + block % wide, first, last, high > 0);
                    if (!read) return "it holds a code that its tables do not have";
                    if (count < madeUp) return "a scan ends before its image does";
                }
            }
        }
        return EndOfCodes();
    }

    // Returns to the first byte without a used bit. Zeros for codes leave unread bytes; where zeros are valid codes for
    // values, a long run of them is taken for missing data.
    private string? EndOfCodes()
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

    private void ResetBits()
    {
        start = at;
        bits = 0;
        count = 0;
        madeUp = 0;
        endOfBands = 0;
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

    private void Skip(int n)
    {
        bits <<= n;
        count -= n;
    }

    // The next symbol, -1 for an unknown code; 32 bits or more stay buffered.
    private int Symbol(JpegCodes codes)
    {
        if (count < 48) Fill();
        int entry = codes.Symbol((int)(bits >> 48));
        Skip(entry >> 8);
        return entry == 0 ? -1 : entry & 0xFF;
    }

    private int Bits(int n)
    {
        if (n == 0) return 0;
        if (count < n) Fill();
        int value = (int)(bits >> (64 - n));
        Skip(n);
        return value;
    }

    private bool Block(JpegCodes dc, JpegCodes ac)
    {
        int symbol = Symbol(dc);
        if (symbol is < 0 or > 16) return false;
        Skip(symbol);
        for (int k = 1; k < 64;)
        {
            if (count < 32) Fill();
            uint several = ac.Several((int)(bits >> (64 - JpegCodes.Window)));
            int next = k + (int)(several >> 8 & 0xFF);
            bool ends = several >> 16 != 0;
            if (several != 0 && next <= (ends ? 63 : 64))
            {
                Skip((int)(several & 0xFF));
                if (ends) return true;
                k = next;
                continue;
            }
            symbol = Symbol(ac);
            if (symbol < 0) return false;
            if (symbol == 0) return true;
            // As libjpeg: a run other than 16 without a value ends the block.
            if ((symbol & 15) == 0 && symbol != 0xF0) return true;
            Skip(symbol & 15);
            k += (symbol >> 4) + 1;
        }
        return true;
    }

    private bool DcBlock(JpegCodes? dc, int high)
    {
        if (high > 0)
        {
            Bits(1);
            return true;
        }
        int symbol = Symbol(dc!);
        if (symbol is < 0 or > 16) return false;
        Skip(symbol);
        return true;
    }

    // A band of a progressive block: first values, or a further bit and new ones (T.81, G.1.2.2 and G.1.2.3).
    private bool AcBlock(Component c, int block, int first, int last, bool refine)
    {
        ref ulong nonZero = ref c.NonZero[block];
        int k = first;
        for (; endOfBands == 0 && k <= last; k++)
        {
            int symbol = Symbol(c.Ac!);
            if (symbol < 0) return false;
            int run = symbol >> 4;
            bool value = (symbol & 15) != 0;
            if (!value && run < 15)
            {
                endOfBands = (1 << run) + Bits(run);
                break;
            }
            Bits(symbol & 15);
            if (!refine) k += run;
            else
                for (; k <= last; k++)
                {
                    if ((nonZero >> k & 1) != 0) Bits(1);
                    else if (run-- == 0) break;
                }
            if (value && k <= last) nonZero |= 1UL << k;
        }
        if (endOfBands == 0) return true;
        endOfBands--;
        if (refine && k <= last)
            for (int correct = BitOperations.PopCount(nonZero >> k << (63 - last + k)); correct > 0; correct--) Bits(1);
        return true;
    }

    private sealed class Component(byte id, int across, int down)
    {
        internal byte Id { get; } = id;

        internal int Across { get; } = across;

        internal int Down { get; } = down;

        // Blocks in a row of a scan of this component alone, and rows of them.
        internal int Columns { get; set; }

        internal int Rows { get; set; }

        // Blocks in a row of whole units.
        internal int Stride { get; set; }

        // Bit k of a block: coefficient k (zigzag) has a value; progressive only.
        internal ulong[] NonZero { get; set; } = [];

        internal JpegCodes? Dc { get; set; }

        internal JpegCodes? Ac { get; set; }

        // Low bits that no scan has brought yet, for each coefficient; -1 for all.
        internal sbyte[] BitsLeft { get; } = [.. Enumerable.Repeat((sbyte)-1, 64)];
    }
}
