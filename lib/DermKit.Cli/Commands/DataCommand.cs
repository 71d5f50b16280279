using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Reporting;
using DermKit.Studies;

namespace DermKit.Cli;

internal static class DataCommand
{
    internal static Command Create() => new("data",
        "Data sets and weights: list, card, check, duplicates, fetch, and fixtures that stand in for them")
    {
        List(), Card(), DataCheckCommand.Create(), Duplicates(), Fetch(), Fixtures()
    };

    private static string State(KitSettings settings, string set, DataSource source)
    {
        if (source.Weights) return source.Present(settings, set) is [var first, ..] ? $"in {first.Path}" : "absent";
        if (DataSetCatalog.Folder(settings, set) is not { } folder) return "absent";
        if (DataSetCatalog.IsFixture(settings, set)) return $"FIXTURE in {folder}";
        if (DataSetCatalog.IsPresent(settings, set)) return $"in {folder}";
        (int here, int? all) = DataSetCatalog.Files(settings, set);
        return Invariant($"incomplete, {here} of {all} image files in {folder}");
    }

    private static Command List()
    {
        const string What =
            "Lists every data set and every model's weights with a source, their licence, and whether they are here";
        return new Command("list", What).Runs((_, _) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            foreach ((string set, DataSource source) in DataSource.All(settings.Data()))
                Console.WriteLine(
                    $"{set,-24} {State(settings, set, source)}; {source.Title}; licence: {source.Licence}");
        });
    }

    private static Command Card()
    {
        var name = Argument<string>("name", "A name of kit data list");
        return new Command("card",
            "Describes a data set or a model's weights: licence, citation, files, steps, and the tasks on the set")
        {
            name
        }.Runs((parsed, _) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string set = parsed.GetValue(name)!;
            DataSource source = DataSource.Of(settings.Data(), set);
            Console.WriteLine($"{source.Title} ({set}): {State(settings, set, source)}\naddress:  {source.Address}\n"
                + $"licence:  {source.Licence}\ncitation: {source.Citation}\nsteps:    {source.Steps}");
            foreach (SourceFile file in source.Files)
            {
                string length = file.Bytes is { } bytes ? $"{bytes} bytes" : "length unknown";
                string reason = file.Unverified.Length > 0 ? $" ({file.Unverified})" : "";
                string optional = file.Optional ? "; only when named with --file" : "";
                Console.WriteLine(
                    $"file:     {file.Name}, {length}, SHA-256 {file.Sha256 ?? "unknown"}{reason}{optional}\n          "
                        + $"{file.Address}");
            }
            foreach (DataSetManifest manifest in DataSetManifest.All(settings.Data(), set))
                Console.WriteLine($"manifest: {manifest.Name}, {manifest.Images} images. {manifest.Note}");
            foreach (TaskDefinition task in EvaluateCommand.Tasks(settings).Tasks
                .Where(t => t.DataSets.ContainsKey(set)))
                Console.WriteLine($"task:     {task.Name}, {task.Title}");
        });
    }

    private static Command Duplicates()
    {
        var name = Argument<string>("name", "A data set of kit data list that is here");
        var other = Argument<string?>("other",
            "Another set in which its images are searched, such as a test set (default: pairs within the first)");
        other.Arity = ArgumentArity.ZeroOrOne;
        return new Command("duplicates",
            "Finds near-duplicates within a set or between two, such as pre-training and downstream data: thumbnails "
            + "rank the pairs, pixels confirm them, a person judges them")
        {
            name, other
        }.Runs((parsed, cancellation) =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            string set = parsed.GetValue(name)!, beside = parsed.GetValue(other) ?? set;
            ImageTable first = DataSetCatalog.Load(settings, set);
            ImageTable? second = beside == set ? null : DataSetCatalog.Load(settings, beside);
            IReadOnlyList<MatchedPair> pairs = Leakage.Find(first.Paths, second?.Paths, cancellation: cancellation);
            string where = second is null ? $"within {set} ({first.Count} images)"
                : $"between {set} ({first.Count} images) and {beside} ({second.Count})";
            string[] sets = [set, beside];
            string stamp = sets.Any(s => DataSetCatalog.IsFixture(settings, s)) ? Stamps.Fixture : "";
            if (pairs.Count > 0)
                Console.WriteLine(LeakageReport.List($"Near-duplicates {where}", pairs, first, second ?? first, stamp));
            Console.WriteLine($"{pairs.Count} pairs {where}. Images that do not look alike are not found, such as two "
                + "photographs of one lesion.");
        });
    }

    private static Command Fetch()
    {
        var name = Argument<string>("name", "A name of kit data list");
        var accept = Option<bool>("--accept-licence",
            "You have read the licence that kit data card prints, and accept it");
        var only = Option<string?>("--file",
            "One file of it; the only way to an optional one, such as a cleaning list");
        var command = new Command("fetch",
            "Downloads what needs no registration, data sets into the data folder and weights into data/weights; "
            + "continues an interrupted download")
        {
            name, accept, only
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
            await SourceFetch.Run(KitSettings.FromEnvironment(), parsed.GetValue(name)!, parsed.GetValue(accept),
                parsed.GetValue(only), new Download(http), Console.WriteLine, file =>
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
        var folder = Argument<string>("folder",
            "Created when absent; name it in KIT_DATA_DIR afterwards");
        return new Command("fixtures",
            "Writes small stand-ins for the sets of the twelve tasks: real names and headers, drawn images, invented "
            + "labels, all stamped FIXTURE")
        {
            folder
        }.Runs((parsed, _) =>
        {
            string path = Path.GetFullPath(parsed.GetValue(folder)!);
            string[] sets = FixtureSets.Write(KitSettings.FromEnvironment(), path);
            Console.WriteLine($"{path}: {string.Join(", ", sets)}, all FIXTURE. Next: KIT_DATA_DIR={path} "
                + "kit run notebooks/02-twelve-task-probing.ipynb");
        });
    }
}
