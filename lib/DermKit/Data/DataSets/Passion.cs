namespace DermKit.Data;

/// <summary>PASSION (Gottfrois et al. 2024, doi:10.1007/978-3-031-72384-1_66): Sub-Saharan Africa.</summary>
internal static class Passion
{
    public const string Name = "passion";

    private const string Labels = "label.csv", SplitFile = "PASSION_split.csv";
    internal static readonly string[] Conditions = ["Eczema", "Fungal", "Others", "Scabies"];

    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Labels))
        && File.Exists(Path.Combine(folder, SplitFile));

    // label.csv has a row for each subject; images are {subject_id}_{n}.jpg, in the order of label.csv, then of names.
    // site is a list with ";". A subject without a photograph is absent.
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, Labels));
        CsvFile splits = CsvFile.Read(Path.Combine(folder, SplitFile));
        string[] renamed = ["subject_id", "fitzpatrick", "body_loc", "impetig", "diagnosis", "conditions_PASSION"];
        file.Require(renamed);
        splits.Require("subject_id", "Split");
        Dictionary<string, int> splitRows = Subjects(splits), rowOf = Subjects(file);
        string[] split = splits.Map(row => splits[row, "Split"].ToLowerInvariant() is "train" or "test"
            ? splits[row, "Split"].ToLowerInvariant() : throw splits.Expected(row, "Split", "TRAIN or TEST"));
        for (int row = 0; row < file.Count; row++)
        {
            if (!splitRows.ContainsKey(file[row, "subject_id"]))
                throw file.Error(row, $"subject '{Printable.Of(file[row, "subject_id"])}' is not in {SplitFile}; get "
                    + "both files again.");
            if (!Conditions.Contains(file[row, "conditions_PASSION"]))
                throw file.Expected(row, "conditions_PASSION", string.Join(", ", Conditions));
            OneHot.Flag(file, row, "impetig");
        }
        (string Id, string? Path, int Row)[] images = [.. ImageFiles.Under(folder).Select(Image)
            .OrderBy(i => i.Row).ThenBy(i => i.Id, StringComparer.Ordinal)];
        HashSet<int> seen = [.. images.Select(i => i.Row)];
        images = [.. images, .. rowOf.Values.Where(row => !seen.Contains(row)).Order()
            .Select(row => (file[row, "subject_id"], (string?)null, row))];
        string?[] Each(Func<int, string?> value) => [.. images.Select(i => value(i.Row))];
        return ImageFiles.Table(Name, [.. images.Select(i => i.Id)], [.. images.Select(i => i.Path)],
        [
            ("patient_id", Each(r => file[r, "subject_id"])), ("diagnosis", Each(r => file[r, "conditions_PASSION"])),
            ("impetig", Each(r => OneHot.Flag(file, r, "impetig") ? "1" : "0")),
            ("skin_type", Each(r => file[r, "fitzpatrick"])), ("site", Each(r => file[r, "body_loc"])),
            ("clinical_diagnosis", Each(r => file[r, "diagnosis"])),
            ("modality", Each(_ => "clinical")), ("split", Each(r => split[splitRows[file[r, "subject_id"]]])),
            .. file.Columns.Except(renamed).Select(c => (c, Each(r => file[r, c]))),
        ]);

        (string Id, string? Path, int Row) Image(FileInfo image)
        {
            string id = ImageFiles.Stem(image.Name);
            return rowOf.TryGetValue(id[..Math.Max(0, id.LastIndexOf('_'))], out int row) ? (id, image.FullName, row)
                : throw new KitException($"{image.FullName}: expected the photograph of a subject of {Labels}, called "
                    + "subject_id, underscore and a number; found none of that name. Move the file away.");
        }
    }

    private static Dictionary<string, int> Subjects(CsvFile file)
    {
        var rows = new Dictionary<string, int>();
        for (int row = 0; row < file.Count; row++)
        {
            file.RequireValue(row, "subject_id");
            if (!rows.TryAdd(file[row, "subject_id"], row))
                throw file.Error(row, $"subject '{Printable.Of(file[row, "subject_id"])}' stands here for the second "
                    + "time; keep one row.");
        }
        return rows;
    }
}
