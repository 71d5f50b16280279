using DermKit.Data;
using DermKit.Imaging;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace DermKit.Studies;

/// <summary>Stand-ins for the sets of the paper's twelve tasks, from data/fixtures.json: real names and headers, drawn
/// images, invented labels; results are stamped FIXTURE.</summary>
internal static class FixtureSets
{
    private const int Size = 112;

    // Writes the same images each time, about 1,200 for all sets, and returns the names of the sets. Throws if a folder
    // holds real data (no mark).
    public static string[] Write(KitSettings settings, string folder, params string[] sets)
    {
        string data = Path.Combine(settings.Root, "data");
        Table[] tables = StrictJson.Read<Page>(Path.Combine(data, "fixtures.json")).Tables;
        string[] known = [.. tables.Select(t => t.Set).Distinct()];
        if (sets.Length == 0) sets = known;
        if (sets.FirstOrDefault(s => !known.Contains(s)) is { } other)
            throw KitException.Unknown("data/fixtures.json: set", other, known);
        foreach (string path in sets.Select(set => Path.Combine(folder, set)).Where(Directory.Exists))
        {
            if (!File.Exists(Path.Combine(path, DataSetCatalog.FixtureMark)))
                throw new KitException(
                    $"{path}: this folder exists and holds no {DataSetCatalog.FixtureMark}; name an empty folder for "
                    + "the fixture.");
            Directory.Delete(path, recursive: true);
        }
        string drawn = SyntheticDataSet.Ensure(settings.CacheDir, 96, seed: 11);
        RgbImage[] photos = [.. SyntheticDataSet.Load(drawn).Paths.Select(p => ImageCodec.Decode(p))];
        foreach (string set in sets)
        {
            string path = Path.Combine(folder, set);
            var random = new SplitMix64((ulong)(set[0] * 1000 + set.Length));
            // Written first, so that an interrupted run leaves a fixture.
            AtomicFile.WriteAllText(Path.Combine(path, DataSetCatalog.FixtureMark), "Real file names and headers, "
                + "drawn images, invented labels: a fixture of DermKit. Delete the folder before real data takes its "
                + "place.\n");
            foreach (Table table in tables.Where(t => t.Set == set)) table.Write(path, data, photos, random);
        }
        return sets;
    }

    private sealed record Page(string Note, Table[] Tables);

    // A file of a set, and the images that its rows name. The page's note says how a template is filled in.
    private sealed record Table
    {
        public required string Set { get; init; }

        public string? File { get; init; }

        public string Header { get; init; } = "";

        public required int Rows { get; init; }

        public string[] Images { get; init; } = [];

        public string Row { get; init; } = "";

        public Dictionary<string, string[]> Lists { get; init; } = [];

        // Name of the manifest that lists the classes.
        public string? Classes { get; init; }

        public void Write(string folder, string dataRoot, RgbImage[] photos, SplitMix64 random)
        {
            if (Classes is not null)
                Lists["class"] = [.. DataSetManifest.All(dataRoot, Set).First(m => m.Name == Classes).Counts.Values
                    .SelectMany(c => c.Keys).Distinct().Order(StringComparer.Ordinal)];
            string frozen = Path.Combine(dataRoot, "splits", $"{Set}-test-patients.csv");
            if (Path.Exists(frozen)) Lists["frozen"] = CsvFile.Read(frozen).Column("patient_id");
            string[] rows = [.. Enumerable.Range(0, Rows).Select(i => Fill(Row, i))];
            if (File is not null)
                AtomicFile.WriteAllText(Path.Combine(folder, File), string.Join('\n', [Header, .. rows, ""]));
            for (int i = 0; i < Rows; i++)
                foreach (string image in Images)
                    Draw(Path.Combine(folder, Fill(image, i)), photos[random.Below(photos.Length)], random);
        }

        private string Fill(string template, int i) =>
            Regex.Replace(template, @"\{(\w+)(?:/(\d+))?(?:\+(\d+))?(?::(\w+))?\}", match =>
            {
                int Number(int group, int absent) => match.Groups[group].Success
                    ? int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture) : absent;
                int value = i / Number(2, 1) + Number(3, 0);
                return Lists.TryGetValue(match.Groups[1].Value, out string[]? list) ? Fill(list[value % list.Length], i)
                    : value.ToString(match.Groups[4].Value, CultureInfo.InvariantCulture);
            });

        // A part of a photograph, independent of the label.
        private static void Draw(string path, RgbImage photo, SplitMix64 random)
        {
            RgbImage part = photo.Crop(random.Below(photo.Width - Size), random.Below(photo.Height - Size), Size, Size);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            System.IO.File.WriteAllBytes(path, Path.GetExtension(path) switch
            {
                ".png" => ImageCodec.EncodePng(part),
                ".bmp" => Bitmap(part.Pixels),
                _ => ImageCodec.EncodeJpeg(part),
            });
        }

        // 24-bit BMP: headers of 14 and 40 bytes; a negative height puts the first row first; blue stands first.
        private static byte[] Bitmap(byte[] pixels)
        {
            int[] header = [54 + pixels.Length, 0, 54, 40, Size, -Size, 0x180001, 0, 0, 0, 0, 0, 0];
            return [.. "BM"u8, .. MemoryMarshal.AsBytes<int>(header), .. pixels.Chunk(3).SelectMany(p => p.Reverse())];
        }
    }
}
