using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;

namespace DermKit.Data;

/// <summary>The default set: drawn images of seven kinds of lesion, with their truth in metadata.csv. Nothing clinical
/// follows from a score; results are stamped SYNTHETIC. Skin type, modality and artefacts are independent of the
/// diagnosis; age and site follow it.</summary>
internal static class SyntheticDataSet
{
    public const string Name = "synthetic";

    // Raised when images or columns change, so that older folders are not mixed in.
    private const int Version = 4;

    // Appears by rename when all is drawn.
    public static string Folder(string cacheDir, int images = 2400, int seed = 7) =>
        Path.Combine(Path.GetFullPath(cacheDir), FormattableString.Invariant($"{Name}-v{Version}-{images}-seed{seed}"));

    // Draws 224 x 224 JPEGs if the folder is absent or files lack bytes (a power cut can leave names without contents).
    // (images, seed) gives the same files for any number of threads; of two processes that draw at once, one wins.
    public static string Ensure(string cacheDir, int images = 2400, int seed = 7, Action<int, int>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(images);
        string folder = Folder(cacheDir, images, seed);
        if (IsWhole(folder)) return folder;
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        using var unfinished = new UnfinishedFolder(cacheDir, $".{Path.GetFileName(folder)}-");
        Draw(unfinished.Path, images, seed, progress);
        try
        {
            Directory.Move(unfinished.Path, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            // Another process finished first with the same files.
        }
        return folder;
    }

    // duplicate_of is the image_id that this one repeats, or null; border_index is 1 for a circle; lesion_fraction is a
    // share of the image. Throws on another version, and on missing or truncated files.
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, "metadata.csv"));
        file.Require(Columns);
        ImageTable table = ImageFiles.Table(Name, folder, file.Column("image_id"),
            [.. Columns.Skip(1).Select(c => (c, (string?[])file.Column(c)))]);
        string[] ids = file.Column("image_id");
        string[] bytes = file.Column("bytes");
        string[] lost =
            [.. ids.Where((id, i) => new FileInfo(Path.Combine(folder, "images", $"{id}.jpg")) is var f
                && (!f.Exists || f.Length.ToString(CultureInfo.InvariantCulture) != bytes[i]))];
        return lost.Length == 0 ? table
            : throw new KitException($"{folder}: expected {file.Count} images, {lost.Length} are missing or cut short, "
                + $"the first {lost[0]}.jpg; delete the folder and it is drawn again.");
    }

    private static bool IsWhole(string folder)
    {
        try
        {
            return Load(folder).Count > 0;
        }
        catch (KitException)
        {
            return false;
        }
    }

    private static void Draw(string folder, int images, int seed, Action<int, int>? progress)
    {
        Directory.CreateDirectory(Path.Combine(folder, "images"));
        var rows = new string[images];
        int done = 0;
        var report = new Lock();
        // A thread takes a lesion at a time and measures it once for all its images.
        Parallel.ForEach(Partitioner.Create(SyntheticPlan.Make(images, seed).GroupBy(p => p.Lesion.Id),
            EnumerablePartitionerOptions.NoBuffering),
            () => (Painter: new PhotoPainter(seed), Maps: new LesionMaps(LesionTruth.Grid)),
            (photos, _, tools) =>
            {
                LesionTruth truth = LesionTruth.Measure(photos.First().Lesion, tools.Maps);
                foreach (Photo photo in photos)
                {
                    var (jpeg, fraction) = tools.Painter.Draw(photo);
                    File.WriteAllBytes(Path.Combine(folder, "images", $"{photo.Id}.jpg"), jpeg);
                    rows[photo.Index] = Row(photo, truth, fraction, jpeg.Length);
                    lock (report) progress?.Invoke(++done, images);
                }
                return tools;
            },
            tools =>
            {
                tools.Painter.Dispose();
                tools.Maps.Dispose();
            });
        AtomicFile.WriteAllText(Path.Combine(folder, "metadata.csv"),
            string.Join('\n', [string.Join(',', Columns), .. rows, ""]));
    }

    private static readonly string[] Columns =
    [
        "image_id", "diagnosis", "malignant", "skin_type", "site", "age", "sex", "patient_id", "lesion_id", "modality",
        "split", "duplicate_of",
        .. Enum.GetValues<Artefacts>().Skip(1).Select(a => Snake(a.ToString())),
        .. Enum.GetNames<Trait>().Select(Snake),
        "elevation", "area_mm2", "diameter_mm", "asymmetry", "border_index", "colours", "lesion_fraction", "bytes",
    ];

    internal static string Snake(string name) => Regex.Replace(name, "(?<=[a-z])[A-Z]", "_$0").ToLowerInvariant();

    private static string Row(Photo photo, LesionTruth truth, float fraction, int bytes)
    {
        Lesion lesion = photo.Lesion;
        Patient patient = lesion.Patient;
        LesionKind kind = LesionKind.All[lesion.Kind];
        static string Flag(bool value) => value ? "1" : "0";
        static string Number(float value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
        return string.Join(',',
        [
            photo.Id, kind.Name, Flag(kind.Malignant), Number(patient.SkinType, "0"), lesion.Site,
            Number(patient.Age, "0"), patient.Sex, patient.Id, lesion.Id,
            photo.Dermoscopic ? "dermoscopic" : "clinical", patient.Test ? "test" : "train", photo.Original?.Id ?? "",
            .. Enum.GetValues<Artefacts>().Skip(1).Select(a => Flag(photo.Artefacts.HasFlag(a))),
            .. lesion.Traits.Select(Flag),
            Number(lesion.Elevation, "0.00"), Number(truth.AreaMm2, "0.0"), Number(truth.DiameterMm, "0.0"),
            Number(truth.Asymmetry, "0.000"),
            Number(truth.BorderIndex, "0.000"), Number(truth.Colours, "0"), Number(fraction, "0.0000"),
            Number(bytes, "0"),
        ]);
    }
}
