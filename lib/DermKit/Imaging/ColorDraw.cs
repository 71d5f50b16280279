namespace DermKit.Imaging;

/// <summary>What <see cref="ColorJitter"/> drew for one picture.</summary>
/// <param name="Brightness">Factor, 1 for none.</param>
/// <param name="Contrast">Factor, 1 for none.</param>
/// <param name="Saturation">Factor, 1 for none.</param>
/// <param name="Hue">Shift in turns, 0 for none.</param>
/// <param name="Grey">Grey after the four.</param>
/// <param name="Blur">Standard deviation in pixels, 0 for none.</param>
/// <param name="Solarized">Values from half brightness up inverted at last.</param>
public readonly record struct ColorDraw(float Brightness, float Contrast, float Saturation, float Hue, bool Grey, float Blur, bool Solarized)
{
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
