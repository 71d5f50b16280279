using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace DermKit.Notebooks;

/// <summary>A kernel that Jupyter clients offer: a folder with a kernel.json.</summary>
/// <param name="Name">The folder's name, which notebooks refer to.</param>
/// <param name="File">The kernel.json.</param>
/// <param name="Title">What clients show.</param>
/// <param name="Host">The DermKit.Cli.dll that it starts; null for a kernel of others.</param>
internal sealed partial record KernelSpec(string Name, string File, string Title, string? Host)
{
    /// <summary>The name that the kit's notebooks carry.</summary>
    internal const string DefaultName = ".net-csharp";

    /// <summary>Writes the kit's kernelspec.</summary>
    /// <param name="root">Folder of Kit.sln.</param>
    /// <param name="name">Its name.</param>
    /// <param name="data">Folder under which clients look (share/jupyter).</param>
    /// <param name="force">Also over a kernelspec of others.</param>
    /// <returns>The kernel.json.</returns>
    /// <exception cref="KitException">The name cannot be a kernel's, lib/bin is not built, or another's kernelspec has the name.</exception>
    internal static string Install(string root, string name, string data, bool force)
    {
        if (!ValidName().IsMatch(name)) throw new KitException($"--name {name}: expected letters, digits, '-', '_' or '.', as Jupyter allows.");
        string host = Path.Combine(root, "lib", "bin", "DermKit.Cli.dll"), file = Path.Combine(data, "kernels", name, "kernel.json");
        if (!System.IO.File.Exists(host)) throw new KitException($"{host}: not found; build the kit first: dotnet build Kit.sln -c Release");
        if (!force && System.IO.File.Exists(file) && Read(file).Host is null)
            throw new KitException($"{file}: another program's kernelspec has this name ({Read(file).Title}). Take another --name and choose that kernel in the client, or put the kit's in its place with --force.");
        var spec = new JsonObject
        {
            ["argv"] = new JsonArray(SessionClient.Dotnet(), "exec", host, "jupyter", "run", "--connection", "{connection_file}"),
            ["display_name"] = name == DefaultName ? ".NET (C#)" : $".NET (C#) {name}",
            ["language"] = "C#",
            ["interrupt_mode"] = "message",
            ["metadata"] = new JsonObject { ["debugger"] = false },
        };
        AtomicFile.WriteAllText(file, spec.ToJsonString(new() { WriteIndented = true, IndentSize = 1, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n");
        return file;
    }

    /// <summary>Every kernelspec on this machine, in the order in which clients look; of two with one name the first counts.</summary>
    internal static IReadOnlyList<KernelSpec> Installed() => [.. DataFolders().Select(d => Path.Combine(d, "kernels")).Where(Directory.Exists)
        .SelectMany(d => Directory.GetDirectories(d).Order(StringComparer.Ordinal)).Select(d => Path.Combine(d, "kernel.json")).Where(System.IO.File.Exists).Select(Read).DistinctBy(s => s.Name, StringComparer.OrdinalIgnoreCase)];

    /// <summary>The folder of this user's Jupyter data.</summary>
    internal static string UserData() => Variable("JUPYTER_DATA_DIR")
        ?? (RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData), "jupyter")
            : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? Path.Combine(Home, "Library", "Jupyter")
            : Path.Combine(Variable("XDG_DATA_HOME") ?? Path.Combine(Home, ".local", "share"), "jupyter"));

    private static string Home => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    private static IEnumerable<string> DataFolders() => [
        .. (Variable("JUPYTER_PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries), UserData(),
        // The Python environment that is active here, whose clients look there too.
        .. new[] { Variable("VIRTUAL_ENV"), Variable("CONDA_PREFIX") }.OfType<string>().Select(prefix => Path.Combine(prefix, "share", "jupyter")),
        .. RuntimeInformation.IsOSPlatform(OSPlatform.Windows)
            ? [Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.CommonApplicationData), "jupyter")]
            : new[] { "/usr/local/share/jupyter", "/usr/share/jupyter" }];

    private static KernelSpec Read(string file)
    {
        string name = Path.GetFileName(Path.GetDirectoryName(file)!);
        try
        {
            JsonNode? spec = JsonNode.Parse(System.IO.File.ReadAllText(file));
            string? host = (spec?["argv"] as JsonArray)?.Select(a => a?.ToString()).FirstOrDefault(a => Path.GetFileName(a) == "DermKit.Cli.dll");
            return new(name, file, spec?["display_name"]?.ToString() ?? name, host);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return new(name, file, "not readable", null);
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    [GeneratedRegex("^[A-Za-z0-9._-]+$")]
    private static partial Regex ValidName();
}
