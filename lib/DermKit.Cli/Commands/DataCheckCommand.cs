using System.Collections.Concurrent;
using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;

namespace DermKit.Cli;

internal static class DataCheckCommand
{
    internal static Command Create()
    {
        var name = Argument<string?>("name",
            "A data set or a model's weights (default: every one that is here)");
        name.Arity = ArgumentArity.ZeroOrOne;
        var pixels = Option<bool>("--pixels",
            "Decodes every image too, names those that are not readable, and warns where test images have other "
                + "colours than the rest");
        return new Command("check", "Reads label files, compares counts, first and last label with the "
            + "manifest and downloaded files with their hashes, and names what is missing or altered")
        {
            name, pixels
        }.Runs((parsed, cancellation) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            IReadOnlyDictionary<string, DataSource> sources = DataSource.All(settings.Data());
            string? only = parsed.GetValue(name);
            // Throws for a name that is neither here nor known.
            if (only is not null && DataSetCatalog.Folder(settings, only) is null)
                DataSource.Of(settings.Data(), only);
            string[] names = only is not null ? [only]
                : [.. sources.Where(s => s.Value.Weights ? s.Value.Present(settings, s.Key).Length > 0
                    : DataSetCatalog.Folder(settings, s.Key) is not null).Select(s => s.Key)];
            if (names.Length == 0)
                Console.WriteLine($"No data set in {settings.DataDir} and no weights that have a source; kit data list "
                    + "names both.");
            bool passed = true;
            foreach (string set in names)
            {
                DataSource? source = sources.GetValueOrDefault(set);
                if (source is not null) passed &= CheckFiles(settings, set, source);
                if (source is not { Weights: true })
                    passed &= CheckSet(settings, set, parsed.GetValue(pixels), cancellation);
            }
            return passed ? 0 : 1;
        });
    }

    private static bool CheckFiles(KitSettings settings, string name, DataSource source)
    {
        (SourceFile File, string Path)[] here = source.Present(settings, name);
        bool passed = !source.Weights || here.Length > 0;
        foreach ((SourceFile file, string path) in here)
        {
            string? found = file.Sha256 is null ? null : WeightLoader.FileHash(path);
            passed &= found == file.Sha256;
            if (found != file.Sha256)
                Console.WriteLine($"FAIL  {name}: {path}: altered, expected SHA-256 {file.Sha256}, found {found}; move "
                    + $"it away and get it again with kit data fetch {name} --accept-licence --file {file.Name}");
            else if (source.Weights)
                Console.WriteLine(found is null ? $"WARN  {name}: {path}: not verified, {file.Unverified}"
                    : $"PASS  {name}: {path}: SHA-256 as expected");
        }
        if (source.Weights && here.Length == 0)
            Console.WriteLine($"FAIL  {name}: not in {source.Folder(settings, name)}; kit data fetch {name} "
                + "--accept-licence downloads it");
        return passed;
    }

    private static bool CheckSet(KitSettings settings, string set, bool pixels, CancellationToken cancellation)
    {
        try
        {
            ImageTable table = DataSetCatalog.Load(settings, set);
            ((string Id, string Reason)[] unread, string? colours) = pixels
                ? Decode(table, FrozenTest.Mask(settings, table), cancellation) : ([], null);
            string fixture = DataSetCatalog.IsFixture(settings, set) ? " (FIXTURE)" : "";
            string absent = table.Absent.Count == 0 ? ""
                : $"; {table.Absent.Count} that the labels name are not here, the first {table.Absent[0]}";
            Console.WriteLine($"{(unread.Length > 0 ? "FAIL" : "PASS")}  {set}: {table.Count} images{fixture}, hash "
                + $"{DataSetCatalog.Hash(DataSetCatalog.Folder(settings, set)!)[..12]}{absent}");
            foreach ((string id, string reason) in unread)
                Console.WriteLine($"      {Printable.Of(id)}: {Printable.Line(reason)}");
            if (colours is not null) Console.WriteLine($"WARN  {set}: {colours}");
            return unread.Length == 0;
        }
        catch (KitException e)
        {
            Console.WriteLine($"FAIL  {set}: {e.Message}");
            return false;
        }
    }

    private static ((string Id, string Reason)[] Unread, string? Colours) Decode(ImageTable table, bool[] frozen,
        CancellationToken cancellation)
    {
        double[] shares = new double[table.Count];
        var unread = new ConcurrentBag<(string Id, string Reason)>();
        var options = new ParallelOptions
        {
            CancellationToken = cancellation,
            MaxDegreeOfParallelism = Environment.ProcessorCount,
        };
        Parallel.For(0, table.Count, options, i =>
        {
            try
            {
                shares[i] = CutValues.Share(ImageCodec.Decode(table.Paths[i]));
            }
            catch (ImageUnreadableException e)
            {
                shares[i] = double.NaN;
                unread.Add((table.Ids[i], e.Message));
            }
        });
        return ([.. unread.OrderBy(u => u.Id, StringComparer.Ordinal)], CutValues.Warning(shares, frozen));
    }
}
