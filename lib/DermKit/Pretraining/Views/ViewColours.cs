using DermKit.Imaging;

namespace DermKit.Pretraining;

/// <summary>Colour augmentations of all methods.</summary>
public static class ViewColours
{
    /// <summary>Jitter, grey, blur and solarisation as in DINO's code: spreads of brightness and contrast, saturation,
    /// and hue in turns; chances of the others; largest blur deviation in pixels.</summary>
    public static IReadOnlyList<IAugmentation> List(double light, double saturation, double hue, double grey = 0,
        double blur = 0, double maxBlur = 2, double solarize = 0) =>
    [
        new ColorJitter(light, light, saturation, hue), new Grayscale(grey), new GaussianBlur(blur, maxBlur),
        new Solarize(solarize),
    ];
}
