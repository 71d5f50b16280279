using DermKit.Studies;
using DermKit.Data;
using DermKit.Evaluation;

namespace DermKit.Tests.Data;

/// <summary>What stands for a missing value is none anywhere: no id, no label, no skin type, no metadata.</summary>
public sealed class MissingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string> Words => ["", "nan", "NaN", "None", "NA", "<NA>", "null", "NULL",
        "\" nan \"", "n/a"];

    private ImageTable Load(Func<string, ImageTable> adapter, string file, params string[] lines)
    {
        MiniTrees.Write(folder.Path, file, lines);
        return adapter(folder.Path);
    }

    private void Refuses(Func<string, ImageTable> adapter, string file, string expected, params string[] lines)
    {
        string message = Assert.Throws<KitException>(() => Load(adapter, file, lines)).Message;
        Assert.StartsWith(Path.Combine(folder.Path, file), message, StringComparison.Ordinal);
        Assert.Contains(expected, message);
    }

    [Theory]
    [MemberData(nameof(Words))]
    public void AnOwnCsvNeedsLabelsAndIdsAndNothingElse(string word)
    {
        MiniTrees.Images(folder.Path, "a.jpg", "b.jpg");
        Func<string, ImageTable> adapter = f => GenericCsv.Load(Path.Combine(f, "labels.csv"), "mine");
        Refuses(adapter, "labels.csv", "row 3: label is ", "image,label", "a.jpg,x", $"b.jpg,{word}");
        foreach (string id in new[] { "patient_id", "lesion_id" })
            Refuses(adapter, "labels.csv", $"row 3: {id} is ", $"image,label,{id}", "a.jpg,x,1", $"b.jpg,y,{word}");
        ImageTable table = Load(adapter, "labels.csv", "image,label,age,skin_type", "a.jpg,x,31,5",
            $"b.jpg,y,{word},{word}");
        Assert.Equal(["31", null], table.Column("age"));
        Assert.Equal([null, "V"], new[] { table.Column("skin_type")[1], SkinTypes.Type(table.Column("skin_type")[0]) });
        Assert.Null(SkinTypes.Type(word.Trim('"')));
        Assert.Equal([0.5, 0],
            MetadataGroup.Recorded(Load(adapter, "labels.csv", "image,label,age,sex", "a.jpg,x,31,UNK",
                $"b.jpg,y,{word},{word}"), [new("all", ["age"], ["sex"])]));
    }

    [Theory]
    [MemberData(nameof(Words))]
    public void TheAdaptersNameTheRow(string word)
    {
        MiniTrees.Images(folder.Path, "PAT_1_7_10.png", "000001.png", "ISIC_0027419.jpg", "ISIC_0034524.jpg",
            "images/a.jpg", "images/b.jpg", "S1_1.jpg", "5e82.jpg", "IMD003.bmp");
        string Pad(string patient = "PAT_1", string lesion = "7", string diagnosis = "NEV", string type = "2.0",
            string image = "PAT_1_7_10.png") => MiniTrees.PadRow(patient, lesion, diagnosis, type, image);
        foreach ((string row, string expected) in new[]
            { (Pad(patient: word), "row 2: expected a patient_id"), (Pad(lesion: word),
                "row 2: lesion_id is "), (Pad(diagnosis: word), "row 2: expected diagnostic"),
                (Pad(image: word), "row 2: img_id is ") })
            Refuses(PadUfes20.Load, "metadata.csv", expected, MiniTrees.PadHeader, row);
        ImageTable pad = Load(PadUfes20.Load, "metadata.csv", MiniTrees.PadHeader,
            Pad(type: word).Replace("NECK", word).Replace("FEMALE", word).Replace(",55,", $",{word},"));
        Assert.All(new[] { "skin_type", "site", "sex", "age" }, column => Assert.Equal([null], pad.Column(column)));

        const string Ddi = ",DDI_ID,DDI_file,skin_tone,malignant,disease";
        Refuses(DermKit.Data.Ddi.Load, "ddi_metadata.csv", "row 2: DDI_file is ", Ddi, $"0,1,{word},56,True,x");
        Refuses(DermKit.Data.Ddi.Load, "ddi_metadata.csv", "row 2: expected malignant True or False", Ddi,
            $"0,1,000001.png,56,{word},x");
        Assert.Equal([null, null],
            new[]
            {
                "skin_tone", "disease"
            }.Select(c => Load(DermKit.Data.Ddi.Load, "ddi_metadata.csv", Ddi, $"0,1,000001.png,{word},True,{word}")
                .Column(c)[0]));

        MiniTrees.Write(folder.Path, "ISIC2018_Task3_Test_GroundTruth.csv", "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC",
            "ISIC_0034524,0,1,0,0,0,0,0");
        const string Ham = "lesion_id,image_id,dx,dx_type,age,sex,localization";
        foreach ((string row, string expected) in new[]
        {
            ($"{word},ISIC_0027419,bkl,histo,80.0,male,scalp", "row 2: lesion_id is "),
            ($"HAM_1,{word},bkl,histo,80.0,male,scalp", "row 2: image_id is "),
            ($"HAM_1,ISIC_0027419,{word},histo,80.0,male,scalp", "row 2: expected dx")
        })
            Refuses(Ham10000.Load, "HAM10000_metadata.csv", expected, Ham, row);
        ImageTable ham = Load(Ham10000.Load, "HAM10000_metadata.csv", Ham,
            $"HAM_1,ISIC_0027419,bkl,histo,{word},{word},{word}");
        // The one-hot ground truth has no lesion: its image stands for itself.
        Assert.Equal(["HAM_1", null], ham.Column("lesion_id"));
        Assert.All(new[] { "age", "sex", "site" }, column => Assert.Equal([null, null], ham.Column(column)));

        foreach ((string row, string column) in new[]
        {
            ($"{word},nevus,a.jpg,b.jpg", "case_num"), ($"1,{word},a.jpg,b.jpg", "diagnosis"),
            ($"1,nevus,{word},b.jpg", "clinic"), ($"1,nevus,a.jpg,{word}", "derm")
        })
            Refuses(Derm7pt.Load, "meta/meta.csv", $"row 2: {column} is ", "case_num,diagnosis,clinic,derm", row);

        const string Fitz = "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,"
            + "three_partition_label,qc,url,url_alphanum";
        foreach ((string row, string column) in new[]
        {
            ($"{word},1,1,a,b,c,,,", "md5hash"), ($"5e82,1,1,{word},b,c,,,", "label"),
            ($"5e82,1,1,a,{word},c,,,", "nine_partition_label"), ($"5e82,1,1,a,b,{word},,,", "three_partition_label")
        })
            Refuses(Fitzpatrick17k.Load, "fitzpatrick17k.csv", $"row 2: {column} is ", Fitz, row);
        Assert.Equal([null],
            Load(Fitzpatrick17k.Load, "fitzpatrick17k.csv", Fitz, $"5e82,{word},{word},a,b,c,,,").Column("skin_type"));

        MiniTrees.Write(folder.Path, "PASSION_split.csv", "subject_id,Split", "S1,TRAIN");
        Refuses(Passion.Load, "label.csv", "row 2: subject_id is ",
            "subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION",
            $"{word},G,7,f,5,Head,1,x,Others");
        Refuses(Passion.Load, "label.csv", "row 2: expected conditions_PASSION",
            "subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION",
            $"S1,G,7,f,5,Head,1,x,{word}");
        Refuses(Passion.Load, "label.csv", "row 2: impetig is ",
            "subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION",
            $"S1,G,7,f,5,Head,{word},x,Others");

        Refuses(Isic2017.Load, "metadata.csv", "row 2: image_id is ", "image_id,split,melanoma,seborrheic_keratosis",
            $"{word},train,0,0");
        Refuses(Isic2017.Load, "metadata.csv", "row 2: melanoma is ", "image_id,split,melanoma,seborrheic_keratosis",
            $"ISIC_0027419,train,{word},0");
    }

    [Fact]
    public void OnlyWholeWordsAreMissing()
    {
        Assert.All(new[] { "nano", "Nana", "NAB", "none of these", "0", "-1", "unknown" },
            text => Assert.False(Missing.Is(text)));
        Assert.Equal("None such", Missing.Known("None such"));
        Assert.All(new string?[] { null, " ", "\t", " None\n" }, text => Assert.Null(Missing.Known(text)));
        // A frame of numbers says it in its own way.
        var frame = new Microsoft.Data.Analysis.DataFrame(new Microsoft.Data.Analysis.StringDataFrameColumn("image",
            ["/a", "/b"]), new Microsoft.Data.Analysis.StringDataFrameColumn("image_id", ["a", "b"]),
            new Microsoft.Data.Analysis.DoubleDataFrameColumn("age", [double.NaN, 4]));
        Assert.Equal([null, "4"], new ImageTable("mine", frame).Column("age"));
    }
}
