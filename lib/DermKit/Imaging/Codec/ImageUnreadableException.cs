namespace DermKit.Imaging;

/// <summary>A file that is no readable image: missing, broken, truncated or over a limit.</summary>
public sealed class ImageUnreadableException(string path, string reason, Exception? inner = null)
    : Exception(Printable.Line($"{path}: {reason}"), inner)
{
    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary>What is wrong, without the path.</summary>
    public string Reason => reason;
}
