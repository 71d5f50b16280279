using DermKit.Data;

namespace DermKit.Tests.Data;

public sealed class AdapterTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void PadTakesPngAndJpgAndKeepsLesionsOfPatientsApart()
    {
        ImageTable table = PadUfes20.Load(MiniTrees.Pad(folder.Path));
        Assert.Equal(["PAT_1_7_10", "PAT_2_7_11", "PAT_3_9_13"], table.Ids);
        Assert.Equal(["PAT_2_7_12"], table.Absent);
        Assert.Equal(["PAT_1/7", "PAT_2/7", "PAT_3/9"], table.Column("lesion_id"));
        Assert.Equal([null, "2", "4"], table.Column("skin_type"));
        Assert.Equal(["NEV", "BCC", "MEL"], table.Column("diagnosis"));
        Assert.Equal(["clinical", "clinical", "clinical"], table.Column("modality"));
        Assert.Equal(["NECK", "NECK", "NECK"], table.Column("site"));
        Assert.EndsWith("PAT_3_9_13.JPG", table.Paths[2], StringComparison.Ordinal);
        Assert.All(table.Paths, p => Assert.True(Path.IsPathFullyQualified(p) && File.Exists(p)));
    }

    [Fact]
    public void IsicReadsTheMergedFileAndTheChallengesOwnAlike()
    {
        string official = Path.Combine(folder.Path, "official");
        foreach ((string part, string[] rows) in new[]
        {
            ("Training", new[] { "ISIC_0000000,0.0,0.0", "ISIC_0000002,1.0,0.0" }),
            ("Validation", ["ISIC_0001769,0.0,1.0"]), ("Test_v2", ["ISIC_0012086,0.0,0.0"]),
        })
        {
            MiniTrees.Write(official, $"ISIC-2017_{part}_Part3_GroundTruth.csv",
                ["image_id,melanoma,seborrheic_keratosis", .. rows]);
            MiniTrees.Images(official,
                [.. rows.Select(r => $"ISIC-2017_{part}_Data/{r[..12]}.jpg"),
                    .. rows.Select(r => $"ISIC-2017_{part}_Data/{r[..12]}_superpixels.png")]);
        }
        ImageTable merged = Isic2017.Load(MiniTrees.Isic(Path.Combine(folder.Path, "merged"))),
            own = Isic2017.Load(official);
        foreach (string column in new[] { "image_id", "split", "diagnosis" })
            Assert.Equal(merged.Column(column), own.Column(column));
        Assert.Equal(["nevus", "melanoma", "seborrheic_keratosis", "nevus"], own.Column("diagnosis"));
        Assert.Equal(["55", null, null, null], merged.Column("age"));
        Split split = Splits.Official(own);
        Assert.Equal([0, 1, 2], split.Train);
        Assert.Equal([3], split.Test);
    }

    [Theory]
    [InlineData("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC", "ISIC_0034524,0.0,0.0,0.0,1.0,0.0,0.0,0.0")]
    [InlineData("lesion_id,image_id,dx,dx_type,age,sex,localization,dataset",
        "HAM_9,ISIC_0034524,akiec,histo,40,male,back,vidir_modern")]
    public void HamReadsBothFormsOfTheTestLabels(string header, string row)
    {
        MiniTrees.Write(folder.Path, "HAM10000_metadata.csv", "lesion_id,image_id,dx,dx_type,age,sex,localization",
            "HAM_1,ISIC_0027419,bkl,histo,80.0,male,scalp", "HAM_1,ISIC_0025030,bkl,histo,80.0,unknown,scalp");
        MiniTrees.Write(folder.Path, "ISIC2018_Task3_Test_GroundTruth.csv", header, row);
        MiniTrees.Images(folder.Path, "images/ISIC_0027419.jpg", "images/ISIC_0025030.jpg",
            "test_images/ISIC_0034524.jpg");
        ImageTable table = Ham10000.Load(folder.Path);
        Assert.Equal(["bkl", "bkl", "akiec"], table.Column("diagnosis"));
        Assert.Equal(["train", "train", "test"], table.Column("split"));
        Assert.Equal(["HAM_1", "HAM_1", header.Contains("lesion_id") ? "HAM_9" : null], table.Column("lesion_id"));
        Assert.Equal(["male", null, header.Contains("lesion_id") ? "male" : null], table.Column("sex"));
    }

    [Fact]
    public void HamIsReadFromTheFolderOfLesionsFirstAndComparedWithTheManifestOfItsFolder()
    {
        KitSettings settings = KitSettings.FromEnvironment() with { DataDir = folder.Path };
        foreach ((string name, string manifest, int images) in new[]
            { (Ham10000.Name, "dataverse", 11527), (Ham10000.Lesions, "lesions", 7496) })
        {
            MiniTrees.Write(folder.Path, $"{name}/HAM10000_metadata.csv", "lesion_id,image_id,dx", "HAM_1,a,bkl");
            MiniTrees.Write(folder.Path, $"{name}/ISIC2018_Task3_Test_GroundTruth.csv", "lesion_id,image_id,dx",
                "HAM_2,b,nv");
            MiniTrees.Images(folder.Path, $"{name}/a.jpg", $"{name}/b.jpg");
            Assert.Equal(Path.Combine(folder.Path, name), DataSetCatalog.Folder(settings, Ham10000.Name));
            Assert.Equal((2, images), DataSetCatalog.Files(settings, Ham10000.Name));
            Assert.StartsWith($"ham10000 is not the data of manifest '{manifest}'",
                Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, Ham10000.Name)).Message);
        }
        Assert.Contains("looked for ham10000-lesions/, ham10000/ in", Assert.Throws<KitException>(() =>
            DataSetCatalog.Load(MiniTrees.Settings(Path.Combine(folder.Path, "x")), Ham10000.Name)).Message);
    }

    [Fact]
    public void GenericCsvIsRelativeToItselfAndKeepsFurtherColumns()
    {
        MiniTrees.Images(folder.Path, "set/a.jpg", "set/more/b.png");
        string csv = MiniTrees.Write(folder.Path, "set/labels.csv", "\uFEFFimage,label,split,patient_id,camera",
            "a.jpg,\"nevus, common\",TRAIN,p1,x\r", "more/b.png,melanoma,test,p2,\r");
        ImageTable table = GenericCsv.Load(csv, "mine");
        Assert.Equal(["nevus, common", "melanoma"], table.Column("label"));
        Assert.Equal(table.Column("label"), table.Column("diagnosis"));
        Assert.Equal(["train", "test"], table.Column("split"));
        Assert.Equal(["x", null], table.Column("camera"));
        Assert.Equal(["a.jpg", "more/b.png"], table.Ids);
        Assert.Equal(Path.Combine(folder.Path, "set", "more", "b.png"), table.Paths[1]);
    }

    [Fact]
    public void AnyFolderWithLabelsCsvIsADataSet()
    {
        KitSettings settings = MiniTrees.Settings(folder.Path);
        MiniTrees.Images(settings.DataDir, "clinic/a.jpg", "clinic/b.jpg");
        string csv = MiniTrees.Write(settings.DataDir, "clinic/labels.csv", "image,label", "a.jpg,x", "b.jpg,y");
        Assert.True(DataSetCatalog.IsPresent(settings, "clinic"));
        Assert.Equal(2, DataSetCatalog.Load(settings, "clinic").Count);
        Assert.False(DataSetCatalog.IsPresent(settings, "other"));
        Assert.Contains("'other' is not here",
            Assert.Throws<KitException>(() => DataSetCatalog.Load(settings, "other")).Message);

        string before = DataSetCatalog.Hash(Path.GetDirectoryName(csv)!);
        Assert.Equal(before, DataSetCatalog.Hash(Path.GetDirectoryName(csv)!));
        File.AppendAllText(Path.Combine(settings.DataDir, "clinic", "b.jpg"), "x");
        string changedImage = DataSetCatalog.Hash(Path.GetDirectoryName(csv)!);
        File.AppendAllText(csv, "\n");
        Assert.Equal(3,
            new[] { before, changedImage, DataSetCatalog.Hash(Path.GetDirectoryName(csv)!) }.Distinct().Count());
    }

    [Fact]
    public void RowsAndConcatKeepEveryColumnWithItsImage()
    {
        ImageTable pad = PadUfes20.Load(MiniTrees.Pad(Path.Combine(folder.Path, "pad"))).Rows([2, 0]),
            isic = Isic2017.Load(MiniTrees.Isic(Path.Combine(folder.Path, "isic")));
        Assert.Equal(["PAT_3_9_13", "PAT_1_7_10"], pad.Ids);
        Assert.Equal(["MEL", "NEV"], pad.Column("diagnosis"));
        Assert.Equal(["4", null], pad.Column("skin_type"));
        ImageTable both = ImageTable.Concat("both", pad, isic);
        Assert.Equal((6, 2), (both.Count, both.Column("patient_id").OfType<string>().Count()));
        Assert.Equal(["pad-ufes-20", "pad-ufes-20", "isic2017", "isic2017", "isic2017", "isic2017"],
            both.Column("source"));
        Assert.Contains("did you mean 'diagnosis'", Assert.Throws<KitException>(() => both.Column("diagnosi")).Message);
    }

    [Theory]
    [InlineData(Isic2017.Name, 2750)]
    [InlineData(PadUfes20.Name, 774)]
    [InlineData(Ham10000.Name, 7496)]
    public void RealSetsMatchTheirManifests(string set, int images)
    {
        KitSettings settings = RealData.Need(set);
        ImageTable table = DataSetCatalog.Load(settings, set);
        Assert.Equal(images, table.Count);
        Assert.Equal(64, DataSetCatalog.Hash(DataSetCatalog.Folder(settings, set)!).Length);
    }
}
