using DermKit.Imaging;

namespace DermKit.Studies;

/// <summary>Figures of the patches in a vision transformer's last block.</summary>
public static class AttentionReport
{
    /// <summary>Attention of the last block's CLS token: a map for each image, model and head, [image][head][row,
    /// column] from <see cref="TokenMaps.Attention"/>. Images have the models' input size.</summary>
    /// <exception cref="ArgumentException">The models have different numbers of heads.</exception>
    public static ImageGridFigure Attention(
        IReadOnlyList<RgbImage> images, IReadOnlyList<(string Name, double[][][,] Maps)> models, string stamp = "")
    {
        int heads = models[0].Maps[0].Length;
        if (models.FirstOrDefault(m => m.Maps.Any(p => p.Length != heads)) is { Maps: not null } other)
            throw new ArgumentException($"Expected {heads} heads of every model, '{other.Name}' has another number.",
                nameof(models));
        var tiles = new List<ImageTile>();
        // Maps of several models in one row would be too small.
        foreach ((int i, RgbImage image) in images.Index())
            foreach ((string name, double[][][,] maps) in models)
            {
                tiles.Add(ImageTile.From(image, $"image {i + 1}"));
                tiles.AddRange(maps[i].Select((map, h) => ImageTile.From(PatchPainting.Heat(image, map),
                    $"{name}, head {h + 1}", $"peak {Tables.Number(Peak(map))} x even")));
            }
        IEnumerable<string> peaks = models.Select(m => $"{m.Name}: strongest patch on average "
            + $"{Tables.Number(m.Maps.SelectMany(p => p).Average(Peak))} times an even share");
        return new("attention", "Where the CLS token looks",
            "Attention of the last block's CLS token, a map for each head; the strongest patch is yellow. The number "
            + "compares it with an even share: near 1 the head looks everywhere alike.",
            $"{images.Count} skin images with attention maps: {string.Join("; ", peaks)}.", tiles)
        { Columns = 1 + heads, Stamp = stamp };

        static double Peak(double[,] map) =>
            map.Cast<double>().Max() * map.Length / Math.Max(map.Cast<double>().Sum(), double.Epsilon);
    }

    /// <summary>Patch tokens as colours (<see cref="TokenMaps.Components"/>), beside images of the input
    /// size.</summary>
    public static ImageGridFigure Components(
        IReadOnlyList<RgbImage> images, IReadOnlyList<(string Name, PatchColors Colors)> models, string stamp = "")
    {
        var tiles = new List<ImageTile>();
        foreach ((int i, RgbImage image) in images.Index())
        {
            tiles.Add(ImageTile.From(image, $"image {i + 1}"));
            foreach ((string name, PatchColors colors) in models)
                tiles.Add(ImageTile.From(PatchPainting.Enlarge(colors.Images[i], image.Width), name));
        }
        IEnumerable<string> shares = models.Select(m => $"{m.Name} {Tables.Percent(m.Colors.Shares.Sum())} "
            + $"({string.Join(", ", m.Colors.Shares.Select(Tables.Percent))})");
        return new("components", "Patch tokens as colours",
            $"The first three principal components of the patch tokens of all {images.Count} images together as red, "
            + "green and blue. Does the lesion have the same colour in every image, or does colour follow the position "
            + $"in the frame? Share of the variance: {string.Join("; ", shares)}.",
            $"{images.Count} skin images, each beside a mosaic of coloured patches for each of {models.Count} models.",
            tiles)
        { Columns = PretrainingReport.InRow(1 + models.Count), Stamp = stamp };
    }
}
