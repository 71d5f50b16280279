#nullable disable
using System;
using System.IO;

/// <summary>
/// Makes a folder the copy of another. A changed file lands by rename, because a running kernel may have
/// the old one mapped and another
/// process may read it at this moment. Files that end in .tmp are copies under way and are not published.
/// </summary>
public static class FlatFolder
{
    private const string Suffix = ".tmp";
    private static readonly TimeSpan LongestCopy = TimeSpan.FromMinutes(2);

    /// <summary>Copies what differs in length or time.</summary>
    /// <param name="from">Source folder.</param>
    /// <param name="to">Target folder; made when missing.</param>
    /// <param name="prune">Also removes the files under <paramref name="to"/> that
    /// <paramref name="from"/> does not have.</param>
    public static void Publish(string from, string to, bool prune)
    {
        string source = Root(from), target = Root(to);
        string[] files = Directory.GetFiles(source, "*", SearchOption.AllDirectories);
        foreach (string file in files)
            if (!file.EndsWith(Suffix, StringComparison.Ordinal))
                Copy(new FileInfo(file), new FileInfo(target + file.Substring(source.Length)));
        // An empty source is a build that went wrong, not a wish to publish nothing.
        if (prune && files.Length > 0) Prune(source, target);
    }

    private static void Copy(FileInfo source, FileInfo target)
    {
        if (target.Exists && target.Length == source.Length && target.LastWriteTimeUtc == source.LastWriteTimeUtc)
            return;
        target.Directory.Create();
        string temporary = target.FullName + "." + Guid.NewGuid().ToString("N") + Suffix;
        try
        {
            source.CopyTo(temporary);
            // The copy has the time of its source; Prune tells by a recent one that it is under way.
            File.SetLastWriteTimeUtc(temporary, DateTime.UtcNow);
            try
            {
                if (!target.Exists) File.Move(temporary, target.FullName);
            }
            catch (IOException) when (File.Exists(target.FullName))
            {
                // Another build published it in between; replaced below.
            }
            if (File.Exists(temporary)) File.Replace(temporary, target.FullName, null);
            File.SetLastWriteTimeUtc(target.FullName, source.LastWriteTimeUtc);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static void Prune(string source, string target)
    {
        foreach (string file in Directory.GetFiles(target, "*", SearchOption.AllDirectories))
        {
            bool stale = file.EndsWith(Suffix, StringComparison.Ordinal)
                ? DateTime.UtcNow - File.GetLastWriteTimeUtc(file) > LongestCopy
                : !File.Exists(source + file.Substring(target.Length));
            if (stale) File.Delete(file);
        }
    }

    private static string Root(string folder) =>
        Path.GetFullPath(folder).TrimEnd('/', '\\') + Path.DirectorySeparatorChar;
}

#if !KIT_TESTS
/// <summary>The build step around <see cref="FlatFolder"/>.</summary>
public class PublishFlat : Microsoft.Build.Utilities.Task
{
    /// <summary>Source folder.</summary>
    public string From { get; set; }

    /// <summary>Target folder.</summary>
    public string To { get; set; }

    /// <summary>Remove from the target what the source does not have.</summary>
    public bool Prune { get; set; }

    /// <inheritdoc/>
    public override bool Execute()
    {
        FlatFolder.Publish(From, To, Prune);
        return true;
    }
}
#endif
