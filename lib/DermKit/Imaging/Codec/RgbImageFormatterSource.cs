namespace DermKit.Imaging;

/// <summary>How notebooks show an image: as PNG, and in text as its size.</summary>
public sealed class RgbImageFormatterSource
{
    /// <summary>One formatter for text/html and one for text/plain.</summary>
    public IEnumerable<object> CreateTypeFormatters() =>
    [
        new RichFormatter("text/html", value => value is RgbImage image
            ? $"<img src=\"data:image/png;base64,{Convert.ToBase64String(ImageCodec.EncodePng(image))}\" width=\"{image.Width}\" height=\"{image.Height}\" style=\"max-width:100%;height:auto\" alt=\"{Plain(image)}\">" : null),
        new RichFormatter("text/plain", value => value is RgbImage image ? Plain(image) : null),
    ];

    private static string Plain(RgbImage image) => $"Image of {image.Width} x {image.Height} pixels";
}
