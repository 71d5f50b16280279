using DermKit.Imaging;
using DermKit.Pretraining;
using SkiaSharp;

namespace DermKit.Benchmarks;

internal static class DecodeBenchmarks
{
    private const int Images = 32;

    /// <summary>JPEG files of 600 x 450, one thread; the limit is Skia's plain decode of the same bytes.</summary>
    public static IEnumerable<Row> Decode()
    {
        byte[][] files = [.. Enumerable.Range(0, Images).Select(i => ImageCodec.EncodeJpeg(Draw(600, 450, i), 90))];
        var transform = new EvalTransform();
        double[] seconds = Measure.Medians(7,
            () => Array.ForEach(files, f => ImageCodec.Decode(f)),
            () => Array.ForEach(files, f => transform.Apply(ImageCodec.Decode(f))),
            () => Array.ForEach(files, f => SKBitmap.Decode(f).Dispose()));
        yield return new("decode JPEG 600x450", Images / seconds[0], "images/s", seconds[2] / seconds[0]);
        yield return new("decode and evaluation transform", Images / seconds[1], "images/s", seconds[2] / seconds[1]);
    }

    /// <summary>
    /// Caches from JPEG files of 600 x 450 on all cores, hashes included: as pre-training builds them (short side 256),
    /// and exact squares of 256; the limit is Skia's plain decode of
    /// the same bytes on as many.
    /// </summary>
    public static IEnumerable<Row> CacheBuild()
    {
        const int Files = 128;
        string folder = Directory.CreateTempSubdirectory("kit-bench").FullName;
        try
        {
            byte[][] files = [.. Enumerable.Range(0, Files).Select(i => ImageCodec.EncodeJpeg(Draw(600, 450, i), 90))];
            string[] paths = [.. files.Select((_, i) => Path.Combine(folder, $"{i}.jpg"))];
            for (int i = 0; i < Files; i++) File.WriteAllBytes(paths[i], files[i]);
            EvalTransform kept = PretrainData.Kept(new DinoOptions()),
                exact = new() { Crop = 256, Filter = ResizeFilter.Bicubic };
            int build = 0;
            double[] seconds = Measure.Medians(7,
                () => ImageCache.Build(Path.Combine(folder, $"{build++}"), paths, kept).Dispose(),
                () => ImageCache.Build(Path.Combine(folder, $"{build++}"), paths, exact).Dispose(),
                () => Parallel.ForEach(files, f => SKBitmap.Decode(f).Dispose()));
            yield return new("cache-build", Files / seconds[0], "images/s", seconds[2] / seconds[0]);
            yield return new("cache-build, exact", Files / seconds[1], "images/s", seconds[2] / seconds[1]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Smooth colours with some grain, so that the files weigh what photographs weigh.</summary>
    private static RgbImage Draw(int width, int height, int seed)
    {
        var random = new Random(seed);
        byte[] pixels = new byte[3 * width * height];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(120 + 60 * Math.Sin((i % (3 * width)) / 500.0 + seed) + random.Next(12));
        return new(width, height, pixels);
    }
}
