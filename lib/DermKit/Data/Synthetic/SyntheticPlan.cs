using static DermKit.Data.Artefacts;

namespace DermKit.Data;

/// <summary>A person; skin type is Fitzpatrick 1..6.</summary>
internal sealed record Patient(string Id, int SkinType, float Age, string Sex, bool Test, float Tan, float Redness);

/// <summary>What the images of a lesion share. Grades are 0..1; <see cref="Seed"/> places its structures.</summary>
internal sealed record Lesion(string Id, Patient Patient, int Kind, string Site, bool[] Traits, long Seed,
    float Diameter, float Asymmetry, float Irregularity, float Sharpness, float Patchiness, float Elevation,
    float Melanin, float Blood, float Wax)
{
    public bool Has(Trait trait) => Traits[(int)trait];
}

/// <summary>0/1 columns of metadata.csv, independent of the diagnosis.</summary>
[Flags]
internal enum Artefacts
{
    None = 0, Hair = 1, Glare = 2, Ruler = 4, Vignette = 8, DarkCorners = 16, Blur = 32, PenMark = 64, Background = 128,
}

/// <summary>One image; a near-duplicate is a slightly changed copy of <see cref="Original"/>.</summary>
internal sealed record Photo(int Index, Lesion Lesion, bool Dermoscopic, Artefacts Artefacts, Photo? Original)
{
    public string Id => $"syn_{Index:D5}";

    public bool Has(Artefacts artefact) => Artefacts.HasFlag(artefact);
}

/// <summary>Plans all photographs in one thread, so that counts and independence hold for every number.</summary>
internal static class SyntheticPlan
{
    private const double TestShare = 0.25, DuplicateShare = 0.04;
    private static readonly double[] SkinShares = [.12, .24, .24, .17, .13, .10];
    private static readonly LesionKind[] Kinds = LesionKind.All;

    // Diagnosis, skin type within it, and test share fill the largest gap next.
    public static Photo[] Make(int images, int seed)
    {
        var rng = new Rng(seed, -1);
        var photos = new List<Photo>(images);
        int[] drawn = new int[Kinds.Length], drawnForTest = new int[Kinds.Length];
        var drawnBySkin = new int[Kinds.Length, SkinShares.Length];
        double Missing(int kind) => Kinds[kind].Share * (photos.Count + 3) - drawn[kind];
        int lesions = 0, duplicates = 0;
        for (int p = 1; photos.Count < images; p++)
        {
            int first = Largest(Kinds.Length, k => Missing(k) + rng.Range(0, .6f));
            int skin = Largest(SkinShares.Length,
                s => SkinShares[s] * (drawn[first] + 3) - drawnBySkin[first, s] + rng.Range(0, 1.5f));
            bool test = TestShare * (drawn[first] + 2) - drawnForTest[first] + rng.Range(-1.5f, 1.5f) > 0.5;
            var patient = new Patient($"P{p:D4}", skin + 1, Math.Clamp(rng.Normal(Kinds[first].Age, 14), 8, 93),
                rng.Chance(.5) ? "female" : "male", test, rng.Normal(0, 1), rng.Normal(0, 1));
            int count = 1 + rng.Pick([.55, .28, .17]);
            for (int n = 0; n < count && photos.Count < images; n++)
            {
                int kind = n == 0 ? first : Largest(Kinds.Length,
                    k => rng.Range(.7f, 1) * Likelihood(patient.Age - Kinds[k].Age) * Math.Max(.05, Missing(k)));
                Lesion lesion = MakeLesion(rng, $"L{++lesions:D4}", patient, kind);
                int views = 1 + rng.Pick([.35, .4, .25]);
                bool hairy = rng.Chance(.32), dermoscopic = rng.Chance(.5);
                for (int v = 0; v < views && photos.Count < images; v++)
                {
                    Add(new(photos.Count, lesion, dermoscopic, MakeArtefacts(rng, dermoscopic, hairy), null), kind);
                    if (photos.Count < images && DuplicateShare * photos.Count > duplicates + rng.Unit())
                    {
                        duplicates++;
                        Add(photos[^1] with { Index = photos.Count, Original = photos[^1] }, kind);
                    }
                    dermoscopic ^= rng.Chance(.7);
                }
            }

            void Add(Photo photo, int kind)
            {
                photos.Add(photo);
                drawn[kind]++;
                drawnBySkin[kind, skin]++;
                if (test) drawnForTest[kind]++;
            }
        }
        return [.. photos];
    }

    // The index of the first largest value.
    private static int Largest(int choices, Func<int, double> value) =>
        Enumerable.Range(0, choices).Select(i => (i, Value: value(i))).MaxBy(c => c.Value).i;

    private static double Likelihood(float years) => 1 / (1 + years * years / 300);

    private static Lesion MakeLesion(Rng rng, string id, Patient patient, int kindIndex)
    {
        LesionKind kind = Kinds[kindIndex];
        bool[] traits = [.. kind.Traits.Select(percent => rng.Chance(percent / 100.0))];
        traits[(int)Trait.PigmentNetwork] &= !traits[(int)Trait.AtypicalNetwork];
        traits[(int)Trait.Globules] &= !traits[(int)Trait.IrregularDots];
        float Grade(float mean) => Math.Clamp(rng.Normal(mean, .16f), .02f, .98f);
        float Varied(float mean, float sd, float low, float high) => Math.Clamp(mean * rng.Normal(1, sd), low, high);
        return new(id, patient, kindIndex, LesionKind.SiteNames[rng.Pick(kind.Sites)], traits, (long)rng.Next(),
            Math.Clamp(rng.Normal(kind.Diameter, kind.Diameter * .3f), 2, 18),
            Grade(kind.Asymmetry), Grade(kind.Irregularity), Grade(kind.Sharpness), Grade(kind.Patchiness),
            Grade(kind.Elevation), Varied(kind.Melanin, .28f, .04f, 2.2f), Varied(kind.Blood, .35f, .02f, 1.4f),
            Varied(kind.Wax, .4f, 0, .4f));
    }

    private static Artefacts MakeArtefacts(Rng rng, bool dermoscopic, bool hairy)
    {
        Artefacts Maybe(Artefacts flag, double share) => rng.Chance(share) ? flag : None;
        return (hairy ? Maybe(Hair, .85) : None)
            | Maybe(Glare, .35) | Maybe(Blur, .15)
            | Maybe(Ruler, dermoscopic ? .15 : .08)
            | (dermoscopic ? Maybe(Vignette, .45) | Maybe(DarkCorners, .22)
                : Maybe(PenMark, .07) | Maybe(Background, .22));
    }
}
