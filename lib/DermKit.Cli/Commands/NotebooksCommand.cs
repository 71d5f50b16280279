namespace DermKit.Cli;

internal static class NotebooksCommand
{
    internal static Command Create() => new("notebooks", "Checks or cleans notebooks before they are committed")
    {
        ForEach("check", "Names what does not belong in a committed notebook (outputs, random ids, an editor's "
            + "metadata, long cells); exit code 1 when there is something", Check),
        ForEach("clean", "Removes outputs, run numbers, metadata and random ids, and names what else to change", Clean),
    };

    private static Command ForEach(string name, string description, Func<string, bool> action)
    {
        Argument<string[]> notebooks = Arguments("notebooks",
            "Files, names in notebooks/ or beginnings of names (default: every notebook under notebooks/)");
        return new Command(name, description) { notebooks }.Runs((parsed, _) =>
        {
            string root = KitSettings.FromEnvironment().Root;
            string[] paths = parsed.GetValue(notebooks) is { Length: > 0 } named ? NotebookFiles.Find(root, named)
                : NotebookFiles.All(root);
            int clean = paths.Count(action);
            Console.WriteLine($"{clean} of {paths.Length} notebooks are clean");
            return clean == paths.Length ? 0 : 1;
        });
    }

    private static bool Check(string path)
    {
        string text = File.ReadAllText(path);
        IReadOnlyList<string> problems = NotebookHygiene.Problems(NotebookDocument.Parse(text, path), text);
        foreach (string problem in problems) Console.WriteLine($"{path}: {problem}");
        return problems.Count == 0;
    }

    private static bool Clean(string path)
    {
        string text = File.ReadAllText(path);
        string clean = NotebookHygiene.Clean(NotebookDocument.Parse(text, path)).ToJson();
        if (clean != text)
        {
            AtomicFile.WriteAllText(path, clean);
            Console.WriteLine($"{path}: cleaned");
        }
        return Check(path);
    }
}
