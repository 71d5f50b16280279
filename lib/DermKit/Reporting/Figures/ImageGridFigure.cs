using System.Text;
using DermKit.Imaging;

namespace DermKit.Reporting;

/// <summary>One image of a grid.</summary>
/// <param name="Source">A data URI, such as data:image/jpeg;base64,...</param>
/// <param name="Label">Printed under the image and read out in its place.</param>
/// <param name="Note">A second, smaller line.</param>
public sealed record ImageTile(string Source, string Label, string Note = "")
{
    /// <summary>A tile from pixels, stored as JPEG.</summary>
    public static ImageTile From(RgbImage image, string label, string note = "") => FromEncoded(ImageCodec.EncodeJpeg(image, quality: 88), label, note);

    /// <summary>A tile from the bytes of a JPEG or PNG file.</summary>
    public static ImageTile FromEncoded(byte[] file, string label, string note = "") =>
        new($"data:image/{(file is [0x89, ..] ? "png" : "jpeg")};base64,{Convert.ToBase64String(file)}", label, note);
}

/// <summary>Images side by side, each with a label.</summary>
/// <param name="Id">See <see cref="Figure.Id"/>.</param>
/// <param name="Title">See <see cref="Figure.Title"/>.</param>
/// <param name="Caption">See <see cref="Figure.Caption"/>.</param>
/// <param name="AltText">See <see cref="Figure.AltText"/>.</param>
/// <param name="Images">The images.</param>
public sealed record ImageGridFigure(string Id, string Title, string Caption, string AltText, IReadOnlyList<ImageTile> Images) : Figure(Id, Title, Caption, AltText)
{
    /// <summary>Images in a row on a desktop screen; a phone shows fewer.</summary>
    public int Columns { get; init; } = 6;

    /// <inheritdoc/>
    public override Table Data() => Tables.From(Title, Images.Select((tile, i) => (Number: i + 1, tile)),
        ("Image", t => t.Number), ("Label", t => t.tile.Label), ("Note", t => t.tile.Note)) with { Stamp = Stamp };

    internal string Tiles()
    {
        if (Images.FirstOrDefault(i => !i.Source.StartsWith("data:image/", StringComparison.Ordinal)) is { } wrong)
            throw Wrong($"the image '{wrong.Label}' is no data:image URI; reports load nothing from elsewhere.");
        var html = new StringBuilder($"<div class=\"kit-tiles\" role=\"group\" aria-label=\"{Markup.Escape(AltText)}\" style=\"--columns:{Columns}\">");
        foreach (ImageTile tile in Images)
        {
            html.Append($"<div class=\"kit-tile\"><div>{Markup.Stamp(Stamp)}<img src=\"{Markup.Escape(tile.Source)}\" alt=\"{Markup.Escape(tile.Label)}\"></div><span>{Markup.Escape(tile.Label)}</span>");
            if (tile.Note.Length > 0) html.Append($"<small>{Markup.Escape(tile.Note)}</small>");
            html.Append("</div>");
        }
        return html.Append("</div>").ToString();
    }
}
