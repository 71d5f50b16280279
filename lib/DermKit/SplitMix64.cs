namespace DermKit;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood 2014): a small generator whose stream is fixed by its definition,
/// so that a split drawn today is the split drawn on another machine or a later .NET (System.Random does not promise that).
/// </summary>
public sealed class SplitMix64(ulong seed)
{
    private ulong state = seed;

    /// <summary>
    /// The stream that several keys name together. All streams of SplitMix64 are stretches of one sequence; the keys
    /// are mixed one after the other, so that neighbouring keys start far apart on it, and never as shifted copies of
    /// one another.
    /// </summary>
    /// <param name="keys">Such as a seed and a number; another order is another stream.</param>
    public static SplitMix64 Stream(params ReadOnlySpan<ulong> keys)
    {
        ulong mixed = 0;
        foreach (ulong key in keys) mixed = new SplitMix64(mixed ^ key).Next();
        return new(mixed);
    }

    /// <summary>The next 64 bits.</summary>
    public ulong Next() => RandomStream.Mix(state += RandomStream.Step);

    /// <summary>A number in 0 .. <paramref name="bound"/> - 1, each equally likely (values of the uneven rest are drawn again).</summary>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        ulong limit = ulong.MaxValue - ulong.MaxValue % (ulong)bound;
        ulong value;
        do value = Next(); while (value >= limit);
        return (int)(value % (ulong)bound);
    }

    /// <summary>Puts the items into a random order (Fisher-Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
