using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

/// <summary>A second start reads no list, finds the same pictures, and notices what has changed.</summary>
public sealed class PretrainDataTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    private string Set => Path.Combine(tiny.Settings.DataDir, "tiny");

    public void Dispose() => tiny.Dispose();

    private (string Key, byte[] Pixels, bool Decoded) Look(PretrainOptions? options = null)
    {
        bool decoded = false;
        using PretrainData data = PretrainData.Open(tiny.Settings, options ?? TinyPretraining.Options, (_, _) => decoded = true);
        using Tensor batch = data.Batch([.. Enumerable.Range(0, data.Count)], CPU);
        return (data.Key, batch.bytes.ToArray(), decoded);
    }

    [Fact]
    public void TheSecondStartGivesTheSameAndTouchesNoPicture()
    {
        (string key, byte[] pixels, bool decoded) = Look();
        Assert.True(decoded);
        // A list that cannot be read any more shows that it is not read; its state is as it was.
        string labels = Path.Combine(Set, "labels.csv");
        (DateTime at, long length) = (File.GetLastWriteTimeUtc(labels), new FileInfo(labels).Length);
        DateTime folder = Directory.GetLastWriteTimeUtc(Set);
        File.WriteAllText(labels, new string('x', (int)length));
        File.SetLastWriteTimeUtc(labels, at);
        Directory.SetLastWriteTimeUtc(Set, folder);
        Assert.Equal((key, false), (Look().Key, Look().Decoded));
        Assert.Equal(pixels, Look().Pixels);
    }

    [Fact]
    public void APictureThatWasChangedAddedOrTakenAwayIsNoticed()
    {
        string key = Look().Key, picture = Path.Combine(Set, "3.png");
        byte[] other = File.ReadAllBytes(Path.Combine(Set, "4.png")), own = File.ReadAllBytes(picture);
        File.WriteAllBytes(picture, other);
        string changed = Look().Key;
        Assert.NotEqual(key, changed);
        File.WriteAllBytes(picture, own);
        Assert.Equal(key, Look().Key);
        File.WriteAllLines(Path.Combine(Set, "labels.csv"), File.ReadAllLines(Path.Combine(Set, "labels.csv")).SkipLast(1));
        Assert.EndsWith("-11", Look().Key);
    }

    [Fact]
    public void OtherOptionsAndADamagedIndexStartFromTheLists()
    {
        string key = Look().Key;
        Assert.NotEqual(key, Look(TinyPretraining.Options with { SourceSize = 40 }).Key);
        Assert.EndsWith("-8", Look(TinyPretraining.Options with { MostImages = 8 }).Key);
        foreach (string index in Directory.GetFiles(Path.Combine(tiny.Settings.CacheDir, "pretraining"), "*.json")) File.WriteAllText(index, "{");
        Assert.Equal(key, Look().Key);
        // Pixels that are gone are decoded again.
        foreach (string pixels in Directory.GetFiles(Path.Combine(tiny.Settings.CacheDir, "images"))) File.Delete(pixels);
        Assert.Equal((key, true), (Look().Key, Look() is var _));
    }

    [Fact]
    public void AQuarantinedPictureIsStillNamedAtTheSecondStart()
    {
        File.WriteAllText(Path.Combine(Set, "5.png"), "no picture");
        string Reason()
        {
            using PretrainData data = PretrainData.Open(tiny.Settings, TinyPretraining.Options);
            Assert.Equal(11, data.Count);
            return Assert.Single(data.Quarantine).Reason;
        }
        Assert.Equal(Reason(), Reason());
    }
}
