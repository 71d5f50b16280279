using static System.Environment;

namespace DermKit.Notebooks;

/// <summary>A kernel.json that Jupyter clients offer; the host is null for another program's kernel.</summary>
internal sealed record KernelSpec(string Name, string Location, string Title, string? Host)
{
    internal const string DefaultName = ".net-csharp";

    internal static string Install(string root, string name, string data, bool force)
    {
        if (!Regex.IsMatch(name, "^[A-Za-z0-9._-]+$"))
            throw new KitException($"--name {name}: expected letters, digits, '-', '_' or '.', as Jupyter allows.");
        string host = SessionClient.Host(root);
        string file = Path.Combine(data, "kernels", name, "kernel.json");
        if (!force && File.Exists(file) && Read(file) is { Host: null } other)
            throw new KitException(
                $"{file}: another program's kernelspec has this name ({other.Title}). Choose another --name and that "
                    + "kernel in the client, or replace this one with --force.");
        var spec = new JsonObject
        {
            ["argv"] = new JsonArray(SessionClient.Dotnet(), "exec", host, "jupyter", "run", "--connection",
                "{connection_file}"),
            ["display_name"] = name == DefaultName ? ".NET (C#)" : $".NET (C#) {name}",
            ["language"] = "C#",
            ["interrupt_mode"] = "message",
            ["metadata"] = new JsonObject { ["debugger"] = false },
        };
        AtomicFile.WriteAllText(file, NotebookJson.Write(spec, " ") + "\n");
        return file;
    }

    // In the order in which clients look; the first of a name counts.
    internal static IReadOnlyList<KernelSpec> Installed()
    {
        IEnumerable<string> folders = DataFolders().Select(d => Path.Combine(d, "kernels")).Where(Directory.Exists)
            .SelectMany(d => Directory.GetDirectories(d).Order(StringComparer.Ordinal));
        IEnumerable<string> files = folders.Select(d => Path.Combine(d, "kernel.json")).Where(File.Exists);
        return [.. files.Select(Read).DistinctBy(s => s.Name, StringComparer.OrdinalIgnoreCase)];
    }

    internal static string UserData()
    {
        if (Variable("JUPYTER_DATA_DIR") is { } folder) return folder;
        if (OperatingSystem.IsWindows()) return Path.Combine(GetFolderPath(SpecialFolder.ApplicationData), "jupyter");
        string home = GetFolderPath(SpecialFolder.UserProfile);
        return OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Jupyter")
            : Path.Combine(Variable("XDG_DATA_HOME") ?? Path.Combine(home, ".local", "share"), "jupyter");
    }

    private static string[] DataFolders()
    {
        // Clients in a Python environment look in its folder too.
        IEnumerable<string> python = new[] { "VIRTUAL_ENV", "CONDA_PREFIX" }.Select(Variable).OfType<string>();
        string[] shared = OperatingSystem.IsWindows()
            ? [Path.Combine(GetFolderPath(SpecialFolder.CommonApplicationData), "jupyter")]
            : ["/usr/local/share/jupyter", "/usr/share/jupyter"];
        return
        [
            .. (Variable("JUPYTER_PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
            UserData(),
            .. python.Select(prefix => Path.Combine(prefix, "share", "jupyter")),
            .. shared,
        ];
    }

    private static KernelSpec Read(string file)
    {
        string name = Path.GetFileName(Path.GetDirectoryName(file)!);
        try
        {
            JsonNode? spec = JsonNode.Parse(File.ReadAllText(file));
            string? host = (spec?["argv"] as JsonArray)?.Select(a => a?.ToString())
                .FirstOrDefault(a => Path.GetFileName(a) == "DermKit.Cli.dll");
            return new(name, file, spec?["display_name"]?.ToString() ?? name, host);
        }
        catch (Exception e)
            when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return new(name, file, "not readable", null);
        }
    }

    private static string? Variable(string name) =>
        GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
