using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace DermKit.Tests.Faults;

/// <summary>A disk of few bytes that one process alone sees: the test starts itself again in a
/// namespace with a small tmpfs.</summary>
internal static class SmallDisk
{
    private const string Variable = "KIT_TEST_SMALL_DISK";

    /// <summary>Runs the body of a test on a disk of 4 MiB.</summary>
    /// <param name="body">Gets the folder that the disk is mounted on.</param>
    /// <param name="of">Class of the test.</param>
    /// <param name="test">Its name.</param>
    internal static async Task Run(Action<string> body, Type of, [CallerMemberName] string test = "")
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } inside)
        {
            body(inside);
            return;
        }
        await SkipUnlessMountable();
        using var folder = new TemporaryFolder();
        (int code, string text) = await Start("unshare -rm bash -c 'mount -t tmpfs -o size=4096k none \"$0\" && "
            + $"{Variable}=\"$0\" exec \"$@\"' {folder.Path} dotnet '{typeof(SmallDisk).Assembly.Location}' -noColor "
            + $"-method {of.FullName}.{test}");
        Assert.True(code == 0, text);
        Assert.Contains("Total: 1, Errors: 0, Failed: 0, Skipped: 0", text, StringComparison.Ordinal);
    }

    /// <summary>Skips where a process may not have mounts of its own.</summary>
    internal static async Task SkipUnlessMountable()
    {
        using var folder = new TemporaryFolder();
        Assert.SkipUnless(OperatingSystem.IsLinux()
            && (await Start($"unshare -rm mount -t tmpfs none '{folder.Path}'")).Code == 0,
            "mounts a small disk for one process, which this machine does not let it (unshare -rm)");
    }

    /// <summary>Fills the disk up to so many bytes.</summary>
    /// <returns>The file that takes the room.</returns>
    internal static string Leave(string disk, long bytes)
    {
        string filler = Path.Combine(disk, "filler");
        File.Delete(filler);
        using FileStream stream = File.Create(filler);
        stream.Write(new byte[new DriveInfo(disk).AvailableFreeSpace - bytes]);
        return filler;
    }

    private static async Task<(int Code, string Text)> Start(string script)
    {
        using Process process =
            Process.Start(new ProcessStartInfo("bash",
                ["-c", script])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true
            })!;
        Task<string> text = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await text + await error);
    }
}
