using DermKit.Data;

namespace DermKit.Cli;

/// <summary>Downloads an entry of data/sources.json: data sets into KIT_DATA_DIR, weights into data/weights.</summary>
internal static class SourceFetch
{
    // Downloads one file, or all but the optional ones; keeps valid files.
    internal static async Task Run(KitSettings settings, string name, bool accepted, string? only, Download download,
        Action<string> say, Func<SourceFile, Action<long, long?>>? progress = null,
        CancellationToken cancellation = default)
    {
        DataSource source = DataSource.Of(settings.Data(), name);
        string folder = source.Folder(settings, name);
        say($"{source.Title}\nlicence:  {source.Licence} ({source.Address})\ncitation: {source.Citation}");
        if (!accepted)
            throw new KitException(
                $"'{name}': read its licence at {source.Address}; if you accept it, add --accept-licence.");
        SourceFile[] files = [.. source.Files.Where(f => only is null ? !f.Optional : f.Name == only)];
        if (files.Length == 0 && only is not null)
            throw new KitException($"'{name}' has no file '{only}' to fetch; did you mean "
                + $"'{KitException.Nearest(only, source.Files.Select(f => f.Name))}'?");
        if (files.Length == 0) throw new KitException($"'{name}' cannot be fetched without you: {source.Steps}");
        foreach (SourceFile file in files)
        {
            // Marks an archive that is unpacked and deleted.
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
