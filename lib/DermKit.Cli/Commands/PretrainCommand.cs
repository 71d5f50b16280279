using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Reporting;
using TorchSharp;

namespace DermKit.Cli;

internal static class PretrainCommand
{
    internal static Command Create()
    {
        var config = Argument<string>("config", "A file, or a name in data/pretraining (dino-kit)");
        var output = Option<string?>("--out",
            "Folder of checkpoint and log; a run in it continues (default: pretraining/NAME in the cache)");
        var minutes = Option<double>("--minutes",
            "Stops with a checkpoint after this many minutes of training; the same command continues later (default: "
            + "no limit)");
        Option<string?> device = Device();
        var export = Option<string?>("--export",
            "Folder for the finished backbone: NAME.safetensors (float16), its options, hashes and log");
        var name = Option<string?>("--name",
            "Name of the exported files (default: the name of the config)");
        var set = Option<string[]>("--set",
            "key=value, which overrides the config, such as --set epochs=10; may be repeated");
        var resume = Option<bool>("--resume",
            "Requires a checkpoint in the folder (without this option, one is used where there is one)");
        var monitor = Option<string?>("--monitor",
            "After each epoch, classifies this task's training images by nearest neighbours; the checkpoint of the "
            + "best score stays as best.safetensors");
        var events = Option<bool>("--tensorboard", "Writes TensorBoard events to the folder's events");
        return new Command("pretrain",
            "Pre-trains a backbone; a stopped run loses nothing, and the same command continues it")
        {
            config, set, output, resume, minutes, device, monitor, events, export, name
        }.Runs((parsed, cancellation) =>
        {
            KitSettings settings = parsed.Settings(mode: null, device);
            string file = PretrainOptions.Find(settings, parsed.GetValue(config)!);
            string stem = Path.GetFileNameWithoutExtension(file);
            string folder = parsed.GetValue(output) ?? Path.Combine(settings.CacheDir, "pretraining", stem);
            PretrainOptions options = PretrainOptions.Read(file, parsed.Pairs(set));
            if (parsed.GetValue(resume) && !Pretrainer.IsStarted(folder))
                throw new KitException($"{folder}: no checkpoint to resume from. Name the run's folder with --out, or "
                    + "omit --resume to begin.");
            torch.Device place = settings.TorchDevice();
            using PretrainData data = PretrainData.Open(settings, options,
                Display.Progress("decoding").Report, cancellation);
            using var trainer = new Pretrainer(options, data, place, folder);
            Console.WriteLine(string.Join("; ",
                data.Sources.Select(s => $"{s.Set}: {s.Used} images, {s.Frozen} frozen test images left out")));
            if (data.Unreadable.Length > 0) Console.WriteLine(data.Unreadable);
            string why = place.type == DeviceType.CPU ? "kit doctor says why" : "not a CPU";
            string auto = options.Precision == Precision.Auto ? $" (auto: {why})" : "";
            Console.WriteLine($"{trainer.Steps} steps of {options.Batch} images, {trainer.Done} done; precision "
                + $"{trainer.Options.Precision.Spelled()}{auto}; {folder}");
            if (trainer.Notice.Length > 0) Console.WriteLine(trainer.Notice);
            using OnlineKnn? knn = parsed.GetValue(monitor) is { } task
                ? OpenMonitor(settings, task, options, cancellation) : null;
            if (knn is not null) trainer.AfterEpoch = (_, backbone) => knn.Score(backbone);
            EventLog? tensorBoard = parsed.GetValue(events) ? new(Path.Combine(folder, "events")) : null;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            if (parsed.GetValue(minutes) is > 0 and var budget) limit.CancelAfter(TimeSpan.FromMinutes(budget));
            try
            {
                Train(trainer, stem, tensorBoard, folder, limit.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                Console.WriteLine(
                    $"Time is up after step {trainer.Done} of {trainer.Steps}; the same command continues.");
                return;
            }
            if (parsed.GetValue(export) is not { } target) return;
            var provenance = Provenance.Machine().ToDictionary();
            provenance["command"] = string.Concat([$"kit pretrain {parsed.GetValue(config)}",
                .. (parsed.GetValue(set) ?? []).Select(s => $" --set '{s}'")]);
            provenance["threads"] = torch.get_num_threads().ToString(CultureInfo.InvariantCulture);
            string exported = parsed.GetValue(name) ?? stem;
            string hash = BackboneExport.Write(target, exported, trainer, trainer.Options, data, provenance);
            Console.WriteLine($"{Path.Combine(target, exported + ".safetensors")}: SHA-256 {hash}");
        });
    }

    private static OnlineKnn OpenMonitor(KitSettings settings, string task, PretrainOptions options,
        CancellationToken cancellation)
    {
        TaskSuite suite = TaskSuite.Load(settings.Data());
        var transform = new EvalTransform { Resize = options.GlobalSize, Crop = options.GlobalSize };
        return OnlineKnn.Open(settings, TaskSuite.Open(suite[task], settings), transform, options.Seed,
            cancellation: cancellation);
    }

    private static void Train(Pretrainer trainer, string name, EventLog? events, string folder,
        CancellationToken cancellation)
    {
        TrainingProgress progress = Display.Training(name);
        try
        {
            trainer.Run(step =>
            {
                progress.Report(step);
                events?.Write(step);
            }, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KitException($"{folder}: step {trainer.Done} cannot be saved ({e.Message}). The previous "
                + "checkpoint is intact: free some space or make the folder writable, and the same command "
                + "continues.", e);
        }
        finally
        {
            progress.Close();
        }
    }
}
