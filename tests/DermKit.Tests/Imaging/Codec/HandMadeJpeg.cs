using System.Numerics;

namespace DermKit.Tests.Imaging;

/// <summary>
/// JPEG files of 40 x 24 pixels, 4:2:0, from the same drawn coefficients: sequential or progressive in eight scans,
/// with
/// every kind of scan that there is. Each symbol's code is the symbol in 8 bits.
/// </summary>
internal sealed class HandMadeJpeg
{
    private const int Width = 40, Height = 24, UnitsAcross = 3, UnitsDown = 2;
    private readonly int restartInterval;
    private readonly List<byte> file = [0xFF, 0xD8];
    private readonly short[][][] blocks;
    private int bits, held;

    private HandMadeJpeg(int seed, int restartInterval)
    {
        var random = new Random(seed);
        this.restartInterval = restartInterval;
        blocks = [.. new[] { 4, 1, 1 }.Select(each => Enumerable.Range(0, each * UnitsAcross * UnitsDown).Select(_ =>
            Block(random)).ToArray())];
    }

    /// <summary>A baseline file, with a restart marker after every so many units where asked.</summary>
    public static byte[] Sequential(int seed, int restartInterval = 0)
    {
        var jpeg = new HandMadeJpeg(seed, restartInterval);
        jpeg.Head(0xC0);
        jpeg.Scan([0, 1, 2], 0, 63, 0, 0);
        return [.. jpeg.file, 0xFF, 0xD9];
    }

    /// <summary>A progressive file.</summary>
    /// <param name="seed">Of the coefficients.</param>
    /// <param name="scans">How many of its scans it gets.</param>
    public static byte[] Progressive(int seed, int scans = int.MaxValue)
    {
        var jpeg = new HandMadeJpeg(seed, 0);
        jpeg.Head(0xC2);
        (int[] Parts, int First, int Last, int High, int Low)[] script =
        [
            ([0, 1, 2], 0, 0, 0, 1), ([0], 1, 5, 0, 2), ([1], 1, 63, 0, 0), ([2], 1, 63, 0, 0), ([0], 6, 63, 0, 2),
            ([0], 1, 63, 2, 1), ([0, 1, 2], 0, 0, 1, 0), ([0], 1, 63, 1, 0),
        ];
        foreach (var scan in script.Take(scans)) jpeg.Scan(scan.Parts, scan.First, scan.Last, scan.High, scan.Low);
        return [.. jpeg.file, 0xFF, 0xD9];
    }

    /// <summary>Puts a segment behind the first marker of a file.</summary>
    public static byte[] WithSegment(byte[] jpeg, byte marker, byte[] content) => [.. jpeg[..2], .. Segment(marker,
        content), .. jpeg[2..]];

    /// <summary>Where the codes of each scan begin.</summary>
    public static int[] Scans(byte[] jpeg) => [.. Enumerable.Range(0, jpeg.Length - 3).Where(i => jpeg[i] == 0xFF
        && jpeg[i + 1] == 0xDA).Select(i => i + 2 + jpeg[i + 3])];

    private static short[] Block(Random random)
    {
        short[] block = new short[64];
        block[0] = (short)random.Next(-200, 200);
        for (int k = 1; k < 64; k++)
            if (random.Next(1 + k / 2) < 3) block[k] = (short)random.Next(-30 / k - 4, 30 / k + 5);
        return block;
    }

    private static byte[] Segment(byte marker, byte[] content) => [0xFF, marker, (byte)((content.Length + 2) >> 8),
        (byte)(content.Length + 2), .. content];

    private void Head(byte frame)
    {
        file.AddRange(Segment(0xDB, [0, .. Enumerable.Repeat((byte)2, 64)]));
        file.AddRange(Segment(frame, [8, 0, Height, 0, Width, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]));
        // 16 symbols are enough for differences of DC.
        file.AddRange(Segment(0xC4, [0x00, .. new byte[7], 16, .. new byte[8], .. Enumerable.Range(0, 16).Select(i =>
            (byte)i)]));
        file.AddRange(Segment(0xC4, [0x10, .. new byte[7], 255, .. new byte[8], .. Enumerable.Range(0, 255).Select(i
            => (byte)i)]));
        if (restartInterval > 0) file.AddRange(Segment(0xDD, [0, (byte)restartInterval]));
    }

    private void Scan(int[] parts, int first, int last, int high, int low)
    {
        file.AddRange(Segment(0xDA, [(byte)parts.Length, .. parts.SelectMany(p => new byte[] { (byte)(p + 1), 0 }),
            (byte)first, (byte)last, (byte)(high << 4 | low)]));
        int[] before = new int[3];
        bool alone = parts.Length == 1;
        // Alone a component has no blocks beyond its edge: 40 x 24 pixels are 5 x 3 blocks, at half the size 3 x 2.
        int across = alone && parts[0] == 0 ? 5 : UnitsAcross, down = alone && parts[0] == 0 ? 3 : UnitsDown;
        for (int unit = 0; unit < across * down; unit++)
        {
            if (restartInterval > 0 && unit > 0 && unit % restartInterval == 0)
            {
                EndOfCodes();
                file.AddRange([0xFF, (byte)(0xD0 + (unit / restartInterval - 1) % 8)]);
                before = new int[3];
            }
            foreach (int part in parts)
                for (int i = 0; i < (part == 0 && !alone ? 4 : 1); i++)
                {
                    int size = part == 0 && !alone ? 2 : 1, stride = part == 0 ? 2 * UnitsAcross : UnitsAcross;
                    short[] block =
                        blocks[part][(unit / across * size + i / 2) * stride + unit % across * size + i % 2];
                    if (first == 0) Dc(block[0], ref before[part], high, low);
                    if (last > 0) Ac(block, Math.Max(first, 1), last, high, low);
                }
        }
        EndOfCodes();
    }

    private void Dc(int value, ref int before, int high, int low)
    {
        value >>= low;
        if (high > 0) Put(value & 1, 1);
        else
        {
            int difference = value - before;
            before = value;
            int size = Size(difference);
            Put(size, 8);
            Put(difference < 0 ? difference + (1 << size) - 1 : difference, size);
        }
    }

    /// <summary>A band of a block, its end coded for this block alone.</summary>
    private void Ac(short[] block, int first, int last, int high, int low)
    {
        int run = 0;
        var corrections = new List<int>();
        int end = last;
        while (end >= first && !IsNew(end)) end--;
        for (int k = first; k <= last; k++)
        {
            int magnitude = Math.Abs(block[k]) >> low;
            if (magnitude == 0)
            {
                run++;
                continue;
            }
            for (; run > 15 && k <= end; run -= 16)
            {
                Put(0xF0, 8);
                Corrections();
            }
            if (!IsNew(k))
            {
                corrections.Add(magnitude & 1);
                continue;
            }
            int size = high > 0 ? 1 : Size(magnitude);
            Put(run << 4 | size, 8);
            Put(block[k] < 0 ? (1 << size) - 1 - magnitude : magnitude, size);
            Corrections();
            run = 0;
        }
        if (run > 0 || corrections.Count > 0)
        {
            Put(0, 8);
            Corrections();
        }

        bool IsNew(int k) => Math.Abs(block[k]) >> low is var magnitude && (high > 0 ? magnitude == 1 : magnitude > 0);
        void Corrections()
        {
            foreach (int bit in corrections) Put(bit, 1);
            corrections.Clear();
        }
    }

    private static int Size(int value) => 32 - BitOperations.LeadingZeroCount((uint)Math.Abs(value));

    private void Put(int value, int count)
    {
        for (int i = count - 1; i >= 0; i--)
        {
            bits = bits << 1 | value >> i & 1;
            if (++held < 8) continue;
            file.Add((byte)bits);
            if ((byte)bits == 0xFF) file.Add(0);
            bits = 0;
            held = 0;
        }
    }

    private void EndOfCodes()
    {
        while (held > 0) Put(1, 1);
    }
}
