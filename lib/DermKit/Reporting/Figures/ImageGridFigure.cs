using DermKit.Imaging;

namespace DermKit.Reporting;

/// <summary>An image of a grid, as a data URI; the label is also its alternative text.</summary>
public sealed record ImageTile(string Source, string Label, string Note = "")
{
    /// <summary>A tile from pixels, stored as JPEG.</summary>
    public static ImageTile From(RgbImage image, string label, string note = "")
    {
        string jpeg = Convert.ToBase64String(ImageCodec.EncodeJpeg(image, quality: 88));
        return new($"data:image/jpeg;base64,{jpeg}", label, note);
    }
}

/// <summary>Images side by side, each with a label.</summary>
public sealed record ImageGridFigure(
    string Id, string Title, string Caption, string AltText, IReadOnlyList<ImageTile> Images)
    : Figure(Id, Title, Caption, AltText)
{
    /// <summary>Images in a row on a desktop screen; a phone shows fewer.</summary>
    public int Columns { get; init; } = 6;

    /// <inheritdoc/>
    public override Table Data() => Tables.From(Title, Images.Index(),
        ("Image", t => t.Index + 1),
        ("Label", t => t.Item.Label),
        ("Note", t => t.Item.Note)) with
    { Stamp = Stamp };

    internal string Tiles()
    {
        if (Images.FirstOrDefault(i => !i.Source.StartsWith("data:image/", StringComparison.Ordinal)) is { } wrong)
            throw Wrong($"the image '{wrong.Label}' is no data:image URI; reports load nothing from other places.");
        var html = new StringBuilder("<div class=\"kit-tiles\" role=\"group\" ")
            .Append($"aria-label=\"{Markup.Escape(AltText)}\" style=\"--columns:{Columns}\">");
        foreach (ImageTile tile in Images)
        {
            string label = Markup.Escape(tile.Label);
            html.Append($"<div class=\"kit-tile\"><div>{Markup.Stamp(Stamp)}")
                .Append($"<img src=\"{Markup.Escape(tile.Source)}\" alt=\"{label}\"></div><span>{label}</span>");
            if (tile.Note.Length > 0) html.Append($"<small>{Markup.Escape(tile.Note)}</small>");
            html.Append("</div>");
        }
        return html.Append("</div>").ToString();
    }
}
