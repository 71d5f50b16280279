namespace DermKit.Imaging;

/// <summary>A Huffman table of a JPEG, for <see cref="JpegCheck"/>.</summary>
internal sealed class JpegCodes
{
    /// <summary>Bits that one look-up sees.</summary>
    internal const int Window = 10;

    private const int Kept = 8;

    // Most files of a set share the tables of one encoder.
    [ThreadStatic] private static List<JpegCodes>? recent;

    private readonly byte[] definition;
    private readonly ushort[] fast = new ushort[1 << Window];
    private readonly uint[] several = new uint[1 << Window];
    private readonly int[] ends = new int[17], offset = new int[17];

    private JpegCodes(ReadOnlySpan<byte> definition)
    {
        this.definition = definition.ToArray();
        int code = 0, symbol = 16;
        for (int length = 1; length <= 16; length++)
        {
            offset[length] = symbol - code;
            for (int i = 0; i < definition[length - 1]; i++, code++, symbol++)
            {
                if (length > Window || code >= 1 << length) continue;
                int from = code << (Window - length);
                fast.AsSpan(from, 1 << (Window - length)).Fill((ushort)(length << 8 | definition[symbol]));
            }
            // All 16-bit words below begin with a code of this length or a shorter one.
            ends[length] = Math.Min(code, 1 << length) << (16 - length);
            code <<= 1;
        }
        for (int word = 0; word < several.Length; word++) several[word] = Join(word);
    }

    /// <summary>The table of a definition: 16 numbers of codes by length, then the symbols.</summary>
    internal static JpegCodes Of(ReadOnlySpan<byte> definition)
    {
        recent ??= new(Kept);
        foreach (JpegCodes known in recent)
            if (definition.SequenceEqual(known.definition)) return known;
        if (recent.Count == Kept) recent.RemoveAt(0);
        var made = new JpegCodes(definition);
        recent.Add(made);
        return made;
    }

    /// <summary>True where zero bits are the code for the end of a block or of a band of blocks.</summary>
    internal bool ZerosEndABlock => Symbol(0) is var entry && (entry & 15) == 0 && (entry & 0xFF) != 0xF0;

    /// <summary>
    /// Length of the code that a word of 16 bits begins with, times 256, plus its symbol; 0 where none does.
    /// </summary>
    internal int Symbol(int word)
    {
        if (fast[word >> (16 - Window)] is not 0 and var entry) return entry;
        for (int length = 1; length <= 16; length++)
            if (word < ends[length]) return length << 8 | definition[offset[length] + (word >> (16 - length))];
        return 0;
    }

    /// <summary>
    /// The AC codes of a sequential block that a window begins with, together with the bits of their values: bits in
    /// all, plus 256 times the coefficients that they pass, plus 65,536 where they end the
    /// block; 0 where not even one code lies in the window.
    /// </summary>
    internal uint Several(int window) => several[window];

    private uint Join(int word)
    {
        uint used = 0, passed = 0;
        while (used < Window)
        {
            int entry = fast[word << (int)used & ((1 << Window) - 1)];
            if (entry == 0 || used + (entry >> 8) > Window) break;
            used += (uint)(entry >> 8) + (uint)(entry & 15);
            if ((entry & 15) == 0 && (entry & 0xFF) != 0xF0) return 1 << 16 | passed << 8 | used;
            passed += (uint)(entry >> 4 & 15) + 1;
        }
        return passed << 8 | used;
    }
}
