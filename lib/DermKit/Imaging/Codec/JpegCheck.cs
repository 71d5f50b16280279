using System.Buffers.Binary;
using System.Numerics;

namespace DermKit.Imaging;

/// <summary>Detects a JPEG whose data ends early: libjpeg then fills in grey or leaves out refinements and only warns,
/// which Skia hides. Reads every Huffman code (ITU-T T.81) without making pixels: scans must hold the codes of all
/// blocks and bring every coefficient down to its last bit, and the end marker must follow.</summary>
internal ref struct JpegCheck
{
    private const string Broken = "the data is cut short or broken: ";

    private readonly JpegCodes?[] tables = new JpegCodes?[8];
    private Component[] components = [];
    private bool progressive, zerosAreValues, tablesAreImplied;
    private int restartInterval, columns, rows, endOfBands;
    private JpegBits bits;

    private JpegCheck(ReadOnlySpan<byte> file) => bits = new(file);

    // What is missing; null for a whole file, and for lossless and arithmetic JPEG (not checked). Motion JPEG, without
    // tables, only needs the end marker.
    internal static string? Fault(ReadOnlySpan<byte> file) => new JpegCheck(file).Markers();

    private string? Markers()
    {
        while (bits.NextMarker() is >= 0 and var marker)
        {
            if (marker is 0x01 or 0xD8 or >= 0xD0 and <= 0xD7) continue;
            if (marker == 0xD9) return tablesAreImplied ? null : Missing();
            if (!bits.Segment(out ReadOnlySpan<byte> segment)) break;
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
        Begin();
        for (int unit = 0; unit < units; unit++)
        {
            if (restartInterval > 0 && unit > 0 && unit % restartInterval == 0)
            {
                if (bits.End(zerosAreValues) is { } end) return end;
                if (bits.NextMarker() != 0xD0 + restarts++ % 8) return "a restart marker is missing";
                Begin();
            }
            foreach (Component c in parts)
            {
                int wide = alone ? 1 : c.Across, tall = alone ? 1 : c.Down;
                int corner = unit / across * tall * c.Stride + unit % across * wide;
                for (int block = 0; block < wide * tall; block++)
                {
                    int place = corner + block / wide * c.Stride + block % wide;
                    // A refined DC value is one bit, which is always valid.
                    bool read = !progressive ? Block(c.Dc!, c.Ac!)
                        : first > 0 ? AcBlock(c, place, first, last, high > 0)
                        : high > 0 ? bits.Read(1) >= 0 : Dc(c.Dc!);
                    if (!read) return "it holds a code that its tables do not have";
                    if (bits.IsShort) return "a scan ends before its image does";
                }
            }
        }
        return bits.End(zerosAreValues);
    }

    private void Begin()
    {
        bits.Begin();
        endOfBands = 0;
    }

    private bool Dc(JpegCodes codes)
    {
        int symbol = bits.Symbol(codes);
        if (symbol is < 0 or > 16) return false;
        bits.Skip(symbol);
        return true;
    }

    private bool Block(JpegCodes dc, JpegCodes ac)
    {
        if (!Dc(dc)) return false;
        for (int k = 1; k < 64;)
        {
            uint several = bits.Several(ac);
            int next = k + (int)(several >> 8 & 0xFF);
            bool ends = several >> 16 != 0;
            if (several != 0 && next <= (ends ? 63 : 64))
            {
                bits.Skip((int)(several & 0xFF));
                if (ends) return true;
                k = next;
                continue;
            }
            int symbol = bits.Symbol(ac);
            if (symbol < 0) return false;
            // As libjpeg: a run other than 16 without a value ends the block.
            if ((symbol & 15) == 0 && symbol != 0xF0) return true;
            bits.Skip(symbol & 15);
            k += (symbol >> 4) + 1;
        }
        return true;
    }

    // A band of a progressive block: first values, or a further bit and new ones (T.81, G.1.2.2 and G.1.2.3).
    private bool AcBlock(Component c, int block, int first, int last, bool refine)
    {
        ref ulong nonZero = ref c.NonZero[block];
        int k = first;
        for (; endOfBands == 0 && k <= last; k++)
        {
            int symbol = bits.Symbol(c.Ac!);
            if (symbol < 0) return false;
            int run = symbol >> 4;
            bool value = (symbol & 15) != 0;
            if (!value && run < 15)
            {
                endOfBands = (1 << run) + bits.Read(run);
                break;
            }
            bits.Read(symbol & 15);
            if (!refine) k += run;
            else
                for (; k <= last; k++)
                {
                    if ((nonZero >> k & 1) != 0) bits.Read(1);
                    else if (run-- == 0) break;
                }
            if (value && k <= last) nonZero |= 1UL << k;
        }
        if (endOfBands == 0) return true;
        endOfBands--;
        if (refine && k <= last)
            for (int more = BitOperations.PopCount(nonZero >> k << (63 - last + k)); more > 0; more--) bits.Read(1);
        return true;
    }

    private sealed record Component(byte Id, int Across, int Down)
    {
        // Blocks in a row of a scan of this component alone, and rows of them; blocks in a row of whole units.
        internal int Columns, Rows, Stride;

        // Bit k of a block: coefficient k (zigzag) has a value; progressive only.
        internal ulong[] NonZero = [];

        internal JpegCodes? Dc, Ac;

        // Low bits that no scan has brought yet, for each coefficient; -1 for all.
        internal readonly sbyte[] BitsLeft = [.. Enumerable.Repeat((sbyte)-1, 64)];
    }
}
