using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace DermKit.Imaging;

/// <summary>Images of several sources brought to one size in pixels, so that size and sharpness do not give the source away.</summary>
public static class OneGeometry
{
    /// <summary>
    /// Resizes each image (bilinear, antialiased when shrinking; the aspect ratio is not kept: of images that were squashed to a square, those that had this ratio get it back) and keeps it as PNG under the hash of its bytes and its path:
    /// equal images of two files stay two, or a split with one of them on either side would look as if it had one image twice.
    /// What was lost before stays lost: compression, and the sharpness of images that were smaller.
    /// </summary>
    /// <param name="cacheDir">The files lie in geometry-WxH/ under it.</param>
    /// <param name="paths">Image files.</param>
    /// <param name="width">Width in pixels.</param>
    /// <param name="height">Height in pixels.</param>
    /// <param name="progress">Called with (done, all), one call at a time.</param>
    /// <param name="cancellation">Stops between images; what is finished stays.</param>
    /// <returns>The file of each path; one that cannot be read stays as it is, so that the image cache quarantines it with its reason.</returns>
    /// <exception cref="IOException">The cache folder is not writable.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static string[] Bring(string cacheDir, IReadOnlyList<string> paths, int width, int height, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        string folder = Path.Combine(cacheDir, string.Create(CultureInfo.InvariantCulture, $"geometry-{width}x{height}"));
        string[] made = new string[paths.Count];
        object turn = new();
        int done = 0;
        ImageCache.InParallel(paths.Count, cancellation, i =>
        {
            made[i] = Bring(folder, paths[i], width, height);
            lock (turn) progress?.Invoke(++done, paths.Count);
        });
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
            byte[] png = ImageCodec.EncodePng(PillowResize.Resize(ImageCodec.Decode(bytes, path), width, height, ResizeFilter.Bilinear));
            AtomicFile.Write(target, stream => stream.Write(png));
            return target;
        }
        catch (ImageUnreadableException)
        {
            return path;
        }
    }
}
