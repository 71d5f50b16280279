using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace DermKit.Reporting;

/// <summary>Where a result comes from: code, versions, machine, and what the run notes about data, weights and seeds.</summary>
public static class Provenance
{
    private const string Key = "DermKit.Provenance";

    /// <summary>Adds a line to the report's footer, such as ("data isic2017", "300 images, sha256 1f3c..") or ("seeds", "1, 9, 21, 42, 555"); a key noted twice keeps the later value.</summary>
    public static void Note(string key, string value)
    {
        IDictionary<string, string> notes = Store();
        lock (notes) notes[key] = value;
    }

    /// <summary>The lines noted so far in this process.</summary>
    public static IReadOnlyDictionary<string, string> Notes()
    {
        IDictionary<string, string> notes = Store();
        lock (notes) return new SortedDictionary<string, string>(notes, StringComparer.Ordinal);
    }

    /// <summary>Code, versions and machine of this process, in the order to print.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Machine() =>
    [
        new("commit", Commit(Path.GetDirectoryName(typeof(Provenance).Assembly.Location)!)),
        new("DermKit", Version(typeof(Provenance).Assembly)),
        new("TorchSharp", Version(typeof(TorchSharp.torch).Assembly)),
        new(".NET", Environment.Version.ToString()),
        new("system", $"{RuntimeInformation.OSDescription.Trim()}, {RuntimeInformation.ProcessArchitecture}"),
        new("processor", $"{Processor()}, {Environment.ProcessorCount} threads"),
        new("memory", string.Create(CultureInfo.InvariantCulture, $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1073741824.0:0.0} GiB")),
    ];

    /// <summary>The commit of the checkout around <paramref name="folder"/>, with "+ changes" when files differ from it; "not a git checkout" outside of one.</summary>
    public static string Commit(string folder)
    {
        try
        {
            string? head = Git(folder, "rev-parse --short=12 HEAD");
            if (head is null) return "not a git checkout";
            return Git(folder, "status --porcelain --untracked-files=no") is { Length: > 0 } ? $"{head} + changes" : head;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return HeadFile(folder);
        }
    }

    private static string? Git(string root, string arguments)
    {
        using var git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = root, RedirectStandardOutput = true, RedirectStandardError = true })!;
        git.ErrorDataReceived += (_, _) => { };
        git.BeginErrorReadLine();
        string text = git.StandardOutput.ReadToEnd().Trim();
        git.WaitForExit();
        return git.ExitCode == 0 ? text : null;
    }

    /// <summary>Without a git program: HEAD names a branch file or is the commit itself.</summary>
    internal static string HeadFile(string folder)
    {
        DirectoryInfo? root = new(folder);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, ".git", "HEAD"))) root = root.Parent;
        if (root is null) return "not a git checkout";
        string git = Path.Combine(root.FullName, ".git"), head = File.ReadAllText(Path.Combine(git, "HEAD")).Trim();
        if (!head.StartsWith("ref: ", StringComparison.Ordinal)) return head[..12];
        string branch = Path.Combine(git, head[5..]), packed = Path.Combine(git, "packed-refs");
        if (File.Exists(branch)) return File.ReadAllText(branch)[..12];
        string? line = File.Exists(packed) ? File.ReadLines(packed).FirstOrDefault(l => l.EndsWith(' ' + head[5..], StringComparison.Ordinal)) : null;
        return line is null ? "no commit yet" : line[..12];
    }

    private static string Version(Assembly assembly) =>
        (assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? assembly.GetName().Version!.ToString()).Split('+')[0];

    private static string Processor()
    {
        const string file = "/proc/cpuinfo";
        string? line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':', 2)[1].Trim() ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static IDictionary<string, string> Store()
    {
        if (AppContext.GetData(Key) is IDictionary<string, string> found) return found;
        var made = new Dictionary<string, string>();
        AppContext.SetData(Key, made);
        return made;
    }
}
