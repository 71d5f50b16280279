using DermKit.Imaging;

namespace DermKit.Pretraining;

/// <summary>What is done to the colours of a method's views, with the settings of the paper page; <see cref="PretrainOptions.ColorStrength"/> scales them.</summary>
/// <param name="First">First large view.</param>
/// <param name="Second">Second large view.</param>
/// <param name="Local">Small views.</param>
public sealed record ViewColours(ColorJitter First, ColorJitter Second, ColorJitter Local)
{
    /// <summary>The colours of a method: DINO and iBOT (Caron et al. 2021), SimCLR (Chen et al. 2020, arXiv 2002.05709) or BYOL (Grill et al. 2020, arXiv 2006.07733).</summary>
    public static ViewColours For(PretrainOptions options)
    {
        double strength = options.ColorStrength;
        ColorJitter Scaled(double light, double saturation, double hue, double blur, double solarize) => new()
        {
            Brightness = strength * light, Contrast = strength * light, Saturation = strength * saturation, Hue = strength * hue,
            Grayscale = strength * 0.2, Blur = blur, BlurMax = options.BlurMax, Solarize = strength * solarize,
        };
        switch (options.Method)
        {
            case "SimCLR":
                ColorJitter both = Scaled(0.8, 0.8, 0.2, 0.5, 0);
                return new(both, both, both);
            case "BYOL":
                ColorJitter first = Scaled(0.4, 0.4, 0.1, 1, 0);
                return new(first, Scaled(0.4, 0.4, 0.1, 0.1, 0.2), first);
            default:
                return new(Scaled(0.4, 0.2, 0.1, 1, 0), Scaled(0.4, 0.2, 0.1, 0.1, 0.2), Scaled(0.4, 0.2, 0.1, 0.5, 0));
        }
    }
}
