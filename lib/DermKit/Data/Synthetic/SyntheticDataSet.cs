using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using static System.FormattableString;

namespace DermKit.Data;

/// <summary>The default set: drawn images of seven kinds of lesion, with their truth in metadata.csv. Nothing clinical
/// follows from a score; results are stamped SYNTHETIC. Skin type, modality and artefacts are independent of the
/// diagnosis; age and site follow it.</summary>
internal static class SyntheticDataSet
{
    public const string Name = "synthetic";

    // Raised when images or columns change, so that older folders are not mixed in.
    private const int Version = 5;
    private static readonly Lock Drawing = new();

    // duplicate_of is the image_id of the original, or empty; border_index is 1 for a circle; lesion_fraction is a
    // share of the image.
    private static readonly string[] Columns =
    [
        .. "image_id diagnosis malignant skin_type site age sex patient_id lesion_id modality split duplicate_of"
            .Split(' '),
        .. Enum.GetNames<Artefacts>().Skip(1).Concat(Enum.GetNames<Trait>()).Select(Snake),
        .. "elevation area_mm2 diameter_mm asymmetry border_index colours lesion_fraction bytes".Split(' '),
    ];

    public static string Folder(string cacheDir, int images = 2400, int seed = 7) =>
        Path.Combine(Path.GetFullPath(cacheDir), Invariant($"{Name}-v{Version}-{images}-seed{seed}"));

    // Draws 224 x 224 JPEGs if the folder is absent or files lack bytes (a power cut can leave names without contents).
    // (images, seed) gives the same files for any number of threads. A thread waits for another that draws; of two
    // processes that draw at once, one wins.
    public static string Ensure(string cacheDir, int images = 2400, int seed = 7, Action<int, int>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(images);
        string folder = Folder(cacheDir, images, seed);
        using Lock.Scope turn = Drawing.EnterScope();
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

    // Throws on another version, and on missing or truncated files.
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, "metadata.csv"));
        file.Require(Columns);
        string[] ids = file.Column("image_id"), bytes = file.Column("bytes");
        string[] lost = [.. ids.Where((id, i) => new FileInfo(ImagePath(folder, id)) is var image
            && (!image.Exists || Invariant($"{image.Length}") != bytes[i]))];
        return lost.Length == 0
            ? ImageFiles.Table(Name, folder, ids, [.. Columns.Skip(1).Select(c => (c, (string?[])file.Column(c)))])
            : throw new KitException($"{folder}: expected {file.Count} images, {lost.Length} are missing or truncated, "
                + $"the first is {lost[0]}.jpg; delete the folder to draw it again.");
    }

    private static string ImagePath(string folder, string id) => Path.Combine(folder, "images", $"{id}.jpg");

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
            () => (Painter: new PhotoPainter(seed), Measured: new SkinPainter(LesionTruth.Grid)),
            (photos, _, tools) =>
            {
                LesionTruth truth = LesionTruth.Measure(photos.First().Lesion, tools.Measured);
                foreach (Photo photo in photos)
                {
                    var (jpeg, fraction) = tools.Painter.Draw(photo);
                    File.WriteAllBytes(ImagePath(folder, photo.Id), jpeg);
                    rows[photo.Index] = Row(photo, truth, fraction, jpeg.Length);
                    lock (report) progress?.Invoke(++done, images);
                }
                return tools;
            },
            _ => { });
        AtomicFile.WriteAllText(Path.Combine(folder, "metadata.csv"),
            string.Join('\n', [string.Join(',', Columns), .. rows, ""]));
    }

    internal static string Snake(string name) => Regex.Replace(name, "(?<=[a-z])[A-Z]", "_$0").ToLowerInvariant();

    private static string Row(Photo photo, LesionTruth truth, float fraction, int bytes)
    {
        Lesion lesion = photo.Lesion;
        Patient patient = lesion.Patient;
        LesionKind kind = LesionKind.All[lesion.Kind];
        IEnumerable<bool> flags = Enum.GetValues<Artefacts>().Skip(1).Select(photo.Has).Concat(lesion.Traits);
        return string.Create(CultureInfo.InvariantCulture, $"{photo.Id},{kind.Name},{(kind.Malignant ? 1 : 0)},"
            + $"{patient.SkinType},{lesion.Site},{patient.Age:0},{patient.Sex},{patient.Id},{lesion.Id},"
            + $"{(photo.Dermoscopic ? "dermoscopic" : "clinical")},{(patient.Test ? "test" : "train")},"
            + $"{photo.Original?.Id},{string.Join(',', flags.Select(flag => flag ? 1 : 0))},{lesion.Elevation:0.00},"
            + $"{truth.AreaMm2:0.0},{truth.DiameterMm:0.0},{truth.Asymmetry:0.000},{truth.BorderIndex:0.000},"
            + $"{truth.Colours},{fraction:0.0000},{bytes}");
    }
}
