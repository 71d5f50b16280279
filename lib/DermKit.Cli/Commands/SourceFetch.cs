using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Data;

namespace DermKit.Cli;

/// <summary>Fetches what an entry of data/sources.json has addresses for: data sets below KIT_DATA_DIR, weights into data/weights.</summary>
internal static class SourceFetch
{
    /// <summary>Fetches the files of an entry, or one of them, one after another; what is there and right is not fetched again.</summary>
    /// <param name="settings">Says where data and weights lie.</param>
    /// <param name="name">Name of the entry.</param>
    /// <param name="accepted">True when the user has read the licence and keeps it.</param>
    /// <param name="only">One file by its name; the only way to an optional one.</param>
    /// <param name="download">Fetches one file.</param>
    /// <param name="say">Told what the user should read, line by line.</param>
    /// <param name="progress">Makes the progress of a file: called with (bytes there, bytes of all or null).</param>
    /// <param name="cancellation">Stops; what arrived stays.</param>
    /// <exception cref="KitException">The licence is not accepted, there is no such entry or file, or a download fails.</exception>
    public static async Task Run(KitSettings settings, string name, bool accepted, string? only, Download download, Action<string> say, Func<SourceFile, Action<long, long?>>? progress = null, CancellationToken cancellation = default)
    {
        DataSource source = DataSource.Of(Path.Combine(settings.Root, "data"), name);
        string folder = source.Folder(settings, name);
        say($"{source.Title}\nlicence:  {source.Licence} ({source.Address})\ncitation: {source.Citation}");
        if (!accepted) throw new KitException($"'{name}': read its licence at {source.Address}; if you accept it, add --accept-licence.");
        SourceFile[] files = only is not null
            ? [source.Files.FirstOrDefault(f => f.Name == only) ?? throw new KitException($"'{name}' has no file '{only}' to fetch; did you mean '{KitException.Nearest(only, source.Files.Select(f => f.Name))}'?")]
            : [.. source.Files.Where(f => !f.Optional)];
        if (files.Length == 0) throw new KitException($"'{name}' cannot be fetched without you: {source.Steps}");
        foreach (SourceFile file in files)
        {
            // An archive that was unpacked is gone; its mark says so.
            string done = Path.Combine(folder, $".{file.Name}.unpacked");
            if (file.Unpack && File.Exists(done))
            {
                say($"{file.Name} was unpacked before (delete {done} to fetch it again)");
                continue;
            }
            string path = await download.Fetch(file, folder, progress?.Invoke(file), cancellation);
            say($"{path}: {(file.Sha256 is null ? $"not verified, {file.Unverified}" : "SHA-256 as expected")}");
            if (!file.Unpack) continue;
            say($"{Archive.Unpack(path, folder, cancellation: cancellation)} files unpacked into {folder}");
            await File.WriteAllTextAsync(done, "", cancellation);
            File.Delete(path);
        }
        say($"Left to do: {source.Steps}\nThen: kit data check {name}");
    }
}
