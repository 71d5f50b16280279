using DermKit.Imaging;
using System.Text.RegularExpressions;

namespace DermKit.Data;

/// <summary>Images that no model trains on: ids in data/splits/&lt;set&gt;-test.csv of any set, patients in
/// &lt;set&gt;-test-patients.csv, or the table's split "test". Renamed copies count too: by the id in the name, before
/// pre-training by pixels (<see cref="Copies"/>).</summary>
internal static class FrozenTest
{
    private const string PadPatients = "pad-ufes-20-test-patients.csv";
    private const RegexOptions Options = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;

    private static readonly Regex Isic = new(@"ISIC[_\- ]?(\d{7})(?!\d)", Options);

    private static readonly Regex Pad = new(@"PAT_(\d+)_\d+_\d+(?!\d)", Options);

    // Suffixes, download numbers and operations that tools add to a name.
    private static readonly Regex Additions =
        new(@"(\.(jpe?g|png|bmp)|[ _]?\(\d+\)|[ _-]+(copy|downsampled|resized))+$", Options);

    // Throws if a list is unreadable, or lists patients of a table without patient_id.
    public static bool[] Mask(KitSettings settings, ImageTable table)
    {
        string folder = Lists(settings);
        HashSet<string> Listed(string pattern, string column) => !Directory.Exists(folder) ? []
            : ImageFiles.Shown(folder, pattern).SelectMany(path => CsvFile.Read(path).Column(column)).ToHashSet();
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
            if (Listed($"{rows.Key}-test-patients.csv", "patient_id") is { Count: > 0 } patients
                && table.Column("patient_id") is var patient)
                foreach (int i in rows) mask[i] |= patient[i] is { } id && patients.Contains(id);
        return mask;
    }

    // Real sets whose rows with split "test" are frozen.
    private static readonly string[] WithSplit = [Isic2017.Name, Ham10000.Name, Passion.Name];

    // Real sets present that may have frozen images; no fixtures.
    internal static string[] SetsAtHand(KitSettings settings)
    {
        bool IsListed(string set) =>
            ImageFiles.First(Lists(settings), $"{set}-test.csv", $"{set}-test-patients.csv") is not null;
        return [.. DataSetCatalog.RealSets.Where(set => (WithSplit.Contains(set) || IsListed(set))
            && DataSetCatalog.Folder(settings, set) is not null && !DataSetCatalog.IsFixture(settings, set))];
    }

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

    // Frozen images under other names, by file or pixels.
    internal static IReadOnlySet<string> Copies(IReadOnlyList<string> candidates, IReadOnlyList<string> frozen,
        Func<string, RgbImage>? decode = null, CancellationToken cancellation = default)
    {
        HashSet<string> copies = [.. candidates.Intersect(frozen)];
        if (candidates.Count == 0 || frozen.Count == 0) return copies;
        copies.UnionWith(Leakage.Find(candidates, frozen, decode: decode, cancellation: cancellation)
            .Select(pair => candidates[pair.First]));
        return copies;
    }

    internal static string Lists(KitSettings settings) => Path.Combine(settings.Root, "data", "splits");

    private static string? IsicId(string name) => Isic.Match(Path.GetFileName(name)) is { Success: true } match
        ? match.Groups[1].Value : null;
}
