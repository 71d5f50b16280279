using DermKit.Notebooks;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Studies;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

/// <summary>Notebooks on fixtures: the way that real files take, and the stamp on all that comes of them.</summary>
public sealed class FixtureNotebookTests
{
    [Fact]
    public async Task EveryOutputOfProbingOnDrawnSetsIsStamped()
    {
        SlowTier.Need("runs notebook 02 on fixtures");
        using var folder = new TemporaryFolder();
        string data = Directory.CreateDirectory(Path.Combine(folder.Path, "data")).FullName,
            path = Path.Combine(GeneratedNotebook.Root, "notebooks", "02-twelve-task-probing.ipynb");
        FixtureSets.Write(KitSettings.FromEnvironment(), data, PadUfes20.Name, Ph2.Name);
        var options = new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Timeout = TimeSpan.FromMinutes(20),
            Set = new Dictionary<string, string> { ["resamples"] = "50", ["taskNames"] = "ph2,pad_ufes_20" },
            Environment = new Dictionary<string, string?>
            {
                ["KIT_DATA_DIR"] = data,
                ["KIT_CACHE_DIR"] = Path.Combine(folder.Path, "cache"),
                ["KIT_REPORTS_DIR"] = folder.Path,
                ["OMP_WAIT_POLICY"] = "PASSIVE"
            },
        };
        NotebookRun run = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options,
            _ => { }, TestContext.Current.CancellationToken);
        Assert.True(run.Error is null, run.Error);
        var outputs = run.Executed.Cells.Where(c => c.IsCode && c.Outputs.Count > 0)
            .ToDictionary(c => c.Id,
                c => string.Concat(
                    c.Outputs.Select(o =>
                        NotebookCell.Text(o?["data"]?["text/html"]) + NotebookCell.Text(o?["data"]?["text/plain"]))));
        // The settings and the models rest on no image.
        string[] without = ["parameters", "settings", "run-settings", "models"];
        Assert.Superset(
            new HashSet<string>(["registry", "open", "images", "run", "quarantine", "remarks", "scores", "scores-table",
                "probes-paired", "means", "rank-test", "confusion", "groups", "duplicates", "duplicates-score",
                "shortcut"]), outputs.Keys.ToHashSet());
        foreach ((string cell, string output) in outputs.Where(o => !without.Contains(o.Key)))
        {
            Assert.True(output.Contains("FIXTURE", StringComparison.Ordinal), $"{cell}: {output}");
            int shown = Regex.Count(output, "<figure class=\"kit-(?:figure|table)"),
                stamped = Regex.Count(output, "class=\"kit-stamp\">FIXTURE</span>");
            Assert.True(cell == "registry" || stamped >= shown,
                $"{cell}: {shown} figures and tables, {stamped} stamps");
        }
        Assert.All(without, cell => Assert.DoesNotContain("FIXTURE", outputs.GetValueOrDefault(cell, "")));
        Assert.Contains(">FIXTURE</span>", IndexPage.Render([run]));
        Assert.Empty(ScoreTables.Unstated(string.Concat(outputs.Values)));
    }

    [Fact]
    public async Task WhatRestsOnTheFixtureIsStampedInTheComparisonOfCosts()
    {
        SlowTier.Need("runs notebook 04 on fixtures");
        using var cache = new TemporaryFolder();
        (string report, Dictionary<string, string> outputs) = await RunWithFixture(cache, "04-monet-comparison.ipynb",
            ("ladderNames", "ViT-T/16"));
        Assert.Contains("<span class=\"kit-stamp\">FIXTURE</span> A weights file of this run", report);
        AssertStamped(outputs, "models", "run", "scores", "means", "quality", "units", "claim");
        // Whatever names the stand-in carries the stamp, and what is counted or measured without it does not.
        Assert.All(outputs.Where(o => o.Value.Contains(ClipFixture.Name)), o => Assert.Contains("FIXTURE", o.Value));
        Assert.All(new[] { "growth", "ladder", "layers", "measure", "rates" },
            cell => Assert.DoesNotContain("FIXTURE", outputs[cell]));
        Assert.Contains("1.25", outputs["ladder"]);
        Assert.Contains($"F1 minus {ClipFixture.Name}", outputs["claim"]);
        Assert.Contains("not tested here", outputs["claim"]);
        // Both formats give the same features; the pair of them differs in nothing.
        Assert.Contains("0.00 [0.00, 0.00]", outputs["means"]);
    }

    [Fact]
    public async Task WhatRestsOnTheFixtureIsStampedInConceptsAndRetrieval()
    {
        SlowTier.Need("runs notebook 11 on fixtures");
        using var cache = new TemporaryFolder();
        (_, Dictionary<string, string> outputs) = await RunWithFixture(cache, "11-concepts-and-retrieval.ipynb");
        AssertStamped(outputs, "models", "run", "width", "width-figure", "width-means", "one-right", "one-right-images",
            "clip-files", "clip-forms", "concepts");
        // The settings name the stand-in as the baseline and hold no score.
        Assert.All(outputs.Where(o => o.Key != "run-settings" && o.Value.Contains(ClipFixture.Name)),
            o => Assert.Contains("FIXTURE", o.Value));
        Assert.Equal(2, Regex.Count(outputs["clip-files"], "yes, bit for bit"));
        string[] forms = ["tiny-clip-projected", "tiny-clip-own-transform", "tiny-clip-own-transform-projected"];
        Assert.All(forms, form => Assert.Contains(form, outputs["clip-forms"]));
        string[] texts = ["erythema, redness", "This is dermoscopy of {0}", "dermoscopic"];
        Assert.All(texts, text => Assert.Contains(text, outputs["concepts"]));
        Assert.Contains("cls4-pca256", outputs["width-means"]);
        // The search uses the kit's own checkpoint, which is no fixture.
        Assert.DoesNotContain("FIXTURE", outputs["search"]);
        Assert.Contains("SYNTHETIC", outputs["search-images"]);
    }

    /// <summary>Runs a notebook on one drawn task with the tiny CLIP; returns its report and
    /// the HTML of each cell.</summary>
    private static async Task<(string Report, Dictionary<string, string> Outputs)> RunWithFixture(
        TemporaryFolder cache, string file, params (string Name, string Value)[] more)
    {
        string drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir);
        string kept = Path.GetDirectoryName(drawn)!;
        string path = Path.Combine(GeneratedNotebook.Root, "notebooks", file);
        foreach (string shared in new[] { Path.GetFileName(drawn), "images", "features" })
        {
            string folder = Directory.CreateDirectory(Path.Combine(kept, shared)).FullName;
            Directory.CreateSymbolicLink(Path.Combine(cache.Path, shared), folder);
        }
        var options = new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Timeout = TimeSpan.FromMinutes(20),
            Set = new Dictionary<string, string>(more.ToDictionary(m => m.Name, m => m.Value))
            {
                ["fixture"] = "tiny",
                ["taskNames"] = "synthetic-malignancy",
                ["resamples"] = "50",
            },
            Environment = new Dictionary<string, string?>
            {
                ["KIT_DATA_DIR"] = null,
                ["KIT_CACHE_DIR"] = cache.Path,
                ["KIT_REPORTS_DIR"] = cache.Path,
                ["OMP_WAIT_POLICY"] = "PASSIVE",
            },
        };
        NotebookRun run = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path,
            options, _ => { },
            TestContext.Current.CancellationToken);
        Assert.True(run.Error is null, run.Error);
        foreach (string weights in new[] { ClipFixture.Name + ".safetensors", ClipFixture.OpenAiName + ".pt" })
            Assert.True(File.Exists(Path.Combine(cache.Path, "fixture", weights)), weights);
        Assert.Contains(">FIXTURE</span>", IndexPage.Render([run]));
        return (HtmlReport.Render(run), run.Executed.Cells.Where(c => c.IsCode).ToDictionary(c => c.Id, Html));

        static string Html(NotebookCell cell) =>
            string.Concat(cell.Outputs.Select(o => NotebookCell.Text(o?["data"]?["text/html"])));
    }

    private static void AssertStamped(Dictionary<string, string> outputs, params string[] cells)
    {
        var stamp = new Regex("""class="kit-stamp">(SYNTHETIC \+ )?FIXTURE</span>""");
        Assert.All(cells, cell => Assert.Matches(stamp, outputs[cell]));
    }
}
