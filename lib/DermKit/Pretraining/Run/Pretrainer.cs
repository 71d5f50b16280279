using DermKit.Models;

namespace DermKit.Pretraining;

/// <summary>Trains a method, watches for collapse and saves checkpoints. A stopped or killed run resumes from its
/// folder and ends with the same bits if the number of threads is the same.</summary>
public sealed class Pretrainer : IDisposable
{
    // Steps in a row without finite loss and gradient that stop a run.
    private const int MostSkipped = 3;

    private const int RateSteps = 50;

    private const string Lower = "Lower baseLearningRate or clipGradient; the last checkpoint is from before.";

    private readonly PretrainOptions options;
    private readonly PretrainData data;
    private readonly Device device;
    private readonly string? folder;
    private readonly MultiCrop crops;
    private readonly TrainingLoop loop;
    private readonly List<TrainingStep> log = [];
    private int saved = -1;
    private MonitorState monitor = new();

    /// <summary>Prepares a run, or resumes the one in <paramref name="folder"/> (checkpoint.safetensors, log.jsonl;
    /// null saves nothing). The caller disposes the data.</summary>
    /// <exception cref="KitException">An option is out of range, or the folder holds another run.</exception>
    public Pretrainer(PretrainOptions options, PretrainData data, Device device, string? folder = null)
    {
        options = options.On(device);
        this.options = options;
        this.data = data;
        this.device = device;
        this.folder = folder;
        crops = new MultiCrop(options);
        Method = options.Create(device);
        loop = new TrainingLoop(Method, options, data.Count / options.Batch);
        try
        {
            if (folder is not null && IsStarted(folder)) Resume(folder);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>True when a folder holds a checkpoint to resume from.</summary>
    public static bool IsStarted(string folder) => File.Exists(Path.Combine(folder, Checkpoint.FileName));

    /// <summary>The options, with auto precision replaced by the device's.</summary>
    public PretrainOptions Options => options;

    internal PretrainMethod Method { get; }

    /// <summary>The backbone that is kept.</summary>
    public Backbone Backbone => Method.Backbone;

    /// <summary>Steps of the run.</summary>
    public int Steps => loop.Steps;

    /// <summary>Steps that are done.</summary>
    public int Done => loop.Done;

    /// <summary>Time of the steps in this process, without monitors and checkpoints.</summary>
    public TimeSpan Elapsed { get; private set; }

    /// <summary>Remarks on how the run was resumed; else empty.</summary>
    public string Notice { get; private set; } = "";

    internal TimeProvider Clock
    {
        get => loop.Clock;
        set => loop.Clock = value;
    }

    /// <summary>All steps that are done.</summary>
    public IReadOnlyList<TrainingStep> Log => log;

    /// <summary>Receives the finished epoch, from 1, and the backbone in evaluation mode without gradients; null
    /// disables the callback. Its score is logged, and the checkpoint of the highest kept as best.safetensors; null is
    /// no score. After an exception <see cref="Run"/>, in this process or a later one, first calls it again.</summary>
    public Func<int, Backbone, double?>? AfterEpoch { get; set; }

    /// <summary>Trains to the end and returns <see cref="Log"/>. Progress is called after every step.</summary>
    /// <exception cref="OperationCanceledException">Cancelled after a step; the checkpoint is saved.</exception>
    /// <exception cref="KitException">An image is unreadable (the checkpoint is saved, as after any exception of
    /// <see cref="AfterEpoch"/>), or the last weights or three losses or gradients in a row (saved in
    /// failure.safetensors) are not finite; the last checkpoint stays.</exception>
    public IReadOnlyList<TrainingStep> Run(
        Action<TrainingStep>? progress = null, CancellationToken cancellation = default)
    {
        if (monitor.IsScoreDue && !cancellation.IsCancellationRequested)
        {
            CallMonitor();
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
            TimeSpan monitored = loop.MonitorTime;
            using WaitingBatch batch = OrSave(queue.Take);
            TrainingStep step = Step(batch);
            TimeSpan took = Clock.GetElapsedTime(start) - (loop.MonitorTime - monitored);
            Elapsed += took;
            spent += took;
            log.Add(step with { ImagesPerSecond = (Done - from) * options.Batch / spent.TotalSeconds });
            if (Done - from >= RateSteps)
            {
                from = Done;
                spent = TimeSpan.Zero;
            }
            bool ends = Done % loop.StepsPerEpoch == 0;
            if (ends) CallMonitor();
            progress?.Invoke(log[^1]);
            if (options.CheckpointEvery > 0 ? Done % options.CheckpointEvery == 0 : ends) Save();
            if (ends) KeepEpoch();
        }
        if (!loop.IsFinite)
            throw new KitException($"Pre-training, step {Done}: the last step left weights that are not finite. "
                + Lower);
        Save(afterSkip: true);
        return log;
    }

    // As Run, without a step that would not fit into a budget of Elapsed at the mean time of a step; whether the run
    // has ended.
    internal bool RunWithin(TimeSpan budget, Action<TrainingStep> progress, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        int before = Done;
        try
        {
            Run(step =>
            {
                progress(step);
                if (Elapsed * (1 + 1.0 / (Done - before)) > budget) limit.Cancel();
            }, limit.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Trains a run and keeps only its log.</summary>
    /// <exception cref="KitException">An option is out of range, or the loss is not finite.</exception>
    public static IReadOnlyList<TrainingStep> Train(
        PretrainOptions options, PretrainData data, Device device, Action<TrainingStep>? progress = null,
        CancellationToken cancellation = default)
    {
        using var trainer = new Pretrainer(options, data, device);
        return trainer.Run(progress, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        loop.Dispose();
        Method.Dispose();
    }

    // Images and epoch of each step from the first.
    private IEnumerable<(int[] Numbers, int Epoch)> Coming(int first)
    {
        for (int step = first, epoch = first / loop.StepsPerEpoch; epoch < options.Epochs; epoch++)
        {
            IReadOnlyList<int[]> order = data.Order(options.Batch, options.Seed, epoch);
            for (int end = (epoch + 1) * loop.StepsPerEpoch; step < end; step++)
                yield return (order[step % loop.StepsPerEpoch], epoch);
        }
    }

    private TrainingStep Step(WaitingBatch batch)
    {
        using var scope = NewDisposeScope();
        TrainingStep step = loop.Next(batch.Views);
        if (loop.SkippedInRow < MostSkipped) return step;
        string left = "";
        if (folder is not null)
        {
            string file = Path.Combine(folder, "failure.safetensors");
            Checkpoint.SaveFailure(file, loop, options, batch.Views, batch.Numbers);
            left = $" {file} holds the weights, the views and the numbers of their images.";
        }
        throw new KitException($"Pre-training, step {Done}: loss {step.Loss}, gradient {step.GradientNorm}, the "
            + $"{MostSkipped}rd step in a row that is not finite. {Lower}{left}");
    }

    // The score stays due until the monitor returns.
    private void CallMonitor()
    {
        monitor = monitor with { IsScoreDue = AfterEpoch is not null };
        double? answer = OrSave(Score);
        monitor = monitor with { IsScoreDue = false };
        if (answer is not { } score) return;
        // A deleted log has no line for the step.
        if (log.Count > 0 && log[^1].Step == Done) log[^1] = log[^1] with { Score = score };
        // Weights that are not finite are not saved, so they must not be the best.
        if (score > monitor.Best && loop.IsFinite) monitor = monitor with { Best = score, BestStep = Done };
    }

    private double? Score()
    {
        if (AfterEpoch is null) return null;
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(Method.Student, Backbone);
        return AfterEpoch(Done / loop.StepsPerEpoch, Backbone);
    }

    // Saves a checkpoint when work outside the steps fails, so that no step is lost.
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

    // Writes a checkpoint for the current step; false keeps an older one. Weights that are not finite are not saved,
    // nor weights at a skipped step, which may be about to break, unless afterSkip: then no later loss would show it.
    private bool Save(bool afterSkip = false)
    {
        if (folder is null || (loop.SkippedInRow > 0 && !afterSkip) || !loop.IsFinite) return false;
        if (saved == Done) return true;
        // The log first: a log longer than its checkpoint is cut at the next start.
        TrainingLog.Write(Path.Combine(folder, TrainingLog.FileName), log);
        Checkpoint.Save(Path.Combine(folder, Checkpoint.FileName), loop, options, data.Key, monitor);
        saved = Done;
        return true;
    }

    private void Copy(string name, bool afterSkip = false)
    {
        if (folder is null || !Save(afterSkip)) return;
        AtomicFile.Copy(Path.Combine(folder, Checkpoint.FileName), Path.Combine(folder, name));
    }

    // Keeps the epoch's checkpoint if best or asked for, and deletes numbered ones no longer asked for.
    private void KeepEpoch()
    {
        // Weights with the best score are not about to break, even after a skipped step.
        if (monitor.BestStep == Done) Copy("best.safetensors", afterSkip: true);
        int epoch = Done / loop.StepsPerEpoch;
        bool Stays(int e) => e > epoch - options.KeepLast || (options.KeepEvery > 0 && e % options.KeepEvery == 0);
        if (!Directory.Exists(folder) || (options.KeepLast < 1 && options.KeepEvery < 1)) return;
        if (Stays(epoch)) Copy($"epoch-{epoch:d4}.safetensors");
        foreach (string file in Directory.GetFiles(folder, "epoch-*.safetensors"))
        {
            string number = Path.GetFileNameWithoutExtension(file)["epoch-".Length..];
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int e) && !Stays(e))
                File.Delete(file);
        }
    }

    private void Resume(string folder)
    {
        string file = Path.Combine(folder, Checkpoint.FileName), lines = Path.Combine(folder, TrainingLog.FileName);
        (MonitorState? stored, int version) = Checkpoint.Load(file, loop, options, data.Key);
        // A deleted log starts again from here.
        if (File.Exists(lines)) log.AddRange(TrainingLog.Read(lines).Where(s => s.Step <= Done));
        // Leftovers of a killed process.
        foreach (string left in Directory.GetFiles(folder, "*.tmp")) File.Delete(left);
        saved = Done;
        // Version 1 has scores in the log only.
        TrainingStep? best = log.Where(s => double.IsFinite(s.Score)).MaxBy(s => s.Score);
        monitor = stored ?? (best is null ? new MonitorState() : new MonitorState(best.Score, best.Step));
        // The last process may have been killed between checkpoint and copies.
        if (Done > 0 && Done % loop.StepsPerEpoch == 0 && !monitor.IsScoreDue) KeepEpoch();
        if (version > 1 || Done == Steps) return;
        Notice = $"{file} was written by an older version of the kit: from step {Done + 1} on, order, crops, masks and "
            + "stochastic depth come from other streams of the seed than that version would have drawn from, and "
            + "products are rounded as this version does.";
    }
}
