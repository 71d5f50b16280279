namespace DermKit;

/// <summary>Writes a file whole or not at all: a temporary file in its folder, flushed to disk, then renamed.</summary>
internal static class AtomicFile
{
    // UTF-8 without a byte-order mark.
    public static void WriteAllText(string path, string text) => Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true);
        writer.Write(text);
    });

    public static void Copy(string source, string path) => Write(path, stream =>
    {
        using FileStream from = File.OpenRead(source);
        from.CopyTo(stream);
    });

    // Creates missing folders.
    public static void Write(string path, Action<FileStream> write)
    {
        string full = Path.GetFullPath(path), temporary = $"{full}.{Guid.NewGuid():N}.tmp";
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite,
                FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
        }
        catch (IOException e) when (FullDisk.Is(e))
        {
            // The system's message names the temporary file.
            string reason = e.Message.Split(" : ")[0];
            throw new IOException(
                $"{reason}: {full} was not written, an earlier version of it is unchanged; make room.", e)
            {
                HResult = e.HResult,
            };
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}

/// <summary>Recognises writes without space, which no retry helps.</summary>
internal static class FullDisk
{
    // Disk full or quota exhausted.
    internal static bool Is(Exception e)
    {
        if (e is not IOException) return false;
        // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED; elsewhere errno ENOSPC and EDQUOT.
        if (OperatingSystem.IsWindows()) return (e.HResult & 0xFFFF) is 39 or 112 or 1295;
        return e.HResult == 28 || e.HResult == (OperatingSystem.IsLinux() ? 122 : 69);
    }
}
