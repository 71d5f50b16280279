using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using static System.FormattableString;

namespace DermKit.Reporting;

/// <summary>The origin of a result: code, versions, machine, data, weights and seeds.</summary>
public static class Provenance
{
    private const string Key = "DermKit.Provenance";

    /// <summary>Adds a line to the report's footer, or replaces the line of the same key.</summary>
    public static void Note(string key, string value)
    {
        IDictionary<string, string> notes = Store();
        lock (notes) notes[key] = value;
    }

    /// <summary>Code, versions and machine of this process, in the order to print.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Machine() =>
    [
        new("commit", Commit(Path.GetDirectoryName(typeof(Provenance).Assembly.Location)!)),
        new("DermKit", Version(typeof(Provenance).Assembly)[0]),
        new("TorchSharp", Version(typeof(TorchSharp.torch).Assembly)[0]),
        new(".NET", Environment.Version.ToString()),
        new("system", $"{RuntimeInformation.OSDescription.Trim()}, {RuntimeInformation.ProcessArchitecture}"),
        new("processor", $"{Processor()}, {Environment.ProcessorCount} threads"),
        new("memory", Invariant($"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1073741824.0:0.0} GiB")),
    ];

    // The commit of the checkout around a folder, with "+ changes" when files differ from it; "not a git checkout"
    // outside of one. Without git, the commit that the library was built from.
    internal static string Commit(string folder)
    {
        try
        {
            string? head = Output("git", "rev-parse --short=12 HEAD", folder);
            if (head is null) return "not a git checkout";
            bool isChanged = Output("git", "status --porcelain --untracked-files=no", folder) is { Length: > 0 };
            return isChanged ? $"{head} + changes" : head;
        }
        catch (Win32Exception)
        {
            return BuiltFrom(typeof(Provenance).Assembly);
        }
    }

    internal static string BuiltFrom(Assembly assembly) =>
        Version(assembly) is [_, { Length: >= 12 } commit] ? commit[..12] : "unknown, without a git program";

    // What a program prints, or null when it fails.
    internal static string? Output(string program, string arguments, string folder = "")
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        process.BeginErrorReadLine();
        string text = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return process.ExitCode == 0 ? text : null;
    }

    // Version, and where the build knew it, the commit.
    private static string[] Version(Assembly assembly)
    {
        string? text = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
        return (text ?? assembly.GetName().Version!.ToString()).Split('+');
    }

    private static string Processor()
    {
        const string file = "/proc/cpuinfo";
        IEnumerable<string> lines = File.Exists(file) ? File.ReadLines(file) : [];
        return lines.FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim()
            ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")
            ?? RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static IDictionary<string, string> Store()
    {
        if (AppContext.GetData(Key) is IDictionary<string, string> found) return found;
        var made = new Dictionary<string, string>();
        AppContext.SetData(Key, made);
        return made;
    }
}
