namespace DermKit;

/// <summary>
/// A folder that is filled under a temporary name and then renamed, or emptied by renames; disposing deletes what is
/// left. An open lock file beside it says that a process works on it, so that those which killed processes left behind
/// are told from those of live ones. Its name begins with a dot where no reader shall see it.
/// </summary>
internal sealed class UnfinishedFolder : IDisposable
{
    private const string Suffix = ".tmp", Lock = ".lock";
    private readonly FileStream held;

    /// <summary>Makes the folder, after deleting those of the same name that no live process owns.</summary>
    /// <param name="parent">Made when absent; on the disk that the folder is renamed to.</param>
    /// <param name="name">What its name begins with.</param>
    internal UnfinishedFolder(string parent, string name)
    {
        Directory.CreateDirectory(parent);
        foreach (string left in Directory.GetDirectories(parent, $"{name}*{Suffix}")) Clear(left);
        foreach (string left in Directory.GetFiles(parent, $"{name}*{Suffix}{Lock}")) Clear(left[..^Lock.Length]);
        Path = System.IO.Path.Combine(parent, $"{name}{Guid.NewGuid():N}{Suffix}");
        held = new FileStream(Path + Lock, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1,
            FileOptions.DeleteOnClose);
        try
        {
            Directory.CreateDirectory(Path);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The folder.</summary>
    internal string Path { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
        held.Dispose();
    }

    private static void Clear(string folder)
    {
        try
        {
            using FileStream? ended = File.Exists(folder + Lock)
                ? new FileStream(folder + Lock, FileMode.Open, FileAccess.ReadWrite, FileShare.None, 1,
                    FileOptions.DeleteOnClose) : null;
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // Another process cleared it first.
        }
        catch (IOException e) when (e is not PathTooLongException && File.Exists(folder + Lock))
        {
            // A live process holds the lock.
        }
    }
}
