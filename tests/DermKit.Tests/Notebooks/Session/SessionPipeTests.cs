using DermKit.Notebooks;
using DermKit.Tests.Cli;
using System.Diagnostics;
using System.IO.Pipes;

namespace DermKit.Tests.Notebooks;

/// <summary>What a session leaves in the folder of temporary files, and who may open it.</summary>
public sealed class SessionPipeTests : IDisposable
{
    private static readonly string ForUser =
        (UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).ToString();
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private Dictionary<string, string> Variables() => new() { ["TMPDIR"] = _folder.Path };

    private static string Mode(string folder) => OperatingSystem.IsWindows() ? ""
        : File.GetUnixFileMode(folder).ToString();

    /// <summary>What is there but the runtime's own socket of diagnosis.</summary>
    private string[] Left() => [.. Directory.GetFileSystemEntries(_folder.Path).Select(e => Path.GetFileName(e)!)
        .Where(n => n.StartsWith("kit-", StringComparison.Ordinal)
            || n.StartsWith("CoreFxPipe", StringComparison.Ordinal))];

    [Fact]
    public async Task TheFolderIsForItsUserAloneAndGoesWhenTheChildHasConnected()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "A pipe has no folder on Windows.");
        using var pipe = new SessionPipe();
        string folder = Path.GetDirectoryName(pipe.Name)!;
        Assert.Equal(ForUser, Mode(folder));
        Task connected = pipe.Stream.WaitForConnectionAsync(TestContext.Current.CancellationToken);
        await using var child = new NamedPipeClientStream(".", pipe.Name, PipeDirection.InOut,
            PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        await child.ConnectAsync(10_000, TestContext.Current.CancellationToken);
        await connected;
        pipe.RemoveFolder();
        Assert.False(Directory.Exists(folder));
        await pipe.Stream.WriteAsync(new byte[] { 7 }, TestContext.Current.CancellationToken);
        Assert.Equal(7, child.ReadByte());
    }

    [Fact]
    public async Task AUmaskThatForbidsNothingOpensNoPipe()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "A pipe has no folder on Windows.");
        // The child says what the folder of its pipe allows, which it sees while the pipe's name is still there.
        using var notebook = new GeneratedNotebook().Code("1 + 1");
        string[] modes = [];
        using Process kit = KitProcess.Start(["run", notebook.Save(), "--out", notebook.Out], Variables(),
            "umask 000; exec \"$@\"");
        Task<string> text = kit.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            error = kit.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        while (!kit.HasExited && modes.Length == 0)
        {
            modes = [.. Directory.GetDirectories(_folder.Path, "kit-session-*").Select(Mode)];
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
        await kit.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(kit.ExitCode == 0, await text + await error);
        Assert.Equal([ForUser], modes);
        Assert.Empty(Left());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task NothingStaysOfASessionWhoseProcessIsKilled(bool child)
    {
        using var notebook = new GeneratedNotebook()
            .Code($"System.IO.File.WriteAllText(@\"{Path.Combine(_folder.Path, "id")}\", "
                + "Environment.ProcessId.ToString());\nwhile (true) { }");
        using Process kit =
            KitProcess.Start(["run", notebook.Save(), "--out", notebook.Out, "--timeout", "600"], Variables());
        string id = Path.Combine(_folder.Path, "id");
        while (!kit.HasExited && (!File.Exists(id) || new FileInfo(id).Length == 0))
            await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(kit.HasExited);
        using Process session = Process.GetProcessById(int.Parse(File.ReadAllText(id)));
        if (child) session.Kill();
        else kit.Kill();
        await kit.WaitForExitAsync(TestContext.Current.CancellationToken);
        if (!session.HasExited) session.Kill();
        Assert.Empty(Left());
    }

    [Fact]
    public void TheFoldersOfKilledStartsAreRemovedAndThoseOfOthersStay()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "A pipe has no folder on Windows.");
        using var running = new SessionPipe();
        string parent = Path.GetDirectoryName(Path.GetDirectoryName(running.Name))!;
        string Make(bool locked, int minutes)
        {
            string folder =
                Directory.CreateDirectory(Path.Combine(parent, $"kit-session-{Guid.NewGuid():N}"[..24])).FullName;
            if (locked) File.WriteAllText(Path.Combine(folder, "lock"), "");
            Directory.SetLastWriteTimeUtc(folder, DateTime.UtcNow.AddMinutes(-minutes));
            return folder;
        }

        string killed = Make(true, 0), old = Make(false, 5), young = Make(false, 0);
        using (new SessionPipe())
        {
            Assert.False(Directory.Exists(killed));
            Assert.False(Directory.Exists(old));
            Assert.True(Directory.Exists(young));
            Assert.True(File.Exists(running.Name));
        }
        Directory.Delete(young);
    }
}
