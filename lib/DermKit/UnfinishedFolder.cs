namespace DermKit;

/// <summary>A temporary folder that is filled and renamed, or emptied by renames; disposing deletes the rest. An open
/// lock file tells a live process's folder from a killed one's. A leading dot hides the name from readers.</summary>
internal sealed class UnfinishedFolder : IDisposable
{
    private const string Suffix = ".tmp", Lock = ".lock";
    private readonly FileStream held;

    // First deletes those of the same name that no live process holds.
    internal UnfinishedFolder(string parent, string name)
    {
        Directory.CreateDirectory(parent);
        foreach (string left in Directory.GetDirectories(parent, $"{name}*{Suffix}")) Clear(left);
        foreach (string left in Directory.GetFiles(parent, $"{name}*{Suffix}{Lock}")) Clear(left[..^Lock.Length]);
        Path = System.IO.Path.Combine(parent, $"{name}{Guid.NewGuid():N}{Suffix}");
        held = Owned.Make(() => LockOf(Path, FileMode.CreateNew), file =>
        {
            Directory.CreateDirectory(Path);
            return file;
        });
    }

    internal string Path { get; }

    public void Dispose()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
        held.Dispose();
    }

    private static FileStream LockOf(string folder, FileMode mode) =>
        new(folder + Lock, mode, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);

    private static void Clear(string folder)
    {
        try
        {
            using FileStream? ended = File.Exists(folder + Lock) ? LockOf(folder, FileMode.Open) : null;
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            // Another process cleared it.
        }
        catch (IOException e) when (e is not PathTooLongException && File.Exists(folder + Lock))
        {
            // A live process holds the lock.
        }
    }
}
