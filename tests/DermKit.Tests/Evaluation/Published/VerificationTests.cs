using DermKit.Evaluation;

namespace DermKit.Tests.Evaluation;

/// <summary>What verification finds: nothing on the machine that published, and each change by name.</summary>
public sealed class VerificationTests(PublishedOnce once) : IClassFixture<PublishedOnce>, IDisposable
{
    private readonly PublishedKit kit = once.Copy();

    public void Dispose() => kit.Dispose();

    [Fact]
    public void WhatWasPublishedPassesSampledAndInFull()
    {
        IReadOnlyList<PublishedCheck> sampled = kit.Verify();
        Assert.All(sampled, c => Assert.Equal((PublishedOutcome.Pass, c.What, c.Found), (c.Outcome, c.What, c.Found)));
        Assert.Equal(["sums", "labels of own", "images of own", "labels of own-again", "images of own-again",
            "weights of net-1", "features of net-1 on dots", "weights of net-2", "features of net-2 on dots"],
            sampled.Select(c => c.What));
        Assert.Equal(16, kit.Published.Samples["dots"].Ids.Length);

        // Nothing that the run stored is read.
        Directory.Delete(Path.Combine(kit.Settings.CacheDir, "features"), recursive: true);
        foreach (string stored in Directory.GetFiles(Path.Combine(kit.Settings.CacheDir, "results"), "*",
            SearchOption.AllDirectories)) File.WriteAllText(stored, "changed");
        PublishedCheck[] full = [.. kit.Verify(isFull: true).Skip(sampled.Count)];
        Assert.Equal(kit.Published.Scores.Length, full.Length);
        Assert.Equal(2 * 2 * 3, full.Length);
        Assert.All(full, c => Assert.Equal((PublishedOutcome.Pass, c.Found), (c.Outcome, c.Found)));
        Assert.False(Directory.Exists(Path.Combine(kit.Settings.CacheDir, "features")));
    }

    [Fact]
    public void AChangedF1FailsBySumsAndWhereItsSeedsWereChangedTooByTheRun()
    {
        PublishedScore old = kit.Published.Scores.First(s => s.Tasks == 1);
        PublishedCheck sums = kit.Verify(With(old with { F1 = [old.F1[0] + 0.01, old.F1[1], old.F1[2]] }))[0];
        Assert.Equal(PublishedOutcome.Fail, sums.Outcome);
        Assert.Contains($"the F1 of {old.Model}, {old.Probe}, on {old.Task} is not what", sums.Found);

        // All scores of a model without the others' sums: a run alone can tell.
        PublishedScore[] moved = [.. kit.Published.Scores.Select(s => s with
        {
            F1 = [.. s.F1.Select(v => v + 0.03)],
            Seeds = [.. s.Seeds.Select(v => v + 0.03)],
        })];
        IReadOnlyList<PublishedCheck> checks = kit.Verify(kit.Published with { Scores = moved }, isFull: true);
        Assert.Equal(PublishedOutcome.Pass, checks[0].Outcome);
        PublishedCheck[] scores = [.. checks.Where(c => c.What.StartsWith("F1 of", StringComparison.Ordinal))];
        Assert.Equal(moved.Length, scores.Length);
        Assert.All(scores, c => Assert.Equal(PublishedOutcome.Fail, c.Outcome));
        Assert.Contains("at most 0.0300 apart (tolerance 0.02)", scores[0].Found);

        PublishedScore other = kit.Published.Scores.First(s => s.Difference is not null);
        Assert.Contains("the difference of", kit.Verify(With(other, other with
        {
            Difference = [other.Difference![0] + 0.01, other.Difference[1], other.Difference[2]],
        }))[0].Found);
    }

    [Fact]
    public void AChangedByteOfWeightsFails()
    {
        string path = Path.Combine(kit.Data, "weights", "net-2.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^3] ^= 1;
        File.WriteAllBytes(path, bytes);
        PublishedCheck check = Assert.Single(kit.Verify(), c => c.Outcome == PublishedOutcome.Fail);
        Assert.Equal("weights of net-2", check.What);
        Assert.Contains($"published {kit.Published.Models[1].Weights[0]}: other weights", check.Found);
    }

    [Fact]
    public void OtherWeightsOfADrawnModelFailByTheirFeatures()
    {
        // As where another processor draws: the hash alone decides nothing, the numbers do.
        PublishedModel[] drawn = [.. kit.Published.Models.Select(m => m with { IsDrawn = true, Weights = ["0"] })];
        IReadOnlyList<PublishedCheck> checks = kit.Verify(kit.Published with { Models = drawn });
        Assert.Equal(2, checks.Count(c => c.Outcome == PublishedOutcome.Skip));
        Assert.DoesNotContain(checks, c => c.Outcome == PublishedOutcome.Fail);
        kit.Save("net-2", 3);
        PublishedCheck check = Assert.Single(kit.Verify(kit.Published with { Models = drawn }),
            c => c.Outcome == PublishedOutcome.Fail);
        Assert.Equal("features of net-2 on dots", check.What);
        Assert.Contains("(tolerance 0.001)", check.Found);
    }

    [Fact]
    public void ChangedImagesAndLabelsFail()
    {
        string image = Path.Combine(kit.Data, "dots", kit.Published.Samples["dots"].Ids[0]);
        string other = Directory.GetFiles(Path.GetDirectoryName(image)!, "*.png").First(f => f != image);
        File.Copy(other, image, overwrite: true);
        PublishedCheck[] failed = [.. kit.Verify().Where(c => c.Outcome == PublishedOutcome.Fail)];
        Assert.Equal(["images of own", "images of own-again", "features of net-1 on dots", "features of net-2 on dots"],
            failed.Select(c => c.What));
        Assert.Contains("images were changed", failed[0].Found);

        string labels = Path.Combine(kit.Data, "dots", "labels.csv");
        File.WriteAllText(labels, File.ReadAllText(labels).Replace("39.png,1", "39.png,0", StringComparison.Ordinal));
        failed = [.. kit.Verify().Where(c => c.Outcome == PublishedOutcome.Fail)];
        Assert.StartsWith("ids, labels", failed.First(c => c.What == "labels of own").Found, StringComparison.Ordinal);

        File.Delete(image);
        failed = [.. kit.Verify().Where(c => c.Outcome == PublishedOutcome.Fail)];
        Assert.Contains(failed, c => c.What == "labels of own");
    }

    [Fact]
    public void WhatIsNotHereIsSkippedWithWhatToGet()
    {
        File.Delete(Path.Combine(kit.Data, "weights", "net-2.safetensors"));
        PublishedCheck check = Assert.Single(kit.Verify(isFull: true), c => c.Outcome == PublishedOutcome.Skip);
        Assert.Equal("weights of net-2", check.What);
        Assert.Contains("data/weights", check.Found);
        Directory.Delete(Path.Combine(kit.Data, "dots"), recursive: true);
        IReadOnlyList<PublishedCheck> checks = kit.Verify(isFull: true);
        Assert.Contains("data not here: dots", checks.First(c => c.What == "labels of own").Found);
        Assert.DoesNotContain(checks, c => c.Outcome == PublishedOutcome.Fail);
        Assert.DoesNotContain(checks, c => c.What.StartsWith("F1", StringComparison.Ordinal));
    }

    [Fact]
    public void APartOfTheRowsIsScoredAgainAndUnknownNamesAreRefused()
    {
        var verification = new Verification(kit.Settings, kit.Published);
        int sampled = verification.Sampled().Count();
        PublishedCheck[] part = [.. verification.Full(["own"], ["net-2"])];
        Assert.Equal(["F1 of net-2, knn, on own", "F1 of net-2, linear, on own"], part.Select(c => c.What));
        Assert.All(part, c => Assert.Equal(PublishedOutcome.Pass, c.Outcome));
        Assert.Equal(9, sampled);
        Assert.Contains("did you mean 'net-2'", Assert.Throws<KitException>(() =>
            verification.Full(null, ["nett-2"]).ToArray()).Message);
    }

    private Publication With(PublishedScore changed) => With(kit.Published.Scores.First(s =>
        (s.Task, s.Model, s.Probe) == (changed.Task, changed.Model, changed.Probe)), changed);

    private Publication With(PublishedScore old, PublishedScore changed) => kit.Published with
    {
        Scores = [.. kit.Published.Scores.Select(s => ReferenceEquals(s, old) ? changed : s)],
    };
}
