using DermKit.Data;

namespace DermKit.Tests.Data;

/// <summary>Who is photographed and how: counts, and what must not tell the diagnosis.</summary>
public sealed class SyntheticPlanTests
{
    private static readonly Photo[] Plan = SyntheticPlan.Make(2400, 7);

    [Theory]
    [InlineData(1)]
    [InlineData(61)]
    [InlineData(2400)]
    public void MakesExactlyTheNumberAsked(int images)
    {
        Photo[] plan = SyntheticPlan.Make(images, 3);
        Assert.Equal(images, plan.Length);
        Assert.Equal(Enumerable.Range(0, images), plan.Select(p => p.Index));
    }

    [Fact]
    public void EveryDiagnosisHasItsShareOnBothSidesAndOneIsRare()
    {
        foreach (var (kind, k) in LesionKind.All.Select((kind, k) => (kind, k)))
        {
            Photo[] photos = [.. Plan.Where(p => p.Lesion.Kind == k)];
            Assert.InRange(photos.Length / 2400.0, kind.Share * .9, kind.Share * 1.1 + .002);
            Assert.InRange(photos.Count(p => p.Lesion.Patient.Test) / (double)photos.Length, .15, .36);
        }
        Assert.Equal(1, LesionKind.All.Sum(k => k.Share), 6);
        Assert.Contains(LesionKind.All, k => k.Share <= .03);
    }

    [Fact]
    public void NoLesionChangesPatientAndManyHaveSeveralPhotos()
    {
        Assert.All(Plan.GroupBy(p => p.Lesion.Id), g => Assert.Single(g.Select(p => p.Lesion.Patient.Id).Distinct()));
        Assert.All(Plan.GroupBy(p => p.Lesion.Patient.Id),
            g => Assert.Single(g.Select(p => p.Lesion.Patient.Test).Distinct()));
        Assert.True(Plan.GroupBy(p => p.Lesion.Patient.Id)
            .Count(g => g.Select(p => p.Lesion.Id).Distinct().Count() > 1) > 100);
        Assert.True(Plan.GroupBy(p => p.Lesion.Id)
            .Count(g => g.Select(p => p.Dermoscopic).Distinct().Count() == 2) > 200);
    }

    [Fact]
    public void NothingAroundTheLesionTellsTheDiagnosis()
    {
        AssertIndependent("modality", p => p.Dermoscopic ? 1 : 0);
        AssertIndependent("skin type", p => p.Lesion.Patient.SkinType);
        foreach (Artefacts artefact in Enum.GetValues<Artefacts>().Skip(1))
            AssertIndependent(artefact.ToString(), p => p.Artefacts.HasFlag(artefact) ? 1 : 0);
    }

    [Fact]
    public void AgeFollowsTheDiagnosis()
    {
        double MeanAge(string name) => Plan.Where(p => LesionKind.All[p.Lesion.Kind].Name == name)
            .Average(p => p.Lesion.Patient.Age);
        Assert.True(MeanAge("nevus") + 12 < MeanAge("melanoma"),
            $"nevus {MeanAge("nevus"):F0}, melanoma {MeanAge("melanoma"):F0}");
        Assert.True(MeanAge("nevus") + 18 < MeanAge("actinic keratosis"));
    }

    [Fact]
    public void NearDuplicatesRepeatAnEarlierPhotoOfTheSameLesion()
    {
        Photo[] repeats = [.. Plan.Where(p => p.Original is not null)];
        Assert.InRange(repeats.Length, 70, 120);
        Assert.All(repeats,
            p => Assert.True(p.Original!.Index < p.Index && p.Original.Original is null
                && p.Original.Lesion == p.Lesion));
    }

    /// <summary>Cramer's V between the diagnosis and a property, 0 (independent) to 1.</summary>
    private static void AssertIndependent(string name, Func<Photo, int> property)
    {
        int[] values = [.. Plan.Select(property)];
        int[] kinds = [.. Plan.Select(p => p.Lesion.Kind)];
        double chi = 0;
        foreach (int k in kinds.Distinct())
            foreach (int v in values.Distinct())
            {
                double expected = kinds.Count(x => x == k) * (double)values.Count(x => x == v) / values.Length;
                chi += Math.Pow(kinds.Zip(values).Count(p => p.First == k && p.Second == v) - expected, 2) / expected;
            }
        double cramer =
            Math.Sqrt(chi / values.Length / (Math.Min(kinds.Distinct().Count(), values.Distinct().Count()) - 1));
        Assert.True(cramer < .12, $"{name}: Cramer's V with the diagnosis is {cramer:F3}.");
    }
}
