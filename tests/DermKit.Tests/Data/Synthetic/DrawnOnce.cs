using DermKit.Data;

namespace DermKit.Tests.Data;

/// <summary>A cache of its own for a test, in which the synthetic set is a link to the one that all tests
/// share.</summary>
internal static class DrawnOnce
{
    public static KitSettings In(TemporaryFolder folder)
    {
        KitSettings settings = KitSettings.FromEnvironment();
        string drawn = SyntheticDataSet.Ensure(settings.CacheDir);
        Directory.CreateSymbolicLink(Path.Combine(folder.Path, Path.GetFileName(drawn)), drawn);
        return settings with { CacheDir = folder.Path };
    }
}
