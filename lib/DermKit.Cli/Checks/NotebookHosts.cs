namespace DermKit.Cli;

/// <summary>Checks the programs that run the notebooks, and their kernels.</summary>
internal static class NotebookHosts
{
    internal const string Kit = "dotnet run --project lib/DermKit.Cli -c Release --";

    internal static IEnumerable<Check> Checks()
    {
        yield return Check.Pass($"kit run (built in): {Kit} run");
        yield return Doctor.Output("jupyter", "--version") is { } client
            ? Check.Pass($"Jupyter ({Versions(client)}): jupyter nbconvert --to notebook --execute "
                + "notebooks/02-twelve-task-probing.ipynb")
            : Check.Warn("no Jupyter client on PATH", "only to open the notebooks live: on Debian apt-get "
                + "install jupyter-notebook jupyter-nbconvert, elsewhere pip install jupyterlab");
        yield return VsCode();
        yield return Doctor.Output("dotnet-interactive", "--version") is { } interactive
            ? Check.Pass($".NET Interactive {interactive.Split('+')[0].Trim()}: dotnet-interactive jupyter "
                + "install, then choose '.NET (C#)' in the client")
            : Check.Pass("no .NET Interactive on PATH, which nothing needs");
    }

    private static Check VsCode()
    {
        if (Doctor.Output("code", "--version") is not { } code)
            return Check.Warn("no VS Code on PATH",
                "only to open the notebooks live: install VS Code with its Jupyter extension");
        const string Extension = "ms-toolsai.jupyter";
        string name = $"VS Code {code.Split('\n')[0].Trim()}";
        string extensions = Doctor.Output("code", "--list-extensions") ?? "";
        return extensions.Contains(Extension, OrdinalIgnoreCase)
            ? Check.Pass($"{name} with its Jupyter extension: code notebooks")
            : Check.Warn($"{name} without its Jupyter extension", $"code --install-extension {Extension}");
    }

    internal static IEnumerable<Check> Kernels(string root)
    {
        string own = Path.Combine(root, "lib", "bin", "DermKit.Cli.dll");
        IReadOnlyList<KernelSpec> all = KernelSpec.Installed();
        KernelSpec? named = all.FirstOrDefault(k => k.Name == KernelSpec.DefaultName);
        if (named is null && !all.Any(k => k.Host == own))
            yield return Check.Warn("the kit's is not installed, so no Jupyter client offers it",
                $"{Kit} jupyter install");
        foreach (KernelSpec kernel in all.Where(k => k.Host is not null).OrderByDescending(k => k.Host == own))
            yield return kernel.Host == own
                ? Check.Pass($"{kernel.Name} of this clone ({kernel.Location}): choose '{kernel.Title}' in the client")
                : Check.Warn($"{kernel.Name} starts another clone's kit, {kernel.Host}"
                    + (File.Exists(kernel.Host) ? "" : ", which is gone"),
                    $"to start this clone's: {Kit} jupyter install --name {kernel.Name}");
        if (named is { Host: null })
            yield return Check.Warn($"{named.Name} is another program's, '{named.Title}' ({named.Location})",
                $"{Kit} jupyter install --force replaces it, --name installs the kit's beside it");
        string[] others = [.. all.Where(k => k.Host is null && k != named).Select(k => $"{k.Name} ({k.Title})")];
        if (others.Length > 0) yield return Check.Pass($"of others: {string.Join(", ", others)}");
    }

    private static string Versions(string text)
    {
        IEnumerable<string[]> lines = text.Split('\n').Select(l => l.Split(':', StringSplitOptions.TrimEntries));
        return string.Join(", ", lines
            .Where(p => p is ["jupyter_client" or "nbconvert" or "notebook" or "jupyterlab", not "not installed"])
            .Select(p => $"{p[0]} {p[1]}"));
    }
}
