namespace DermKit;

/// <summary>Writes a file whole or not at all: a temporary file in the same folder, flushed to disk, then renamed over the target.</summary>
public static class AtomicFile
{
    /// <summary>Writes text as UTF-8 without a byte-order mark.</summary>
    /// <exception cref="IOException">The disk is full or the folder is not writable; an older file at <paramref name="path"/> is whole.</exception>
    public static void WriteAllText(string path, string text) => Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, leaveOpen: true);
        writer.Write(text);
    });

    /// <summary>Copies a file to another name, over what is there.</summary>
    /// <exception cref="IOException">As <see cref="Write"/>, or <paramref name="source"/> cannot be read.</exception>
    public static void Copy(string source, string path) => Write(path, stream =>
    {
        using FileStream from = File.OpenRead(source);
        from.CopyTo(stream);
    });

    /// <summary>Lets <paramref name="write"/> fill a temporary file beside <paramref name="path"/>, then renames it.</summary>
    /// <exception cref="IOException">The disk is full or the folder is not writable; an older file at <paramref name="path"/> is whole.</exception>
    public static void Write(string path, Action<FileStream> write)
    {
        string full = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        string temporary = $"{full}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
        }
        catch (IOException e) when (FullDisk.Is(e))
        {
            // The system names the temporary file, which nobody knows.
            throw new IOException($"{e.Message.Split(" : ")[0]}: {full} is not written, what was there before is whole; make room.", e) { HResult = e.HResult };
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
