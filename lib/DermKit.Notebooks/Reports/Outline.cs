using Markdig;
using Markdig.Extensions.Mathematics;
using Markdig.Extensions.Tables;
using Markdig.Renderers;
using Markdig.Renderers.Html;
using Markdig.Renderers.Html.Inlines;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace DermKit.Notebooks;

/// <summary>Renders markdown cells with one outline: a single heading of level 1, and no level skipped.</summary>
internal sealed class Outline
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UsePipeTables()
        .UseEmphasisExtras().UseMathematics().UseTaskLists().UseDefinitionLists().UseAutoLinks().Build();
    private readonly List<(string Text, string Id, int Level)> _entries = [];
    private int _level = 1;

    internal string? Title { get; private set; }

    internal string? TitleHtml { get; private set; }

    internal string? Lead { get; private set; }

    internal string Markdown(NotebookCell cell)
    {
        try
        {
            return Render(cell);
        }
        catch (ArgumentException)
        {
            // The cell nests deeper than Markdig allows.
            return $"<pre tabindex=\"0\">{HtmlReport.Escape(cell.Source)}</pre>";
        }
    }

    private string Render(NotebookCell cell)
    {
        MarkdownDocument document = Markdig.Markdown.Parse(cell.Source, Pipeline);
        foreach (LinkInline link in document.Descendants<LinkInline>().ToArray()) Localise(link, cell);
        foreach (AutolinkInline link in document.Descendants<AutolinkInline>().ToArray())
        {
            if (link.IsEmail || ReportLinks.IsAllowed(link.Url, image: false)) continue;
            link.ReplaceBy(new LiteralInline(link.Url));
        }
        foreach (HeadingBlock heading in document.Descendants<HeadingBlock>().ToArray())
        {
            string html = Html(heading.Inline!);
            string text = Text(html);
            if (heading.Level == 1 && Title is null && _entries.Count == 0)
            {
                Title = text;
                TitleHtml = html;
                heading.Parent!.Remove(heading);
                continue;
            }
            heading.Level = _level = Math.Clamp(heading.Level, 2, _level + 1);
            heading.GetAttributes().Id = Add(text, null, heading.Level);
        }
        if (Lead is null && document.OfType<ParagraphBlock>().FirstOrDefault() is { Inline: { } first })
            Lead = Sentence.Match(Text(Html(first)).ReplaceLineEndings(" ")).Value;
        string body = Html(document);
        return body.Replace("<table>", "<div class=\"kit-table\"><div class=\"kit-scroll\" tabindex=\"0\"><table>")
            .Replace("</table>", "</table></div></div>");
    }

    internal string Add(string text, string? id, int level)
    {
        string slug = id ?? NotWord.Replace(text.ToLowerInvariant(), "-").Trim('-');
        if (slug.Length == 0 || (id is null && slug is "main" or "error" or "provenance")) slug = "section-" + slug;
        string unique = slug;
        for (int n = 2; _entries.Any(e => e.Id == unique); n++) unique = $"{slug}-{n}";
        _entries.Add((text, unique, level));
        return unique;
    }

    internal string Contents()
    {
        var html = new StringBuilder("<ol>");
        foreach ((string text, string id, int level) in _entries.Where(e => e.Level <= 3))
            html.Append($"<li class=\"l{level}\"><a href=\"#{id}\">{HtmlReport.Escape(text)}</a></li>");
        return html.Append("</ol>").ToString();
    }

    private static string Text(string html) => WebUtility.HtmlDecode(Tag.Replace(html, "")).Trim();

    // Links notebooks to their reports, embeds attached images, and links others, because a report loads nothing.
    private static void Localise(LinkInline link, NotebookCell cell)
    {
        string url = link.Url ?? "";
        if (!link.IsImage && url.EndsWith(".ipynb", Ordinal) && !url.Contains("://"))
            link.Url = Path.ChangeExtension(Path.GetFileName(url), ".html");
        if (link.IsImage && url.StartsWith("attachment:", Ordinal)
            && cell.Json["attachments"]?[Uri.UnescapeDataString(url[11..])]
                is JsonObject { Count: > 0 } image)
            link.Url = $"data:{image.First().Key};base64,{NotebookCell.Text(image.First().Value).Replace("\n", "")}";
        if (link.IsImage && link.Url?.StartsWith("data:", Ordinal) != true) link.IsImage = false;
        Refuse(link);
    }

    // An address that a report may not link to becomes text.
    private static void Refuse(LinkInline link)
    {
        if (link.Url is not { } url || ReportLinks.IsAllowed(url, link.IsImage)) return;
        link.InsertAfter(new LiteralInline($" ({(url.Length > 200 ? url[..200] + ".." : url)})"));
        link.ReplaceBy(new ContainerInline());
    }

    private static string Html(MarkdownObject part)
    {
        using var writer = new StringWriter();
        var renderer = new HtmlRenderer(writer);
        Pipeline.Setup(renderer);
        renderer.ObjectRenderers.Replace<HtmlMathInlineRenderer>(new InlineMath());
        renderer.ObjectRenderers.Replace<HtmlMathBlockRenderer>(new BlockMath());
        renderer.ObjectRenderers.Replace<CodeBlockRenderer>(new Code());
        var folded = new FoldedPart();
        renderer.ObjectRenderers.Replace<HtmlBlockRenderer>(folded);
        renderer.ObjectRenderers.Replace<HtmlInlineRenderer>(new NoMarkup());
        if (part is ContainerInline inline) renderer.WriteChildren(inline);
        else renderer.Render(part);
        folded.Close(renderer);
        return writer.ToString();
    }

    // Scrolls by touch or keyboard on a narrow screen.
    private static string Formula(string element, string math) =>
        $"<{element} class=\"formula\" role=\"group\" aria-label=\"Formula\" tabindex=\"0\">{math}</{element}>";

    private sealed class InlineMath : HtmlObjectRenderer<MathInline>
    {
        protected override void Write(HtmlRenderer renderer, MathInline math)
        {
            string formula = MathMl.Render(math.Content.ToString(), math.DelimiterCount > 1);
            renderer.Write(math.DelimiterCount > 1 ? Formula("span", formula) : formula);
        }
    }

    private sealed class BlockMath : HtmlObjectRenderer<MathBlock>
    {
        protected override void Write(HtmlRenderer renderer, MathBlock math) =>
            renderer.Write(Formula("p", MathMl.Render(math.Lines.ToString(), block: true)));
    }

    private sealed class Code : HtmlObjectRenderer<CodeBlock>
    {
        protected override void Write(HtmlRenderer renderer, CodeBlock code)
        {
            string source = code.Lines.ToString().TrimEnd();
            renderer.EnsureLine();
            bool isCSharp = code is FencedCodeBlock { Info: "csharp" };
            renderer.Write(CellHtml.Pre("Source code",
                isCSharp ? CellHtml.Coloured(source) : HtmlReport.Escape(source)));
        }
    }

    // Renders the lines of a fold; other markup as text, as an unclosed element would break the page.
    private sealed class FoldedPart : HtmlObjectRenderer<HtmlBlock>
    {
        private int _open;

        protected override void Write(HtmlRenderer renderer, HtmlBlock block)
        {
            renderer.EnsureLine();
            foreach (string line in block.Lines.ToString().Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0))
            {
                if (Opening.Match(line) is { Success: true } opening)
                {
                    _open++;
                    string summary = HtmlReport.Escape(WebUtility.HtmlDecode(opening.Groups[1].Value.Trim()));
                    renderer.Write($"<details class=\"folded\"><summary>{summary}</summary>");
                }
                else if (line == "</details>" && _open > 0)
                {
                    _open--;
                    renderer.Write("</details>");
                }
                else renderer.Write($"<p>{HtmlReport.Escape(line)}</p>");
            }
        }

        internal void Close(HtmlRenderer renderer)
        {
            for (; _open > 0; _open--) renderer.Write("</details>");
        }
    }

    private sealed class NoMarkup : HtmlObjectRenderer<HtmlInline>
    {
        protected override void Write(HtmlRenderer renderer, HtmlInline inline) => renderer.WriteEscape(inline.Tag);
    }

    private static readonly Regex Opening = new("^<details>\\s*<summary>([^<>]+)</summary>$");
    private static readonly Regex Tag = new("<[^>]+>");
    private static readonly Regex NotWord = new(@"[^\p{L}\p{Nd}]+");
    private static readonly Regex Sentence = new(@"^.*?[.!?](?=\s|$)|^.+$");
}
