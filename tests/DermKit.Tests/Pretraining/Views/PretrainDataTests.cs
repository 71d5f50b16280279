using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Tests.Pretraining;

/// <summary>A second start reads no list, finds the same images, and notices what has changed.</summary>
public sealed class PretrainDataTests : IDisposable
{
    private readonly TinyPretraining tiny = new();

    private string Set => Path.Combine(tiny.Settings.DataDir, "tiny");

    public void Dispose() => tiny.Dispose();

    private (string Key, byte[] Pixels, bool Decoded) Look(PretrainOptions? options = null)
    {
        bool decoded = false;
        using PretrainData data = PretrainData.Open(tiny.Settings, options ?? TinyPretraining.Options,
            (_, _) => decoded = true);
        using Tensor batch = data.Batch([.. Enumerable.Range(0, data.Count)], CPU);
        return (data.Key, batch.bytes.ToArray(), decoded);
    }

    [Fact]
    public void TheSecondStartGivesTheSameAndTouchesNoImage()
    {
        (string key, byte[] pixels, bool decoded) = Look();
        Assert.True(decoded);
        // A list that cannot be read any more shows that it is not read; its state is as it was.
        string labels = Path.Combine(Set, "labels.csv");
        DateTime at = File.GetLastWriteTimeUtc(labels);
        long length = new FileInfo(labels).Length;
        DateTime folder = Directory.GetLastWriteTimeUtc(Set);
        File.WriteAllText(labels, new string('x', (int)length));
        File.SetLastWriteTimeUtc(labels, at);
        Directory.SetLastWriteTimeUtc(Set, folder);
        Assert.Equal((key, false), (Look().Key, Look().Decoded));
        Assert.Equal(pixels, Look().Pixels);
    }

    [Fact]
    public void AnImageThatWasChangedAddedOrTakenAwayIsNoticed()
    {
        string key = Look().Key, image = Path.Combine(Set, "3.png");
        byte[] other = File.ReadAllBytes(Path.Combine(Set, "4.png")), own = File.ReadAllBytes(image);
        File.WriteAllBytes(image, other);
        string changed = Look().Key;
        Assert.NotEqual(key, changed);
        File.WriteAllBytes(image, own);
        Assert.Equal(key, Look().Key);
        File.WriteAllLines(Path.Combine(Set, "labels.csv"),
            File.ReadAllLines(Path.Combine(Set, "labels.csv")).SkipLast(1));
        Assert.EndsWith("-11", Look().Key);
    }

    [Fact]
    public void OtherOptionsAndADamagedIndexStartFromTheLists()
    {
        string key = Look().Key;
        Assert.NotEqual(key, Look(TinyPretraining.Options with { SourceSize = 40 }).Key);
        Assert.EndsWith("-8", Look(TinyPretraining.Options with { MostImages = 8 }).Key);
        foreach (string index in Directory.GetFiles(Path.Combine(tiny.Settings.CacheDir, "pretraining"), "*.json"))
            File.WriteAllText(index, "{");
        Assert.Equal(key, Look().Key);
        // Pixels that are gone are decoded again.
        foreach (string pixels in Directory.GetFiles(Path.Combine(tiny.Settings.CacheDir, "images")))
            File.Delete(pixels);
        Assert.Equal((key, true), (Look().Key, Look() is var _));
    }

    [Fact]
    public void CropsFromTheCacheAreThoseOfTheOriginalFiles()
    {
        using var scope = NewDisposeScope();
        PretrainOptions cached = TinyPretraining.Options with { SourceSize = 96, ColorStrength = 0, BlurMax = 0.01 },
            original = cached with { CropSource = CropSource.Original };
        using PretrainData small = PretrainData.Open(tiny.Settings, cached),
            files = PretrainData.Open(tiny.Settings, original);
        int[] numbers = [2, 5, 7];
        using Views first = new MultiCrop(cached).Make(small, numbers, 0, CPU),
            second = new MultiCrop(original).Make(files, numbers, 0, CPU),
            again = new MultiCrop(original).Make(files, numbers, 0, CPU);
        Assert.Equal(first.Globals.shape, second.Globals.shape);
        Assert.True(second.Globals.Equals(again.Globals));
        // The same boxes of the same images, once from larger copies; boxes drawn in the copies are others.
        using Tensor copies = small.Batch(numbers, CPU);
        using Views elsewhere = new MultiCrop(cached).Make(copies, numbers, 0);
        double Apart(Views views) => (views.Globals - second.Globals).abs().mean().ToDouble();
        Assert.True(Apart(first) < 0.05 && Apart(elsewhere) > 1.5 * Apart(first),
            $"with original sizes {Apart(first)}, without {Apart(elsewhere)}");
        Assert.Equal(new ImageSize((48, 40), (115, 96)), small.Sizes([5])[0]);
        using Tensor planes = tensor(Planes(files.Original(5)));
        Assert.Equal((40, 48), (files.Original(5).Height, files.Original(5).Width));
        Tensor[] fast = CropViews.Make(files.Original, numbers, 1, 0, CPU, original.Recipes());
        Tensor[] one = CropViews.Make(cat([planes.view(1, 3, 40, 48), planes.view(1, 3, 40, 48)]).to(uint8), [2, 5], 1,
            0, null, CPU, original.Recipes());
        Assert.True(fast[0][1].Equals(one[0][1]),
            "an image of its own size and the same image in a batch of one size differ");
        Assert.Throws<InvalidOperationException>(() => small.Original(0));

        static byte[] Planes(DermKit.Imaging.RgbImage image)
        {
            byte[] planes = new byte[image.Pixels.Length];
            int plane = planes.Length / 3;
            for (int i = 0; i < plane; i++)
                for (int c = 0; c < 3; c++) planes[c * plane + i] = image.Pixels[3 * i + c];
            return planes;
        }
    }

    [Fact]
    public void AnOriginalFileThatIsChangedOrGoneWhileTrainingStopsTheRunInWordsAndKeepsEveryStep()
    {
        PretrainOptions options = TinyPretraining.Options with { CropSource = CropSource.Original };
        using PretrainData data = tiny.Data(options);
        using var trainer = new Pretrainer(options, data, CPU, tiny.Folder("changing"));
        string image = Path.Combine(Set, "3.png");
        byte[] own = File.ReadAllBytes(image);
        string message = Assert.Throws<KitException>(() => trainer.Run(s =>
        {
            if (s.Step == 3) File.WriteAllBytes(image, File.ReadAllBytes(Path.Combine(Set, "4.png")));
        })).Message;
        Assert.Contains("3.png was changed while training", message);
        // Two batches are cut ahead; when one of them has the image, the next epoch comes to it by its last step.
        Assert.InRange(trainer.Done, 3, 8);
        File.Delete(image);
        using (var gone = new Pretrainer(options, data, CPU, tiny.Folder("changing")))
        {
            Assert.Equal(trainer.Done, gone.Done);
            Assert.Contains("3.png cannot be read any more", Assert.Throws<KitException>(() => gone.Run()).Message);
        }
        File.WriteAllBytes(image, own);
        using var back = new Pretrainer(options, data, CPU, tiny.Folder("changing"));
        Assert.InRange(back.Done, 3, 8);
        Assert.Equal(12, back.Run().Count);
    }

    [Fact]
    public void NoImageToReadIsSaidInOneSentenceAndASetThatIsNotHereByName()
    {
        string Refusal(PretrainOptions options) =>
            Assert.Throws<KitException>(() => PretrainData.Open(tiny.Settings, options)).Message;
        Assert.Contains("only 12 are here; lower 'batch' or add images",
            Refusal(TinyPretraining.Options with { Batch = 13 }));
        foreach (string image in Directory.GetFiles(Set, "*.png")) File.WriteAllText(image, "no image");
        string broken = Refusal(TinyPretraining.Options);
        Assert.StartsWith("Pre-training on tiny: a batch has 4 images but only 0 can be read. 12 of 12 images cannot "
            + "be read and are left out; the first: ", broken);
        Assert.Contains("0.png: ", broken);
        Assert.EndsWith("Bring them again, or lower 'batch' to at most what can be read.", broken);
        // The second start says the same.
        Assert.Equal(broken, Refusal(TinyPretraining.Options));
        File.WriteAllText(Path.Combine(Set, "labels.csv"), "image,label\n");
        Assert.Throws<KitException>(() => PretrainData.Open(tiny.Settings, TinyPretraining.Options));
        Assert.Contains("'absent' is not here",
            Assert.Throws<KitException>(() =>
                PretrainData.Open(tiny.Settings, TinyPretraining.Options with { Sets = ["absent"] })).Message);
    }

    [Fact]
    public void AQuarantinedImageIsStillNamedAtTheSecondStart()
    {
        File.WriteAllText(Path.Combine(Set, "5.png"), "no image");
        string Reason()
        {
            using PretrainData data = PretrainData.Open(tiny.Settings, TinyPretraining.Options);
            Assert.Equal((11, 11), (data.Count, Assert.Single(data.Sources).Used));
            Assert.StartsWith("1 of 12 images cannot be read and are left out; the first: ", data.Unreadable);
            return Assert.Single(data.Quarantine).Reason;
        }
        Assert.Equal(Reason(), Reason());
    }
}
