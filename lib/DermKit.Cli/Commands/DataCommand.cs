using DermKit.Data;
using DermKit.Data.Synthetic;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models.Weights;
using DermKit.Reporting;
using System.Collections.Concurrent;
using System.CommandLine;

namespace DermKit.Cli.Commands;

/// <summary>kit data: which data sets there are, where they come from, whether what is here is whole, which pictures are there twice, and to fetch those that need no registration.</summary>
internal static class DataCommand
{
    internal static Command Create() => new("data", "Data sets: list, card, check, duplicates, fetch, and fixtures that stand in for them") { List(), Card(), Check(), Duplicates(), Fetch(), Fixtures() };

    private static string DataRoot(KitSettings settings) => Path.Combine(settings.Root, "data");

    private static string State(KitSettings settings, string set) => DataSetCatalog.Folder(settings, set) is not { } folder ? "absent"
        : DataSetCatalog.IsFixture(settings, set) ? $"FIXTURE in {folder}" : DataSetCatalog.IsPresent(settings, set) ? $"in {folder}" : $"not whole in {folder}";

    private static Command List()
    {
        var command = new Command("list", "Every data set, its licence, and whether it is here");
        command.SetAction(_ =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            foreach ((string set, DataSource source) in DataSources(settings)) Console.WriteLine($"{set,-16} {State(settings, set)}; {source.Title}; licence: {source.Licence}");
            return 0;
        });
        return command;
    }

    private static Command Card()
    {
        var name = new Argument<string>("name") { Description = "A data set of kit data list" };
        var command = new Command("card", "What a data set is, its licence, citation, files and steps, and the tasks on it") { name };
        command.SetAction(parsed =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string set = parsed.GetValue(name)!;
            DataSource source = DataSource.Of(DataRoot(settings), set);
            Console.WriteLine($"{source.Title} ({set}): {State(settings, set)}\naddress:  {source.Address}\nlicence:  {source.Licence}\ncitation: {source.Citation}\nsteps:    {source.Steps}");
            foreach (SourceFile file in source.Files)
                Console.WriteLine($"file:     {file.Name}, {(file.Bytes is { } bytes ? $"{bytes} bytes" : "length unknown")}, SHA-256 {file.Sha256 ?? "unknown"}{(file.Unverified.Length > 0 ? $" ({file.Unverified})" : "")}{(file.Optional ? "; only when named with --file" : "")}\n          {file.Address}");
            foreach (DataSetManifest manifest in DataSetManifest.All(DataRoot(settings), set)) Console.WriteLine($"manifest: {manifest.Name}, {manifest.Images} images. {manifest.Note}");
            foreach (TaskDefinition task in TaskSuite.Load(DataRoot(settings)).Tasks.Where(t => t.DataSets.ContainsKey(set))) Console.WriteLine($"task:     {task.Name}, {task.Title}");
            return 0;
        });
        return command;
    }

    private static Command Check()
    {
        var name = new Argument<string?>("name") { Description = "A data set (default: every one that is here)", Arity = ArgumentArity.ZeroOrOne };
        var pixels = new Option<bool>("--pixels") { Description = "Decodes every picture too, names those that cannot be read, and warns where test pictures have other colours than the rest" };
        var command = new Command("check", "Reads label files, compares counts, first and last label with the manifest and downloaded files with their hashes, and names what is missing or altered") { name, pixels };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string[] sets = parsed.GetValue(name) is { } one ? [one] : [.. DataSources(settings).Keys.Where(s => DataSetCatalog.Folder(settings, s) is not null)];
            if (parsed.GetValue(name) is { } asked && DataSetCatalog.Folder(settings, asked) is null) DataSource.Of(DataRoot(settings), asked);
            if (sets.Length == 0) Console.WriteLine($"No data set in {settings.DataDir}; kit data list says which there are.");
            bool wrong = false;
            foreach (string set in sets)
            {
                foreach (string file in Altered(settings, set))
                {
                    wrong = true;
                    Console.WriteLine($"FAIL  {set}: {file}");
                }
                try
                {
                    ImageTable table = DataSetCatalog.Load(settings, set);
                    ((string Id, string Reason)[] unread, string? colours) = parsed.GetValue(pixels) ? Look(table, FrozenTest.Mask(settings, table), cancellation) : ([], null);
                    bool failed = unread.Length > 0;
                    wrong |= failed;
                    Console.WriteLine($"{(failed ? "FAIL" : "PASS")}  {set}: {table.Count} images{(DataSetCatalog.IsFixture(settings, set) ? " (FIXTURE)" : "")}, hash {DataSetCatalog.Hash(DataSetCatalog.Folder(settings, set)!)[..12]}{(table.Absent.Count > 0 ? $"; {table.Absent.Count} that the labels name are not here, the first {table.Absent[0]}" : "")}");
                    foreach ((string id, string reason) in unread) Console.WriteLine($"      {id}: {reason}");
                    if (colours is not null) Console.WriteLine($"WARN  {set}: {colours}");
                }
                catch (KitException e)
                {
                    wrong = true;
                    Console.WriteLine($"FAIL  {set}: {e.Message}");
                }
            }
            return wrong ? 1 : 0;
        }));
        return command;
    }

    /// <summary>Files of a set that data/sources.json gives a hash for, and that have another one.</summary>
    private static string[] Altered(KitSettings settings, string set)
    {
        if (DataSetCatalog.IsFixture(settings, set) || !DataSources(settings).TryGetValue(set, out DataSource? source)) return [];
        if (DataSetCatalog.Folder(settings, set) is not { } folder) return [];
        return [.. source.Files.Select(f => (File: f, Path: Path.Combine(folder, f.Name))).Where(f => f.File.Sha256 is not null && File.Exists(f.Path))
            .Select(f => (f.File, f.Path, Found: WeightLoader.FileHash(f.Path))).Where(f => f.Found != f.File.Sha256)
            .Select(f => $"{f.Path}: altered, expected SHA-256 {f.File.Sha256}, found {f.Found}; get it again with kit data fetch {set} --file {f.File.Name}")];
    }

    private static Command Duplicates()
    {
        var name = new Argument<string>("name") { Description = "A data set of kit data list that is here" };
        var other = new Argument<string?>("other") { Description = "Another set that its pictures are looked for in, such as one to test on (default: pairs within the first)", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("duplicates", "Near-duplicates within a set or between two, such as pre-training and downstream data: thumbnails rank the pairs, pixels confirm them, a person judges them") { name, other };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            (string set, string? beside) = (parsed.GetValue(name)!, parsed.GetValue(other));
            ImageTable first = DataSetCatalog.Load(settings, set), second = beside is null ? first : DataSetCatalog.Load(settings, beside);
            IReadOnlyList<MatchedPair> pairs = Leakage.Find(first.Paths, beside is null ? null : second.Paths, cancellation: cancellation);
            string where = beside is null ? $"within {set} ({first.Count} pictures)" : $"between {set} ({first.Count} pictures) and {beside} ({second.Count})";
            string stamp = new[] { set, beside }.OfType<string>().Any(s => DataSetCatalog.IsFixture(settings, s)) ? Stamps.Fixture : "";
            if (pairs.Count > 0) Console.WriteLine(LeakageReport.List($"Near-duplicates {where}", pairs, first, second, stamp));
            Console.WriteLine($"{pairs.Count} pairs {where}. What does not look alike is not found: two photographs of one lesion may be.");
            return 0;
        }));
        return command;
    }

    private static Command Fetch()
    {
        var name = new Argument<string>("name") { Description = "A data set of kit data list" };
        var accept = new Option<bool>("--accept-licence") { Description = "You have read the licence that kit data card prints, and keep it" };
        var only = new Option<string?>("--file") { Description = "One file of the set; the only way to an optional one, such as a cleaning list" };
        var command = new Command("fetch", "Fetches what needs no registration into the data folder; an interrupted download goes on") { name, accept, only };
        command.SetAction(async (parsed, cancellation) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string set = parsed.GetValue(name)!, folder = Path.Combine(settings.DataDir, set);
            DataSource source = DataSource.Of(DataRoot(settings), set);
            Console.WriteLine($"{source.Title}\nlicence:  {source.Licence} ({source.Address})\ncitation: {source.Citation}");
            if (!parsed.GetValue(accept)) throw new KitException($"Data set '{set}': read its licence at {source.Address}; if you accept it, add --accept-licence.");
            SourceFile[] files = parsed.GetValue(only) is { } wanted
                ? [source.Files.FirstOrDefault(f => f.Name == wanted) ?? throw new KitException($"Data set '{set}' has no file '{wanted}' to fetch; did you mean '{KitException.Nearest(wanted, source.Files.Select(f => f.Name))}'?")]
                : [.. source.Files.Where(f => !f.Optional)];
            if (files.Length == 0) throw new KitException($"Data set '{set}' cannot be fetched without you: {source.Steps}");
            using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
            foreach (SourceFile file in files)
            {
                // An archive that was unpacked is gone; its mark says so.
                string done = Path.Combine(folder, $".{file.Name}.unpacked");
                if (file.Unpack && File.Exists(done))
                {
                    Console.WriteLine($"{file.Name} was unpacked before (delete {done} to fetch it again)");
                    continue;
                }
                ProgressBar bar = Display.Progress(file.Name);
                string path = await new Download(http).Fetch(file, folder, (there, all) => bar.Report((int)(there >> 10), (int)((all ?? there) >> 10)), cancellation);
                Console.WriteLine($"{path}: {(file.Sha256 is null ? $"not verified, {file.Unverified}" : "SHA-256 as expected")}");
                if (!file.Unpack) continue;
                Console.WriteLine($"{Archive.Unpack(path, folder, cancellation: cancellation)} files unpacked into {folder}");
                await File.WriteAllTextAsync(done, "", cancellation);
                File.Delete(path);
            }
            Console.WriteLine($"Left to do: {source.Steps}\nThen: kit data check {set}");
            return 0;
        });
        return command;
    }

    private static Command Fixtures()
    {
        var folder = new Argument<string>("folder") { Description = "Made when absent; name it in KIT_DATA_DIR afterwards" };
        var command = new Command("fixtures", "Writes small stand-ins for the sets of the twelve tasks: real names and headers, drawn pictures, invented labels, all stamped FIXTURE") { folder };
        command.SetAction(parsed =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string path = Path.GetFullPath(parsed.GetValue(folder)!);
            FixtureSets.Write(settings, path);
            Console.WriteLine($"{path}: {string.Join(", ", FixtureSets.Names)}, all FIXTURE. Next: KIT_DATA_DIR={path} kit run notebooks/02-twelve-task-probing.ipynb");
            return 0;
        });
        return command;
    }

    private static IReadOnlyDictionary<string, DataSource> DataSources(KitSettings settings) => DataSource.All(DataRoot(settings));

    private static ((string Id, string Reason)[] Unread, string? Colours) Look(ImageTable table, bool[] frozen, CancellationToken cancellation)
    {
        double[] shares = new double[table.Count];
        var unread = new ConcurrentBag<(string Id, string Reason)>();
        Parallel.For(0, table.Count, new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
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
