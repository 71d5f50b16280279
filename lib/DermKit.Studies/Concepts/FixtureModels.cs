namespace DermKit.Studies;

/// <summary>The kit's models, with a stand-in for MONET on request.</summary>
public static class FixtureModels
{
    /// <summary>The kit's models; "tiny" adds both of <see cref="ClipFixture"/>, empty none.</summary>
    /// <exception cref="KitException">Another value, or a declaration is not valid.</exception>
    public static ModelRegistry Registry(KitSettings settings, string fixture)
    {
        string data = Path.Combine(settings.Root, "data");
        if (fixture.Length == 0) return ModelRegistry.Load(data);
        if (fixture != "tiny") throw new KitException($"fixture: expected tiny or an empty text, found '{fixture}'.");
        return ModelRegistry.Load(data, ClipFixture.Write(settings.CacheDir));
    }
}
