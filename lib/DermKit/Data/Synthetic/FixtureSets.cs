using DermKit.Imaging;
using System.Buffers.Binary;
using static System.FormattableString;

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
        [Ph2.Name] = tree => tree.Text("PH2_dataset.txt", "|| Name || Histological Diagnosis || Clinical Diagnosis || "
            + "Asymmetry | Pigment Network | Dots/Globules | Streaks | Regression Areas | Blue-Whitish Veil || "
            + "Colors ||",
            tree.Each(30, i =>
            {
                string id = Invariant($"IMD{i + 2:D3}"), folder = $"PH2 Dataset images/{id}/{id}";
                tree.Image($"{folder}_Dermoscopic_Image/{id}.bmp");
                tree.Image($"{folder}_lesion/{id}_lesion.bmp");
                return $"|| {id} ||  || {i % 3} || 0 | T | A | A | A | A || 3  4 ||";
            })),
        [Ddi.Name] = tree =>
            tree.Text("ddi_metadata.csv", ",DDI_ID,DDI_file,skin_tone,malignant,disease", tree.Each(40, i =>
            {
                string disease = i % 4 == 0 ? "True,melanoma" : "False,melanocytic-nevi", id = Invariant($"{i + 1:D6}");
                return $"{i},{i + 1},{Path.GetFileName(tree.Image($"images/{id}.png"))},{(i % 3 * 22) + 12},{disease}";
            })),
        [Derm7pt.Name] = Derm7ptTree,
        [PadUfes20.Name] = PadTree,
        [Sd128.Name] = tree =>
        {
            foreach (string disease in tree.Classes(Sd128.Name, "cleaned"))
                tree.Each(3, i => tree.Image(Invariant($"images/{disease}/{tree.Next(100000):D6}{i}HB.jpg")));
        },
        [Passion.Name] = tree =>
        {
            string Subject(int i) => Invariant($"AA{970240 + i:D8}");
            tree.Text("label.csv",
                "subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION",
                tree.Each(48, i =>
                {
                    tree.Each(1 + i % 3, n => tree.Image($"images/{Subject(i)}_{n}.jpg"));
                    string person = $"{(i % 2 == 0 ? "Madagascar" : "Guinea")},{2 + i % 60},{(i % 3 == 0 ? "m" : "f")}";
                    return $"{Subject(i)},{person},{3 + i % 4},Head;Torso,{(i / 4 % 3 == 0 ? 1 : 0)},invented,"
                        + Passion.Conditions[i % 4];
                }));
            tree.Text("PASSION_split.csv", "subject_id,Split",
                tree.Each(48, i => $"{Subject(i)},{(i % 5 < 4 ? "TRAIN" : "TEST")}"));
        },
        [Ham10000.Name] = tree =>
        {
            string[] classes = Ham10000.Classes;
            string Image(string folder, int number) =>
                Path.GetFileNameWithoutExtension(tree.Image(Invariant($"{folder}/ISIC_{number:D7}.jpg")));
            tree.Text("HAM10000_metadata.csv", "lesion_id,image_id,dx,dx_type,age,sex,localization", tree.Each(84, i =>
                Invariant($"HAM_{i / 2:D7},{Image("HAM10000_images_part_1", 24306 + i)},")
                    + $"{classes[i / 2 % 7].ToLowerInvariant()},"
                    + $"histo,{20 + i % 60}.0,{(i % 2 == 0 ? "male" : "female")},back"));
            tree.Text("ISIC2018_Task3_Test_GroundTruth.csv", $"image,{string.Join(',', classes)}", tree.Each(35, i =>
                $"{Image("ISIC2018_Task3_Test_Images", 34524 + i)},"
                    + string.Join(',', classes.Select((_, c) => c == i % 7 ? "1.0" : "0.0"))));
        },
        [Fitzpatrick17k.Name] = tree =>
            tree.Text("fitzpatrick17k.csv", "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,"
                + "nine_partition_label,three_partition_label,qc,url,url_alphanum",
                tree.Classes(Fitzpatrick17k.Name, "full").SelectMany((label, c) => tree.Each(3, i =>
                {
                    string[] parts = ["inflammatory,non-neoplastic", "genodermatoses,non-neoplastic",
                        "malignant epidermal,malignant", "malignant melanoma,malignant",
                        "malignant cutaneous lymphoma,malignant", "malignant dermal,malignant", "benign dermal,benign",
                        "benign epidermal,benign", "benign melanocyte,benign"];
                    int row = (3 * c) + i + 1;
                    string random = string.Concat(tree.Each(3, _ => Invariant($"{tree.Next(int.MaxValue):x8}")));
                    string hash = Invariant($"{random}{row:x8}");
                    tree.Image($"data/finalfitz17k/{hash}.jpg");
                    return $"{hash},{(row % 7 == 0 ? -1 : row % 7)},{1 + i},{CsvFile.Line(label)},{parts[c % 9]},,,";
                }))),
    };

    public static IReadOnlyList<string> Names { get; } = [.. Writers.Keys];

    // About 1,200 images for all sets, the same each time. Throws if a folder is no fixture (real data).
    public static void Write(KitSettings settings, string folder, params string[] sets)
    {
        if (sets.Length == 0) sets = [.. Names];
        foreach (string path in sets.Select(set => Path.Combine(folder, set)).Where(Directory.Exists))
        {
            if (!File.Exists(Path.Combine(path, Mark)))
                throw new KitException(
                    $"{path}: this folder is there and holds no {Mark}; name an empty folder for the fixture.");
            Directory.Delete(path, recursive: true);
        }
        string drawn = SyntheticDataSet.Ensure(settings.CacheDir, Photos, seed: 11);
        RgbImage[] photos = [.. SyntheticDataSet.Load(drawn).Paths.Select(p => ImageCodec.Decode(p))];
        foreach (string set in sets)
        {
            var tree = new Tree(Path.Combine(folder, set), Path.Combine(settings.Root, "data"), photos,
                (ulong)(set[0] * 1000 + set.Length));
            // Written first, so that an interrupted run leaves a fixture.
            tree.Text(Mark,
                "Real file names and headers, drawn images, invented labels: a fixture of DermKit. Delete the "
                    + "folder before real data takes its place.", []);
            Writers[set](tree);
        }
    }

    private static void Derm7ptTree(Tree tree)
    {
        string[] diagnoses = [.. tree.Classes(Derm7pt.Name, "full")];
        // The nine cases of release_v0 that name one file in both columns.
        int[] shared = [565, 800, 824, 827, 833, 834, 839, 844, 851];
        const int Cases = 51;
        int own = Cases - shared.Length;
        tree.Text("meta/meta.csv", "case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,"
            + "regression_structures,dots_and_globules,blue_whitish_veil,vascular_structures,"
            + "level_of_diagnostic_difficulty,elevation,location,sex,management,clinic,derm,case_id,notes",
            tree.Each(Cases, i =>
            {
                string clinic = i < own ? Invariant($"NEL/NEL{2 * i + 1:D3}.JPG")
                    : Invariant($"Fhl/Fhl{18 + i - own:D3}.jpg");
                string derm = i < own ? Invariant($"NEL/Nel{2 * i + 2:D3}.jpg") : clinic;
                tree.Image($"images/{clinic}");
                if (derm != clinic) tree.Image($"images/{derm}");
                return $"{(i < own ? i + 1 : shared[i - own])},{diagnoses[i % diagnoses.Length]},1,,,,,,,,medium,flat,"
                    + "back,"
                    + $"{(i % 2 == 0 ? "male" : "female")},excision,{clinic},{derm},,";
            }));
        foreach ((int p, string part) in new[] { "train", "valid", "test" }.Index())
            tree.Text($"meta/{part}_indexes.csv", "indexes", tree.Each(Cases / 3, i => $"{3 * i + p}"));
    }

    private static void PadTree(Tree tree)
    {
        string[] diagnoses = PadUfes20.Diagnoses;
        // Patients of the frozen list are test patients; the others have numbers above all real ones.
        string[] frozen = CsvFile.Read(Path.Combine(tree.DataRoot, "splits", $"{PadUfes20.Name}-test-patients.csv"))
            .Column("patient_id");
        tree.Text("metadata.csv",
            "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,"
                + "skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,"
                + "diameter_2,"
                + "diagnostic,itch,grew,hurt,changed,bleed,elevation,img_id,biopsed",
            tree.Each(96, i =>
            {
                int person = i / 2;
                string patient = person % 4 == 0 ? frozen[person / 4] : $"PAT_{9000 + person}";
                string image = tree.Image($"images/{patient}_{100 + person}_{300 + i}.png");
                return $"{patient},{100 + person},,,,,{20 + person},,FEMALE,,,,,{1 + person % 6}.0,NECK,,,"
                    + $"{diagnoses[(person / 4 + person) % 6]},,,,,,True,{Path.GetFileName(image)},True";
            }));
    }

    // Every image is another part of a drawn photograph, independent of its label.
    private sealed class Tree(string folder, string dataRoot, RgbImage[] photos, ulong seed)
    {
        private readonly SplitMix64 random = new(seed);

        public string DataRoot => dataRoot;

        public int Next(int bound) => random.Below(bound);

        public string[] Each(int count, Func<int, string> line) => [.. Enumerable.Range(0, count).Select(line)];

        public IEnumerable<string> Classes(string set, string manifest) =>
            DataSetManifest.All(dataRoot, set).First(m => m.Name == manifest).Counts.Values.SelectMany(c => c.Keys)
                .Distinct().Order(StringComparer.Ordinal);

        public void Text(string file, string header, IEnumerable<string> lines) =>
            AtomicFile.WriteAllText(Path.Combine(folder, file), string.Join('\n', [header, .. lines, ""]));

        public string Image(string file)
        {
            RgbImage photo = photos[Next(photos.Length)];
            RgbImage part = photo.Crop(Next(photo.Width - Size), Next(photo.Height - Size), Size, Size);
            string path = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, Path.GetExtension(file) switch
            {
                ".png" => ImageCodec.EncodePng(part),
                ".bmp" => Bitmap(part),
                _ => ImageCodec.EncodeJpeg(part),
            });
            return file;
        }

        // 24-bit BMP: headers of 14 and 40 bytes, rows from the bottom, blue first; four divides a row.
        private static byte[] Bitmap(RgbImage image)
        {
            byte[] file = new byte[54 + image.Pixels.Length];
            "BM"u8.CopyTo(file);
            foreach ((int at, int value) in new[]
            {
                (2, file.Length), (10, 54), (14, 40), (18, Size), (22, Size), (26, 0x180001)
            })
                BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
            for (int y = 0; y < Size; y++)
                image.Pixels.AsSpan(3 * Size * y, 3 * Size).CopyTo(file.AsSpan(54 + 3 * Size * (Size - 1 - y)));
            for (int i = 54; i < file.Length; i += 3) (file[i], file[i + 2]) = (file[i + 2], file[i]);
            return file;
        }
    }
}
