namespace DermKit.Imaging;

internal sealed class JpegCodes
{
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
            // 16-bit words below begin with a code of this length or a shorter one.
            ends[length] = Math.Min(code, 1 << length) << (16 - length);
            code <<= 1;
        }
        for (int word = 0; word < several.Length; word++) several[word] = Join(word);
    }

    // A definition is 16 numbers of codes by length, then the symbols.
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

    // True if zero bits end a block or a band of blocks.
    internal bool ZerosEndABlock => Symbol(0) is var entry && (entry & 15) == 0 && (entry & 0xFF) != 0xF0;

    // Length * 256 + symbol of the code that 16 bits begin with; 0 if none.
    internal int Symbol(int word)
    {
        if (fast[word >> (16 - Window)] is not 0 and var entry) return entry;
        for (int length = 1; length <= 16; length++)
            if (word < ends[length]) return length << 8 | definition[offset[length] + (word >> (16 - length))];
        return 0;
    }

    // The AC codes of a sequential block that lie in a window, with their values: bits, plus 256 * coefficients passed,
    // plus 65,536 if they end the block; 0 if not one lies in it.
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
