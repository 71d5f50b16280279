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
        // Leaves out the pixels that are less than margin from the edge.
        static double Sum(int margin, Func<int, int, double> value)
        {
            double sum = 0;
            for (int y = margin; y < Grid - margin; y++)
                for (int x = margin; x < Grid - margin; x++) sum += value(x, y);
            return sum;
        }
        float Mask(int x, int y) => mask[y * Grid + x];
        double area = Sum(0, (x, y) => Mask(x, y));
        double cx = Sum(0, (x, y) => Mask(x, y) * x) / area, cy = Sum(0, (x, y) => Mask(x, y) * y) / area;
        double xx = Sum(1, (x, y) => Mask(x, y) * (x - cx) * (x - cx));
        double xy = Sum(1, (x, y) => Mask(x, y) * (x - cx) * (y - cy));
        double yy = Sum(1, (x, y) => Mask(x, y) * (y - cy) * (y - cy));
        // The length of a soft outline is the integral of its slope (coarea formula).
        double perimeter = Sum(1, (x, y) => .5 * Math.Sqrt(Math.Pow(Mask(x + 1, y) - Mask(x - 1, y), 2)
            + Math.Pow(Mask(x, y + 1) - Mask(x, y - 1), 2)));
        double Missed(double angle)
        {
            double c = Math.Cos(2 * angle), s = Math.Sin(2 * angle);
            return Sum(0, (x, y) =>
            {
                int mx = (int)Math.Round(cx + c * (x - cx) + s * (y - cy));
                int my = (int)Math.Round(cy + s * (x - cx) - c * (y - cy));
                float mirror = mx is >= 0 and < Grid && my is >= 0 and < Grid ? Mask(mx, my) : 0;
                return Math.Max(0, Mask(x, y) - mirror);
            });
        }
        double angle = .5 * Math.Atan2(2 * xy, xx - yy), missed = Missed(angle) + Missed(angle + Math.PI / 2);
        double mm2 = area * scale * scale;
        var covered = new double[7];
        for (int i = 0; i < mask.Length; i++) covered[Colour(maps, i)] += mask[i] / area;
        return new((float)mm2, (float)(2 * Math.Sqrt(mm2 / Math.PI)), (float)(missed / (2 * area)),
            (float)(perimeter * perimeter / (4 * Math.PI * area)), covered[..6].Count(share => share >= .04));
    }

    // White, blue-grey, black, dark brown, light brown, red, skin.
    private static int Colour(LesionMaps maps, int i) =>
        maps.Keratin[i] > .35f || maps.White[i] > .3f ? 0 : maps.Blue[i] > .28f ? 1
        : maps.Dark[i] > .45f || maps.Melanin[i] > 1.9f ? 2 : maps.Melanin[i] > .95f ? 3
        : maps.Melanin[i] > .35f ? 4 : maps.Blood[i] > .3f ? 5 : 6;
}
