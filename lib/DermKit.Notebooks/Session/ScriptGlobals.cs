namespace DermKit.Notebooks;

/// <summary>The members that a cell can use without a #r; public for the compiled cells.</summary>
public sealed class ScriptGlobals
{
    private readonly Func<object?, DisplayedValue> _display;

    internal ScriptGlobals(Func<object?, DisplayedValue> display) => _display = display;

    /// <summary>Shows a value under the cell.</summary>
#pragma warning disable IDE1006 // the name that notebook hosts share
    public DisplayedValue display(object? value) => _display(value);
#pragma warning restore IDE1006
}

/// <summary>A value shown under a cell.</summary>
public sealed class DisplayedValue
{
    private readonly Action<object?> _update;

    internal DisplayedValue(Action<object?> update) => _update = update;

    /// <summary>Replaces the shown value.</summary>
    public void Update(object? value) => _update(value);
}
