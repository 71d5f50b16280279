using DermKit.Studies;
using DermKit.Notebooks;
using System.CommandLine;

namespace DermKit.Cli;

/// <summary>kit notebooks: how notebooks are kept.</summary>
internal static class NotebooksCommand
{
    internal static Command Create() => new("notebooks", "Checks or cleans notebooks before they are committed")
    {
        ForEach("check", "Says what does not belong in a committed notebook (outputs, random ids, an editor's metadata, long cells); exit code 1 when there is something", Check),
        ForEach("clean", "Takes it out: outputs, run numbers, metadata, random ids; says what is left to you", Clean),
    };

    private static Command ForEach(string name, string description, Func<string, bool> action)
    {
        var notebooks = new Argument<string[]>("notebooks") { Description = "Files, or names in notebooks/ or their beginnings; every notebook under notebooks/ when none is given", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command(name, description) { notebooks };
        command.SetAction(parsed =>
        {
            string root = KitSettings.FromEnvironment().Root;
            string[] paths = parsed.GetValue(notebooks) is { Length: > 0 } named ? NotebookFiles.Find(root, named) : NotebookFiles.All(root);
            int clean = paths.Count(action);
            Console.WriteLine($"{clean} of {paths.Length} notebooks are clean");
            return clean == paths.Length ? 0 : 1;
        });
        return command;
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
        string text = File.ReadAllText(path), clean = NotebookHygiene.Clean(NotebookDocument.Parse(text, path)).ToJson();
        if (clean != text)
        {
            AtomicFile.WriteAllText(path, clean);
            Console.WriteLine($"{path}: cleaned");
        }
        return Check(path);
    }
}
