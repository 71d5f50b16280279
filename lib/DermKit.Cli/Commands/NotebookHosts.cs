using DermKit.Studies;
using DermKit.Notebooks;

namespace DermKit.Cli;

/// <summary>The programs on this machine in which the notebooks run, the kernels that they offer, and what to type next.</summary>
internal static class NotebookHosts
{
    private const string Kit = "dotnet run --project lib/DermKit.Cli -c Release --";

    internal static IEnumerable<Check> Checks(string root)
    {
        yield return new(CheckStatus.Pass, "host", $"kit run (built in): {Kit} run");
        string? client = Doctor.Output("jupyter", "--version");
        yield return client is not null
            ? new(CheckStatus.Pass, "host", $"Jupyter ({Versions(client)}): jupyter nbconvert --to notebook --execute notebooks/02-twelve-task-probing.ipynb")
            : new(CheckStatus.Warn, "host", "no Jupyter client on PATH", "only to open the notebooks live: on Debian apt-get install jupyter-notebook jupyter-nbconvert, elsewhere pip install jupyterlab");
        string? code = Doctor.Output("code", "--version");
        bool extended = code is not null && (Doctor.Output("code", "--list-extensions")?.Contains("ms-toolsai.jupyter", StringComparison.OrdinalIgnoreCase) ?? false);
        yield return code is null ? new(CheckStatus.Warn, "host", "no VS Code on PATH", "only to open the notebooks live: install VS Code with its Jupyter extension")
            : extended ? new(CheckStatus.Pass, "host", $"VS Code {code.Split('\n')[0].Trim()} with its Jupyter extension: code notebooks")
            : new(CheckStatus.Warn, "host", $"VS Code {code.Split('\n')[0].Trim()} without its Jupyter extension", "code --install-extension ms-toolsai.jupyter");
        yield return Doctor.Output("dotnet-interactive", "--version") is { } interactive
            ? new(CheckStatus.Pass, "host", $".NET Interactive {interactive.Split('+')[0].Trim()}: dotnet-interactive jupyter install, then choose '.NET (C#)' in the client")
            : new(CheckStatus.Pass, "host", "no .NET Interactive on PATH, which nothing needs");
        foreach (Check kernel in Kernels(root)) yield return kernel;
    }

    /// <summary>The kit's kernelspecs, then those of others in one line.</summary>
    private static IEnumerable<Check> Kernels(string root)
    {
        string own = Path.Combine(root, "lib", "bin", "DermKit.Cli.dll");
        IReadOnlyList<KernelSpec> all = KernelSpec.Installed();
        KernelSpec? named = all.FirstOrDefault(k => k.Name == KernelSpec.DefaultName);
        if (named is null && !all.Any(k => k.Host == own))
            yield return new(CheckStatus.Warn, "kernel", "the kit's is not installed, so no Jupyter client offers it", $"{Kit} jupyter install");
        foreach (KernelSpec kernel in all.Where(k => k.Host == own))
            yield return new(CheckStatus.Pass, "kernel", $"{kernel.Name} of this clone ({kernel.File}): choose '{kernel.Title}' in the client");
        foreach (KernelSpec kernel in all.Where(k => k.Host is not null && k.Host != own))
            yield return new(CheckStatus.Warn, "kernel", $"{kernel.Name} starts another clone's kit, {kernel.Host}{(File.Exists(kernel.Host) ? "" : ", which is gone")}",
                $"to take this clone's: {Kit} jupyter install --name {kernel.Name}");
        if (named is { Host: null })
            yield return new(CheckStatus.Warn, "kernel", $"{named.Name} is another program's, '{named.Title}' ({named.File})", $"{Kit} jupyter install --force puts the kit's in its place, --name another one beside it");
        KernelSpec[] others = [.. all.Where(k => k.Host is null && k != named)];
        if (others.Length > 0) yield return new(CheckStatus.Pass, "kernel", $"of others: {string.Join(", ", others.Select(k => $"{k.Name} ({k.Title})"))}");
    }

    private static string Versions(string text) => string.Join(", ", text.Split('\n').Select(l => l.Split(':', StringSplitOptions.TrimEntries))
        .Where(p => p is ["jupyter_client" or "nbconvert" or "notebook" or "jupyterlab", not "not installed"]).Select(p => $"{p[0]} {p[1]}"));
}
