using DermKit.Data;

namespace DermKit.Tests.Data;

/// <summary>The tests on real images run where KIT_DATA_DIR (or data/) holds the set, else
/// say what they lack.</summary>
internal static class RealData
{
    internal static KitSettings Need(params string[] sets)
    {
        KitSettings settings = KitSettings.FromEnvironment();
        foreach (string set in sets)
            Assert.SkipUnless(DataSetCatalog.Folder(settings, set) is not null,
                $"no {set}/ in {settings.DataDir}: set KIT_DATA_DIR to the folder that holds it");
        return settings;
    }
}
