namespace DermKit.Evaluation;

/// <summary>A probe on training labels in an order drawn by the seed: its scores are those of chance.</summary>
internal sealed record PermutedLabels(Probe Inner) : Probe($"{Inner.Name}{Suffix}", Inner.Version)
{
    public const string Suffix = "-permuted";

    /// <inheritdoc/>
    public override ProbeOutcome Run(Tensor train, int[] labels, Tensor test, int classes, int seed = 1)
    {
        int[] permuted = [.. labels];
        new SplitMix64((ulong)RandomStream.SeedOf(seed, RandomPurpose.PermutedLabels)).Shuffle(permuted.AsSpan());
        return Inner.Run(train, permuted, test, classes, seed);
    }
}
