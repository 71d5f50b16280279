namespace DermKit.Data;

/// <summary>Dermatoscopic traits: 0/1 columns of metadata.csv in snake_case.</summary>
internal enum Trait
{
    PigmentNetwork, AtypicalNetwork, Globules, IrregularDots, Streaks, BlueWhiteVeil, Regression,
    ArborisingVessels, BlueGreyNests,
    MiliaCysts, ComedoOpenings, Fissures, Scale, Crust, CentralWhitePatch, RedLacunae, RedPseudonetwork,
}

/// <summary>A diagnosis. Trait frequencies overlap on purpose, in the textbook order (Argenziano et al. 2003; Zalaudek
/// et al. 2006; Menzies et al. 2000). Malignant: invasive cancer, not actinic keratosis. Share: of all images. Age:
/// years, sd 14. Diameter: mm. Disorder (of outline and colours) to Elevation: 0..1, sd 0.16. Melanin, Blood: optical
/// densities. Wax: share of dull keratin. Sites: weights of <see cref="SiteNames"/>. Traits: per cent, as
/// <see cref="Trait"/>.</summary>
internal sealed record LesionKind(string Name, bool Malignant, double Share, float Age, float Diameter, float Disorder,
    float Sharpness, float Elevation, float Melanin, float Blood, float Wax, double[] Sites, int[] Traits)
{
    public static readonly string[] SiteNames = ["face", "scalp", "neck", "trunk", "arm", "hand", "leg", "foot"];

    public static readonly LesionKind[] All =
    [
        // Share, age, mm, disorder, sharpness, elevation, melanin, blood, wax, sites;
        // net aty glo dot str vei reg art nes mil com fis sca cru whi lac psn.
        new("nevus", false, .36, 36, 5, .20f, .50f, .30f, .80f, .10f, .00f, [12, 2, 6, 45, 14, 3, 14, 4],
            [62, 9, 36, 10, 5, 4, 5, 2, 2, 7, 3, 5, 3, 2, 3, 1, 1]),
        new("melanoma", true, .15, 58, 8, .62f, .52f, .35f, 1.4f, .18f, .01f, [12, 3, 6, 38, 16, 2, 18, 5],
            [12, 60, 10, 62, 36, 46, 30, 10, 8, 6, 3, 4, 6, 9, 5, 3, 2]),
        new("basal cell carcinoma", true, .15, 67, 7, .36f, .40f, .65f, .18f, .46f, .05f, [52, 5, 12, 18, 6, 2, 4, 1],
            [4, 2, 2, 9, 2, 9, 9, 80, 54, 7, 3, 3, 14, 32, 8, 5, 5]),
        new("seborrheic keratosis", false, .14, 64, 8, .30f, .85f, .75f, .72f, .10f, .24f, [26, 6, 10, 40, 8, 3, 6, 1],
            [14, 4, 10, 8, 2, 7, 6, 4, 4, 70, 62, 46, 30, 8, 4, 1, 3]),
        new("actinic keratosis", false, .10, 69, 8, .42f, .15f, .25f, .16f, .58f, .10f, [46, 22, 5, 4, 10, 12, 1, 0],
            [8, 3, 2, 4, 1, 2, 5, 9, 2, 4, 5, 4, 80, 16, 4, 1, 68]),
        new("vascular lesion", false, .07, 50, 5, .24f, .72f, .60f, .08f, .95f, .00f, [18, 4, 6, 48, 10, 4, 8, 2],
            [2, 1, 1, 4, 1, 10, 3, 7, 4, 3, 1, 2, 5, 9, 3, 88, 2]),
        new("dermatofibroma", false, .03, 42, 6, .19f, .30f, .55f, .48f, .20f, .03f, [2, 0, 2, 14, 20, 2, 56, 4],
            [60, 5, 6, 4, 2, 3, 8, 4, 2, 5, 2, 3, 10, 3, 86, 1, 3]),
    ];
}
