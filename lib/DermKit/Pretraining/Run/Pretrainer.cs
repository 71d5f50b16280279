using DermKit.Models;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Trains a method: order, views, loss, backward pass, clipping, optimiser, teacher; watches for collapse; saves and resumes. With a folder,
/// a run that was stopped or killed goes on from its last checkpoint and ends with the same bits, given the same number of threads.
/// </summary>
public sealed class Pretrainer : IDisposable
{
    /// <summary>Steps in a row without a finite loss and gradient after which a run stops.</summary>
    private const int MostSkipped = 3;

    private readonly PretrainOptions options;
    private readonly PretrainData data;
    private readonly Device device;
    private readonly string? folder;
    private readonly MultiCrop crops;
    private readonly Updates updates;
    private readonly List<TrainingStep> log = [];
    private int saved = -1;
    private MonitorState monitor = new();

    /// <summary>Prepares a run, or takes up the one in <paramref name="folder"/>.</summary>
    /// <param name="options">The run.</param>
    /// <param name="data">Its images; not disposed here.</param>
    /// <param name="device">Where to train.</param>
    /// <param name="folder">Holds checkpoint.safetensors and log.jsonl; null keeps nothing.</param>
    /// <exception cref="KitException">An option is out of its range, or the folder holds another run.</exception>
    public Pretrainer(PretrainOptions options, PretrainData data, Device device, string? folder = null)
    {
        options = options.On(device);
        (this.options, this.data, this.device, this.folder) = (options, data, device, folder);
        crops = new MultiCrop(options);
        Method = PretrainMethod.Create(options, device);
        updates = new Updates(Method, options, data.Count / options.Batch);
        try
        {
            Resume();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>True when a folder holds a checkpoint to go on from.</summary>
    public static bool IsStarted(string folder) => File.Exists(Path.Combine(folder, Checkpoint.FileName));

    /// <summary>The run; a precision of auto is replaced by what it means on the device.</summary>
    public PretrainOptions Options => options;

    /// <summary>What is trained.</summary>
    public PretrainMethod Method { get; }

    /// <summary>The backbone that is kept.</summary>
    public Backbone Backbone => Method.Backbone;

    /// <summary>Steps of an epoch.</summary>
    public int StepsPerEpoch => updates.StepsPerEpoch;

    /// <summary>Steps of the run.</summary>
    public int Steps => updates.Steps;

    /// <summary>Steps that are done.</summary>
    public int Done => updates.Done;

    /// <summary>Time that steps have taken so far in this process, without monitors and checkpoints.</summary>
    public TimeSpan Elapsed { get; private set; }

    /// <summary>What a reader of the results must know of how the run was resumed; empty when nothing.</summary>
    public string Notice { get; private set; } = "";

    /// <summary>Measures <see cref="Elapsed"/> and the rates; for tests.</summary>
    internal TimeProvider Clock
    {
        get => updates.Clock;
        set => updates.Clock = value;
    }

    /// <summary>All steps that are done.</summary>
    public IReadOnlyList<TrainingStep> Log => log;

    /// <summary>
    /// Called with the number of the finished epoch, from 1, and the backbone in evaluation mode, without gradients; null for nobody.
    /// The score that it gives, such as an online kNN's, is logged, and the checkpoint of the highest one is kept as best.safetensors; null for none.
    /// After a failure of it, <see cref="Run"/> asks again for the same epoch before the next step, in this process or in
    /// a later one.
    /// </summary>
    public Func<int, Backbone, double?>? AfterEpoch { get; set; }

    /// <summary>Trains to the end.</summary>
    /// <param name="progress">Called after every step.</param>
    /// <param name="cancellation">Stops after the step that runs, with a checkpoint.</param>
    /// <returns><see cref="Log"/>.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    /// <exception cref="KitException">An image cannot be read any more, and the checkpoint is saved, as after any failure of <see cref="AfterEpoch"/>. Loss or gradient were not finite three times in a row, and failure.safetensors holds the step; or the last step left weights that are not. The last checkpoint stays.</exception>
    public IReadOnlyList<TrainingStep> Run(Action<TrainingStep>? progress = null, CancellationToken cancellation = default)
    {
        if (monitor.IsScoreDue && !cancellation.IsCancellationRequested)
        {
            Ask();
            saved = -1;
            Save(afterSkip: true);
            KeepEpoch();
        }
        int from = Done;
        var spent = TimeSpan.Zero;
        using var queue = new ViewQueue(Coming(Done), (numbers, epoch) => crops.Make(data, numbers, epoch, device));
        while (Done < Steps)
        {
            if (cancellation.IsCancellationRequested)
            {
                Save(afterSkip: true);
                cancellation.ThrowIfCancellationRequested();
            }
            long start = Clock.GetTimestamp();
            TimeSpan watched = updates.Watched;
            using WaitingBatch batch = OrSave(queue.Take);
            TrainingStep step = Step(batch);
            TimeSpan took = Clock.GetElapsedTime(start) - (updates.Watched - watched);
            Elapsed += took;
            spent += took;
            log.Add(step with { ImagesPerSecond = (Done - from) * options.Batch / spent.TotalSeconds });
            if (Done - from >= 50)
            {
                from = Done;
                spent = TimeSpan.Zero;
            }
            bool ends = Done % StepsPerEpoch == 0;
            if (ends) Ask();
            progress?.Invoke(log[^1]);
            if (options.CheckpointEvery > 0 ? Done % options.CheckpointEvery == 0 : ends) Save();
            if (ends) KeepEpoch();
        }
        if (!updates.IsFinite) throw new KitException($"Pre-training, step {Done}: the last step left weights that are not finite. Lower baseLearningRate or clipGradient; the last checkpoint is from before.");
        Save(afterSkip: true);
        return log;
    }

    /// <summary>A whole run of which only the log is kept.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    /// <exception cref="KitException">An option is out of its range, or the loss is not finite.</exception>
    public static IReadOnlyList<TrainingStep> Train(PretrainOptions options, PretrainData data, Device device, Action<TrainingStep>? progress = null, CancellationToken cancellation = default)
    {
        using var trainer = new Pretrainer(options, data, device);
        return trainer.Run(progress, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        updates.Dispose();
        Method.Dispose();
    }

    /// <summary>The images of each step from one on, and its epoch.</summary>
    private IEnumerable<(int[] Numbers, int Epoch)> Coming(int first)
    {
        for (int epoch = first / StepsPerEpoch; epoch < options.Epochs; epoch++)
        {
            IReadOnlyList<int[]> order = data.Order(options.Batch, options.Seed, epoch);
            for (int i = epoch == first / StepsPerEpoch ? first % StepsPerEpoch : 0; i < StepsPerEpoch; i++) yield return (order[i], epoch);
        }
    }

    private TrainingStep Step(WaitingBatch batch)
    {
        using var scope = NewDisposeScope();
        TrainingStep step = updates.Next(batch.Views);
        if (updates.SkippedInRow < MostSkipped) return step;
        string left = "";
        if (folder is not null)
        {
            Checkpoint.SaveFailure(Path.Combine(folder, "failure.safetensors"), updates, options, batch.Views, batch.Numbers);
            left = $" {Path.Combine(folder, "failure.safetensors")} holds the weights, the views and the numbers of their images.";
        }
        throw new KitException($"Pre-training, step {Done}: loss {step.Loss}, gradient {step.GradientNorm}, the {MostSkipped}rd step in a row that is not finite. Lower baseLearningRate or clipGradient; the last checkpoint is from before.{left}");
    }

    /// <summary>Asks the monitor about the epoch that has just ended; until it answers, its score is due.</summary>
    private void Ask()
    {
        monitor = monitor with { IsScoreDue = AfterEpoch is not null };
        double? answer = OrSave(Answer);
        monitor = monitor with { IsScoreDue = false };
        if (answer is not { } score) return;
        // A log that was deleted has no line for the step.
        if (log.Count > 0 && log[^1].Step == Done) log[^1] = log[^1] with { Score = score };
        // Weights that are not finite are not saved, so their score must not keep others from being the best.
        if (score > monitor.Best && updates.IsFinite) monitor = monitor with { Best = score, BestStep = Done };
    }

    private double? Answer()
    {
        if (AfterEpoch is null) return null;
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(Method.Student, Backbone);
        return AfterEpoch(Done / StepsPerEpoch, Backbone);
    }

    /// <summary>Work besides the training itself: its failure costs no step that is done.</summary>
    private T OrSave<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch
        {
            Save(afterSkip: true);
            throw;
        }
    }

    /// <summary>
    /// Makes the checkpoint that of the last step. Broken weights, and those at a step that was skipped, which may be about to break, stay out of it:
    /// they show in the next losses, which stop the run, and the checkpoint before them is the one to go back to.
    /// </summary>
    /// <param name="afterSkip">Keeps finite weights at a skipped step too, because no next loss will come.</param>
    /// <returns>False when the checkpoint is an older one.</returns>
    private bool Save(bool afterSkip = false)
    {
        if (folder is null || (updates.SkippedInRow > 0 && !afterSkip) || !updates.IsFinite) return false;
        if (saved == Done) return true;
        // The log first: a log that is longer than its checkpoint is cut at the next start.
        TrainingLog.Write(Path.Combine(folder, TrainingLog.FileName), log);
        Checkpoint.Save(Path.Combine(folder, Checkpoint.FileName), updates, options, data.Key, monitor);
        saved = Done;
        return true;
    }

    /// <summary>The checkpoint of the last step under a second name, unless that step is to have none.</summary>
    private void Copy(string name, bool afterSkip = false)
    {
        if (folder is null || !Save(afterSkip)) return;
        AtomicFile.Copy(Path.Combine(folder, Checkpoint.FileName), Path.Combine(folder, name));
    }

    /// <summary>
    /// Keeps the checkpoint of the epoch that has just ended where it has the best score. Of the numbered ones, those of
    /// the last epochs and of every so many stay; those that are neither go.
    /// </summary>
    private void KeepEpoch()
    {
        // Weights with the best score so far are not about to break, even if their step was skipped.
        if (monitor.BestStep == Done) Copy("best.safetensors", afterSkip: true);
        int epoch = Done / StepsPerEpoch;
        bool Stays(int e) => e > epoch - options.KeepLast || (options.KeepEvery > 0 && e % options.KeepEvery == 0);
        if (!Directory.Exists(folder) || (options.KeepLast < 1 && options.KeepEvery < 1)) return;
        if (Stays(epoch)) Copy($"epoch-{epoch:d4}.safetensors");
        foreach (string file in Directory.GetFiles(folder, "epoch-*.safetensors"))
            if (int.TryParse(Path.GetFileNameWithoutExtension(file)["epoch-".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int e) && !Stays(e)) File.Delete(file);
    }

    private void Resume()
    {
        if (folder is null || !File.Exists(Path.Combine(folder, Checkpoint.FileName))) return;
        string file = Path.Combine(folder, Checkpoint.FileName), lines = Path.Combine(folder, TrainingLog.FileName);
        (MonitorState? said, int version) = Checkpoint.Load(file, updates, options, data.Key);
        // A log that was deleted begins anew; what a killed process was writing is of no use.
        if (File.Exists(lines)) log.AddRange(TrainingLog.Read(lines).Where(s => s.Step <= Done));
        foreach (string left in Directory.GetFiles(folder, "*.tmp")) File.Delete(left);
        saved = Done;
        // Version 1 has its scores in the log alone.
        monitor = said ?? log.Where(s => double.IsFinite(s.Score)).MaxBy(s => s.Score) switch
        {
            { } step => new(step.Score, step.Step),
            null => new(),
        };
        // The process before may have been killed between checkpoint and copies.
        if (Done > 0 && Done % StepsPerEpoch == 0 && !monitor.IsScoreDue) KeepEpoch();
        if (version == 1 && Done < Steps)
        {
            Notice = $"{file} was written by an older version of the kit: from step {Done + 1} on, order, crops, masks and "
                + "stochastic depth come from other streams of the seed than that version would have drawn from, and products are rounded as this version does.";
        }
    }
}
