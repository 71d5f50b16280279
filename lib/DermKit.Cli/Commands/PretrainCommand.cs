using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Pretraining;
using DermKit.Reporting;
using System.CommandLine;
using System.Globalization;

namespace DermKit.Cli;

/// <summary>kit pretrain: one run of data/pretraining, resumable.</summary>
internal static class PretrainCommand
{
    internal static Command Create()
    {
        var config = new Argument<string>("config") { Description = "A file, or a name in data/pretraining (dino-kit)" };
        var output = new Option<string?>("--out") { Description = "Folder of checkpoint and log; a run found there is taken up (default: pretraining/NAME in the cache)" };
        var minutes = new Option<double>("--minutes") { Description = "Stops with a checkpoint after so many minutes of training; the same command goes on later (default: no limit)" };
        var device = new Option<string?>("--device") { Description = "cpu, cuda or cuda:N (default: KIT_DEVICE, else cpu)" };
        var export = new Option<string?>("--export") { Description = "Folder for the finished backbone: NAME.safetensors (float16), its options, hashes and log" };
        var name = new Option<string?>("--name") { Description = "Name of the exported files (default: that of the config)" };
        var set = new Option<string[]>("--set") { Description = "key=value, taken before the config's own, such as --set epochs=10; may be repeated", Arity = ArgumentArity.ZeroOrMore };
        var resume = new Option<bool>("--resume") { Description = "Refuses to start anew: the folder must hold a checkpoint (without it, one that is there is taken up)" };
        var monitor = new Option<string?>("--monitor") { Description = "After each epoch, nearest neighbours on this task's training images; the checkpoint of the best score stays as best.safetensors" };
        var events = new Option<bool>("--tensorboard") { Description = "Writes TensorBoard events to the folder's events" };
        var command = new Command("pretrain", "Pre-trains a backbone; stopping loses nothing, and the same command goes on") { config, set, output, resume, minutes, device, monitor, events, export, name };
        // In a task of its own: Ctrl-C and SIGTERM are listened to only once the action has handed its task over.
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            KitSettings settings = KitSettings.FromEnvironment();
            settings = settings with { Device = parsed.GetValue(device) ?? settings.Device };
            string file = PretrainOptions.Find(settings, parsed.GetValue(config)!), stem = Path.GetFileNameWithoutExtension(file);
            string folder = parsed.GetValue(output) ?? Path.Combine(settings.CacheDir, "pretraining", stem);
            PretrainOptions options = PretrainOptions.Read(file, RunCommand.Pairs(parsed.GetValue(set) ?? []));
            if (parsed.GetValue(resume) && !Pretrainer.IsStarted(folder)) throw new KitException($"{folder}: no checkpoint to resume from. Name the run's folder with --out, or leave --resume out to begin.");
            TorchSharp.torch.Device place = settings.TorchDevice();
            using PretrainData data = PretrainData.Open(settings, options, Display.Progress("decoding").Report, cancellation);
            using var trainer = new Pretrainer(options, data, place, folder);
            Console.WriteLine(string.Join("; ", data.Sources.Select(s => $"{s.Set}: {s.Used} images, {s.Frozen} frozen test images left out")));
            if (data.Unreadable.Length > 0) Console.WriteLine(data.Unreadable);
            Console.WriteLine($"{trainer.Steps} steps of {options.Batch} images, {trainer.Done} done; precision {PrecisionOf(options, trainer.Options, place)}; {folder}");
            if (trainer.Notice.Length > 0) Console.WriteLine(trainer.Notice);
            TrainingProgress progress = Display.Training(stem);
            using OnlineKnn? knn = parsed.GetValue(monitor) is { } task ? OnlineKnn.Open(settings, TaskSuite.Open(TaskSuite.Load(Path.Combine(settings.Root, "data"))[task], settings), new EvalTransform { Resize = options.GlobalSize, Crop = options.GlobalSize }, options.Seed, cancellation: cancellation) : null;
            if (knn is not null) trainer.AfterEpoch = (_, backbone) => knn.Score(backbone);
            EventLog? tensorBoard = parsed.GetValue(events) ? new(Path.Combine(folder, "events")) : null;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            if (parsed.GetValue(minutes) is > 0 and var budget) limit.CancelAfter(TimeSpan.FromMinutes(budget));
            try
            {
                Train(trainer, step => { progress.Report(step); tensorBoard?.Write(step); }, progress, folder, limit.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                Console.WriteLine($"Time is up after step {trainer.Done} of {trainer.Steps}; the same command goes on.");
                return 0;
            }
            if (parsed.GetValue(export) is { } target)
            {
                var provenance = Provenance.Machine().ToDictionary(p => p.Key, p => p.Value);
                provenance["command"] = string.Concat([$"kit pretrain {parsed.GetValue(config)}", .. (parsed.GetValue(set) ?? []).Select(s => $" --set '{s}'")]);
                provenance["threads"] = TorchSharp.torch.get_num_threads().ToString(CultureInfo.InvariantCulture);
                string hash = BackboneExport.Write(target, parsed.GetValue(name) ?? stem, trainer, trainer.Options, data, provenance);
                Console.WriteLine($"{Path.Combine(target, (parsed.GetValue(name) ?? stem) + ".safetensors")}: SHA-256 {hash}");
            }
            return 0;
        }));
        return command;
    }

    private static string PrecisionOf(PretrainOptions asked, PretrainOptions chosen, TorchSharp.torch.Device device)
    {
        if (asked.Precision != "auto") return chosen.Precision;
        string why = device.type != TorchSharp.DeviceType.CPU ? "not a CPU"
            : Processor.MultipliesBFloat16 ? "the processor multiplies bfloat16" : "the processor does not multiply bfloat16 natively";
        return $"{chosen.Precision} (auto: {why})";
    }

    private static void Train(Pretrainer trainer, Action<TrainingStep> report, TrainingProgress progress, string folder, CancellationToken cancellation)
    {
        try
        {
            trainer.Run(report, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KitException($"{folder}: step {trainer.Done} cannot be saved ({e.Message}). The checkpoint before it is whole: make room or let the folder be written, and the same command goes on.", e);
        }
        finally
        {
            progress.Close();
        }
    }
}
