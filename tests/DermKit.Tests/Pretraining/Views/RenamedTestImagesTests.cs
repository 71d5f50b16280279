using DermKit.Data;
using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Tests.Data;

namespace DermKit.Tests.Pretraining;

/// <summary>Frozen test images of the sets at hand stay out of pre-training under whatever name.</summary>
public sealed class RenamedTestImagesTests : IDisposable
{
    private readonly TinyPretraining tiny = new(images: 0);

    public void Dispose() => tiny.Dispose();

    private string DataDir => tiny.Settings.DataDir;

    private void Own(string set, params (string Name, RgbImage Image)[] images)
    {
        foreach ((string name, RgbImage image) in images)
        {
            string path = Path.Combine(DataDir, set, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path,
                name.EndsWith(".jpg", StringComparison.Ordinal) ? ImageCodec.EncodeJpeg(image, 70)
                    : ImageCodec.EncodePng(image));
        }
        MiniTrees.Write(DataDir, $"{set}/labels.csv",
            ["image,label", .. images.Select((image, i) => $"{image.Name},{i % 2}")]);
    }

    private PretrainingSet Open(string set)
    {
        using PretrainData data = tiny.Data(TinyPretraining.Options with { Sets = [set], SourceSize = 96 });
        Assert.Equal(data.Sources[0].Used, data.Count);
        return data.Sources[0];
    }

    private static RgbImage Small(RgbImage image) =>
        PillowResize.Resize(image, image.Width * 2 / 3, image.Height * 2 / 3, ResizeFilter.Bilinear);

    /// <summary>Drawn images of different lesions.</summary>
    private static RgbImage[] Drawn(int count)
    {
        ImageTable table =
            SyntheticDataSet.Load(SyntheticDataSet.Ensure(KitSettings.FromEnvironment().CacheDir, 96, seed: 11));
        return [.. table.Paths.Zip(table.Column("lesion_id")).DistinctBy(p => p.Second).Take(count)
            .Select(p => ImageCodec.Decode(p.First))];
    }

    [Fact]
    public void ACopyIsKnownByItsPixels()
    {
        RgbImage[] drawn = Drawn(14);
        // HAM10000's own test images are frozen by its split.
        foreach ((int i, RgbImage image) in drawn.Take(4).Index())
        {
            string part = Directory.CreateDirectory(Path.Combine(DataDir, Ham10000.Name, "images")).FullName;
            File.WriteAllBytes(Path.Combine(part, $"ISIC_003452{i}.jpg"), ImageCodec.EncodeJpeg(image));
        }
        MiniTrees.Write(DataDir, "ham10000/HAM10000_metadata.csv", "lesion_id,image_id,dx", "HAM_1,ISIC_0034520,bkl");
        MiniTrees.Write(DataDir, "ham10000/ISIC2018_Task3_Test_GroundTruth.csv", "lesion_id,image_id,dx",
            "T_1,ISIC_0034521,nv", "T_2,ISIC_0034522,nv", "T_3,ISIC_0034523,nv");
        (string, RgbImage)[] others = [.. drawn.Skip(4).Select((image, i) => ($"other{i}.png", image))];
        Own("clinic", [("a.png", drawn[1]), ("b.jpg", Small(drawn[2])), ("train.png", drawn[0]), .. others]);
        Assert.Equal(new PretrainingSet("clinic", 13, 2, 11), Open("clinic"));
        // Read again from what was noted, and again when the set that says so is gone.
        Assert.Equal(2, Open("clinic").Frozen);
        Directory.Delete(Path.Combine(DataDir, Ham10000.Name), recursive: true);
        Assert.Equal(0, Open("clinic").Frozen);
    }

    [Fact]
    public void ARowThatNamesAFrozenFileItselfIsFrozen()
    {
        RgbImage[] drawn = Drawn(8);
        Own("clinic", [.. drawn.Select((image, i) => ($"{i}.png", image))]);
        MiniTrees.Write(DataDir, "clinic/labels.csv",
            ["image,label,split", .. drawn.Select((_, i) => $"{i}.png,x,{(i < 2 ? "test" : "train")}")]);
        MiniTrees.Write(DataDir, "again/labels.csv",
            ["image,label", .. drawn.Select((_, i) => $"../clinic/{i}.png,x")]);
        using PretrainData data =
            tiny.Data(TinyPretraining.Options with { Sets = ["clinic", "again"], SourceSize = 96 });
        Assert.Equal([new("clinic", 8, 2, 6), new("again", 8, 2, 6)], data.Sources);
        Assert.Equal(6, data.Count);
    }

    [Fact]
    public void RenamedAndResizedImagesOfIsicsTestPartAreKnown()
    {
        KitSettings real = RealData.Need(Isic2017.Name);
        ImageTable table = DataSetCatalog.Load(real, Isic2017.Name);
        Directory.CreateSymbolicLink(Path.Combine(DataDir, Isic2017.Name), DataSetCatalog.Folder(real, Isic2017.Name)!);
        Split split = Splits.Official(table);
        RgbImage[] test = [.. split.Test.Take(6).Select(i => ImageCodec.Decode(table.Paths[i]))],
            train = [.. split.Train.Skip(900).Take(10).Select(i => ImageCodec.Decode(table.Paths[i]))];
        Own("clinic",
            [.. test.Select((image, i) => ($"photo {i}.{(i % 2 == 0 ? "jpg" : "png")}",
                i % 3 == 0 ? Small(image) : image)), .. train.Select((image, i) => ($"mine{i}.jpg", image))]);
        Assert.Equal(new PretrainingSet("clinic", 16, 6, 10), Open("clinic"));
    }
}
