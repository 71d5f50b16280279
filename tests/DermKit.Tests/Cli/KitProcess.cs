using DermKit.Tests.Notebooks;
using System.Diagnostics;

namespace DermKit.Tests.Cli;

/// <summary>The built command line as a process of its own.</summary>
internal static class KitProcess
{
    /// <summary>Starts it in the kit's folder with its texts redirected.</summary>
    /// <param name="arguments">As a user types them.</param>
    /// <param name="environment">Further variables.</param>
    /// <param name="script">Text for bash that runs it as "$@".</param>
    internal static Process Start(string[] arguments, IReadOnlyDictionary<string, string>? environment = null,
        string? script = null)
    {
        string dotnet = Environment.ProcessPath is { } own && Path.GetFileNameWithoutExtension(own) == "dotnet"
            ? own : "dotnet";
        string[] command = [dotnet, Path.Combine(GeneratedNotebook.LibBin, "DermKit.Cli.dll"), .. arguments];
        if (script is not null) command = ["bash", "-c", script, "bash", .. command];
        var start = new ProcessStartInfo(command[0],
            command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = GeneratedNotebook.Root
        };
        foreach ((string key, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        return Process.Start(start)!;
    }

    /// <summary>Runs it to its end.</summary>
    internal static async Task<(int Code, string Out, string Error)> Run(string[] arguments,
        IReadOnlyDictionary<string, string>? environment = null, string? script = null)
    {
        using Process process = Start(arguments, environment, script);
        Task<string> text = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await text, await error);
    }
}
