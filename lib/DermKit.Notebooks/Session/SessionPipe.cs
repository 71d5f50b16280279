using System.IO.Pipes;
using System.Net.Sockets;

namespace DermKit.Notebooks;

/// <summary>
/// The pipe of a session. On Unix it is a socket in a folder that only this user can enter, whatever the umask; the
/// folder is
/// removed when the child has connected, so that a process that is killed later leaves nothing behind.
/// A lock file in it tells the folder of a start that is under way from one whose process was killed.
/// </summary>
internal sealed class SessionPipe : IDisposable
{
    private const string Prefix = "kit-session-", LockName = "lock";
    private const UnixFileMode ForUser = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const PipeOptions Options = PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly;

    /// <summary>A folder without a lock may be one that another process has just made.</summary>
    private static readonly TimeSpan LockTime = TimeSpan.FromMinutes(1);

    private readonly string? _folder;
    private readonly FileStream? _lock;

    /// <summary>
    /// Opens a pipe. On Unix its folder is in TMPDIR where nothing else is said; a path of more than some 100 bytes,
    /// a folder that is missing or one that is not writable cannot hold a socket, and a short one is taken.
    /// </summary>
    /// <exception cref="KitException">No folder can hold it.</exception>
    internal SessionPipe()
    {
        string name = $"{Prefix}{Guid.NewGuid():N}"[..(Prefix.Length + 12)];
        string?[] parents = OperatingSystem.IsWindows() ? [""]
            : [Path.GetTempPath(), Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"),
                "/tmp", "/var/tmp", "/dev/shm"];
        var faults = new List<string>();
        foreach (string parent in parents.OfType<string>())
        {
            Name = name;
            try
            {
                if (!OperatingSystem.IsWindows())
                {
                    if (!Directory.Exists(parent)) throw new DirectoryNotFoundException("no such folder");
                    RemoveStale(parent);
                    _folder = Path.Combine(Path.GetFullPath(parent), name);
                    // With its mode in one step; the umask can only take from it.
                    Directory.CreateDirectory(_folder, ForUser);
                    string file = Path.Combine(_folder, LockName);
                    _lock = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.None);
                    Name = Path.Combine(_folder, "pipe");
                }
                Stream = new NamedPipeServerStream(Name, PipeDirection.InOut, 1, PipeTransmissionMode.Byte, Options);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException
                or SocketException or ArgumentException)
            {
                RemoveFolder();
                faults.Add($"{parent}: {e.Message}");
            }
        }
        throw new KitException(
            $"No folder can hold the socket of the notebook's process ({string.Join("; ", faults)}); "
            + "set TMPDIR to a folder that is there, may be written and has a path of at most 70 bytes.");
    }

    /// <summary>What the child opens.</summary>
    internal string Name { get; }

    /// <summary>The parent's end.</summary>
    internal NamedPipeServerStream Stream { get; }

    /// <summary>Removes the folder; an open connection stays open.</summary>
    internal void RemoveFolder()
    {
        try
        {
            if (_folder is not null && Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another start removed it as stale at the same time; what is left here is stale to the next start.
        }
        finally
        {
            // Only now: a folder whose lock is free is stale to other starts.
            _lock?.Dispose();
        }
    }

    public void Dispose()
    {
        Stream.Dispose();
        RemoveFolder();
    }

    /// <summary>Removes what processes left that were killed before their child had connected.</summary>
    private static void RemoveStale(string parent)
    {
        foreach (string folder in Directory.GetDirectories(parent, Prefix + "*"))
        {
            string file = Path.Combine(folder, LockName);
            try
            {
                // The system gives up the lock of a process that ends, however it ends.
                using FileStream? free = File.Exists(file)
                    ? new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.None) : null;
                if (free is null && DateTime.UtcNow - Directory.GetLastWriteTimeUtc(folder) < LockTime) continue;
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another start is under way, another user's, or another process removes it too.
            }
        }
    }
}
