namespace DermKit.Data;

/// <summary>Measures of a lesion drawn alone at a fixed scale. DiameterMm: of the circle of that area. Asymmetry, 0..1:
/// share of the mask outside its mirror image, mean over the principal axes. BorderIndex: perimeter squared over 4 pi
/// area. Colours: those of white, red, light brown, dark brown, blue-grey, black that cover 4 % or more (C of the ABCD
/// rule, Stolz et al. 1994).</summary>
internal sealed record LesionTruth(float AreaMm2, float DiameterMm, float Asymmetry, float BorderIndex, int Colours)
{
    public const int Grid = 96;

    // The side of maps is Grid.
    public static LesionTruth Measure(Lesion lesion, LesionMaps maps)
    {
        float scale = (1.7f * lesion.Diameter + 1) / Grid;
        maps.Paint(lesion, new View(Grid / 2f, Grid / 2f, scale, 0, false));
        float[] mask = maps.Mask;
        double area = 0, cx = 0, cy = 0, xx = 0, xy = 0, yy = 0, perimeter = 0;
        for (int i = 0; i < mask.Length; i++)
        {
            area += mask[i];
            cx += mask[i] * (i % Grid);
            cy += mask[i] * (i / Grid);
        }
        cx /= area;
        cy /= area;
        for (int y = 1; y < Grid - 1; y++)
            for (int x = 1; x < Grid - 1; x++)
            {
                int i = y * Grid + x;
                xx += mask[i] * (x - cx) * (x - cx);
                xy += mask[i] * (x - cx) * (y - cy);
                yy += mask[i] * (y - cy) * (y - cy);
                // The length of a soft outline is the integral of its slope (coarea formula).
                perimeter += .5
                    * Math.Sqrt(Math.Pow(mask[i + 1] - mask[i - 1], 2) + Math.Pow(mask[i + Grid] - mask[i - Grid], 2));
            }
        double angle = .5 * Math.Atan2(2 * xy, xx - yy),
            missed = Missed(mask, cx, cy, angle) + Missed(mask, cx, cy, angle + Math.PI / 2);
        double mm2 = area * scale * scale;
        return new((float)mm2, (float)(2 * Math.Sqrt(mm2 / Math.PI)), (float)(missed / (2 * area)),
            (float)(perimeter * perimeter / (4 * Math.PI * area)), CountColours(maps, area));
    }

    private static double Missed(float[] mask, double cx, double cy, double angle)
    {
        double c = Math.Cos(2 * angle), s = Math.Sin(2 * angle), missed = 0;
        for (int y = 0; y < Grid; y++)
            for (int x = 0; x < Grid; x++)
            {
                int mx = (int)Math.Round(cx + c * (x - cx) + s * (y - cy)),
                    my = (int)Math.Round(cy + s * (x - cx) - c * (y - cy));
                float mirror = mx is >= 0 and < Grid && my is >= 0 and < Grid ? mask[my * Grid + mx] : 0;
                missed += Math.Max(0, mask[y * Grid + x] - mirror);
            }
        return missed;
    }

    private static int CountColours(LesionMaps maps, double area)
    {
        var share = new double[7];
        for (int i = 0; i < maps.Mask.Length; i++)
            share[maps.Keratin[i] > .35f || maps.White[i] > .3f ? 0 : maps.Blue[i] > .28f ? 1
                : maps.Dark[i] > .45f || maps.Melanin[i] > 1.9f ? 2
                    : maps.Melanin[i] > .95f ? 3 : maps.Melanin[i] > .35f ? 4 : maps.Blood[i] > .3f ? 5 : 6] +=
                maps.Mask[i] / area;
        return share[..6].Count(s => s >= .04);
    }
}
