namespace DermKit.Tests;

/// <summary>A folder of its own for one test, deleted afterwards.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("dermkit-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
