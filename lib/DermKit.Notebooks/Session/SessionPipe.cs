using System.IO.Pipes;
using System.Net.Sockets;

namespace DermKit.Notebooks;

/// <summary>The pipe of a session. On Unix it is a socket in a folder of this user's, removed when the child has
/// connected. A lock file distinguishes a running start from one whose process was killed.</summary>
internal sealed class SessionPipe : IDisposable
{
    internal const string Remedy =
        "set TMPDIR to a folder that exists, is writable and has a path of at most 70 bytes";

    private const string Prefix = "kit-session-";

    // A younger folder without a lock may be another process's new one.
    private static readonly TimeSpan LockTime = TimeSpan.FromMinutes(1);

    private readonly string? _folder;
    private readonly FileStream? _lock;

    // Uses TMPDIR, or another folder when that is missing, not writable or too long for a socket.
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
                    RemoveStale(parent);
                    _folder = Path.Combine(Path.GetFullPath(parent), name);
                    // One step; the umask can only remove permissions.
                    Directory.CreateDirectory(_folder,
                        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                    _lock = new FileStream(Lock(_folder), FileMode.CreateNew, FileAccess.Write, FileShare.None);
                    Name = Path.Combine(_folder, "pipe");
                }
                Stream = new NamedPipeServerStream(Name, PipeDirection.InOut, 1, PipeTransmissionMode.Byte,
                    PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
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
            $"No folder can hold the socket of the notebook's process ({string.Join("; ", faults)}); {Remedy}.");
    }

    internal string Name { get; }

    internal NamedPipeServerStream Stream { get; }

    // One line, whole.
    internal static void Send(Stream stream, JsonObject message)
    {
        byte[] line = Encoding.UTF8.GetBytes(message.ToJsonString() + "\n");
        lock (stream) stream.Write(line);
    }

    // Open connections stay open.
    internal void RemoveFolder()
    {
        try
        {
            if (_folder is not null && Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another start removed it as stale; the next removes the rest.
        }
        finally
        {
            // Last, because other starts remove a folder whose lock is free.
            _lock?.Dispose();
        }
    }

    public void Dispose()
    {
        Stream.Dispose();
        RemoveFolder();
    }

    private static string Lock(string folder) => Path.Combine(folder, "lock");

    // Folders of processes that were killed before their child connected.
    private static void RemoveStale(string parent)
    {
        foreach (string folder in Directory.GetDirectories(parent, Prefix + "*"))
        {
            try
            {
                // The system releases the lock of a process however it ends.
                using FileStream? free = File.Exists(Lock(folder))
                    ? new FileStream(Lock(folder), FileMode.Open, FileAccess.Write, FileShare.None) : null;
                if (free is null && DateTime.UtcNow - Directory.GetLastWriteTimeUtc(folder) < LockTime) continue;
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another start runs or removes it, or the folder is another user's.
            }
        }
    }
}
