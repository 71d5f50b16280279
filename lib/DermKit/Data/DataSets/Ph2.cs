namespace DermKit.Data;

/// <summary>PH2 (Mendonca et al. 2013, doi:10.1109/EMBC.2013.6610779): common and atypical nevi, melanomas.</summary>
internal static class Ph2
{
    public const string Name = "ph2";

    private const string Labels = "PH2_dataset.txt";
    private static readonly string[] Diagnoses = ["common nevus", "atypical nevus", "melanoma"];
    private static readonly string[] Criteria = ["asymmetry", "pigment_network", "dots_globules", "streaks",
        "regression_areas", "blue_whitish_veil"];

    public static bool IsIn(string folder) => File.Exists(Path.Combine(Root(folder), Labels));

    // PH2_dataset.txt: groups separated by "||", criteria by "|", then legends. Images are IMDxxx.bmp; the masks beside
    // them have other names. No patient id.
    public static ImageTable Load(string folder)
    {
        string path = Path.Combine(Root(folder), Labels);
        if (!File.Exists(path))
            throw new KitException($"{path}: expected the table of PH2, found none; take {Labels} from the archive "
                + "(its .xlsx is not read).");
        List<string> ids = [];
        List<string?[]> values = [];
        bool header = false;
        foreach ((int i, string line) in File.ReadLines(path, Encoding.Latin1).Index())
        {
            if (!line.TrimStart().StartsWith("||", Ordinal)) continue;
            string[] groups = [.. line.Trim().Trim('|').Split("||").Select(g => g.Trim())];
            if (header)
            {
                Check(i, groups);
                ids.Add(groups[0]);
                // Trimming the bars at both ends takes an empty last group with it.
                values.Add([Diagnoses[groups[2][0] - '0'], groups[1], .. groups[3].Split('|').Select(c => c.Trim()),
                    groups.Length == 5 ? groups[4] : "", "dermoscopic"]);
            }
            else if (groups is not ["Name", _, "Clinical Diagnosis", _, _])
                throw Error(i, "the header || Name || Histological Diagnosis || Clinical Diagnosis || ... || Colors ||",
                    line.Trim());
            header = true;
        }
        if (ids.Count == 0)
            throw new KitException($"{path}: expected rows that begin with ||, found none; take {Labels} from the "
                + "archive again.");
        string[] columns = ["diagnosis", "histology", .. Criteria, "colours", "modality"];
        return ImageFiles.Table(Name, folder, [.. ids],
            [.. columns.Select((c, k) => (c, values.Select(v => v[k]).ToArray()))]);

        void Check(int line, string[] groups)
        {
            if (groups.Length is not (4 or 5)) throw Error(line, "5 groups between ||", groups.Length);
            int criteria = groups[3].Split('|').Length;
            if (criteria != Criteria.Length) throw Error(line, $"{Criteria.Length} criteria between |", criteria);
            if (groups[2] is not ("0" or "1" or "2"))
                throw Error(line, "clinical diagnosis 0 (common nevus), 1 (atypical nevus) or 2 (melanoma)", groups[2]);
            if (Missing.Is(groups[0])) throw Error(line, "the name of an image", groups[0]);
        }

        KitException Error(int line, string expected, object found) =>
            new($"{path}, row {line + 1}: expected {expected}, found "
                + $"{(found is string text ? $"'{Printable.Of(text)}'" : found)}; take {Labels} from the archive "
                + "again.");
    }

    private static string Root(string folder) =>
        Path.Combine(folder, "PH2Dataset") is var inner && File.Exists(Path.Combine(inner, Labels)) ? inner : folder;
}
