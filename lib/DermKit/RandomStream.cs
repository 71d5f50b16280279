namespace DermKit;

/// <summary>
/// What draws are made for. Two purposes share no stream, whatever the seed. A number that has been used is never
/// given to another purpose.
/// </summary>
internal enum RandomPurpose
{
    /// <summary>Which images of a set a run is trained on.</summary>
    ImageChoice = 1,

    /// <summary>Order of the images in an epoch.</summary>
    Order = 2,

    /// <summary>Crops and colours.</summary>
    Views = 3,

    /// <summary>Masked patches.</summary>
    Masks = 4,

    /// <summary>Stochastic depth in a step.</summary>
    StochasticDepth = 5,

    /// <summary>Initial weights of a projector or of another head.</summary>
    HeadWeights = 6,

    /// <summary>Initial weights of a predictor.</summary>
    PredictorWeights = 7,

    /// <summary>Everything that fine-tuning draws: its seed is mixed again for each purpose above.</summary>
    FineTuning = 8,
}

/// <summary>Seeds of independent streams, mixed from a run's seed, a purpose and an epoch or step.</summary>
internal static class RandomStream
{
    /// <summary>The odd constant of SplitMix64: seeds that differ by it give one stream, shifted by one draw.</summary>
    public const ulong Step = 0x9E3779B97F4A7C15;

    /// <summary>The seed of one stream. Each part is mixed, so that neighbouring parts give unlike seeds.</summary>
    /// <param name="seed">Of the run.</param>
    /// <param name="purpose">What is drawn.</param>
    /// <param name="parts">Numbers that the stream depends on, such as the epoch or the step.</param>
    public static long SeedOf(long seed, RandomPurpose purpose, params ReadOnlySpan<long> parts)
    {
        ulong state = Next(Next(0, seed), (long)purpose);
        foreach (long part in parts) state = Next(state, part);
        return (long)state;
    }

    /// <summary>The state of a chain after one more part.</summary>
    public static ulong Next(ulong state, long part) => Mix(state + Step + (ulong)part);

    /// <summary>
    /// The finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection in which each bit of the input acts on all of
    /// the output.
    /// </summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
