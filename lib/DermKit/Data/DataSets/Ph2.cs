using System.Text;

namespace DermKit.Data;

/// <summary>PH2 (Mendonca et al. 2013, doi:10.1109/EMBC.2013.6610779): dermoscopic images as .bmp, 80 common nevi, 80 atypical nevi, 40 melanomas.</summary>
public static class Ph2
{
    /// <summary>Name of the set and of its folder.</summary>
    public const string Name = "ph2";

    private const string Labels = "PH2_dataset.txt";
    private static readonly string[] Diagnoses = ["common nevus", "atypical nevus", "melanoma"];
    private static readonly string[] Criteria = ["asymmetry", "pigment_network", "dots_globules", "streaks", "regression_areas", "blue_whitish_veil"];

    /// <summary>True when <paramref name="folder"/> (or PH2Dataset in it, as the archive unpacks) has PH2_dataset.txt.</summary>
    public static bool IsIn(string folder) => File.Exists(Path.Combine(Root(folder), Labels));

    /// <summary>
    /// Reads PH2_dataset.txt, the text that lies beside PH2_dataset.xlsx and says the same: a table whose groups are separated by "||" and whose criteria by "|",
    /// followed by legends. Images IMDxxx.bmp anywhere below the folder; the masks beside them have other names.
    /// Columns: diagnosis (common nevus, atypical nevus, melanoma), histology, the six criteria, colours, modality. There is no patient id.
    /// </summary>
    /// <exception cref="KitException">The file is missing or not this table, or a row has a value that the set does not have.</exception>
    public static ImageTable Load(string folder)
    {
        string path = Path.Combine(Root(folder), Labels);
        if (!File.Exists(path)) throw new KitException($"{path}: expected the table of PH2, found none; take {Labels} from the archive (its .xlsx is not read).");
        List<string> ids = [];
        var values = new List<string[]>();
        bool header = false;
        foreach ((int i, string line) in File.ReadLines(path, Encoding.Latin1).Index())
        {
            if (!line.TrimStart().StartsWith("||", StringComparison.Ordinal)) continue;
            string[] groups = [.. line.Trim().Trim('|').Split("||").Select(g => g.Trim())];
            KitException Error(string message) => new($"{path}, row {i + 1}: {message}");
            if (!header)
            {
                if (groups is not ["Name", _, "Clinical Diagnosis", _, _])
                    throw Error("expected the header || Name || Histological Diagnosis || Clinical Diagnosis || ... || "
                        + $"Colors ||, found '{Printable.Of(line.Trim())}'.");
                header = true;
                continue;
            }
            // Trimming the bars at both ends takes an empty last group with it.
            if (groups.Length is not (4 or 5)) throw Error($"expected 5 groups between ||, found {groups.Length}.");
            string[] criteria = [.. groups[3].Split('|').Select(c => c.Trim())];
            if (criteria.Length != Criteria.Length) throw Error($"expected {Criteria.Length} criteria between |, found {criteria.Length}.");
            if (groups[2] is not ("0" or "1" or "2"))
                throw Error("expected clinical diagnosis 0 (common nevus), 1 (atypical nevus) or 2 (melanoma), "
                    + $"found '{Printable.Of(groups[2])}'.");
            if (Missing.Is(groups[0]))
                throw Error($"expected the name of an image, found '{Printable.Of(groups[0])}'.");
            ids.Add(groups[0]);
            values.Add([Diagnoses[groups[2][0] - '0'], groups[1], .. criteria, groups.Length == 5 ? groups[4] : ""]);
        }
        if (ids.Count == 0) throw new KitException($"{path}: expected rows that begin with ||, found none.");
        string[] columns = ["diagnosis", "histology", .. Criteria, "colours"];
        return ImageFiles.Table(Name, folder, [.. ids], [.. columns.Select((c, k) => (c, values.Select(v => (string?)v[k]).ToArray())), ("modality", [.. ids.Select(_ => "dermoscopic")])]);
    }

    private static string Root(string folder) => Path.Combine(folder, "PH2Dataset") is var inner && File.Exists(Path.Combine(inner, Labels)) ? inner : folder;
}
