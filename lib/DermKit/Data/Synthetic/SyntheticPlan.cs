namespace DermKit.Data;

/// <summary>A person; skin type is Fitzpatrick 1..6.</summary>
internal sealed record Patient(string Id, int SkinType, float Age, string Sex, bool Test, float Tan, float Redness);

/// <summary>A lesion: all that its images share. Grades are 0..1; <see cref="Seed"/> places its structures.</summary>
internal sealed record Lesion(string Id, Patient Patient, int Kind, string Site, bool[] Traits, long Seed,
    float Diameter, float Asymmetry, float Irregularity,
    float Sharpness, float Patchiness, float Elevation, float Melanin, float Blood, float Wax)
{
    public bool Has(Trait trait) => Traits[(int)trait];
}

/// <summary>0/1 columns of metadata.csv, independent of the diagnosis.</summary>
[Flags]
internal enum Artefacts
{
    None = 0, Hair = 1, Glare = 2, Ruler = 4, Vignette = 8, DarkCorners = 16, Blur = 32, PenMark = 64, Background = 128,
}

/// <summary>One image; a near-duplicate repeats the camera of <see cref="Original"/>, then is changed a
/// little.</summary>
internal sealed record Photo(int Index, Lesion Lesion, bool Dermoscopic, Artefacts Artefacts, Photo? Original)
{
    public string Id => $"syn_{Index:D5}";

    public bool Has(Artefacts artefact) => Artefacts.HasFlag(artefact);
}

/// <summary>Plans all photographs in one thread, so that counts and independence hold for every number.</summary>
internal static class SyntheticPlan
{
    private static readonly double[] SkinShares = [.12, .24, .24, .17, .13, .10];
    private const double TestShare = 0.25, DuplicateShare = 0.04;

    // Diagnosis, skin type within it, and test share fill the largest gap next.
    public static Photo[] Make(int images, int seed)
    {
        var rng = new Rng(seed, -1);
        var photos = new List<Photo>(images);
        var drawn = new int[LesionKind.All.Length];
        var drawnBySkin = new int[LesionKind.All.Length, SkinShares.Length];
        var drawnForTest = new int[LesionKind.All.Length];
        int lesions = 0, duplicates = 0;
        for (int p = 1; photos.Count < images; p++)
        {
            int first = Gap(LesionKind.All.Length,
                k => LesionKind.All[k].Share * (photos.Count + 3) - drawn[k] + rng.Range(0, .6f));
            int skin = Gap(SkinShares.Length,
                s => SkinShares[s] * (drawn[first] + 3) - drawnBySkin[first, s] + rng.Range(0, 1.5f));
            bool test = TestShare * (drawn[first] + 2) - drawnForTest[first] + rng.Range(-1.5f, 1.5f) > 0.5;
            var patient = new Patient(FormattableString.Invariant($"P{p:D4}"), skin + 1,
                Math.Clamp(rng.Normal(LesionKind.All[first].Age, 14), 8, 93),
                rng.Chance(.5) ? "female" : "male", test, rng.Normal(0, 1), rng.Normal(0, 1));
            int count = 1 + rng.Pick([.55, .28, .17]);
            for (int n = 0; n < count && photos.Count < images; n++)
            {
                int kind = n == 0 ? first
                    : Gap(LesionKind.All.Length,
                        k => rng.Range(.7f, 1) * Likelihood(patient.Age, k)
                            * Math.Max(.05, LesionKind.All[k].Share * (photos.Count + 3) - drawn[k]));
                Lesion lesion = MakeLesion(rng, FormattableString.Invariant($"L{++lesions:D4}"), patient, kind);
                int views = 1 + rng.Pick([.35, .4, .25]);
                bool hairy = rng.Chance(.32), dermoscopic = rng.Chance(.5);
                for (int v = 0; v < views && photos.Count < images; v++, dermoscopic = rng.Chance(.7)
                    ? !dermoscopic : dermoscopic)
                {
                    var photo = new Photo(photos.Count, lesion, dermoscopic,
                        MakeArtefacts(rng, dermoscopic, hairy), null);
                    photos.Add(photo);
                    Count(kind);
                    if (photos.Count < images && DuplicateShare * photos.Count > duplicates + rng.Unit())
                    {
                        photos.Add(photo with { Index = photos.Count, Original = photo });
                        duplicates++;
                        Count(kind);
                    }
                }
            }

            void Count(int kind)
            {
                drawn[kind]++;
                drawnBySkin[kind, skin]++;
                if (test) drawnForTest[kind]++;
            }
        }
        return [.. photos];
    }

    private static int Gap(int choices, Func<int, double> gap)
    {
        int best = 0;
        double largest = double.MinValue;
        for (int i = 0; i < choices; i++)
            if (gap(i) is var g && g > largest)
            {
                best = i;
                largest = g;
            }
        return best;
    }

    private static double Likelihood(float age, int kind) =>
        1 / (1 + (age - LesionKind.All[kind].Age) * (age - LesionKind.All[kind].Age) / 300);

    private static Lesion MakeLesion(Rng rng, string id, Patient patient, int kindIndex)
    {
        LesionKind kind = LesionKind.All[kindIndex];
        var traits = new bool[kind.Traits.Length];
        for (int t = 0; t < traits.Length; t++) traits[t] = rng.Chance(kind.Traits[t] / 100.0);
        traits[(int)Trait.PigmentNetwork] &= !traits[(int)Trait.AtypicalNetwork];
        traits[(int)Trait.Globules] &= !traits[(int)Trait.IrregularDots];
        float Grade(float mean) => Math.Clamp(rng.Normal(mean, .16f), .02f, .98f);
        return new(id, patient, kindIndex, LesionKind.SiteNames[rng.Pick(kind.Sites)], traits, (long)rng.Next(),
            Math.Clamp(rng.Normal(kind.Diameter, kind.Diameter * .3f), 2, 18),
            Grade(kind.Asymmetry), Grade(kind.Irregularity), Grade(kind.Sharpness), Grade(kind.Patchiness),
            Grade(kind.Elevation),
            Math.Clamp(kind.Melanin * rng.Normal(1, .28f), .04f, 2.2f),
            Math.Clamp(kind.Blood * rng.Normal(1, .35f), .02f, 1.4f),
            Math.Clamp(kind.Wax * rng.Normal(1, .4f), 0, .4f));
    }

    private static Artefacts MakeArtefacts(Rng rng, bool dermoscopic, bool hairy)
    {
        Artefacts Maybe(Artefacts flag, double share) => rng.Chance(share) ? flag : Artefacts.None;
        Artefacts both = (hairy && rng.Chance(.85) ? Artefacts.Hair : Artefacts.None) | Maybe(Artefacts.Glare, .35)
            | Maybe(Artefacts.Blur, .15);
        return both | (dermoscopic
            ? Maybe(Artefacts.Ruler, .15) | Maybe(Artefacts.Vignette, .45) | Maybe(Artefacts.DarkCorners, .22)
            : Maybe(Artefacts.Ruler, .08) | Maybe(Artefacts.PenMark, .07) | Maybe(Artefacts.Background, .22));
    }
}
