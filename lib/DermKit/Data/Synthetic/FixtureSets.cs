using DermKit.Imaging;
using System.Runtime.InteropServices;

namespace DermKit.Data;

/// <summary>Stand-ins for the sets of the paper's twelve tasks: real names and headers, drawn images, invented labels;
/// results are stamped FIXTURE.</summary>
internal static class FixtureSets
{
    public const string Mark = "FIXTURE";

    private const int Photos = 96, Size = 112;

    private static readonly Dictionary<string, Action<Tree>> Writers = new()
    {
        [MedNode.Name] = tree =>
            tree.Each(26, i => tree.Image($"{(i % 2 == 0 ? "melanoma" : "naevus")}/{19085 + 7 * i}.jpg")),
        [Ph2.Name] = tree => tree.Table("PH2_dataset.txt", "|| Name || Histological Diagnosis || Clinical Diagnosis || "
            + "Asymmetry | Pigment Network | Dots/Globules | Streaks | Regression Areas | Blue-Whitish Veil || "
            + "Colors ||", 30, i =>
            {
                string id = $"IMD{i + 2:D3}", folder = $"PH2 Dataset images/{id}/{id}";
                tree.Image($"{folder}_Dermoscopic_Image/{id}.bmp");
                tree.Image($"{folder}_lesion/{id}_lesion.bmp");
                return $"|| {id} ||  || {i % 3} || 0 | T | A | A | A | A || 3  4 ||";
            }),
        [Ddi.Name] = tree => tree.Table("ddi_metadata.csv", ",DDI_ID,DDI_file,skin_tone,malignant,disease", 40, i =>
            $"{i},{i + 1},{tree.Image($"images/{i + 1:D6}.png")}.png,{i % 3 * 22 + 12},"
                + (i % 4 == 0 ? "True,melanoma" : "False,melanocytic-nevi")),
        [Derm7pt.Name] = Derm7ptTree,
        [PadUfes20.Name] = PadTree,
        [Sd128.Name] = tree =>
        {
            foreach (string disease in tree.Classes(Sd128.Name, "cleaned"))
                tree.Each(3, i => tree.Image($"images/{disease}/{tree.Random.Below(100000):D6}{i}HB.jpg"));
        },
        [Passion.Name] = tree =>
        {
            static string Subject(int i) => $"AA{970240 + i:D8}";
            tree.Table("label.csv",
                "subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION", 48, i =>
                {
                    tree.Each(1 + i % 3, n => tree.Image($"images/{Subject(i)}_{n}.jpg"));
                    return $"{Subject(i)},{(i % 2 == 0 ? "Madagascar" : "Guinea")},{2 + i % 60},"
                        + $"{(i % 3 == 0 ? "m" : "f")},{3 + i % 4},Head;Torso,{(i / 4 % 3 == 0 ? 1 : 0)},invented,"
                        + Passion.Conditions[i % 4];
                });
            tree.Table("PASSION_split.csv", "subject_id,Split", 48,
                i => $"{Subject(i)},{(i % 5 < 4 ? "TRAIN" : "TEST")}");
        },
        [Ham10000.Name] = tree =>
        {
            string[] classes = Ham10000.Classes;
            tree.Table("HAM10000_metadata.csv", "lesion_id,image_id,dx,dx_type,age,sex,localization", 84, i =>
                $"HAM_{i / 2:D7},{tree.Image($"HAM10000_images_part_1/ISIC_{24306 + i:D7}.jpg")},"
                    + $"{classes[i / 2 % 7].ToLowerInvariant()},histo,{20 + i % 60}.0,{Sex(i)},back");
            tree.Table("ISIC2018_Task3_Test_GroundTruth.csv", $"image,{string.Join(',', classes)}", 35, i =>
                $"{tree.Image($"ISIC2018_Task3_Test_Images/ISIC_{34524 + i:D7}.jpg")},"
                    + string.Join(',', tree.Each(7, c => c == i % 7 ? "1.0" : "0.0")));
        },
        [Fitzpatrick17k.Name] = tree =>
        {
            string[] labels = tree.Classes(Fitzpatrick17k.Name, "full");
            string[] parts = ["inflammatory,non-neoplastic", "genodermatoses,non-neoplastic",
                "malignant epidermal,malignant", "malignant melanoma,malignant",
                "malignant cutaneous lymphoma,malignant", "malignant dermal,malignant", "benign dermal,benign",
                "benign epidermal,benign", "benign melanocyte,benign"];
            tree.Table("fitzpatrick17k.csv", "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,"
                + "nine_partition_label,three_partition_label,qc,url,url_alphanum", 3 * labels.Length, i =>
                {
                    string random = string.Concat(tree.Each(3, _ => $"{tree.Random.Below(int.MaxValue):x8}"));
                    string hash = tree.Image($"data/finalfitz17k/{random}{i + 1:x8}.jpg");
                    string scale = i % 7 == 6 ? "-1" : $"{i % 7 + 1}";
                    return $"{hash},{scale},{1 + i % 3},{CsvFile.Line(labels[i / 3])},{parts[i / 3 % 9]},,,";
                });
        },
    };

    public static IReadOnlyList<string> Names { get; } = [.. Writers.Keys];

    // Writes the same images each time, about 1,200 for all sets. Throws if a folder holds real data (no mark).
    public static void Write(KitSettings settings, string folder, params string[] sets)
    {
        if (sets.Length == 0) sets = [.. Names];
        foreach (string path in sets.Select(set => Path.Combine(folder, set)).Where(Directory.Exists))
        {
            if (!File.Exists(Path.Combine(path, Mark)))
                throw new KitException(
                    $"{path}: this folder exists and holds no {Mark}; name an empty folder for the fixture.");
            Directory.Delete(path, recursive: true);
        }
        string drawn = SyntheticDataSet.Ensure(settings.CacheDir, Photos, seed: 11);
        RgbImage[] photos = [.. SyntheticDataSet.Load(drawn).Paths.Select(p => ImageCodec.Decode(p))];
        foreach (string set in sets)
        {
            var tree = new Tree(Path.Combine(folder, set), Path.Combine(settings.Root, "data"), photos,
                (ulong)(set[0] * 1000 + set.Length));
            // Written first, so that an interrupted run leaves a fixture.
            tree.Table(Mark, "Real file names and headers, drawn images, invented labels: a fixture of DermKit. "
                + "Delete the folder before real data takes its place.", 0, _ => "");
            Writers[set](tree);
        }
    }

    private static string Sex(int i) => i % 2 == 0 ? "male" : "female";

    private static void Derm7ptTree(Tree tree)
    {
        string[] diagnoses = tree.Classes(Derm7pt.Name, "full");
        // The nine cases of release_v0 that name one file in both columns.
        int[] shared = [565, 800, 824, 827, 833, 834, 839, 844, 851];
        const int Cases = 51, Own = 42;
        tree.Table("meta/meta.csv", "case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,"
            + "regression_structures,dots_and_globules,blue_whitish_veil,vascular_structures,"
            + "level_of_diagnostic_difficulty,elevation,location,sex,management,clinic,derm,case_id,notes", Cases, i =>
            {
                bool own = i < Own;
                string clinic = own ? $"NEL/NEL{2 * i + 1:D3}.JPG" : $"Fhl/Fhl{18 + i - Own:D3}.jpg";
                string derm = own ? $"NEL/Nel{2 * i + 2:D3}.jpg" : clinic;
                tree.Image($"images/{clinic}");
                if (own) tree.Image($"images/{derm}");
                return $"{(own ? i + 1 : shared[i - Own])},{diagnoses[i % diagnoses.Length]},1,,,,,,,,medium,flat,back,"
                    + $"{Sex(i)},excision,{clinic},{derm},,";
            });
        foreach ((int p, string part) in new[] { "train", "valid", "test" }.Index())
            tree.Table($"meta/{part}_indexes.csv", "indexes", Cases / 3, i => $"{3 * i + p}");
    }

    private static void PadTree(Tree tree)
    {
        // Patients of the frozen list are test patients; the others have numbers above all real ones.
        string[] frozen = CsvFile.Read(Path.Combine(tree.DataRoot, "splits", $"{PadUfes20.Name}-test-patients.csv"))
            .Column("patient_id");
        tree.Table("metadata.csv", "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,"
            + "gender,skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,"
            + "diameter_1,diameter_2,diagnostic,itch,grew,hurt,changed,bleed,elevation,img_id,biopsed", 96, i =>
            {
                int person = i / 2, four = person / 4;
                string patient = person % 4 == 0 ? frozen[four] : $"PAT_{9000 + person}";
                string image = tree.Image($"images/{patient}_{100 + person}_{300 + i}.png");
                return $"{patient},{100 + person},,,,,{20 + person},,FEMALE,,,,,{1 + person % 6}.0,NECK,,,"
                    + $"{PadUfes20.Diagnoses[(four + person) % 6]},,,,,,True,{image}.png,True";
            });
    }

    // Every image is another part of a drawn photograph, independent of its label.
    private sealed class Tree(string folder, string dataRoot, RgbImage[] photos, ulong seed)
    {
        public string DataRoot => dataRoot;

        public SplitMix64 Random { get; } = new(seed);

        public string[] Each(int count, Func<int, string> line) => [.. Enumerable.Range(0, count).Select(line)];

        public string[] Classes(string set, string manifest) =>
            [.. DataSetManifest.All(dataRoot, set).First(m => m.Name == manifest).Counts.Values.SelectMany(c => c.Keys)
                .Distinct().Order(StringComparer.Ordinal)];

        public void Table(string file, string header, int rows, Func<int, string> row) =>
            AtomicFile.WriteAllText(Path.Combine(folder, file), string.Join('\n', [header, .. Each(rows, row), ""]));

        // Returns the name without folder and suffix.
        public string Image(string file)
        {
            RgbImage photo = photos[Random.Below(photos.Length)];
            RgbImage part = photo.Crop(Random.Below(photo.Width - Size), Random.Below(photo.Height - Size), Size, Size);
            string path = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, Path.GetExtension(file) switch
            {
                ".png" => ImageCodec.EncodePng(part),
                ".bmp" => Bitmap(part.Pixels),
                _ => ImageCodec.EncodeJpeg(part),
            });
            return Path.GetFileNameWithoutExtension(file);
        }

        // 24-bit BMP: headers of 14 and 40 bytes, then from the last pixel, blue first, rows from the bottom.
        private static byte[] Bitmap(byte[] pixels)
        {
            byte[] file = new byte[54 + pixels.Length];
            "BM"u8.CopyTo(file);
            int[] header = [file.Length, 0, 54, 40, Size, Size, 0x180001];
            MemoryMarshal.AsBytes<int>(header).CopyTo(file.AsSpan(2));
            for (int i = 0; i < pixels.Length; i++)
                file[54 + (Size - 1 - i / (3 * Size)) * 3 * Size + i % (3 * Size) / 3 * 3 + 2 - i % 3] = pixels[i];
            return file;
        }
    }
}
