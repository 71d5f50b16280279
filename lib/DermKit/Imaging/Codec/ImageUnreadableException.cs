namespace DermKit.Imaging;

/// <summary>A file that is no readable image: missing, broken, cut short, or over a limit.</summary>
public sealed class ImageUnreadableException : Exception
{
    /// <summary>Makes the error.</summary>
    public ImageUnreadableException(string path, string reason, Exception? inner = null)
        : base(Printable.Line($"{path}: {reason}"), inner) => (Path, Reason) = (path, reason);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What is wrong with it, without the path.</summary>
    public string Reason { get; }
}
