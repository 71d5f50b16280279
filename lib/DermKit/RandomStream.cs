namespace DermKit;

/// <summary>The use of a random stream. Purposes share no stream; a number is never reassigned.</summary>
internal enum RandomPurpose
{
    ImageChoice = 1,
    Order = 2,
    Views = 3,
    Masks = 4,
    StochasticDepth = 5,
    HeadWeights = 6,
    PredictorWeights = 7,

    // Mixed again with the purposes above.
    FineTuning = 8,

    PermutedLabels = 9,
}

/// <summary>Seeds of independent streams, mixed from a run's seed, purpose, and epoch or step.</summary>
internal static class RandomStream
{
    // SplitMix64's increment: seeds that differ by it give the same stream, shifted by one.
    public const ulong Step = 0x9E3779B97F4A7C15;

    // Mixed, so that neighbouring parts give unrelated seeds.
    public static long SeedOf(long seed, RandomPurpose purpose, params ReadOnlySpan<long> parts)
    {
        ulong state = Next(Next(0, seed), (long)purpose);
        foreach (long part in parts) state = Next(state, part);
        return (long)state;
    }

    public static ulong Next(ulong state, long part) => Mix(state + Step + (ulong)part);

    // SplitMix64's finaliser: a bijection in which every input bit affects all output bits.
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
