using DermKit.Cli;
using DermKit.Evaluation;
using DermKit.Pretraining;
using DermKit.Reporting;
using DermKit.Studies;
using DermKit.Tests.Evaluation;

namespace DermKit.Tests.Studies;

/// <summary>Rules, files and page of the ledger; KIT_WRITE_PAGES=1 writes data/speedrun/README.md.</summary>
public sealed class SpeedrunLedgerTests : IDisposable
{
    private static readonly KitSettings Kit = KitSettings.FromEnvironment() with { Device = "cpu" };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static SpeedrunPlan Plan(double minutes = 10, string name = "own", params string[] sets) =>
        new(name, new SimClrOptions { Sets = sets }, minutes);

    private static string Refused(SpeedrunPlan plan, KitSettings? settings = null, int threads = 2) =>
        Assert.Throws<KitException>(() => plan.Checked(settings ?? Kit, threads)).Message;

    [Fact]
    public void EveryRuleIsSaid()
    {
        PretrainOptions weights = new SimClrOptions { InitialWeights = "a.safetensors" };
        Assert.Contains("'initialWeights': expected none", Refused(Plan() with { Options = weights }));
        Assert.Contains("found ham10000", Refused(Plan(sets: "ham10000")));
        Assert.Contains("found synthetic, isic2017", Refused(Plan(sets: ["synthetic", "isic2017"])));
        Assert.Contains("KIT_DEVICE: expected cpu, found cuda", Refused(Plan(), Kit with { Device = "cuda" }));
        Assert.Contains("threads: expected at most 2", Refused(Plan(), threads: 3));
        Assert.Contains("--minutes: expected 10 or 60, found 0.2", Refused(Plan(0.2)));
        Assert.Contains("at most 60, found 61", Refused(Plan(61, sets: "synthetic")));
        Assert.Contains("--name: expected lower-case letters", Refused(Plan(name: "../own")));
        Assert.Equal(["isic2017", "pad-ufes-20"], Plan().Checked(Kit, 2).Options.Sets);
        Assert.True(Plan(0.2, sets: "synthetic").Checked(Kit, 16).IsDrawn);
    }

    [Fact]
    public void TheConfigOfAnEntryIsAConfigThatGivesItsOptions()
    {
        foreach (string name in (string[])["simclr-10min", "simclr-60min", "dino-10min", "dino-60min"])
        {
            SpeedrunPlan plan = Plan() with { Options = PretrainOptions.Named(Kit, name) with { Seed = 9 } };
            plan = plan.Checked(Kit, 2);
            string path = Path.Combine(folder.Path, name + ".json");
            Results.Write(path, plan.Config());
            Assert.Equal(plan.Options.ToJson().ToString(),
                (PretrainOptions.Read(path) with { Seed = 9 }).ToJson().ToString());
        }
    }

    private static SpeedrunEntry Entry(string name, double apart, double minutes = 10)
    {
        (KeptMean own, KeptMean permuted) = KeptMeanTests.Scores(apart);
        return new()
        {
            Name = name,
            Minutes = minutes,
            MinutesTrained = minutes,
            Seed = 1,
            Config = Plan().Config(),
            Steps = 10,
            StepsOfConfig = 10,
            ImagesPerSecond = 50,
            Weights = name,
            Validation = new() { Trained = own, Permuted = permuted, Untrained = KeptMeanTests.Scores(0.1).Own },
            Provenance = new() { ["commit"] = "0" },
        };
    }

    [Fact]
    public void EntriesAreReadAsWrittenAndDamagedOnesNamed()
    {
        var ledger = new SpeedrunLedger(Kit with { Root = folder.Path });
        Assert.Empty(ledger.Entries());
        foreach (SpeedrunEntry entry in (SpeedrunEntry[])[Entry("slow", 2, 60), Entry("worse", 0.2), Entry("best", 2)])
            ledger.Write(entry);
        Assert.Equal(["best", "worse", "slow"], ledger.Entries().Select(e => e.Name));
        Assert.Equivalent(Entry("best", 2).Validation, ledger.Entries()[0].Validation, strict: true);
        string path = ledger.PathOf("best"), text = File.ReadAllText(path);
        string Broken(string with)
        {
            File.WriteAllText(path, with);
            return Assert.Throws<KitException>(ledger.Entries).Message;
        }
        Assert.StartsWith(path, Broken(text[..(text.Length / 2)]));
        Assert.Contains("did you mean 'weights'?", Broken(text.Replace("\"weights\"", "\"weight\"")));
        Assert.Contains("resample", Broken(text.Replace("\"resamples\"", "\"resample\"")));
        Assert.Contains("'steps'", Broken(text.Replace("\"steps\": 10,", "")));
        Assert.Contains("expected an entry of the file's name", Broken(text.Replace("\"best\"", "\"other\"")));
        Assert.Contains("stamp 'SYNTHETIC'", Broken(text.Replace("\"stamp\": \"\"", "\"stamp\": \"SYNTHETIC\"")));
    }

    [Fact]
    public void ThePageHoldsTheEntriesWithTies()
    {
        const string Empty = "# Title\n\n<!-- entries -->\nold\n<!-- end of entries -->\nrest\n";
        Assert.Equal(Empty.Replace("old", SpeedrunReport.None), SpeedrunPage.Filled(Empty, []));
        SpeedrunEntry[] entries = [Entry("best", 0.6), Entry("twin", 0.59), Entry("worse", 0.2)];
        string[] page = SpeedrunPage.Filled(Empty, entries).Split('\n');
        Assert.Equal(["# Title", "rest"], [page[0], page[^2]]);
        Assert.StartsWith("| [best](entries/best.json) | 10 | SimCLR | 10 | 0.", page[5]);
        Assert.Contains(", a tie |", page[6]);
        Assert.DoesNotContain("a tie", page[7]);
        Assert.Contains("expected the lines", Assert.Throws<KitException>(() => SpeedrunPage.Filled("", [])).Message);
        BarFigure figure = SpeedrunReport.Figure(entries);
        Assert.Equal(["trained", "untrained", "null"], figure.Series.Select(g => g.Name));
        Assert.Equal(3, figure.Data().Rows.Count);
    }

    [Fact]
    public void ThePageOfTheKitSaysWhatItsEntriesSay()
    {
        if (Environment.GetEnvironmentVariable("KIT_WRITE_PAGES") == "1") SpeedrunPage.Write(Kit);
        string page = File.ReadAllText(SpeedrunPage.PathOf(Kit));
        Assert.Equal(SpeedrunPage.Filled(page, new SpeedrunLedger(Kit).Entries()), page);
        Assert.Equal(new SpeedrunLedger(Kit).Entries().Count == 0, SpeedrunReport.Scores(Kit) is string);
        Assert.All(new SpeedrunLedger(Kit).Entries(), e => Assert.Matches("^[0-9a-f]{64}$", e.Weights));
    }
}
