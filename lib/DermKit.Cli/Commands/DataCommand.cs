using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Reporting;
using System.Collections.Concurrent;
using System.CommandLine;

namespace DermKit.Cli;

/// <summary>kit data: which data sets and weights there are, where they come from, whether what is here is whole, which images are there twice, and to fetch those that need no registration.</summary>
internal static class DataCommand
{
    internal static Command Create() => new("data", "Data sets and weights: list, card, check, duplicates, fetch, and fixtures that stand in for them") { List(), Card(), Check(), Duplicates(), Fetch(), Fixtures() };

    private static string DataRoot(KitSettings settings) => Path.Combine(settings.Root, "data");

    private static string State(KitSettings settings, string set, DataSource source) =>
        source.Weights ? source.Present(settings, set) is [var first, ..] ? $"in {first.Path}" : "absent"
        : DataSetCatalog.Folder(settings, set) is not { } folder ? "absent"
        : DataSetCatalog.IsFixture(settings, set) ? $"FIXTURE in {folder}" : DataSetCatalog.IsPresent(settings, set)
            ? $"in {folder}" : Part(DataSetCatalog.Files(settings, set), folder);

    private static string Part((int Here, int? All) files, string folder) =>
        FormattableString.Invariant($"not whole, {files.Here} of {files.All} image files in {folder}");

    private static Command List()
    {
        var command = new Command("list", "Every data set and every model's weights that have a source, their licence, and whether they are here");
        command.SetAction(_ =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            foreach ((string set, DataSource source) in DataSources(settings)) Console.WriteLine($"{set,-24} {State(settings, set, source)}; {source.Title}; licence: {source.Licence}");
            return 0;
        });
        return command;
    }

    private static Command Card()
    {
        var name = new Argument<string>("name") { Description = "A name of kit data list" };
        var command = new Command("card", "What a data set or a model's weights are, their licence, citation, files and steps, and the tasks on the set") { name };
        command.SetAction(parsed =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string set = parsed.GetValue(name)!;
            DataSource source = DataSource.Of(DataRoot(settings), set);
            Console.WriteLine($"{source.Title} ({set}): {State(settings, set, source)}\naddress:  {source.Address}\nlicence:  {source.Licence}\ncitation: {source.Citation}\nsteps:    {source.Steps}");
            foreach (SourceFile file in source.Files)
                Console.WriteLine($"file:     {file.Name}, {(file.Bytes is { } bytes ? $"{bytes} bytes" : "length unknown")}, SHA-256 {file.Sha256 ?? "unknown"}{(file.Unverified.Length > 0 ? $" ({file.Unverified})" : "")}{(file.Optional ? "; only when named with --file" : "")}\n          {file.Address}");
            foreach (DataSetManifest manifest in DataSetManifest.All(DataRoot(settings), set)) Console.WriteLine($"manifest: {manifest.Name}, {manifest.Images} images. {manifest.Note}");
            foreach (TaskDefinition task in EvaluateCommand.Tasks(settings).Tasks.Where(t => t.DataSets.ContainsKey(set)))
                Console.WriteLine($"task:     {task.Name}, {task.Title}");
            return 0;
        });
        return command;
    }

    private static Command Check()
    {
        var name = new Argument<string?>("name") { Description = "A data set or a model's weights (default: every one that is here)", Arity = ArgumentArity.ZeroOrOne };
        var pixels = new Option<bool>("--pixels") { Description = "Decodes every image too, names those that cannot be read, and warns where test images have other colours than the rest" };
        var command = new Command("check", "Reads label files, compares counts, first and last label with the manifest and downloaded files with their hashes, and names what is missing or altered") { name, pixels };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            IReadOnlyDictionary<string, DataSource> sources = DataSources(settings);
            string[] sets = parsed.GetValue(name) is { } one ? [one] : [.. sources.Where(s => s.Value.Weights ? s.Value.Present(settings, s.Key).Length > 0 : DataSetCatalog.Folder(settings, s.Key) is not null).Select(s => s.Key)];
            if (parsed.GetValue(name) is { } asked && DataSetCatalog.Folder(settings, asked) is null) DataSource.Of(DataRoot(settings), asked);
            if (sets.Length == 0) Console.WriteLine($"No data set in {settings.DataDir} and no weights that have a source; kit data list says which there are.");
            bool wrong = false;
            foreach (string set in sets)
            {
                DataSource? source = sources.GetValueOrDefault(set);
                (SourceFile File, string Path)[] here = source?.Present(settings, set) ?? [];
                foreach ((SourceFile file, string path) in here)
                {
                    string? found = file.Sha256 is null ? null : WeightLoader.FileHash(path);
                    wrong |= found != file.Sha256;
                    if (found != file.Sha256) Console.WriteLine($"FAIL  {set}: {path}: altered, expected SHA-256 {file.Sha256}, found {found}; move it away and get it again with kit data fetch {set} --accept-licence --file {file.Name}");
                    else if (source!.Weights) Console.WriteLine(found is null ? $"WARN  {set}: {path}: not verified, {file.Unverified}" : $"PASS  {set}: {path}: SHA-256 as expected");
                }
                if (source is { Weights: true })
                {
                    wrong |= here.Length == 0;
                    if (here.Length == 0) Console.WriteLine($"FAIL  {set}: not in {source.Folder(settings, set)}; kit data fetch {set} --accept-licence gets it there");
                    continue;
                }
                try
                {
                    ImageTable table = DataSetCatalog.Load(settings, set);
                    ((string Id, string Reason)[] unread, string? colours) = parsed.GetValue(pixels) ? Look(table, FrozenTest.Mask(settings, table), cancellation) : ([], null);
                    bool failed = unread.Length > 0;
                    wrong |= failed;
                    Console.WriteLine($"{(failed ? "FAIL" : "PASS")}  {set}: {table.Count} images{(DataSetCatalog.IsFixture(settings, set) ? " (FIXTURE)" : "")}, hash {DataSetCatalog.Hash(DataSetCatalog.Folder(settings, set)!)[..12]}{(table.Absent.Count > 0 ? $"; {table.Absent.Count} that the labels name are not here, the first {table.Absent[0]}" : "")}");
                    foreach ((string id, string reason) in unread) Console.WriteLine($"      {Printable.Of(id)}: {Printable.Line(reason)}");
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

    private static Command Duplicates()
    {
        var name = new Argument<string>("name") { Description = "A data set of kit data list that is here" };
        var other = new Argument<string?>("other") { Description = "Another set that its images are looked for in, such as one to test on (default: pairs within the first)", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("duplicates", "Near-duplicates within a set or between two, such as pre-training and downstream data: thumbnails rank the pairs, pixels confirm them, a person judges them") { name, other };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            (string set, string? beside) = (parsed.GetValue(name)!, parsed.GetValue(other));
            ImageTable first = DataSetCatalog.Load(settings, set), second = beside is null ? first : DataSetCatalog.Load(settings, beside);
            IReadOnlyList<MatchedPair> pairs = Leakage.Find(first.Paths, beside is null ? null : second.Paths, cancellation: cancellation);
            string where = beside is null ? $"within {set} ({first.Count} images)" : $"between {set} ({first.Count} images) and {beside} ({second.Count})";
            string stamp = new[] { set, beside }.OfType<string>().Any(s => DataSetCatalog.IsFixture(settings, s)) ? Stamps.Fixture : "";
            if (pairs.Count > 0) Console.WriteLine(LeakageReport.List($"Near-duplicates {where}", pairs, first, second, stamp));
            Console.WriteLine($"{pairs.Count} pairs {where}. What does not look alike is not found: two photographs of one lesion may be.");
            return 0;
        }));
        return command;
    }

    private static Command Fetch()
    {
        var name = new Argument<string>("name") { Description = "A name of kit data list" };
        var accept = new Option<bool>("--accept-licence") { Description = "You have read the licence that kit data card prints, and keep it" };
        var only = new Option<string?>("--file") { Description = "One file of it; the only way to an optional one, such as a cleaning list" };
        var command = new Command("fetch", "Fetches what needs no registration, data sets into the data folder and weights into data/weights; an interrupted download goes on") { name, accept, only };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
            await SourceFetch.Run(KitSettings.FromEnvironment(), parsed.GetValue(name)!, parsed.GetValue(accept), parsed.GetValue(only), new Download(http), Console.WriteLine, file =>
            {
                ProgressBar bar = Display.Progress(file.Name);
                return (there, all) => bar.Report((int)(there >> 10), (int)((all ?? there) >> 10));
            }, cancellation);
            return 0;
        });
        return command;
    }

    private static Command Fixtures()
    {
        var folder = new Argument<string>("folder") { Description = "Made when absent; name it in KIT_DATA_DIR afterwards" };
        var command = new Command("fixtures", "Writes small stand-ins for the sets of the twelve tasks: real names and headers, drawn images, invented labels, all stamped FIXTURE") { folder };
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
