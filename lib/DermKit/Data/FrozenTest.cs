using DermKit.Imaging;
using System.Text.RegularExpressions;

namespace DermKit.Data;

/// <summary>
/// Images that nothing is ever trained on, fixed before any training. An image is frozen when any of these says so: a list of image ids
/// data/splits/&lt;set&gt;-test.csv, of whichever set (ISIC's ids are the same in every archive); its own set's list of patients
/// data/splits/&lt;set&gt;-test-patients.csv; the table's own split "test". A renamed copy counts as its image: by the
/// archive's id that its name
/// still holds (<see cref="Mask"/>), and before pre-training by its pixels (<see cref="Copies"/>).
/// </summary>
public static class FrozenTest
{
    private const string PadPatients = "pad-ufes-20-test-patients.csv";
    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;

    private static readonly Regex Isic = new(@"ISIC[_\- ]?(\d{7})(?!\d)", Options);

    /// <summary>PAD-UFES-20's names: patient, lesion, image.</summary>
    private static readonly Regex Pad = new(@"PAT_(\d+)_\d+_\d+(?!\d)", Options);

    /// <summary>
    /// What tools and browsers put behind a name: suffixes, one or more, a number of a second download, what was done
    /// to the pixels.
    /// </summary>
    private static readonly Regex Additions = new(@"(\.(jpe?g|png|bmp)|[ _]?\(\d+\)|[ _-]+(copy|downsampled|resized))+$", Options);

    /// <summary>For each row of the table: true when it is a frozen test image. Pre-training takes the rows where this is false.</summary>
    /// <exception cref="KitException">A list cannot be read, or the table of a set with a list of patients has no patient_id.</exception>
    public static bool[] Mask(KitSettings settings, ImageTable table)
    {
        string folder = Path.Combine(settings.Root, "data", "splits");
        HashSet<string> Listed(string pattern, string column) => !Directory.Exists(folder) ? []
            : ImageFiles.Shown(folder, pattern)
                .SelectMany(path => CsvFile.Read(path).Column(column)).ToHashSet(StringComparer.Ordinal);
        HashSet<string> images = Listed("*-test.csv", "image_id"), padPatients = Listed(PadPatients, "patient_id");
        HashSet<string> isic = [.. images.Select(IsicId).OfType<string>()];
        bool IsListed(string name) => images.Contains(name)
            || images.Contains(Additions.Replace(Path.GetFileName(name), ""))
            || IsicId(name) is { } number && isic.Contains(number)
            || Pad.Match(Path.GetFileName(name)) is { Success: true } match
                && padPatients.Contains($"PAT_{match.Groups[1].Value}");
        string?[] splits = table.Has("split") ? table.Column("split") : new string?[table.Count];
        bool[] mask = [.. Enumerable.Range(0, table.Count)
            .Select(i => splits[i] == "test" || IsListed(table.Ids[i]) || IsListed(table.Paths[i]))];
        string?[] sources = table.Has("source") ? table.Column("source") : new string?[table.Count];
        foreach (var rows in Enumerable.Range(0, table.Count).GroupBy(i => sources[i] ?? table.Name))
            if (Listed($"{rows.Key}-test-patients.csv", "patient_id") is { Count: > 0 } patients && table.Column("patient_id") is var patient)
                foreach (int i in rows) mask[i] |= patient[i] is { } id && patients.Contains(id);
        return mask;
    }

    /// <summary>The real sets with a column "split", whose rows "test" are frozen.</summary>
    private static readonly string[] WithSplit = [Isic2017.Name, Ham10000.Name, Passion.Name];

    /// <summary>
    /// The real sets here that may have frozen images, by a split of their own or a list; fixtures are none.
    /// </summary>
    internal static string[] SetsAtHand(KitSettings settings)
    {
        string lists = Path.Combine(settings.Root, "data", "splits");
        bool IsListed(string set) => File.Exists(Path.Combine(lists, $"{set}-test.csv"))
            || File.Exists(Path.Combine(lists, $"{set}-test-patients.csv"));
        return [.. DataSetCatalog.RealSets.Where(set => (WithSplit.Contains(set) || IsListed(set))
            && DataSetCatalog.Folder(settings, set) is not null && !DataSetCatalog.IsFixture(settings, set))];
    }

    /// <summary>The files of all frozen images of the real sets that are here, whole or in part.</summary>
    /// <exception cref="KitException">A set or a list cannot be read.</exception>
    internal static string[] AtHand(KitSettings settings) => [.. SetsAtHand(settings).SelectMany(set =>
    {
        try
        {
            ImageTable table = DataSetCatalog.Read(DataSetCatalog.Folder(settings, set)!, set);
            bool[] frozen = Mask(settings, table);
            return table.Paths.Where((_, i) => frozen[i]);
        }
        catch (Exception e) when (e is KitException or IOException or UnauthorizedAccessException)
        {
            throw new KitException($"{set} was read because it has frozen test images, of which pre-training must see "
                + $"no copy: {e.Message} Mend the set, or move its folder away.", e);
        }
    })];

    /// <summary>
    /// The candidates that are frozen images under other names: the same file, or one of the same photograph by its
    /// pixels (<see cref="Leakage.Find"/>), resized, turned or stored again.
    /// </summary>
    /// <param name="candidates">Files that would be trained on.</param>
    /// <param name="frozen">Files of frozen images.</param>
    /// <param name="decode">Reads an image of either; null decodes the file.</param>
    /// <param name="cancellation">Stops between images.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    internal static IReadOnlySet<string> Copies(IReadOnlyList<string> candidates, IReadOnlyList<string> frozen,
        Func<string, RgbImage>? decode = null, CancellationToken cancellation = default)
    {
        HashSet<string> copies = [.. candidates.Intersect(frozen, StringComparer.Ordinal)];
        if (candidates.Count == 0 || frozen.Count == 0) return copies;
        copies.UnionWith(Leakage.Find(candidates, frozen, decode: decode, cancellation: cancellation)
            .Select(pair => candidates[pair.First]));
        return copies;
    }

    /// <summary>The seven digits of ISIC's id in a file's name, whatever stands around it; null without one.</summary>
    private static string? IsicId(string name) => Isic.Match(Path.GetFileName(name)) is { Success: true } match
        ? match.Groups[1].Value : null;
}
