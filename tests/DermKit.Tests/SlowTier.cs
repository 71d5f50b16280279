namespace DermKit.Tests;

/// <summary>Tests that take minutes and run where KIT_SLOW is 1.</summary>
internal static class SlowTier
{
    internal static void Need(string what) =>
        Assert.SkipUnless(Environment.GetEnvironmentVariable("KIT_SLOW") == "1", $"{what}: set KIT_SLOW=1 to run it");
}
