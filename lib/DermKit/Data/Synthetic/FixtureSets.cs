using DermKit.Imaging;
using System.Buffers.Binary;
using System.Globalization;

namespace DermKit.Data;

/// <summary>
/// Small stand-ins for the sets of the paper's twelve tasks: the real folder names, file names, headers and class names, images that the kit draws, labels that are invented and
/// say nothing about the images. They show that everything runs before a user brings the data; whatever rests on them says FIXTURE.
/// </summary>
public static class FixtureSets
{
    /// <summary>File in a set's folder that says what it is.</summary>
    public const string Mark = "FIXTURE";

    private const int Photos = 96, Size = 112;

    /// <summary>Names of the sets.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [MedNode.Name, Ph2.Name, Ddi.Name, Derm7pt.Name, PadUfes20.Name, Sd128.Name, Passion.Name, Ham10000.Name, Fitzpatrick17k.Name];

    /// <summary>Writes all sets below a folder, which can then be KIT_DATA_DIR; about 1,200 images. The same files each time.</summary>
    /// <param name="settings">Where the kit's manifests and frozen lists lie, and the cache that images are drawn into.</param>
    /// <param name="folder">Holds a folder for each set afterwards.</param>
    /// <param name="sets">Which of <see cref="Names"/>; none for all.</param>
    /// <exception cref="KitException">A folder of that name is there already and is no fixture: real data is never written over.</exception>
    public static void Write(KitSettings settings, string folder, params string[] sets)
    {
        if (sets.Length == 0) sets = [.. Names];
        foreach (string set in sets)
        {
            string path = Path.Combine(folder, set);
            if (!Directory.Exists(path)) continue;
            if (!File.Exists(Path.Combine(path, Mark))) throw new KitException($"{path}: this folder is there and holds no {Mark}; name an empty folder for the fixture.");
            Directory.Delete(path, recursive: true);
        }
        string drawn = SyntheticDataSet.Ensure(settings.CacheDir, Photos, seed: 11);
        RgbImage[] photos = [.. SyntheticDataSet.Load(drawn).Paths.Select(p => ImageCodec.Decode(p))];
        string dataRoot = Path.Combine(settings.Root, "data");
        foreach (string set in sets)
        {
            var tree = new Tree(Path.Combine(folder, set), photos, (ulong)(set[0] * 1000 + set.Length));
            // The mark is the first file: what an interrupted run leaves is taken for nothing else.
            tree.Text(Mark, "Real file names and headers, drawn images, invented labels: a fixture of DermKit. Delete the folder before real data takes its place.");
            Writers[set](tree, dataRoot);
        }
    }

    private static readonly Dictionary<string, Action<Tree, string>> Writers = new()
    {
        [MedNode.Name] = (tree, _) =>
        {
            for (int i = 0; i < 26; i++) tree.Image($"{(i % 2 == 0 ? "melanoma" : "naevus")}/{19085 + 7 * i}.jpg");
        },
        [Ph2.Name] = (tree, _) =>
        {
            string[] rows = [.. Enumerable.Range(0, 30).Select(i =>
            {
                string id = FormattableString.Invariant($"IMD{i + 2:D3}");
                tree.Image($"PH2 Dataset images/{id}/{id}_Dermoscopic_Image/{id}.bmp");
                tree.Image($"PH2 Dataset images/{id}/{id}_lesion/{id}_lesion.bmp");
                return $"|| {id} ||                        ||                  {i % 3} ||         0 |               T |             A |       A |                A |                 A ||             3  4 ||";
            })];
            tree.Text("PH2_dataset.txt", ["||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | Dots/Globules | Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||",
                .. rows, "", "Legends for Clinical Diagnosis:", "0 - Common Nevus", "1 - Atypical Nevus", "2 - Melanoma"]);
        },
        [Ddi.Name] = (tree, _) => tree.Text("ddi_metadata.csv", [",DDI_ID,DDI_file,skin_tone,malignant,disease", .. Enumerable.Range(0, 40).Select(i =>
        {
            tree.Image(FormattableString.Invariant($"images/{i + 1:D6}.png"));
            return FormattableString.Invariant($"{i},{i + 1},{i + 1:D6}.png,{(i % 3 * 22) + 12},{(i % 4 == 0 ? "True,melanoma" : "False,melanocytic-nevi")}");
        })]),
        [Derm7pt.Name] = Derm7ptTree,
        [PadUfes20.Name] = PadTree,
        [Sd128.Name] = (tree, dataRoot) =>
        {
            foreach (string disease in Classes(dataRoot, Sd128.Name, "cleaned"))
                for (int i = 0; i < 3; i++) tree.Image($"images/{disease}/{tree.Next(100000):D6}{i}HB.jpg");
        },
        [Passion.Name] = (tree, _) =>
        {
            string[] conditions = ["Eczema", "Fungal", "Others", "Scabies"];
            string[] subjects = [.. Enumerable.Range(0, 48).Select(i => FormattableString.Invariant($"AA{970240 + i:D8}"))];
            foreach ((int i, string subject) in subjects.Index())
                for (int n = 0; n < 1 + i % 3; n++) tree.Image(FormattableString.Invariant($"images/{subject}_{n}.jpg"));
            tree.Text("label.csv", ["subject_id,country,age,sex,fitzpatrick,body_loc,impetig,diagnosis,conditions_PASSION", .. subjects.Select((s, i) => FormattableString.Invariant(
                $"{s},{(i % 2 == 0 ? "Madagascar" : "Guinea")},{2 + i % 60},{(i % 3 == 0 ? "m" : "f")},{3 + i % 4},Head;Torso,{(i / 4 % 3 == 0 ? 1 : 0)},invented,{conditions[i % 4]}"))]);
            tree.Text("PASSION_split.csv", ["subject_id,Split", .. subjects.Select((s, i) => $"{s},{(i % 5 < 4 ? "TRAIN" : "TEST")}")]);
        },
        [Ham10000.Name] = (tree, _) =>
        {
            string[] classes = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"];
            string Image(int i) => FormattableString.Invariant($"ISIC_{(i < 84 ? 24306 : 34440) + i:D7}");
            for (int i = 0; i < 119; i++) tree.Image($"{(i < 84 ? "HAM10000_images_part_1" : "ISIC2018_Task3_Test_Images")}/{Image(i)}.jpg");
            tree.Text("HAM10000_metadata.csv", ["lesion_id,image_id,dx,dx_type,age,sex,localization", .. Enumerable.Range(0, 84).Select(i => FormattableString.Invariant(
                $"HAM_{i / 2:D7},{Image(i)},{classes[i / 2 % 7].ToLowerInvariant()},histo,{20 + i % 60}.0,{(i % 2 == 0 ? "male" : "female")},back"))]);
            tree.Text("ISIC2018_Task3_Test_GroundTruth.csv", [$"image,{string.Join(',', classes)}", .. Enumerable.Range(84, 35).Select(i => $"{Image(i)},{string.Join(',', classes.Select((_, c) => c == i % 7 ? "1.0" : "0.0"))}")]);
        },
        [Fitzpatrick17k.Name] = (tree, dataRoot) =>
        {
            (string Nine, string Three)[] parts = [("inflammatory", "non-neoplastic"), ("genodermatoses", "non-neoplastic"), ("malignant epidermal", "malignant"), ("malignant melanoma", "malignant"),
                ("malignant cutaneous lymphoma", "malignant"), ("malignant dermal", "malignant"), ("benign dermal", "benign"), ("benign epidermal", "benign"), ("benign melanocyte", "benign")];
            List<string> rows = ["md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum"];
            foreach ((int c, string label) in Classes(dataRoot, Fitzpatrick17k.Name, "full").Index())
                for (int i = 0; i < 3; i++)
                {
                    string hash = string.Create(CultureInfo.InvariantCulture, $"{tree.Next(int.MaxValue):x8}{tree.Next(int.MaxValue):x8}{tree.Next(int.MaxValue):x8}{rows.Count:x8}");
                    tree.Image($"data/finalfitz17k/{hash}.jpg");
                    rows.Add(FormattableString.Invariant($"{hash},{(rows.Count % 7 == 0 ? -1 : rows.Count % 7)},{1 + i},{CsvFile.Line(label)},{parts[c % 9].Nine},{parts[c % 9].Three},,,"));
                }
            tree.Text("fitzpatrick17k.csv", [.. rows]);
        },
    };

    private static void Derm7ptTree(Tree tree, string dataRoot)
    {
        string[] diagnoses = ["basal cell carcinoma", "blue nevus", "clark nevus", "combined nevus", "congenital nevus", "dermal nevus", "dermatofibroma", "lentigo", "melanoma (in situ)",
            "melanoma (less than 0.76 mm)", "melanoma metastasis", "melanosis", "miscellaneous", "recurrent nevus", "reed or spitz nevus", "seborrheic keratosis", "vascular lesion"];
        // The last cases are the nine of release_v0 that name one file in both columns; the file of all but the first
        // is called as no real one.
        int[] shared = [565, 800, 824, 827, 833, 834, 839, 844, 851];
        string[] rows = [.. Enumerable.Range(0, 3 * diagnoses.Length).Select(i =>
        {
            string clinic = FormattableString.Invariant($"NEL/NEL{2 * i + 1:D3}.JPG"),
                derm = FormattableString.Invariant($"NEL/Nel{2 * i + 2:D3}.jpg");
            int number = i + 1, both = i - 3 * diagnoses.Length + shared.Length;
            if (both >= 0)
            {
                number = shared[both];
                clinic = derm = FormattableString.Invariant($"Fhl/Fhl{18 + both:D3}.jpg");
            }
            tree.Image($"images/{clinic}");
            if (derm != clinic) tree.Image($"images/{derm}");
            return $"{number},{diagnoses[i % diagnoses.Length]},1,absent,absent,absent,absent,absent,absent,absent,medium,flat,back,{(i % 2 == 0 ? "male" : "female")},excision,{clinic},{derm},,";
        })];
        tree.Text("meta/meta.csv", ["case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,regression_structures,dots_and_globules,blue_whitish_veil,vascular_structures,level_of_diagnostic_difficulty,elevation,location,sex,management,clinic,derm,case_id,notes", .. rows]);
        foreach ((int p, string part) in new[] { "train", "valid", "test" }.Index())
            tree.Text($"meta/{part}_indexes.csv", ["indexes", .. Enumerable.Range(0, rows.Length).Where(i => i % 3 == p).Select(i => i.ToString(CultureInfo.InvariantCulture))]);
    }

    private static void PadTree(Tree tree, string dataRoot)
    {
        string[] diagnoses = ["ACK", "BCC", "MEL", "NEV", "SCC", "SEK"];
        // Patients of the frozen list are test patients in the fixture too; the others are numbered above all real ones.
        string[] frozen = CsvFile.Read(Path.Combine(dataRoot, "splits", $"{PadUfes20.Name}-test-patients.csv")).Column("patient_id");
        tree.Text("metadata.csv", ["patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,diameter_2,diagnostic,itch,grew,hurt,changed,bleed,elevation,img_id,biopsed",
            .. Enumerable.Range(0, 96).Select(i =>
            {
                int person = i / 2;
                string patient = person % 4 == 0 ? frozen[person / 4] : FormattableString.Invariant($"PAT_{9000 + person}"), image = FormattableString.Invariant($"{patient}_{100 + person}_{300 + i}.png");
                tree.Image($"images/{image}");
                return FormattableString.Invariant($"{patient},{100 + person},,,,,{20 + person},,FEMALE,,,,,{1 + person % 6}.0,NECK,,,{diagnoses[(person / 4 + person) % 6]},True,False,False,False,False,True,{image},True");
            })]);
    }

    private static IEnumerable<string> Classes(string dataRoot, string set, string manifest) =>
        DataSetManifest.All(dataRoot, set).First(m => m.Name == manifest).Counts.Values.SelectMany(c => c.Keys).Distinct().Order(StringComparer.Ordinal);

    /// <summary>A set's folder that is being written: every image is another part of a drawn photograph, chosen without looking at its label.</summary>
    private sealed class Tree(string folder, RgbImage[] photos, ulong seed)
    {
        private readonly SplitMix64 random = new(seed);

        public int Next(int bound) => random.Below(bound);

        public void Text(string file, params string[] lines) => AtomicFile.WriteAllText(Path.Combine(folder, file), string.Concat(lines.Select(l => l + "\n")));

        public void Image(string file)
        {
            RgbImage photo = photos[Next(photos.Length)];
            RgbImage part = photo.Crop(Next(photo.Width - Size), Next(photo.Height - Size), Size, Size);
            string path = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, Path.GetExtension(file).ToLowerInvariant() switch { ".png" => ImageCodec.EncodePng(part), ".bmp" => Bitmap(part), _ => ImageCodec.EncodeJpeg(part) });
        }

        /// <summary>24-bit BMP: 14 and 40 bytes of header, rows from the bottom, blue first, each padded to four bytes.</summary>
        private static byte[] Bitmap(RgbImage image)
        {
            int stride = (3 * image.Width + 3) / 4 * 4;
            byte[] file = new byte[54 + stride * image.Height];
            (file[0], file[1]) = ((byte)'B', (byte)'M');
            foreach ((int at, int value) in new[] { (2, file.Length), (10, 54), (14, 40), (18, image.Width), (22, image.Height), (26, 24 << 16 | 1), (34, file.Length - 54) })
                BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
            for (int y = 0; y < image.Height; y++)
                for (int x = 0; x < image.Width; x++)
                    for (int c = 0; c < 3; c++) file[54 + (image.Height - 1 - y) * stride + 3 * x + c] = image.Pixels[3 * (y * image.Width + x) + 2 - c];
            return file;
        }
    }
}
