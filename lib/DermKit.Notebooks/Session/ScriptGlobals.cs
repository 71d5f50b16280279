namespace DermKit.Notebooks;

/// <summary>The members that a cell can use without a #r; public for the compiled cells.</summary>
public sealed class ScriptGlobals
{
    private readonly ScriptSession _session;

    internal ScriptGlobals(ScriptSession session) => _session = session;

    /// <summary>Shows a value under the cell.</summary>
#pragma warning disable IDE1006 // the name that notebook hosts share
    public DisplayedValue display(object? value) => new(_session, _session.Display(value));
#pragma warning restore IDE1006
}

/// <summary>A value shown under a cell.</summary>
public sealed class DisplayedValue
{
    private readonly ScriptSession _session;
    private readonly string _id;

    internal DisplayedValue(ScriptSession session, string id)
    {
        _session = session;
        _id = id;
    }

    /// <summary>Replaces the shown value.</summary>
    public void Update(object? value) => _session.Display(value, _id);
}
