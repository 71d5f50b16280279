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

    internal string? Title => TitleHtml is null ? null : Text(TitleHtml);

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
            return $"<pre tabindex=\"0\">{Escape(cell.Source)}</pre>";
        }
    }

    private string Render(NotebookCell cell)
    {
        MarkdownDocument document = Markdig.Markdown.Parse(cell.Source, Pipeline);
        foreach (LinkInline link in document.Descendants<LinkInline>().ToArray()) Localise(link, cell);
        foreach (AutolinkInline link in document.Descendants<AutolinkInline>().ToArray())
            if (!link.IsEmail && !ReportLinks.IsAllowed(link.Url, image: false))
                link.ReplaceBy(new LiteralInline(link.Url));
        foreach (HeadingBlock heading in document.Descendants<HeadingBlock>().ToArray())
        {
            string html = Html(heading.Inline!);
            string text = Text(html);
            if (heading.Level == 1 && TitleHtml is null && _entries.Count == 0)
            {
                TitleHtml = html;
                heading.Parent!.Remove(heading);
                continue;
            }
            heading.Level = _level = Math.Clamp(heading.Level, 2, _level + 1);
            heading.GetAttributes().Id = Add(text, heading.Level);
        }
        if (Lead is null && document.OfType<ParagraphBlock>().FirstOrDefault() is { Inline: { } first })
            Lead = Sentence.Match(Text(Html(first)).ReplaceLineEndings(" ")).Value;
        string body = Html(document);
        return body.Replace("<table>", "<div class=\"kit-table\"><div class=\"kit-scroll\" tabindex=\"0\"><table>")
            .Replace("</table>", "</table></div></div>");
    }

    private string Add(string text, int level)
    {
        string slug = NotWord.Replace(text.ToLowerInvariant(), "-").Trim('-');
        // The others are places of every report.
        if (slug is "" or "main" or "error" or "provenance") slug = "section-" + slug;
        string unique = slug;
        for (int n = 2; _entries.Any(e => e.Id == unique); n++) unique = $"{slug}-{n}";
        _entries.Add((text, unique, level));
        return unique;
    }

    internal string Contents()
    {
        IEnumerable<string> lines = _entries.Append((Text: "Provenance", Id: "provenance", Level: 2))
            .Where(e => e.Level <= 3)
            .Select(e => $"<li class=\"l{e.Level}\"><a href=\"#{e.Id}\">{Escape(e.Text)}</a></li>");
        return $"<ol>{string.Concat(lines)}</ol>";
    }

    internal static string Text(string html) => WebUtility.HtmlDecode(Tag.Replace(html, "")).Trim();

    // Links notebooks to their reports, embeds attached images, and links others, because a report loads nothing.
    private static void Localise(LinkInline link, NotebookCell cell)
    {
        string url = link.Url ?? "";
        if (!link.IsImage && url.EndsWith(".ipynb", Ordinal) && !url.Contains("://"))
            url = Path.ChangeExtension(Path.GetFileName(url), ".html");
        if (link.IsImage && url.StartsWith("attachment:", Ordinal)
            && (cell.Json["attachments"]?[Uri.UnescapeDataString(url[11..])] as JsonObject)?.FirstOrDefault()
                is { Value: { } bytes } image)
            url = $"data:{image.Key};base64,{NotebookCell.Text(bytes).Replace("\n", "")}";
        link.IsImage &= url.StartsWith("data:", Ordinal);
        link.Url = url;
        if (ReportLinks.IsAllowed(url, link.IsImage)) return;
        // An address that a report may not link to becomes text.
        link.InsertAfter(new LiteralInline($" ({(url.Length > 200 ? url[..200] + ".." : url)})"));
        link.ReplaceBy(new ContainerInline());
    }

    private static string Html(MarkdownObject part)
    {
        using var writer = new StringWriter();
        var renderer = new HtmlRenderer(writer);
        Pipeline.Setup(renderer);
        int open = 0;
        void Show<TRenderer, TPart>(Func<TPart, string> html)
            where TRenderer : HtmlObjectRenderer<TPart> where TPart : MarkdownObject =>
            renderer.ObjectRenderers.Replace<TRenderer>(new Renderer<TPart>(html));
        Show<HtmlMathInlineRenderer, MathInline>(Formula);
        Show<HtmlMathBlockRenderer, MathBlock>(m => Scrolled("p", MathMl.Render(m.Lines.ToString(), block: true)));
        Show<CodeBlockRenderer, CodeBlock>(Code);
        Show<HtmlBlockRenderer, HtmlBlock>(block => Folded(block, ref open));
        // An unclosed element would break the page.
        Show<HtmlInlineRenderer, HtmlInline>(inline => Escape(inline.Tag));
        if (part is ContainerInline inline) renderer.WriteChildren(inline);
        else renderer.Render(part);
        for (; open > 0; open--) writer.Write("</details>");
        return writer.ToString();
    }

    // Scrolls by touch or keyboard on a narrow screen.
    private static string Scrolled(string element, string math) =>
        $"<{element} class=\"formula\" role=\"group\" aria-label=\"Formula\" tabindex=\"0\">{math}</{element}>";

    private static string Formula(MathInline math)
    {
        bool isBlock = math.DelimiterCount > 1;
        string formula = MathMl.Render(math.Content.ToString(), isBlock);
        return isBlock ? Scrolled("span", formula) : formula;
    }

    private static string Code(CodeBlock code)
    {
        string source = code.Lines.ToString().TrimEnd();
        bool isCSharp = code is FencedCodeBlock { Info: "csharp" };
        return CellHtml.Pre("Source code", isCSharp ? CellHtml.Coloured(source) : Escape(source));
    }

    // Renders the lines of a fold; other markup as text.
    private static string Folded(HtmlBlock block, ref int open)
    {
        var html = new StringBuilder();
        foreach (string line in block.Lines.ToString().Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0))
        {
            if (Opening.Match(line) is { Success: true } opening)
            {
                open++;
                string summary = Escape(WebUtility.HtmlDecode(opening.Groups[1].Value.Trim()));
                html.Append($"<details class=\"folded\"><summary>{summary}</summary>");
            }
            else if (line == "</details>" && open > 0)
            {
                open--;
                html.Append(line);
            }
            else html.Append($"<p>{Escape(line)}</p>");
        }
        return html.ToString();
    }

    private sealed class Renderer<T>(Func<T, string> html) : HtmlObjectRenderer<T> where T : MarkdownObject
    {
        protected override void Write(HtmlRenderer renderer, T part)
        {
            if (part is Block) renderer.EnsureLine();
            renderer.Write(html(part));
        }
    }

    private static readonly Regex Opening = new("^<details>\\s*<summary>([^<>]+)</summary>$");
    private static readonly Regex Tag = new("<[^>]+>");
    private static readonly Regex NotWord = new(@"[^\p{L}\p{Nd}]+");
    private static readonly Regex Sentence = new(@"^.*?[.!?](?=\s|$)|^.+$");
}
