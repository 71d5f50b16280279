using DermKit.Data;
using DermKit.Tests.Data;

namespace DermKit.Tests.Faults;

public sealed class CsvFaults : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("", "expected a header row, found an empty file")]
    [InlineData("image;label\na.jpg;x\n",
        "row 1: expected fields separated by commas, found ';' in 'image;label'; save the file with commas")]
    [InlineData("image\tlabel\na.jpg\tx\n", "row 1: expected fields separated by commas, found tabs")]
    [InlineData("a,b\n1,2\n3\n", "row 3: expected 2 fields as in the header, found 1")]
    [InlineData("a,b\n1,2,3\n", "row 2: expected 2 fields as in the header, found 3")]
    [InlineData("a,b,a\n", "row 1: column 'a' stands twice in the header")]
    [InlineData("a,b\n1,\"2\n", "row 2: a quote is opened and never closed")]
    [InlineData("a,b\n1,2\"x\"\n", "row 2: a quote inside a field")]
    [InlineData("a,b\n\"1\"x,2\n", "row 2: text after a closing quote")]
    [InlineData("a,b\n\"1\n1\",2\n3\n", "row 4: expected 2 fields")]
    public void ABrokenFileIsNamedWithItsRow(string text, string expected)
    {
        string path = Path.Combine(folder.Path, "broken.csv");
        File.WriteAllText(path, text);
        string message = Assert.Throws<KitException>(() => CsvFile.Read(path)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void ATabFileWithCommasIsNamed()
    {
        string path = Path.Combine(folder.Path, "HAM10000_metadata.tab");
        File.WriteAllText(path, "lesion_id,image_id\n1,2\n");
        Assert.Contains("expected fields separated by tabs, found ','",
            Assert.Throws<KitException>(() => CsvFile.Read(path)).Message);
    }

    [Fact]
    public void OtherEncodingsAndAbsentFilesAreNamed()
    {
        string path = Path.Combine(folder.Path, "latin.csv");
        Assert.Contains("found none", Assert.Throws<KitException>(() => CsvFile.Read(path)).Message);
        File.WriteAllBytes(path, [(byte)'a', (byte)'\n', 0xE9, (byte)'\n']);
        Assert.Contains("expected UTF-8", Assert.Throws<KitException>(() => CsvFile.Read(path)).Message);
    }

    [Fact]
    public void QuotesByteOrderMarkAndLineEndsAreRead()
    {
        string path = Path.Combine(folder.Path, "good.csv");
        File.WriteAllText(path, "\uFEFFid,text\r\n\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n 2 ,\"\"\r\n3,x");
        CsvFile file = CsvFile.Read(path);
        Assert.Equal(["id", "text"], file.Columns);
        Assert.Equal(["1", "2", "3"], file.Column("id"));
        Assert.Equal(["a, \"b\"\r\nc", "", "x"], file.Column("text"));
        Assert.Contains("row 5: wrong", file.Error(1, "wrong").Message);
        Assert.Contains("did you mean 'text'", Assert.Throws<KitException>(() => file.Column("txt")).Message);
    }

    [Theory]
    [InlineData("label\nx\n", "row 1: expected a column 'image'")]
    [InlineData("image,lable\na.jpg,x\n", "row 1: expected a column 'label'")]
    [InlineData("image,label\na.jpg,x\nb.jpg, \n", "row 3: label is empty")]
    [InlineData("image,label,patient_id\na.jpg,x,\n", "row 2: patient_id is empty")]
    [InlineData("image,label,split\na.jpg,x,tset\n", "row 2: split is 'tset'; expected train, val or test")]
    [InlineData("image,label\na.jpg,x\n./a.jpg,y\n", "row 3: image './a.jpg' stands here for the second time")]
    [InlineData("image,label\na.jpg,x\nnone.jpg,y\n", "row 3: image 'none.jpg' is not there")]
    [InlineData("image,label\n,x\n", "row 2: the image is empty")]
    public void AGenericCsvNamesFileAndRow(string text, string expected)
    {
        MiniTrees.Images(folder.Path, "a.jpg", "b.jpg");
        string path = Path.Combine(folder.Path, "labels.csv");
        File.WriteAllText(path, text);
        string message = Assert.Throws<KitException>(() => GenericCsv.Load(path, "mine")).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message);
    }

    [Theory]
    [InlineData("0.0,0.0,nevus", "1.0,1.0,nevus", "row 2: melanoma and seborrheic_keratosis are both 1")]
    [InlineData("1.0,0.0,melanoma", "yes,0.0,melanoma", "row 3: melanoma is 'yes'; expected 0 or 1")]
    [InlineData("ISIC_0001769,val", "ISIC_0001769,", "row 4: expected split train, val or test, found ''")]
    public void IsicNamesTheRow(string old, string altered, string expected) =>
        Fault(MiniTrees.Isic(folder.Path), old, altered, expected, f => Isic2017.Load(f));

    [Theory]
    [InlineData(",MEL,", ",MELANOMA,", "row 5: expected diagnostic ACK, BCC, MEL, NEV, SCC, SEK, found 'MELANOMA'")]
    [InlineData("4.0", "7.0", "row 5: expected fitspatrick 1 to 6 or empty, found '7.0'")]
    [InlineData("PAT_1,7", ",7", "row 2: expected a patient_id")]
    [InlineData("diagnostic", "diagnosis", "row 1: expected a column 'diagnostic'")]
    public void PadNamesTheRow(string old, string altered, string expected) =>
        Fault(MiniTrees.Pad(folder.Path), old, altered, expected, f => PadUfes20.Load(f));

    [Fact]
    public void OneImageInTwoPlacesIsRefused()
    {
        MiniTrees.Images(MiniTrees.Pad(folder.Path), "copy/PAT_2_7_11.jpg");
        Assert.Contains("the same image is also at",
            Assert.Throws<KitException>(() => PadUfes20.Load(folder.Path)).Message);
    }

    private static void Fault(string tree, string old, string altered, string expected, Action<string> load)
    {
        string csv = Path.Combine(tree, "metadata.csv"), text = File.ReadAllText(csv);
        int at = text.IndexOf(old, StringComparison.Ordinal);
        Assert.True(at >= 0);
        File.WriteAllText(csv, text.Remove(at, old.Length).Insert(at, altered));
        string message = Assert.Throws<KitException>(() => load(tree)).Message;
        Assert.StartsWith(csv, message, StringComparison.Ordinal);
        Assert.Contains(expected, message);
    }
}
