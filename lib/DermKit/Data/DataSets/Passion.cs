namespace DermKit.Data;

/// <summary>PASSION (Gottfrois et al. 2024, doi:10.1007/978-3-031-72384-1_66): clinical photographs from Sub-Saharan Africa, several of each patient, official split.</summary>
public static class Passion
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "passion";

    private const string Labels = "label.csv", SplitFile = "PASSION_split.csv";
    private static readonly string[] Conditions = ["Eczema", "Fungal", "Others", "Scabies"];

    /// <summary>True when <paramref name="folder"/> has label.csv and PASSION_split.csv.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(folder, Labels)) && File.Exists(Path.Combine(folder, SplitFile));

    /// <summary>
    /// Reads label.csv (a row for each subject), PASSION_split.csv (subject_id, Split) and the photographs {subject_id}_{n}.jpg anywhere below the folder, in the order of label.csv, then of names.
    /// Columns: patient_id (subject_id), diagnosis (conditions_PASSION), impetig (0, 1), skin_type (fitzpatrick), site (body_loc, a list with ";"), clinical_diagnosis (the file's diagnosis),
    /// modality, split (train, test), and the file's further columns. A subject without a photograph is listed as absent.
    /// </summary>
    /// <exception cref="KitException">A file or column is missing, a row has a value that the set does not have, a subject has no split, or a photograph no subject.</exception>
    public static ImageTable Load(string folder)
    {
        CsvFile file = CsvFile.Read(Path.Combine(folder, Labels)), splits = CsvFile.Read(Path.Combine(folder, SplitFile));
        file.Require("subject_id", "fitzpatrick", "body_loc", "impetig", "diagnosis", "conditions_PASSION");
        splits.Require("subject_id", "Split");
        var split = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int row = 0; row < splits.Count; row++)
        {
            splits.RequireValue(row, "subject_id");
            string mark = splits[row, "Split"].ToLowerInvariant();
            if (mark is not ("train" or "test"))
                throw splits.Error(row, $"expected Split TRAIN or TEST, found '{Printable.Of(splits[row, "Split"])}'.");
            if (!split.TryAdd(splits[row, "subject_id"], mark))
                throw splits.Error(row, $"subject '{Printable.Of(splits[row, "subject_id"])}' "
                    + "stands here for the second time.");
        }
        var rowOf = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int row = 0; row < file.Count; row++)
        {
            file.RequireValue(row, "subject_id");
            string subject = file[row, "subject_id"];
            if (!rowOf.TryAdd(subject, row))
                throw file.Error(row, $"subject '{Printable.Of(subject)}' stands here for the second time.");
            if (!split.ContainsKey(subject))
                throw file.Error(row, $"subject '{Printable.Of(subject)}' is not in {SplitFile}.");
            if (!Conditions.Contains(file[row, "conditions_PASSION"]))
                throw file.Error(row, $"expected conditions_PASSION {string.Join(", ", Conditions)}, found "
                    + $"'{Printable.Of(file[row, "conditions_PASSION"])}'.");
            OneHot.Flag(file, row, "impetig");
        }
        (string Id, string Path, int Row)[] images = [.. ImageFiles.Under(folder)
            .Select(f => (ImageFiles.Stem(f.Name), f.FullName))
            .Select(f => (f.Item1, f.FullName, rowOf.TryGetValue(f.Item1[..Math.Max(0, f.Item1.LastIndexOf('_'))], out int row) ? row
                : throw new KitException($"{f.FullName}: expected the photograph of a subject of {Labels}, called subject_id, underscore and a number; found none of that name.")))
            .OrderBy(f => f.Item3).ThenBy(f => f.Item1, StringComparer.Ordinal)];
        HashSet<int> seen = [.. images.Select(f => f.Row)];
        int[] alone = [.. Enumerable.Range(0, file.Count).Where(r => !seen.Contains(r))];
        int[] rows = [.. images.Select(f => f.Row), .. alone];
        string?[] Each(Func<int, string?> value) => [.. rows.Select(value)];
        string[] renamed = ["subject_id", "fitzpatrick", "body_loc", "impetig", "diagnosis", "conditions_PASSION"];
        return ImageFiles.Table(Name, [.. images.Select(f => f.Id), .. alone.Select(r => file[r, "subject_id"])], [.. images.Select(f => f.Path), .. alone.Select(_ => (string?)null)],
        [
            ("patient_id", Each(r => file[r, "subject_id"])), ("diagnosis", Each(r => file[r, "conditions_PASSION"])), ("impetig", Each(r => OneHot.Flag(file, r, "impetig") ? "1" : "0")),
            ("skin_type", Each(r => file[r, "fitzpatrick"])), ("site", Each(r => file[r, "body_loc"])), ("clinical_diagnosis", Each(r => file[r, "diagnosis"])),
            ("modality", Each(_ => "clinical")), ("split", Each(r => split[file[r, "subject_id"]])),
            .. file.Columns.Except(renamed).Select(c => (c, Each(r => file[r, c]))),
        ]);
    }
}
