using System.Text.RegularExpressions;

namespace DermKit.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ACopyReplacesTheTargetAndOneThatFailsLeavesItWhole()
    {
        string target = folder.Write("best", [1, 2, 3]), source = folder.Write("checkpoint", [4, 5, 6, 7]);
        AtomicFile.Copy(source, target);
        Assert.Equal([4, 5, 6, 7], File.ReadAllBytes(target));
        Assert.ThrowsAny<IOException>(() => AtomicFile.Copy(source + ".absent", target));
        Assert.Equal([4, 5, 6, 7], File.ReadAllBytes(target));
        // Half of the bytes are written when it fails.
        Assert.Throws<InvalidTimeZoneException>(() => AtomicFile.Write(target, stream =>
        {
            stream.Write([8, 9]);
            throw new InvalidTimeZoneException();
        }));
        Assert.Equal([4, 5, 6, 7], File.ReadAllBytes(target));
        Assert.Equal(2, Directory.GetFiles(folder.Path).Length);
    }

    [Theory]
    [InlineData("DermKit", "Pretraining")]
    [InlineData("DermKit.Studies", "FineTuning")]
    public void TrainingWritesThroughTheOneWriter(string project, string part)
    {
        string folder = Path.Combine(KitSettings.FromEnvironment().Root, "lib", project, part);
        string[] sources = Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories);
        Assert.NotEmpty(sources);
        var direct =
            new Regex(@"\bFile\.(Copy|Move|Replace|Create|WriteAll|Append|OpenWrite)|new (FileStream|StreamWriter)\(");
        Assert.DoesNotContain(sources, s => direct.IsMatch(File.ReadAllText(s)));
    }
}
