using DermKit.Data;
using DermKit.Imaging;
using DermKit.Tests.Imaging;
using DermKit.Studies;

namespace DermKit.Tests.Cli;

/// <summary>kit data as a user types it.</summary>
public sealed class DataCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private Task<(int Code, string Out, string Error)> Run(params string[] arguments) =>
        KitProcess.Run(["data", .. arguments],
            new Dictionary<string, string>
            {
                ["KIT_DATA_DIR"] = folder.Path,
                ["KIT_CACHE_DIR"] = KitSettings.FromEnvironment().CacheDir,
                ["OMP_NUM_THREADS"] = "1"
            });

    [Fact]
    public async Task ADownloadedFileThatWasAlteredIsNamed()
    {
        FixtureSets.Write(KitSettings.FromEnvironment(), folder.Path, "fitzpatrick17k");
        Assert.Equal(0, (await Run("check", "fitzpatrick17k")).Code);
        File.Delete(Path.Combine(folder.Path, "fitzpatrick17k", DataSetCatalog.FixtureMark));
        (int code, string text, _) = await Run("check", "fitzpatrick17k");
        Assert.Equal(1, code);
        Assert.Matches(
            @"FAIL  fitzpatrick17k: \S*fitzpatrick17k.csv: altered, expected SHA-256 851dfaab[0-9a-f]{56}, found [0-9a-f]{64}; move it away and get it again with kit data fetch fitzpatrick17k --accept-licence --file fitzpatrick17k.csv", text);
    }

    [Fact]
    public async Task NearDuplicatesAreListedWithinASetAndBetweenTwo()
    {
        foreach ((string set, int[] images) in new[] { ("one", new[] { 1, 2, 3, 1 }), ("two", [4, 2]) })
        {
            string at = Directory.CreateDirectory(Path.Combine(folder.Path, set)).FullName;
            for (int i = 0; i < images.Length; i++)
                File.WriteAllBytes(Path.Combine(at, $"{set}{i}.png"),
                    ImageCodec.EncodePng(TestImages.Draw(96, 80, images[i])));
            File.WriteAllLines(Path.Combine(at, "labels.csv"),
                ["image,label", .. images.Select((_, i) => $"{set}{i}.png,{i % 2}")]);
        }
        (int code, string text, string error) = await Run("duplicates", "one");
        Assert.True(code == 0, text + error);
        Assert.Contains("1 pairs within one (4 images)", text);
        Assert.Matches(@"one0\S* .*one3", text);
        (code, text, error) = await Run("duplicates", "one", "two");
        Assert.True(code == 0, text + error);
        Assert.Contains("1 pairs between one (4 images) and two (2)", text);
        Assert.Matches(@"one1\S* .*two1", text);
        (code, _, error) = await Run("duplicates", "one", "tow");
        Assert.Equal(2, code);
        Assert.Contains("tow", error);
    }

    [Fact]
    public async Task SetsAreListedDescribedAndChecked()
    {
        FixtureSets.Write(KitSettings.FromEnvironment(), folder.Path, "ph2", "med-node");
        (int code, string text, string error) = await Run("list");
        Assert.True(code == 0, text + error);
        string[] lines = text.Trim().Split('\n');
        Assert.Equal(20, lines.Length);
        Assert.Contains(lines,
            l => l.StartsWith("monet ", StringComparison.Ordinal)
                && l.Contains("licence: none stated with the weights"));
        Assert.Contains(lines, l => l.StartsWith("ph2 ", StringComparison.Ordinal) && l.Contains("FIXTURE in"));
        Assert.Contains(lines, l => l.StartsWith("ddi ", StringComparison.Ordinal) && l.Contains("absent"));

        (code, text, error) = await Run("card", "fitzpatrick17k");
        Assert.True(code == 0, text + error);
        foreach (string part in new[]
        {
            "licence:  CC BY-NC-SA 3.0", "4104341 bytes",
            "851dfaabf1791c2a8b1c2957619f3e0673cf0002f4ce924a5c02d185c7d4a1cd", "manifest: full, 16577 images",
            "task:     fitzpatrick17k-low"
        })
            Assert.Contains(part, text);
        (code, text, error) = await Run("card", "resnet50-imagenet");
        Assert.True(code == 0, text + error);
        foreach (string part in new[]
        {
            "licence:  BSD-3-Clause", "102530333 bytes",
            "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
            "https://download.pytorch.org/models/resnet50-0676ba61.pth"
        }) Assert.Contains(part, text);
        (code, _, error) = await Run("card", "fitzpatrik");
        Assert.Equal(2, code);
        Assert.Contains("did you mean 'fitzpatrick17k'?", error);

        (code, text, error) = await Run("check", "--pixels");
        Assert.True(code == 0, text + error);
        Assert.Contains("PASS  ph2: 30 images (FIXTURE)", text);
        File.WriteAllText(Directory.GetFiles(Path.Combine(folder.Path, "ph2"), "IMD002.bmp",
            SearchOption.AllDirectories)[0], "no image");
        File.WriteAllText(Path.Combine(folder.Path, "med-node", DataSetCatalog.FixtureMark + ".off"), "");
        File.Delete(Path.Combine(folder.Path, "med-node", DataSetCatalog.FixtureMark));
        (code, text, _) = await Run("check", "--pixels");
        Assert.Equal(1, code);
        Assert.Contains("FAIL  ph2: 30 images", text);
        Assert.Contains("IMD002: ", text);
        Assert.Contains("FAIL  med-node: med-node is not the data of manifest 'full': expected 170 images, found 26",
            text);
    }

    [Fact]
    public async Task NothingIsFetchedWithoutTheLicenceOrWithoutTheUser()
    {
        (int code, string text, string error) = await Run("fetch", "fitzpatrick17k");
        Assert.Equal(2, code);
        Assert.Contains("licence:  CC BY-NC-SA 3.0", text);
        Assert.Contains("add --accept-licence", error);
        (code, text, error) = await Run("fetch", "vit-tiny-dino-paper");
        Assert.Equal(2, code);
        Assert.Contains("licence:  none stated", text);
        Assert.Contains("add --accept-licence", error);
        (code, _, error) = await Run("fetch", "clip-openai", "--accept-licence");
        Assert.Equal(2, code);
        Assert.Contains("Name one of the three with --file", error);
        (code, _, error) = await Run("fetch", "passion", "--accept-licence");
        Assert.Equal(2, code);
        Assert.Contains("cannot be fetched without you: Fill in the request form", error);
        (code, _, error) = await Run("fetch", "med-node", "--accept-licence", "--file", "MED-NODE_cleaned_list.csv");
        Assert.Equal(2, code);
        Assert.Contains("did you mean 'MED-NODE_cleaned_file_list.csv'?", error);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }
}
