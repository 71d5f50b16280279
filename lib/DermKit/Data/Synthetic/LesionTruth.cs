using System.Numerics;

namespace DermKit.Data;

/// <summary>Measures of a lesion drawn alone at a fixed scale. DiameterMm: of the circle of that area. Asymmetry, 0..1:
/// share of the mask outside its mirror image, mean over the ellipse's axes. BorderIndex: perimeter squared over 4 pi
/// area. Colours: those of white, red, light brown, dark brown, blue-grey, black that cover 4 % or more (C of the ABCD
/// rule, Stolz et al. 1994).</summary>
internal sealed record LesionTruth(double AreaMm2, double DiameterMm, double Asymmetry, double BorderIndex, int Colours)
{
    public const int Grid = 96;

    // White, red, light brown, dark brown, blue-grey, black, skin.
    private static readonly Vector3[] Nearest = [new(.88f, .79f, .73f), new(.75f, .33f, .33f), new(.65f, .43f, .32f),
        new(.41f, .24f, .17f), new(.40f, .42f, .50f), new(.19f, .13f, .12f), new(.86f, .69f, .59f)];

    // The side of painter is Grid.
    public static LesionTruth Measure(Lesion lesion, SkinPainter painter)
    {
        float scale = (1.7f * lesion.Diameter + 1) / Grid;
        painter.Paint(lesion with { Site = "trunk", Patient = new("", 2, 20, "", false, 0, 0) },
            new(new(Grid / 2f), scale, 0, false));
        float Mask(int x, int y) => x is >= 0 and < Grid && y is >= 0 and < Grid ? painter.Mask[y * Grid + x] : 0;
        double area = 0, cx = 0, cy = 0, perimeter = 0, missed = 0;
        var covered = new double[Nearest.Length];
        for (int i = 0; i < Grid * Grid; i++)
        {
            int x = i % Grid, y = i / Grid;
            double m = Mask(x, y);
            area += m;
            cx += m * x;
            cy += m * y;
            // The length of a soft outline is the integral of its slope (coarea formula).
            perimeter += double.Hypot(Mask(x + 1, y) - Mask(x - 1, y), Mask(x, y + 1) - Mask(x, y - 1)) / 2;
            Vector3 colour = painter.Colours[i];
            covered[Array.IndexOf(Nearest, Nearest.MinBy(n => Vector3.DistanceSquared(n, colour)))] += m;
        }
        int mirrorX = (int)Math.Round(2 * cx / area), mirrorY = (int)Math.Round(2 * cy / area);
        for (int i = 0; i < Grid * Grid; i++)
        {
            int x = i % Grid, y = i / Grid;
            missed += Math.Max(0, Mask(x, y) - Mask(mirrorX - x, y)) + Math.Max(0, Mask(x, y) - Mask(x, mirrorY - y));
        }
        double mm2 = area * scale * scale;
        return new(mm2, 2 * Math.Sqrt(mm2 / Math.PI), missed / (2 * area),
            perimeter * perimeter / (4 * Math.PI * area), covered[..6].Count(share => share >= .04 * area));
    }
}
