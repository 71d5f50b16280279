namespace DermKit.Imaging;

/// <summary>A file that is no readable image: missing, broken, truncated or over a limit.</summary>
public sealed class ImageUnreadableException : Exception
{
    /// <summary>Makes the error.</summary>
    public ImageUnreadableException(string path, string reason, Exception? inner = null)
        : base(Printable.Line($"{path}: {reason}"), inner)
    {
        Path = path;
        Reason = reason;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What is wrong, without the path.</summary>
    public string Reason { get; }
}
