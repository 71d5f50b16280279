namespace DermKit.Studies;

/// <summary>Writes a run into a file of data/results, and checks such files.</summary>
internal static class PublishedRuns
{
    // Keeps the prose of a file that is there; null derives the title of a new one. Returns the path.
    public static string Publish(string folder, string name, string? title, Publication run)
    {
        string path = PublishedFile.PathOf(folder, name);
        PublishedFile file = File.Exists(path) ? PublishedFile.Read(folder, name) : new()
        {
            Title = $"{Tables.Counted(run.Models.Length, "frozen model")} on "
                + Tables.Counted(run.Tasks.Length, "task"),
        };
        file = file with { Title = title ?? file.Title, Columns = null, Rows = null, Provenance = null, Run = run };
        file.Write(path);
        return path;
    }

    // Lines for one file.
    public static IEnumerable<PublishedCheck> Verify(KitSettings settings, string folder, string name,
        bool isFull = false, string[]? tasks = null, string[]? models = null, double? tolerance = null,
        CancellationToken cancellation = default)
    {
        PublishedFile? file = null;
        string fault = "";
        try
        {
            file = PublishedFile.Read(folder, name);
        }
        catch (KitException e) when (File.Exists(PublishedFile.PathOf(folder, name)))
        {
            fault = e.Message;
        }
        if (file is null) return [PublishedCheck.Of(false, "file", fault)];
        if (file.Run is not { } run)
            return [PublishedCheck.Skipped("file", "measured before files held a run: nothing to compare with; it "
                + $"states its command, {file.Provenance!.FirstOrDefault()?.Command}")];
        var verification = new Verification(settings, run);
        IEnumerable<PublishedCheck> sampled = verification.Sampled(cancellation);
        // Lazy: Full needs what Sampled found.
        return isFull ? sampled.Concat(verification.Full(tasks, models, tolerance, cancellation)) : sampled;
    }
}
