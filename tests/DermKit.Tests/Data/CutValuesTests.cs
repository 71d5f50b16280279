using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Tests.Imaging;

namespace DermKit.Tests.Data;

public sealed class CutValuesTests
{
    /// <summary>What an image becomes when it is stored after ImageNet's normalisation.</summary>
    private static RgbImage Normalised(RgbImage image)
    {
        EvalTransform imageNet = new();
        float[] mean = [imageNet.Mean.R, imageNet.Mean.G, imageNet.Mean.B], std = [imageNet.Std.R, imageNet.Std.G,
            imageNet.Std.B];
        return new(image.Width, image.Height,
            [.. image.Pixels.Select((value, i) =>
                (byte)Math.Round(255 * Math.Clamp(((value / 255f) - mean[i % 3]) / std[i % 3], 0, 1)))]);
    }

    [Fact]
    public void APartThatWasStoredAfterNormalisationIsNoticedAndNaturalPartsAreNot()
    {
        RgbImage[] natural = [.. Enumerable.Range(0, 6).Select(i => TestImages.Draw(60, 40, i))];
        bool[] frozen = [false, false, false, true, true, true];
        double[] shares = [.. natural.Select(CutValues.Share)];
        Assert.Null(CutValues.Warning(shares, frozen));
        double[] changed = [.. natural.Select((p, i) => CutValues.Share(frozen[i] ? Normalised(p) : p))];
        Assert.Matches("of the test images [0-9]+ % of all values are 0 or 255, of the others [0-9]+ %",
            CutValues.Warning(changed, frozen)!);
        // An image that cannot be read says nothing, and neither does a set without frozen images.
        Assert.NotNull(CutValues.Warning([.. changed[..5], double.NaN], frozen));
        Assert.Null(CutValues.Warning(changed, new bool[6]));
    }

    [Fact]
    public void TheShareCountsBothEnds() => Assert.Equal(0.5, CutValues.Share(new(2, 1, [0, 255, 7, 9, 254, 0])), 12);

    [Theory]
    [InlineData("isic2017"), InlineData("pad-ufes-20"), InlineData("ham10000")]
    public void NoRealSetIsWarnedOf(string set)
    {
        KitSettings settings = RealData.Need(set);
        ImageTable table = DataSetCatalog.Load(settings, set);
        Assert.Null(CutValues.Warning(table, FrozenTest.Mask(settings, table)));
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void ATaskWhoseTestImagesHaveOtherColoursIsNotOpened(bool changed)
    {
        using var folder = new TemporaryFolder();
        KitSettings settings = MiniTrees.Settings(folder.Path);
        TaskDefinition ham = Ham();
        string[] classes = [.. Ham10000.Classes.Select(c => c.ToLowerInvariant())];
        string Row(int i) => $"HAM_{i},ISIC_{i:D7},{classes[i % 7]}";
        string images = Directory.CreateDirectory(Path.Combine(settings.DataDir, "ham10000", "images")).FullName;
        for (int i = 0; i < 28; i++)
        {
            RgbImage image = TestImages.Draw(60, 40, i);
            File.WriteAllBytes(Path.Combine(images, $"ISIC_{i:D7}.png"),
                ImageCodec.EncodePng(changed && i >= 14 ? Normalised(image) : image));
        }
        const string Header = "lesion_id,image_id,dx";
        MiniTrees.Write(settings.DataDir, "ham10000/HAM10000_metadata.csv",
            [Header, .. Enumerable.Range(0, 14).Select(Row)]);
        MiniTrees.Write(settings.DataDir, "ham10000/ISIC2018_Task3_Test_GroundTruth.csv",
            [Header, .. Enumerable.Range(14, 14).Select(Row)]);
        MiniTrees.Write(settings.DataDir, "own/labels.csv", ["image,label,split", .. Enumerable.Range(0, 28).Select(i =>
            $"../ham10000/images/ISIC_{i:D7}.png,{classes[i % 7]},{(i < 14 ? "train" : "test")}")]);
        // A set of one's own may have been photographed in two ways.
        TaskDefinition own = ham with { DataSets = new() { ["own"] = null }, Label = "label", Unit = null };
        Assert.Equal(changed, TaskSuite.Open(own, settings).Definition.Note.Contains("Colours: of the test images"));
        if (!changed) Assert.Equal(14, TaskSuite.Open(ham, settings).SplitFor(1).Test.Length);
        else
            Assert.Matches("^Task 'ham10000-diagnosis' is not scored: of the test images .* ham10000-lesions/",
                Assert.Throws<KitException>(() => TaskSuite.Open(ham, settings)).Message);
    }

    /// <summary>A copy of the set's folder with the test images that were stored after normalisation.</summary>
    [Fact]
    public void TheCopyOfHam10000WithChangedColoursIsNotOpened()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        string there = Path.Combine(settings.DataDir, Ham10000.Name);
        Assert.SkipUnless(Directory.Exists(there), $"no {there}: set KIT_DATA_DIR to the folder that holds it");
        using var folder = new TemporaryFolder();
        Directory.CreateSymbolicLink(Path.Combine(folder.Path, Ham10000.Name), there);
        settings = settings with { DataDir = folder.Path };
        ImageTable table = DataSetCatalog.Load(settings, Ham10000.Name);
        Assert.SkipUnless(CutValues.Warning(table, FrozenTest.Mask(settings, table)) is not null,
            $"the test images of {there} have their own colours: nothing is to be refused");
        Assert.Contains("is not scored", Assert.Throws<KitException>(() => TaskSuite.Open(Ham(), settings)).Message);
    }

    private static TaskDefinition Ham() =>
        TaskSuite.Load(Path.Combine(KitSettings.FromEnvironment().Root, "data"))["ham10000-diagnosis"];
}
