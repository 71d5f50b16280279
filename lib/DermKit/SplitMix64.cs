namespace DermKit;

/// <summary>SplitMix64 (Steele, Lea, Flood 2014): the same stream on every machine and .NET version, which
/// System.Random does not guarantee.</summary>
internal sealed class SplitMix64(ulong seed)
{
    private ulong state = seed;

    // Keys in order, mixed so that streams are not shifted copies.
    public static SplitMix64 Stream(params ReadOnlySpan<ulong> keys)
    {
        ulong mixed = 0;
        foreach (ulong key in keys) mixed = new SplitMix64(mixed ^ key).Next();
        return new(mixed);
    }

    public ulong Next() => RandomStream.Mix(state += RandomStream.Step);

    // Uniform in 0 .. bound - 1, by rejection.
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        ulong limit = ulong.MaxValue - ulong.MaxValue % (ulong)bound, value;
        do value = Next(); while (value >= limit);
        return (int)(value % (ulong)bound);
    }

    // Fisher-Yates.
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
