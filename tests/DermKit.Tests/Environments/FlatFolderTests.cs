namespace DermKit.Tests.Environments;

public sealed class FlatFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string From => Path.Combine(_folder.Path, "from");

    private string To => Path.Combine(_folder.Path, "to");

    public void Dispose() => _folder.Dispose();

    private static void Write(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private string[] Published() => [.. Directory.GetFiles(To, "*", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(To, f).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    [Fact]
    public void ChangedFilesAreReplacedWithTheTimeOfTheirSource()
    {
        Write(From, "a.dll", "new");
        Write(From, "figures/b.dll", "b");
        Write(To, "a.dll", "old one");
        FlatFolder.Publish(From, To, prune: false);
        Assert.Equal(["a.dll", "figures/b.dll"], Published());
        Assert.Equal("new", File.ReadAllText(Path.Combine(To, "a.dll")));
        Assert.Equal(File.GetLastWriteTimeUtc(Path.Combine(From, "a.dll")),
            File.GetLastWriteTimeUtc(Path.Combine(To, "a.dll")));
    }

    [Fact]
    public async Task AReaderAlwaysFindsAWholeFile()
    {
        string target = Path.Combine(To, "a.dll");
        Write(From, "a.dll", new string('0', 5000));
        FlatFolder.Publish(From, To, prune: true);
        using var done = new CancellationTokenSource();
        var reading = new TaskCompletionSource();
        // A thread of its own: on a busy pool the reader might start after the last write.
        Task reader = Task.Factory.StartNew(() =>
        {
            while (!done.IsCancellationRequested)
            {
                using var stream = new FileStream(target, FileMode.Open, FileAccess.Read,
                    FileShare.ReadWrite | FileShare.Delete);
                string text = new StreamReader(stream).ReadToEnd();
                Assert.True(text.Length >= 5000 && text.All(c => c == text[0]), "a part of a file was read");
                reading.TrySetResult();
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Task.WhenAny(reading.Task, reader);
        for (int i = 1; i <= 300; i++)
        {
            Write(From, "a.dll", new string((char)('0' + i % 10), 5000 + i));
            FlatFolder.Publish(From, To, prune: true);
        }
        await done.CancelAsync();
        await reader;
    }

    [Fact]
    public void PruningTakesWhatTheSourceNoLongerHasAndOldTemporaries()
    {
        Write(From, "a.dll", "a");
        Write(From, "under.way.tmp", "");
        Write(To, "gone.dll", "");
        Write(To, "figures/gone.dll", "");
        Write(To, "of-another-build.tmp", "");
        Write(To, "crashed.tmp", "");
        File.SetLastWriteTimeUtc(Path.Combine(To, "crashed.tmp"), DateTime.UtcNow.AddMinutes(-10));
        FlatFolder.Publish(From, To, prune: false);
        Assert.Contains("gone.dll", Published());
        FlatFolder.Publish(From, To, prune: true);
        Assert.Equal(["a.dll", "of-another-build.tmp"], Published());
    }

    [Fact]
    public void AnEmptySourceTakesNothingAway()
    {
        Directory.CreateDirectory(From);
        Write(To, "a.dll", "a");
        FlatFolder.Publish(From, To, prune: true);
        Assert.Equal(["a.dll"], Published());
    }

    [Fact]
    public void AFailureLeavesNoTemporary()
    {
        Write(From, "a.dll", "a");
        Directory.CreateDirectory(Path.Combine(To, "a.dll"));
        Assert.ThrowsAny<Exception>(() => FlatFolder.Publish(From, To, prune: true));
        Assert.Empty(Published());
    }
}
