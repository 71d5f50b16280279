namespace DermKit.Imaging;

/// <summary>Brings images to one size, so that size and sharpness do not reveal the source.</summary>
internal static class OneGeometry
{
    // Resizes each image (bilinear, aspect ratio not kept) to PNG in geometry-WxH/, named by a hash of its bytes and
    // path: equal images of two files stay two, else a split with one on either side would seem to share an image.
    // Compression, and the lower sharpness of smaller images, remain. An unreadable file keeps its path, so that the
    // image cache quarantines it.
    public static string[] Bring(string cacheDir, IReadOnlyList<string> paths, int width, int height,
        Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        string folder = Path.Combine(cacheDir,
            string.Create(CultureInfo.InvariantCulture, $"geometry-{width}x{height}"));
        string[] made = new string[paths.Count];
        ImageCache.InParallel(
            paths.Count, cancellation, i => made[i] = Bring(folder, paths[i], width, height), progress: progress);
        return made;
    }

    private static string Bring(string folder, string path, int width, int height)
    {
        try
        {
            byte[] bytes = ImageCodec.ReadFile(path, null);
            byte[] key = [.. SHA256.HashData(bytes), .. Encoding.UTF8.GetBytes(Path.GetFullPath(path))];
            string target = Path.Combine(folder, $"{Convert.ToHexStringLower(SHA256.HashData(key))[..32]}.png");
            if (File.Exists(target)) return target;
            byte[] png = ImageCodec.EncodePng(
                PillowResize.Resize(ImageCodec.Decode(bytes, path), width, height, ResizeFilter.Bilinear));
            AtomicFile.Write(target, stream => stream.Write(png));
            return target;
        }
        catch (ImageUnreadableException)
        {
            return path;
        }
    }
}
