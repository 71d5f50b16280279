using System.Diagnostics;
using System.Text.RegularExpressions;
using DermKit.Notebooks;
using DermKit.Reporting;

namespace DermKit.Tests.Notebooks;

[Collection("Display")]
public sealed partial class HtmlReportTests
{
    /// <summary>A report with every kind of cell, output and figure.</summary>
    internal static readonly Lazy<string> Full = new(() =>
    {
        AppContext.SetSwitch("DermKit.Report", true);
        NotebookRun[] all = [SampleRun.Make(false, false, "01-pretraining", "Pre-training"), SampleRun.Make(),
            SampleRun.Make(false, false, "03-label-efficiency", "Label <efficiency>")];
        return HtmlReport.Render(all[1], all);
    });

    /// <summary>The page without its scripts, among them plotly.js, which names addresses that it
    /// never asks for here.</summary>
    private static string Body(string html) => Script().Replace(html, "");

    [Fact]
    public void PlotlyIsEmbeddedOnceAndOnlyWhereAFigureNeedsIt()
    {
        Assert.Equal(1, Full.Value.Split("plotly.js v2.28").Length - 1);
        AppContext.SetSwitch("DermKit.Report", true);
        string plain = HtmlReport.Render(SampleRun.Make(failing: false, figures: false));
        Assert.DoesNotContain("plotly.js v2.28", plain);
        Assert.True(plain.Length < 100_000);
        Assert.True(Full.Value.Length < 8_000_000);
    }

    [Fact]
    public void NothingIsLoadedFromAnywhere()
    {
        string body = Body(Full.Value);
        Assert.Empty(Loads().Matches(body).Select(m => m.Value));
        Assert.DoesNotContain("@import", body);
        Assert.Contains("default-src 'none'", body);
        Assert.Contains("href=\"https://arxiv.org/abs/2411.05514\"", body);
    }

    [Fact]
    public void OneTitleAndNoSkippedHeading()
    {
        int[] levels = [.. Heading().Matches(Body(Full.Value)).Select(m => m.Groups[1].Value[0] - '0')];
        Assert.Equal(1, levels[0]);
        Assert.Single(levels, 1);
        Assert.All(levels.Zip(levels.Skip(1)),
            pair => Assert.True(pair.Second <= pair.First + 1, $"h{pair.First} is followed by h{pair.Second}"));
    }

    [Fact]
    public void SecondTitleAndSkippedLevelsAreMended()
    {
        NotebookRun run = SampleRun.Make(false, false);
        run.Executed.Cells.Last(c => c.Type == "markdown").Source =
            "# Another title\n\n#### Deep\n\n## Data\n\n## Data";
        string body = Body(HtmlReport.Render(run));
        Assert.Contains("<h2 id=\"another-title\">Another title</h2>", body);
        Assert.Contains("<h3 id=\"deep\">Deep</h3>", body);
        Assert.Contains("<h2 id=\"data-2\">", body);
        Assert.Contains("href=\"#data-2\"", body);
    }

    [Fact]
    public void ContentsLinksLeadToHeadings()
    {
        string body = Body(Full.Value);
        string[] targets = [.. Anchor().Matches(body).Select(m => m.Groups[1].Value)];
        Assert.Contains("results", targets);
        Assert.All(targets, t => Assert.Single(Regex.Matches(body, $"id=\"{Regex.Escape(t)}\"")));
    }

    [Fact]
    public void OutputsAreShownAndTextCannotBecomeMarkup()
    {
        string body = Body(Full.Value);
        Assert.Contains("a value with &lt;b&gt;markup&lt;/b&gt; &lt;script&gt;alert(1)", body);
        Assert.Contains("1,590 train", body);
        Assert.Contains("class=\"stream stderr\"", body);
        Assert.Contains("<div class=\"error\" id=\"error\"><p><strong>KitException</strong>", body);
        Assert.Contains("cell 12, line 1:  var model = registry[&quot;vit-tt&quot;];", body);
        Assert.Equal(1, body.Split("id=\"error\"").Length - 1);
        Assert.Equal(7, Regex.Matches(body, "<figure class=\"kit-figure\" data-figure=").Count);
    }

    [Fact]
    public void TerminalColoursAndOverwrittenLinesAreResolved()
    {
        NotebookRun run = SampleRun.Make(false, false);
        run.Executed.Cells.First(c => c.IsCode).Outputs
            .Add(new System.Text.Json.Nodes.JsonObject
            {
                ["output_type"] = "stream",
                ["name"] = "stdout",
                ["text"] = "\u001b[31mred\u001b[0m\n10 %\r20 %\r30 %\n"
            });
        string body = Body(HtmlReport.Render(run));
        Assert.Contains("red\n30 %</pre>", body);
    }

    [Fact]
    public void FooterSaysWhereItComesFromAndWhatItIsNotFor()
    {
        string body = Body(Full.Value);
        foreach (string expected in new[]
        {
            "kit run notebooks/02-twelve-task-probing.ipynb", "2 min 13 s", "1, 9, 21, 42, 555", "sha256 1f3c9a0e77b2",
            "sha256 77e0c4d1a9f2", "TorchSharp", "processor", "commit", HtmlReport.Disclaimer
        })
            Assert.Contains(expected, body);
        Assert.Contains("class=\"banner synthetic\"", body);
        NotebookRun real = SampleRun.Make(false, false);
        Assert.DoesNotContain("banner synthetic",
            Body(HtmlReport.Render(
                real with { Provenance = new Dictionary<string, string> { ["data isic2017"] = "300 images" } })));
    }

    [Fact]
    public void ReportsLinkToTheirNeighboursAndNotebooksToReports()
    {
        string body = Body(Full.Value);
        Assert.Contains("<a href=\"01-pretraining.html\">← Pre-training</a>", body);
        Assert.Contains("<a href=\"03-label-efficiency.html\">Label ", body);
        Assert.Contains("<a href=\"01-pretraining.html\">pre-training</a>", body);
        Assert.Contains("href=\"index.html\"", body);
    }

    [Fact]
    public void ImagesFromElsewhereBecomeLinks()
    {
        NotebookRun run = SampleRun.Make(false, false);
        run.Executed.Cells[0].Source = "# T\n\n![plot](https://example.org/x.png)";
        string body = Body(HtmlReport.Render(run));
        Assert.DoesNotContain("<img", body);
        Assert.Contains("<a href=\"https://example.org/x.png\">plot</a>", body);
    }

    /// <summary>The report of one markdown cell.</summary>
    private static string Cell(string markdown)
    {
        NotebookRun run = SampleRun.Make(false, false);
        run.Executed.Cells.Last(c => c.Type == "markdown").Source = markdown;
        return Body(HtmlReport.Render(run));
    }

    [Fact]
    public void ASolutionIsAFoldedPartWithColouredCode()
    {
        string body = Cell("## Exercises\n\n1. Why?\n\n<details><summary>Solution &amp; more</summary>\n\nIt is "
            + "**so**:\n\n```csharp\nvar a = \"<b>\"; // text\n```\n\n```json\n{ \"a\": 1 }\n```\n\n</details>\n"
            + "\n2. And?");
        Assert.Contains("<details class=\"folded\"><summary>Solution &amp; more</summary>", body);
        Assert.Contains("<strong>so</strong>", body);
        Assert.Contains("<pre tabindex=\"0\" aria-label=\"Source code\"><code><i class=\"k\">var</i> a = <i "
            + "class=\"s\">&quot;&lt;b&gt;&quot;</i>; <i class=\"c\">// text</i></code></pre>", body);
        Assert.Contains("<code>{ &quot;a&quot;: 1 }</code>", body);
        Assert.Contains("<ol start=\"2\">", body);
        Assert.Equal(Regex.Count(body, "<details"), Regex.Count(body, "</details>"));
    }

    [Theory]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("<details open onclick=\"alert(1)\"><summary>x</summary>")]
    [InlineData("<details><summary><img src=x onerror=alert(1)></summary>")]
    [InlineData("text <img src=x onerror=alert(1)> text")]
    [InlineData("<div>\n<iframe src=\"https://example.org\"></iframe>\n</div>")]
    [InlineData("</details></main>")]
    [InlineData("<!-- <script>alert(1)</script> -->")]
    public void OtherMarkupIsShownAsText(string markdown)
    {
        string plain = Cell("text"), body = Cell(markdown);
        Assert.Equal(Regex.Count(plain, "<(?:script|img|iframe|div|details|/details|main|/main)[ >]"),
            Regex.Count(body, "<(?:script|img|iframe|div|details|/details|main|/main)[ >]"));
        Assert.Contains(System.Net.WebUtility.HtmlEncode(markdown.Split('\n')[0].Split("text ")[^1].Split(" text")[0]),
            body.Replace("&#39;", "'"));
    }

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("JaVaScRiPt:alert(1)")]
    [InlineData("java&#x09;script:alert(1)")]
    [InlineData("java&NewLine;script&colon;alert(1)")]
    [InlineData("&#106&#97vascript:alert(1)")]
    [InlineData(" \u0001javascript:alert(1)")]
    [InlineData("vbscript:msgbox(1)")]
    [InlineData("data:text/html,<b>x</b>")]
    [InlineData("DATA:text/html;base64,PGI+")]
    [InlineData("data:image/svg+xml,<svg onload=alert(1)>")]
    [InlineData("file:///etc/passwd")]
    [InlineData("unknown:x")]
    public void AnAddressThatIsNoneOfAReportIsText(string address)
    {
        string quoted = address.Replace("\"", "&quot;");
        foreach (string html in new[]
        {
            $"<a href=\"{quoted}\">x</a>", $"<a title='a>b' HREF = '{quoted}'>x</a>",
            $"<svg><a xlink:href=\"{quoted}\">x</a></svg>", $"<form action=\"{quoted}\">x</form>",
            $"<button formaction=\"{quoted}\">x</button>", $"<iframe src=\"{quoted}\"></iframe>",
            $"<script>if (a<b) c = \"'\";</script><!-- ' --><a href=\"{quoted}\">x</a>",
            $"<table><tr><td><a\nhref=\"{quoted}\"/>x</td></tr></table>",
        })
        {
            string body = Shown(html),
                tag = html[html.LastIndexOf('<', html.IndexOf(quoted, StringComparison.Ordinal))..];
            tag = tag[..(tag.IndexOf(quoted, StringComparison.Ordinal) + quoted.Length)];
            Assert.DoesNotContain(tag, body);
            Assert.Contains(tag.Replace("<", "&lt;"), body);
        }
        string text = Cell($"[label]({address.Replace(" ", "")}) and <{address.Trim()}>\n\n[two][ref]\n\n[ref]: "
            + $"{address.Replace(" ", "")}");
        Assert.Empty(Regex.Matches(text, "<a [^>]*href=\"(?!#|&amp;#|[a-z0-9-]+\\.html|https?:|mailto:)",
            RegexOptions.IgnoreCase).Select(m => m.Value));
    }

    [Theory]
    [InlineData("<meta http-equiv=\"refresh\" content=\"0; url=https://example.org\">")]
    [InlineData("<div style=\"background: url( java\\73 cript:alert(1))\">x</div>")]
    [InlineData("<style>a { background: url('java/**/script:alert(1)') }</style>")]
    [InlineData("<img srcset=\"a.png 1x, javascript:alert(1) 2x\">")]
    [InlineData("<animate attributeName=href to=javascript:alert(1) />")]
    [InlineData("<a href=javascript:alert(1)>x</a>")]
    [InlineData("<a x=\u00a0\" href=javascript:alert(1) z=\u00a0\">x</a>")]
    [InlineData("<a x=\v\" href=javascript:alert(1) z=\v\">x</a>")]
    [InlineData("<iframe srcdoc=\"&lt;a href='javascript:alert(1)'>x&lt;/a>\"></iframe>")]
    public void OtherPlacesOfAnAddressAreGuardedToo(string html) =>
        Assert.Contains("&lt;" + html[1..5], Shown(html));

    [Theory]
    [InlineData("<a href=\"https://example.org/a?b=javascript:c\">x</a>")]
    [InlineData("<a href=\"#results\">x</a><a href=\"b.html#c:d\">y</a><a href=mailto:a@b.c>z</a>")]
    [InlineData("<img src=\"data:image/png;base64,AAAA\" alt=\"javascript: a language\">")]
    [InlineData("<svg><image xlink:href=\"data:image/png;base64,AAAA\"/><use href=\"#a\"/></svg>")]
    [InlineData("<div style=\"color: red\">javascript: is text; a < b</div>")]
    [InlineData("<script>if (a<b) document.title = 'javascript:';</script>")]
    public void WhatAReportMayNameStaysAsItIs(string html) => Assert.Contains(html, HtmlOf(html));

    [Theory]
    [InlineData("<a ")]
    [InlineData("<a/href=")]
    [InlineData("<style>")]
    public void TagsThatNeverEndAreReadAFewTimesOnly(string tag)
    {
        string page = ReportLinks.Guard(string.Concat(Enumerable.Repeat(tag, 1_000_000 / tag.Length)));
        Assert.Contains("&lt;" + tag[1..], page);
        Assert.DoesNotContain("<", page[(page.Length / 2)..]);
    }

    [Fact]
    public void TextThatNestsTooDeeplyIsShownAsItIs()
    {
        foreach (string deep in new[]
        {
            new string('>', 20_000) + " x", string.Concat(Enumerable.Repeat("- ", 5_000)) + "x",
            new string('[', 8_000), new string('*', 8_000) + "a", "$" + new string('{', 20_000) + "$",
            "$" + string.Concat(Enumerable.Repeat("\\sqrt", 20_000)) + "$"
        })
            Assert.Contains("id=\"provenance\"", Cell(deep));
    }

    /// <summary>The report of one display, without its scripts.</summary>
    private static string Shown(string html) => Body(HtmlOf(html));

    private static string HtmlOf(string html)
    {
        NotebookRun run = SampleRun.Make(false, false);
        run.Executed.Cells.Last(c => c.IsCode).Outputs[0] = new System.Text.Json.Nodes.JsonObject
        {
            ["output_type"] = "display_data",
            ["data"] = new System.Text.Json.Nodes.JsonObject { ["text/html"] = html },
        };
        return HtmlReport.Render(run);
    }

    [Fact]
    public void AFoldedPartThatACellLeavesOpenEndsWithTheCell()
    {
        string body = Cell("<details><summary>Solution</summary>\n\nnever closed");
        Assert.Equal(Regex.Count(body, "<details"), Regex.Count(body, "</details>"));
        Assert.Contains("never closed</p>\n</details>", body);
    }

    [Fact]
    public void IndexHasACardForEachStageInOrder()
    {
        string page = IndexPage.Render([SampleRun.Make(name: "04-monet", title: "Beside MONET"),
            SampleRun.Make(false, false, "01-pretraining", "Pre-training")]);
        Assert.Equal(2, page.Split("<li class=\"card\">").Length - 1);
        Assert.True(page.IndexOf("01-pretraining.html", StringComparison.Ordinal)
            < page.IndexOf("04-monet.html", StringComparison.Ordinal));
        Assert.DoesNotContain("02-", page);
        Assert.Contains("How much of a diagnosis can be read from frozen features?", page);
        Assert.Contains("✓ ran to the end", page);
        Assert.Contains("✕ stopped: cell 12, line 1: Model &#39;vit-tt&#39; is unknown", page);
        Assert.Contains("1 stopped early", page);
        Assert.Empty(Loads().Matches(Body(page)));
    }

    [Fact]
    public void EveryFindingIsStampedAndLeadsToItsFigure()
    {
        AppContext.SetSwitch("DermKit.Report", true);
        NotebookRun run = SampleRun.Make();
        string page = IndexPage.Render([run]), report = Body(HtmlReport.Render(run));
        string[] findings = [.. Regex.Matches(page, "<ul class=\"headlines\">(.*?)</ul>")
            .SelectMany(m => Regex.Matches(m.Groups[1].Value, "<li>(.*?)</li>")).Select(m => m.Groups[1].Value)];
        Assert.Equal(2, findings.Length);
        Assert.Contains("<span class=\"kit-stamp\">SYNTHETIC</span> Paired difference to random weights: 0.28 [0.23, "
            + "0.33]. <a href=\"02-twelve-task-probing.html#finding-1\">Table: ", findings[0]);
        Assert.Contains("Trained ViT-T reaches 0.69 [0.66, 0.73]", findings[1]);
        Assert.Contains(">Figure: ", findings[1]);
        Assert.Matches("<figure class=\"kit-table\" id=\"finding-1\"", report);
        Assert.Matches("<figure class=\"kit-figure\" data-figure=\"[^\"]+\" id=\"finding-2\"", report);
        Assert.Equal(2, Regex.Count(report, "id=\"finding-"));
    }

    [Fact]
    public void AHeadlineThatJoinsDrawnAndRealDataKeepsItsOwnStamps()
    {
        NotebookRun run = SampleRun.Make(false, false);
        Table table = new("Means", ["a"],
            [["b"]])
        {
            Headline = "Real: 0.5 [0.4, 0.6], n = 20. [SYNTHETIC] Drawn: 0.9 [0.8, 1.0], n = 30."
        };
        run.Executed.Cells.Last(c => c.IsCode).Outputs[0] = new System.Text.Json.Nodes.JsonObject
        {
            ["output_type"] = "display_data",
            ["data"] = new System.Text.Json.Nodes.JsonObject { ["text/html"] = table.ToHtml() }
        };
        Assert.Contains("<li>Real: 0.5 [0.4, 0.6], n = 20. <span class=\"kit-stamp\">SYNTHETIC</span> Drawn: 0.9 [0.8, "
            + "1.0], n = 30. <a href", IndexPage.Render([run]));
    }

    [Theory]
    [InlineData(@"z \in \mathbb{R}^{768}", "<mi>z</mi><mo>∈</mo><msup><mi>ℝ</mi>")]
    [InlineData(@"\frac{1}{N}\sum_{i=1}^{N} x_i",
        "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>N</mi></mrow></mfrac><munderover><mo>∑</mo>")]
    [InlineData(@"\text{macro F1} \ge 0.5", "<mtext>macro F1</mtext><mo>≥</mo><mn>0.5</mn>")]
    [InlineData(@"a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>")]
    [InlineData(@"\unknowncommand{x}", "<code class=\"tex\">\\unknowncommand{x}</code>")]
    [InlineData(@"\frac{1}{", "<code class=\"tex\">")]
    public void FormulasAreReadableWithoutAScript(string tex, string expected) =>
        Assert.Contains(expected, MathMl.Render(tex, block: false));

    [Fact]
    public void EveryFigureIsDrawnInABrowser()
    {
        string browser = Browser();
        DirectoryInfo folder = Directory.CreateTempSubdirectory();
        try
        {
            string page = Path.Combine(folder.FullName, "report.html");
            File.WriteAllText(page, Full.Value);
            (string dom, string log) = Open(browser, page, folder.FullName);
            string[] figures = [.. FigureElement().Matches(dom).Select(m => m.Value)];
            Assert.Equal(7, figures.Length);
            Assert.All(figures,
                f => Assert.True(f.Contains("class=\"main-svg\"", StringComparison.Ordinal)
                    || f.Contains("kit-tiles", StringComparison.Ordinal), f[..Math.Min(200, f.Length)]));
            Assert.All(figures, f => Assert.DoesNotContain("data-waiting", f));
            Assert.DoesNotContain("CONSOLE", log);

            // On paper a folded part is open; the code of cells stays away.
            NotebookRun run = SampleRun.Make(false, false);
            run.Executed.Cells.Last(c => c.Type == "markdown").Source =
                "<details><summary>Solution</summary>\n\nyes\n\n</details>";
            string html = HtmlReport.Render(run);
            File.WriteAllText(page, html);
            Assert.Contains("<details class=\"folded\"><summary>", Open(browser, page, folder.FullName).Dom);
            File.WriteAllText(page,
                html.Replace("</body>", "<script>dispatchEvent(new Event('beforeprint'))</script></body>"));
            Assert.Matches("<details class=\"folded\"[^>]* open=\"\"", Open(browser, page, folder.FullName).Dom);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The browser's file; skips the test where there is none.</summary>
    internal static string Browser()
    {
        string? browser = Environment.GetEnvironmentVariable("KIT_CHROMIUM") is { Length: > 0 } named ? named
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
                .SelectMany(p =>
                    new[] { "chromium", "chromium-browser", "google-chrome" }.Select(n => Path.Combine(p, n)))
                .FirstOrDefault(File.Exists);
        Assert.SkipUnless(browser is not null, "No browser: put chromium on the PATH or set KIT_CHROMIUM to its file.");
        return browser!;
    }

    private static (string Dom, string Log) Open(string browser, string page, string profile)
    {
        using var process = Process.Start(new ProcessStartInfo(browser,
            ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--enable-logging=stderr",
             $"--user-data-dir={Path.Combine(profile, "browser")}", "--window-size=1280,2400",
             "--virtual-time-budget=8000", "--dump-dom", new Uri(page).AbsoluteUri])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> log = process.StandardError.ReadToEndAsync();
        string dom = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (dom, log.GetAwaiter().GetResult());
    }

    [GeneratedRegex(@"<script\b[\s\S]*?</script>")]
    private static partial Regex Script();

    [GeneratedRegex(@"<(?:img|script|link|iframe|source|video|audio|object|embed)\b[^>]*(?:src|href|data)\s*=\s*[""']?(?!data:)[^""'\s>]+|url\(\s*[""']?(?!data:)[^)]+\)", RegexOptions.IgnoreCase)]
    private static partial Regex Loads();

    [GeneratedRegex(@"<h([1-6])\b")]
    private static partial Regex Heading();

    [GeneratedRegex(@"href=""#([^""]+)""")]
    private static partial Regex Anchor();

    [GeneratedRegex(@"<figure class=""kit-figure""[\s\S]*?</figure>")]
    private static partial Regex FigureElement();
}
