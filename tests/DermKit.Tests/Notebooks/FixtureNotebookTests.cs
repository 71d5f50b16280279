using DermKit.Notebooks;
using DermKit.Data;
using DermKit.Evaluation;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Notebooks;

/// <summary>Notebooks on fixtures: the way that real files take, and the stamp on all that comes of them.</summary>
public sealed class FixtureNotebookTests
{
    [Fact]
    public async Task EveryOutputOfProbingOnDrawnSetsIsStamped()
    {
        using var folder = new TemporaryFolder();
        string data = Directory.CreateDirectory(Path.Combine(folder.Path, "data")).FullName, path = Path.Combine(GeneratedNotebook.Root, "notebooks", "02-twelve-task-probing.ipynb");
        FixtureSets.Write(KitSettings.FromEnvironment(), data, PadUfes20.Name, Ph2.Name);
        var options = new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Timeout = TimeSpan.FromMinutes(20),
            Set = new Dictionary<string, string> { ["resamples"] = "50", ["taskNames"] = "ph2,pad_ufes_20" },
            Environment = new Dictionary<string, string?> { ["KIT_DATA_DIR"] = data, ["KIT_CACHE_DIR"] = Path.Combine(folder.Path, "cache"), ["OMP_WAIT_POLICY"] = "PASSIVE" },
        };
        NotebookRun run = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options, _ => { }, TestContext.Current.CancellationToken);
        Assert.True(run.Error is null, run.Error);
        var outputs = run.Executed.Cells.Where(c => c.IsCode && c.Outputs.Count > 0).ToDictionary(c => c.Id, c => string.Concat(c.Outputs.Select(o => NotebookCell.Text(o?["data"]?["text/html"]) + NotebookCell.Text(o?["data"]?["text/plain"]))));
        // The settings and the models rest on no image.
        string[] without = ["parameters", "settings", "models"];
        Assert.Superset(new HashSet<string>(["registry", "open", "images", "run", "quarantine", "remarks", "scores", "scores-table", "probes-paired", "means", "rank-test", "confusion", "groups", "duplicates", "duplicates-score", "shortcut"]), outputs.Keys.ToHashSet());
        foreach ((string cell, string output) in outputs.Where(o => !without.Contains(o.Key)))
        {
            Assert.True(output.Contains("FIXTURE", StringComparison.Ordinal), $"{cell}: {output}");
            int shown = Regex.Count(output, "<figure class=\"kit-(?:figure|table)"), stamped = Regex.Count(output, "class=\"kit-stamp\">FIXTURE</span>");
            Assert.True(cell == "registry" || stamped >= shown, $"{cell}: {shown} figures and tables, {stamped} stamps");
        }
        Assert.All(without, cell => Assert.DoesNotContain("FIXTURE", outputs.GetValueOrDefault(cell, "")));
        Assert.Contains(">FIXTURE</span>", IndexPage.Render([run]));
        Assert.Empty(ScoreTables.Unstated(string.Concat(outputs.Values)));
    }

    [Fact]
    public async Task EveryOutputThatRestsOnTheFixtureIsStamped()
    {
        using var cache = new TemporaryFolder();
        string drawn = SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir), path = Path.Combine(GeneratedNotebook.Root, "notebooks", "04-monet-comparison.ipynb");
        foreach (string shared in new[] { Path.GetFileName(drawn), "images", "features" })
            Directory.CreateSymbolicLink(Path.Combine(cache.Path, shared), Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(drawn)!, shared)).FullName);
        var options = new RunOptions
        {
            Root = GeneratedNotebook.Root,
            Timeout = TimeSpan.FromMinutes(20),
            Set = new Dictionary<string, string> { ["fixture"] = "tiny", ["taskNames"] = "synthetic-malignancy", ["ladderNames"] = "ViT-T/16", ["resamples"] = "50" },
            Environment = new Dictionary<string, string?> { ["KIT_DATA_DIR"] = null, ["KIT_CACHE_DIR"] = cache.Path, ["OMP_WAIT_POLICY"] = "PASSIVE" },
        };
        NotebookRun run = await NotebookRunner.RunAsync(NotebookRunner.Prepare(path, options.Set), path, options, _ => { }, TestContext.Current.CancellationToken);
        Assert.True(run.Error is null, run.Error);
        foreach (string file in new[] { ClipFixture.Name + ".safetensors", ClipFixture.OpenAiName + ".pt" }) Assert.True(File.Exists(Path.Combine(cache.Path, "fixture", file)), file);

        string report = HtmlReport.Render(run);
        Assert.Contains("<span class=\"kit-stamp\">FIXTURE</span> A weights file of this run", report);
        Assert.Contains(">FIXTURE</span>", IndexPage.Render([run]));
        var outputs = run.Executed.Cells.Where(c => c.IsCode).ToDictionary(c => c.Id, c => string.Concat(c.Outputs.Select(o => NotebookCell.Text(o?["data"]?["text/html"]))));
        foreach (string cell in new[] { "models", "run", "scores", "means", "quality", "units", "width", "width-figure", "width-means", "one-right", "one-right-images", "clip-files", "clip-forms", "concepts", "claim" })
            Assert.Matches(new Regex("""class="kit-stamp">(SYNTHETIC \+ )?FIXTURE</span>"""), outputs[cell]);
        // Whatever names the stand-in carries the stamp, and what is counted or measured without it does not.
        Assert.All(outputs.Where(o => o.Value.Contains(ClipFixture.Name)), o => Assert.Contains("FIXTURE", o.Value));
        Assert.All(new[] { "ladder", "layers", "measure", "rates" }, cell => Assert.DoesNotContain("FIXTURE", outputs[cell]));
        Assert.Contains("81.0", outputs["ladder"]);
        Assert.Contains($"F1 minus {ClipFixture.Name}", outputs["claim"]);
        Assert.Contains("not tested here", outputs["claim"]);
        // Both formats give the same features; the pair of them differs in nothing.
        Assert.Equal(2, Regex.Count(outputs["clip-files"], "yes, bit for bit"));
        Assert.Contains("0.00 [0.00, 0.00]", outputs["means"]);
        foreach (string form in new[] { "tiny-clip-projected", "tiny-clip-own-transform", "tiny-clip-own-transform-projected" }) Assert.Contains(form, outputs["clip-forms"]);
        foreach (string text in new[] { "erythema, redness", "This is dermoscopy of {0}", "dermoscopic" }) Assert.Contains(text, outputs["concepts"]);
        Assert.Contains("cls4-pca256", outputs["width-means"]);
        // Search is by the kit's own checkpoint, which is no fixture.
        Assert.DoesNotContain("FIXTURE", outputs["search"]);
        Assert.Contains("SYNTHETIC", outputs["search-images"]);
    }
}
