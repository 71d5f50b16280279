using DermKit.Data;

namespace DermKit.Tests.Data;

/// <summary>The adapters of the paper's sets on small trees with the published file names and headers, and what they
/// say of a broken one.</summary>
public sealed class PaperSetTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private string Root => folder.Path;

    private const string FitzHeader = "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,"
        + "three_partition_label,qc,url,url_alphanum";

    private string Fitzpatrick(string second = "fa2911a9b13b6f8af79cb700937cc14f,-1,1,photodermatoses,inflammatory,"
        + "non-neoplastic,1 Diagnostic,https://x/y.jpg,httpsxyjpg.jpg")
    {
        MiniTrees.Write(Root, "fitzpatrick17k.csv", FitzHeader,
            "5e82a45bc5d78bd24ae9202d194423f8,3,3,drug induced pigmentary "
            + "changes,inflammatory,non-neoplastic,,https://x/z.jpg,httpsxzjpg.jpg", second,
            "d2bac3c9e4499032ca8e9b07c7d3bc40,6,5,mycosis fungoides,malignant cutaneous lymphoma,malignant,,,");
        MiniTrees.Images(Root, "data/finalfitz17k/5e82a45bc5d78bd24ae9202d194423f8.jpg",
            "data/finalfitz17k/fa2911a9b13b6f8af79cb700937cc14f.jpg");
        return Root;
    }

    [Fact]
    public void FitzpatrickReadsThreeLevelsOfLabelsAndNamesWhatIsAbsent()
    {
        ImageTable table = Fitzpatrick17k.Load(Fitzpatrick());
        Assert.Equal(["5e82a45bc5d78bd24ae9202d194423f8", "fa2911a9b13b6f8af79cb700937cc14f"], table.Ids);
        Assert.Equal(["d2bac3c9e4499032ca8e9b07c7d3bc40"], table.Absent);
        Assert.Equal(["drug induced pigmentary changes", "photodermatoses"], table.Column("diagnosis"));
        Assert.Equal(["inflammatory", "inflammatory"], table.Column("nine_partition_label"));
        Assert.Equal(["non-neoplastic", "non-neoplastic"], table.Column("three_partition_label"));
        Assert.Equal(["3", null], table.Column("skin_type"));
        Assert.Equal([null, "1 Diagnostic"], table.Column("qc"));
    }

    [Theory]
    [InlineData("x,7,1,a,b,c,,,", "row 3: expected fitzpatrick_scale 1 to 6 or -1, found '7'")]
    [InlineData("x,0,1,a,b,c,,,", "row 3: expected fitzpatrick_scale 1 to 6 or -1, found '0'")]
    [InlineData("x,2,1,,b,c,,,", "row 3: label is empty")]
    public void FitzpatrickNamesTheRow(string row, string expected) =>
        Assert.Contains(expected, Assert.Throws<KitException>(() => Fitzpatrick17k.Load(Fitzpatrick(row))).Message);

    [Theory]
    [InlineData("True")]
    [InlineData("TRUE")]
    public void DdiReadsItsIndexedFile(string malignant)
    {
        MiniTrees.Write(Root, "ddi_metadata.csv", ",DDI_ID,DDI_file,skin_tone,malignant,disease",
            $"0,1,000001.png,56,{malignant},melanoma-in-situ", "1,2,000002.png,12,False,verruca-vulgaris");
        MiniTrees.Images(Root, "images/000001.png", "images/000002.png");
        ImageTable table = Ddi.Load(Root);
        Assert.Equal(["000001", "000002"], table.Ids);
        Assert.Equal(["malignant", "benign"], table.Column("diagnosis"));
        Assert.Equal(["56", "12"], table.Column("skin_tone"));
        Assert.Equal(["melanoma-in-situ", "verruca-vulgaris"], table.Column("disease"));
        string csv = Path.Combine(Root, "ddi_metadata.csv");
        File.WriteAllText(csv, File.ReadAllText(csv).Replace("False", "maybe"));
        Assert.Contains("row 3: expected malignant True or False, found 'maybe'",
            Assert.Throws<KitException>(() => Ddi.Load(Root)).Message);
        File.WriteAllText(csv, File.ReadAllText(csv).Replace("maybe", "False").Replace(",12,", ",1,"));
        Assert.Contains("row 3: expected skin_tone 12, 34 or 56, found '1'",
            Assert.Throws<KitException>(() => Ddi.Load(Root)).Message);
    }

    private const string DermHeader = "case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,"
        + "regression_structures,dots_and_globules,blue_whitish_veil,vascular_structures,"
        + "level_of_diagnostic_difficulty,elevation,location,sex,management,clinic,derm,case_id,notes";

    private string Derm(string sub = "")
    {
        string root = Path.Combine(Root, sub);
        MiniTrees.Write(root, "meta/meta.csv", DermHeader,
            "1,basal cell carcinoma,0,absent,absent,absent,absent,absent,absent,arborizing,medium,nodular,abdomen,"
            + "female,excision,NEL/NEL025.JPG,NEL/Nel026.jpg,,",
            "2,melanoma (less than 0.76 mm),1,absent,absent,absent,absent,irregular,absent,absent,low,palpable,head "
            + "neck,male,excision,NEL/NEL027.JPG,NEL/Nel028.jpg,,",
            "3,melanoma metastasis,1,absent,absent,absent,absent,irregular,absent,absent,low,palpable,head "
            + "neck,male,excision,Adl/Adl388.jpg,Adl/Adl389.jpg,,");
        foreach ((string part, string index) in new[] { ("train", "2"), ("valid", "0"), ("test", "1") })
            MiniTrees.Write(root, $"meta/{part}_indexes.csv", "indexes", index);
        MiniTrees.Images(root, "images/NEL/NEL025.JPG", "images/NEL/Nel026.jpg", "images/NEL/NEL027.JPG",
            "images/Adl/Adl388.jpg", "images/Adl/Adl389.jpg");
        return Root;
    }

    [Theory]
    [InlineData("")]
    [InlineData("release_v0")]
    public void Derm7ptGivesTwoImagesOfACase(string sub)
    {
        Assert.True(Derm7pt.IsIn(Derm(sub)));
        ImageTable table = Derm7pt.Load(Root);
        Assert.Equal(["NEL/NEL025.JPG", "NEL/Nel026.jpg", "NEL/NEL027.JPG", "Adl/Adl388.jpg", "Adl/Adl389.jpg"],
            table.Ids);
        Assert.Equal(["NEL/Nel028.jpg"], table.Absent);
        Assert.Equal(["1", "1", "2", "3", "3"], table.Column("lesion_id"));
        Assert.Equal(["clinical", "dermoscopic", "clinical", "clinical", "dermoscopic"], table.Column("modality"));
        Assert.Equal(["basal cell carcinoma", "basal cell carcinoma", "melanoma", "melanoma metastasis",
            "melanoma metastasis"], table.Column("diagnosis"));
        Assert.Equal(["val", "val", "test", "train", "train"], table.Column("official_split"));
        Assert.Equal(["abdomen", "abdomen", "head neck", "head neck", "head neck"], table.Column("site"));
        Assert.Equal("arborizing", table.Column("vascular_structures")[1]);
    }

    [Theory]
    [InlineData("9", "row 2: expected the number of a row of meta.csv, 0 to 2, found '9'")]
    [InlineData("2", "row 2: case row 2 stands in the train part already")]
    public void Derm7ptNamesAWrongIndex(string index, string expected)
    {
        MiniTrees.Write(Derm(), "meta/valid_indexes.csv", "indexes", index);
        Assert.Contains(expected, Assert.Throws<KitException>(() => Derm7pt.Load(Root)).Message);
    }

    private const string Ph2Header = "||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment "
        + "Network | Dots/Globules | Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||";

    private string Ph2Tree(string row = "|| IMD058 ||              Melanoma ||                  2 ||         2 "
        + "|              AT |             A |       A |                A |                 P ||             4  6 ||",
        string header = Ph2Header)
    {
        MiniTrees.Write(Root, "PH2_dataset.txt", header,
            "|| IMD003 ||                        ||                  0 ||         0 |               T |             A "
            + "|       A |                A |                 A ||                4 ||",
            row, "", "Legends for Clinical Diagnosis:", "0 - Common Nevus;");
        foreach (string id in new[] { "IMD003", "IMD058" })
            MiniTrees.Images(Root, $"PH2 Dataset images/{id}/{id}_Dermoscopic_Image/{id}.bmp",
                $"PH2 Dataset images/{id}/{id}_lesion/{id}_lesion.bmp",
                $"PH2 Dataset images/{id}/{id}_roi/{id}_R1_Label4.bmp");
        return Root;
    }

    [Fact]
    public void Ph2ReadsItsTextTableAndBmpFiles()
    {
        ImageTable table = Ph2.Load(Ph2Tree());
        Assert.Equal(["IMD003", "IMD058"], table.Ids);
        Assert.Equal(["common nevus", "melanoma"], table.Column("diagnosis"));
        Assert.Equal([null, "Melanoma"], table.Column("histology"));
        Assert.Equal(["T", "AT"], table.Column("pigment_network"));
        Assert.Equal(["A", "P"], table.Column("blue_whitish_veil"));
        Assert.Equal(["4", "4  6"], table.Column("colours"));
        Assert.EndsWith("IMD058.bmp", table.Paths[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("|| IMD058 || x || 3 || 0 | T | A | A | A | A || 4 ||",
        "row 3: expected clinical diagnosis 0 (common nevus), 1 (atypical nevus) or 2 (melanoma), found '3'")]
    [InlineData("|| IMD058 || x || 2 || 0 | T | A | A | A || 4 ||", "row 3: expected 6 criteria between |, found 5")]
    [InlineData("|| IMD058 || 2 || 4 ||", "row 3: expected 5 groups between ||, found 3")]
    public void Ph2NamesTheRow(string row, string expected) =>
        Assert.Contains(expected, Assert.Throws<KitException>(() => Ph2.Load(Ph2Tree(row))).Message);

    [Fact]
    public void Ph2RefusesAnotherTable()
    {
        Assert.Contains("row 1: expected the header",
            Assert.Throws<KitException>(() => Ph2.Load(Ph2Tree(header: "|| Image || Diagnosis ||"))).Message);
        MiniTrees.Write(Root, "PH2_dataset.txt", "Name\tClinical Diagnosis", "IMD003\t0");
        Assert.Contains("expected rows that begin with ||", Assert.Throws<KitException>(() => Ph2.Load(Root)).Message);
        File.Delete(Path.Combine(Root, "PH2_dataset.txt"));
        Assert.False(Ph2.IsIn(Root));
        Assert.Contains("its .xlsx is not read", Assert.Throws<KitException>(() => Ph2.Load(Root)).Message);
    }

    [Fact]
    public void FolderSetsTakeTheirClassesFromFolders()
    {
        string sd = Path.Combine(Root, "sd"), med = Path.Combine(Root, "med");
        MiniTrees.Images(sd, "images/Acne_Vulgaris/009514HB.jpg",
            "images/Actinic_solar_Damage(Pigmentation)/000012VB.jpg", "images/Acne_Vulgaris/notes.txt");
        ImageTable table = Sd128.Load(sd);
        Assert.Equal(["Acne_Vulgaris/009514HB.jpg", "Actinic_solar_Damage(Pigmentation)/000012VB.jpg"], table.Ids);
        Assert.Equal(["Acne_Vulgaris", "Actinic_solar_Damage(Pigmentation)"], table.Column("diagnosis"));
        Assert.Equal(["Acne_Vulgaris", "Actinic_solar_Damage"], table.Column("disease"));
        MiniTrees.Images(med, "complete_mednode_dataset/melanoma/1.jpg", "complete_mednode_dataset/naevus/1.jpg");
        Assert.True(MedNode.IsIn(med));
        Assert.Equal(["melanoma/1.jpg", "naevus/1.jpg"], MedNode.Load(med).Ids);
        MiniTrees.Images(med, "complete_mednode_dataset/other/1.jpg");
        Assert.Contains("found some in other/", Assert.Throws<KitException>(() => MedNode.Load(med)).Message);
        Assert.False(MedNode.IsIn(sd));
    }

    private string PassionTree(string subject = "AA00970241,Guinea,7,f,5,Head,1,impetigo,Others",
        string split = "AA00970241,TEST")
    {
        MiniTrees.Write(Root, "label.csv",
            "subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION",
            "AA00970240,Madagascar,4,m,6,Head;Torso,0,atopic dermatitis,Eczema", subject,
            "AA00970242,Guinea,7,f,5,Head,0,x,Scabies");
        MiniTrees.Write(Root, "PASSION_split.csv", "subject_id,Split", "AA00970242,TRAIN", "AA00970240,TRAIN", split);
        MiniTrees.Images(Root, "images/AA00970241_1.jpg", "images/AA00970240_10.jpg", "images/AA00970240_2.jpg");
        return Root;
    }

    [Fact]
    public void PassionJoinsSubjectsWithTheirPhotographsAndSplit()
    {
        ImageTable table = Passion.Load(PassionTree());
        Assert.Equal(["AA00970240_10", "AA00970240_2", "AA00970241_1"], table.Ids);
        Assert.Equal(["AA00970242"], table.Absent);
        Assert.Equal(["AA00970240", "AA00970240", "AA00970241"], table.Column("patient_id"));
        Assert.Equal(["Eczema", "Eczema", "Others"], table.Column("diagnosis"));
        Assert.Equal(["0", "0", "1"], table.Column("impetig"));
        Assert.Equal(["train", "train", "test"], table.Column("split"));
        Assert.Equal(["6", "6", "5"], table.Column("skin_type"));
        Assert.Equal(["atopic dermatitis", "atopic dermatitis", "impetigo"], table.Column("clinical_diagnosis"));
        Assert.Equal(["Head;Torso", "Head;Torso", "Head"], table.Column("site"));
    }

    [Theory]
    [InlineData("AA00970241,Guinea,7,f,5,Head,2,impetigo,Others", "AA00970241,TEST",
        "label.csv, row 3: impetig is '2'")]
    [InlineData("AA00970241,Guinea,7,f,5,Head,1,impetigo,Other", "AA00970241,TEST",
        "label.csv, row 3: expected conditions_PASSION Eczema, Fungal, Others, Scabies, found 'Other'")]
    [InlineData("AA00970241,Guinea,7,f,5,Head,1,impetigo,Others", "AA00970249,TEST",
        "label.csv, row 3: subject 'AA00970241' is not in PASSION_split.csv")]
    [InlineData("AA00970241,Guinea,7,f,5,Head,1,impetigo,Others", "AA00970241,VALID",
        "PASSION_split.csv, row 4: expected Split TRAIN or TEST, found 'VALID'")]
    [InlineData("AA00970240,Guinea,7,f,5,Head,1,impetigo,Others", "AA00970241,TEST",
        "label.csv, row 3: subject 'AA00970240' stands here for the second time")]
    [InlineData("AA00970249,Guinea,7,f,5,Head,1,impetigo,Others", "AA00970249,TEST",
        "AA00970241_1.jpg: expected the photograph of a subject")]
    public void PassionNamesFileAndRow(string subject, string split, string expected) =>
        Assert.Contains(expected, Assert.Throws<KitException>(() => Passion.Load(PassionTree(subject, split))).Message);

    [Fact]
    public void HamReadsTheDataversesTabFiles()
    {
        MiniTrees.Write(Root, "HAM10000_metadata.tab",
            "lesion_id\timage_id\tdx\tdx_type\tage\tsex\tlocalization\tdataset",
            "\"HAM_0000118\"\t\"ISIC_0027419\"\t\"bkl\"\t\"histo\"\t80.0\t\"male\"\t\"scalp\"\t\"vidir_modern\"");
        MiniTrees.Write(Root, "ISIC2018_Task3_Test_GroundTruth.tab",
            "lesion_id\timage_id\tdx\tdx_type\tage\tsex\tlocalization\tdataset",
            "\"HAMTEST_0000000\"\t\"ISIC_0034524\"\t\"nv\"\t\"follow_up\"\t40.0\t\"female\"\t\"back\"\t"
            + "\"vidir_molemax\"", "\"HAMTEST_0000001\"\t\"ISIC_0035068\"\t\"nv\"\t\"\"\t\t\"\"\t\"\"\t\"\"");
        MiniTrees.Images(Root, "HAM10000_images_part_1/ISIC_0027419.jpg",
            "ISIC2018_Task3_Test_Images/ISIC_0034524.jpg");
        Assert.True(Ham10000.IsIn(Root));
        ImageTable table = Ham10000.Load(Root);
        Assert.Equal(["ISIC_0027419", "ISIC_0034524"], table.Ids);
        Assert.Equal(["ISIC_0035068"], table.Absent);
        Assert.Equal(["bkl", "nv"], table.Column("diagnosis"));
        Assert.Equal(["HAM_0000118", "HAMTEST_0000000"], table.Column("lesion_id"));
        Assert.Equal(["vidir_modern", "vidir_molemax"], table.Column("dataset"));
    }
}
