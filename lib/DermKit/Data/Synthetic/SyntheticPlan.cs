using static DermKit.Data.Artefacts;

namespace DermKit.Data;

/// <summary>A person; skin type is Fitzpatrick 1..6.</summary>
internal sealed record Patient(string Id, int SkinType, float Age, string Sex, bool Test, float Tan, float Redness);

/// <summary>What the images of a lesion share. Grades are 0..1; <see cref="Seed"/> places its structures.</summary>
internal sealed record Lesion(string Id, Patient Patient, int Kind, string Site, bool[] Traits, long Seed,
    float Diameter, float Disorder, float Sharpness, float Elevation, float Melanin, float Blood, float Wax)
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
    private static readonly double[] SkinShares = [.12, .24, .24, .17, .13, .10];
    private static readonly LesionKind[] Kinds = LesionKind.All;

    // Diagnosis, skin type within it, and test share (a quarter) fill the largest gap next.
    public static Photo[] Make(int images, int seed)
    {
        var rng = new Rng(seed, -1);
        var photos = new List<Photo>(images);
        int lesions = 0, duplicates = 0;
        // Scans all photos for each draw: below a second for some thousands.
        double Missing(int kind) => Kinds[kind].Share * (photos.Count + 3) - photos.Count(p => p.Lesion.Kind == kind);
        for (int person = 1; photos.Count < images; person++)
        {
            int first = Largest(Kinds.Length, k => Missing(k) + rng.Range(0, .6f));
            Patient[] same = [.. photos.Where(p => p.Lesion.Kind == first).Select(p => p.Lesion.Patient)];
            int skin = 1 + Largest(SkinShares.Length, s =>
                SkinShares[s] * (same.Length + 3) - same.Count(p => p.SkinType == s + 1) + rng.Range(0, 1.5f));
            bool test = .25 * (same.Length + 2) - same.Count(p => p.Test) + rng.Range(-1.5f, 1.5f) > .5;
            var patient = new Patient($"P{person:D4}", skin, Math.Clamp(rng.Normal(Kinds[first].Age, 14), 8, 93),
                rng.Chance(.5) ? "female" : "male", test, rng.Normal(0, 1), rng.Normal(0, 1));
            int count = 1 + rng.Pick(.55, .28, .17);
            for (int n = 0; n < count && photos.Count < images; n++)
            {
                int kind = n == 0 ? first : Largest(Kinds.Length, k => rng.Range(.7f, 1) * Math.Max(.05, Missing(k))
                    / (1 + Math.Pow(patient.Age - Kinds[k].Age, 2) / 300));
                Lesion lesion = MakeLesion(rng, $"L{++lesions:D4}", patient, kind);
                bool hairy = rng.Chance(.32), dermoscopic = rng.Chance(.5);
                for (int views = 1 + rng.Pick(.35, .4, .25); views > 0 && photos.Count < images; views--)
                {
                    photos.Add(new(photos.Count, lesion, dermoscopic, MakeArtefacts(rng, dermoscopic, hairy), null));
                    dermoscopic ^= rng.Chance(.7);
                    if (photos.Count == images || .04 * photos.Count <= duplicates + rng.Unit()) continue;
                    duplicates++;
                    photos.Add(photos[^1] with { Index = photos.Count, Original = photos[^1] });
                }
            }
        }
        return [.. photos];
    }

    // The index of the first largest value.
    private static int Largest(int choices, Func<int, double> value) =>
        Enumerable.Range(0, choices).Select(i => (i, Value: value(i))).MaxBy(c => c.Value).i;

    private static Lesion MakeLesion(Rng rng, string id, Patient patient, int kindIndex)
    {
        LesionKind kind = Kinds[kindIndex];
        bool[] traits = [.. kind.Traits.Select(percent => rng.Chance(percent / 100.0))];
        traits[(int)Trait.PigmentNetwork] &= !traits[(int)Trait.AtypicalNetwork];
        traits[(int)Trait.Globules] &= !traits[(int)Trait.IrregularDots];
        float Grade(float mean) => Math.Clamp(rng.Normal(mean, .16f), .02f, .98f);
        float Varied(float mean, float sd, float low, float high) => Math.Clamp(mean * rng.Normal(1, sd), low, high);
        return new(id, patient, kindIndex, LesionKind.SiteNames[rng.Pick(kind.Sites)], traits, (long)rng.Next(),
            Varied(kind.Diameter, .3f, 2, 18), Grade(kind.Disorder), Grade(kind.Sharpness), Grade(kind.Elevation),
            Varied(kind.Melanin, .28f, .04f, 2.2f), Varied(kind.Blood, .35f, .02f, 1.4f),
            Varied(kind.Wax, .4f, 0, .4f));
    }

    private static Artefacts MakeArtefacts(Rng rng, bool dermoscopic, bool hairy)
    {
        Artefacts Maybe(Artefacts flag, double share) => rng.Chance(share) ? flag : None;
        return Maybe(Hair, hairy ? .85 : 0) | Maybe(Glare, .35) | Maybe(Blur, .15)
            | Maybe(Ruler, dermoscopic ? .15 : .08)
            | (dermoscopic ? Maybe(Vignette, .45) | Maybe(DarkCorners, .22)
                : Maybe(PenMark, .07) | Maybe(Background, .22));
    }
}
