#if KIT_BROWSER
using DermKit.Notebooks;
using Microsoft.Playwright;
using System.Text.Json;
#endif

namespace DermKit.Tests.Notebooks;

/// <summary>Reports as a reader has them: a browser draws every figure, asks no network, and axe-core finds nothing
/// serious; on a phone, a desktop and A4 paper.</summary>
[Collection("Display")]
public sealed class BrowserTests
{
    /// <summary>The sample with every kind of output, and what kit run has left in reports/.</summary>
    public static TheoryData<string> Reports()
    {
        string folder = Path.Combine(GeneratedNotebook.Root, "reports");
        return new(["sample",
            .. Directory.Exists(folder) ? Directory.GetFiles(folder, "*.html").Order(StringComparer.Ordinal)
                : Enumerable.Empty<string>()]);
    }

#if !KIT_BROWSER
    [Fact]
    public void EveryReportIsDrawnAndCanBeReadByEverybody() =>
        Assert.Skip("Browser tier: set KIT_BROWSER=1 for build and test, KIT_AXE to axe.min.js of npm's axe-core, and "
            + "put chromium on the PATH.");
#else
    private static readonly (string Name, int Width, int Height)[] Screens = [("phone", 390, 844),
        ("desktop", 1280, 900)];

    [Theory]
    [MemberData(nameof(Reports))]
    public async Task EveryReportIsDrawnAndCanBeReadByEverybody(string report)
    {
        string browser = HtmlReportTests.Browser(), axe = Environment.GetEnvironmentVariable("KIT_AXE") ?? "";
        Assert.SkipUnless(File.Exists(axe),
            "KIT_AXE names no file: npm install axe-core, then set it to node_modules/axe-core/axe.min.js.");
        using var folder = new TemporaryFolder();
        string path = report;
        if (report == "sample")
            File.WriteAllText(path = Path.Combine(folder.Path, "sample.html"), HtmlReportTests.Full.Value);
        Assert.True(new FileInfo(path).Length < 8_000_000, $"{path} has {new FileInfo(path).Length} bytes");

        using IPlaywright playwright = await Playwright.CreateAsync();
        await using IBrowser chromium =
            await playwright.Chromium.LaunchAsync(new() { ExecutablePath = browser, Args = ["--no-sandbox"] });
        foreach ((string name, int width, int height) in Screens)
        {
            await using IBrowserContext context =
                await chromium.NewContextAsync(new() { ViewportSize = new() { Width = width, Height = height } });
            IPage page = await context.NewPageAsync();
            var complaints = new List<string>();
            page.Console += (_, message) => { if (message.Type == "error") complaints.Add(message.Text); };
            page.PageError += (_, error) => complaints.Add(error);
            page.Request += (_, request) =>
            {
                if (!request.Url.StartsWith("file:", StringComparison.Ordinal)
                    && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                    complaints.Add($"asked for {request.Url}");
            };
            await page.GotoAsync(new Uri(path).AbsoluteUri);

            // A figure is drawn when the reader comes near it.
            int figures = await page.Locator(".kit-plot").CountAsync();
            for (int i = 0; i < figures; i++)
            {
                await page.Locator(".kit-plot").Nth(i).ScrollIntoViewIfNeededAsync();
                await page.Locator(".kit-plot").Nth(i)
                    .Locator(".main-svg").First.WaitForAsync(new() { Timeout = 60_000 });
            }
            Assert.Equal(0,
                await page
                    .Locator("figure.kit-figure:not(:has(figcaption)), .kit-plot:not([aria-label]), img:not([alt]), "
                        + "figure.kit-figure:not(:has(details.kit-data table))").CountAsync());
            int[] levels = await page.EvaluateAsync<int[]>(
                "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])");
            Assert.Equal((1, 1), (levels[0], levels.Count(l => l == 1)));
            Assert.All(levels.Zip(levels.Skip(1)), pair => Assert.True(pair.Second <= pair.First + 1));
            await AssertFits(page, name, width);

            await page.EvaluateAsync("scrollTo(0, 0); document.activeElement.blur()");
            await page.Keyboard.PressAsync("Tab");
            Assert.Equal("skip", await page.EvaluateAsync<string>("document.activeElement.className"));
            await page.EvaluateAsync(await File.ReadAllTextAsync(axe));
            for (int theme = 0; theme < 2; theme++)
            {
                Assert.Empty(await Serious(page));
                await page.Locator("#theme-switch").ClickAsync();
            }
            if (await page.Locator("#code-switch").CountAsync() == 1)
            {
                await page.Locator("#code-switch").FocusAsync();
                await page.Keyboard.PressAsync("Enter");
                Assert.Equal(0, await page.Locator("details.code:not([open])").CountAsync());
                await AssertFits(page, name, width);
            }
            Assert.Empty(complaints);
            if (name != "desktop") continue;
            byte[] paper = await page.PdfAsync(new() { PreferCSSPageSize = true });
            // A4 in points.
            Assert.Matches(@"/MediaBox \[0 0 59[45][0-9.]* 84[12][0-9.]*\]",
                System.Text.Encoding.Latin1.GetString(paper));
        }
    }

    /// <summary>Nothing makes the page wider than the screen; what does is named, innermost elements first.</summary>
    private static async Task AssertFits(IPage page, string screen, int width)
    {
        string wide = await page.EvaluateAsync<string>("""
            width => {
              if (document.documentElement.scrollWidth <= width) return '';
              const scrolls = e => { for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true; return false; };
              const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width && !scrolls(e));
              return wide.filter(e => !wide.some(o => o !== e && e.contains(o))).map(e => e.outerHTML.slice(0, 200)).join('\n') || 'no single element';
            }
            """, width);
        Assert.True(wide.Length == 0, $"{screen}: wider than {width} px: {wide}");
    }

    /// <summary>What axe-core calls serious or critical: rule, and the first elements.</summary>
    private static async Task<string[]> Serious(IPage page)
    {
        JsonElement found = await page.EvaluateAsync<JsonElement>("axe.run(document, { resultTypes: ['violations'] "
            + "}).then(r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => v.id "
            + "+ ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | ')))");
        return [.. found.EnumerateArray().Select(v => v.GetString()!)];
    }
#endif
}
