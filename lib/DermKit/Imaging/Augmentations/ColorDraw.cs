namespace DermKit.Imaging;

/// <summary>What <see cref="ColorJitter"/> drew for one image.</summary>
/// <param name="Brightness">Factor, 1 for none.</param>
/// <param name="Contrast">Factor, 1 for none.</param>
/// <param name="Saturation">Factor, 1 for none.</param>
/// <param name="Hue">Shift in turns, 0 for none.</param>
/// <param name="Grey">Grey after the four.</param>
/// <param name="Blur">Standard deviation in pixels, 0 for none.</param>
/// <param name="Solarized">Values from half brightness up inverted at last.</param>
/// <param name="Order">Which of <see cref="Orders"/> the four jitters come in.</param>
public readonly record struct ColorDraw(float Brightness, float Contrast, float Saturation, float Hue, bool Grey, float Blur, bool Solarized, int Order)
{
    /// <summary>All orders of the four jitters.</summary>
    public static IReadOnlyList<Jitter[]> Orders { get; } = [.. from a in Enum.GetValues<Jitter>() from b in Enum.GetValues<Jitter>() from c in Enum.GetValues<Jitter>() from d in Enum.GetValues<Jitter>()
        where ((Jitter[])[a, b, c, d]).Distinct().Count() == 4 select (Jitter[])[a, b, c, d]];

    /// <summary>What leaves an image as it is in a jitter.</summary>
    public static float Neutral(Jitter kind) => kind == Jitter.Hue ? 0 : 1;

    /// <summary>Factor of one of the four jitters.</summary>
    public float Of(Jitter kind) => kind switch { Jitter.Brightness => Brightness, Jitter.Contrast => Contrast, Jitter.Saturation => Saturation, _ => Hue };
}

/// <summary>The four jitters.</summary>
public enum Jitter
{
    /// <summary>Blend with black.</summary>
    Brightness,
    /// <summary>Blend with the mean luma.</summary>
    Contrast,
    /// <summary>Blend with the luma.</summary>
    Saturation,
    /// <summary>Turn of the hue.</summary>
    Hue,
}
