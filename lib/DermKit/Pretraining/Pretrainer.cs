using DermKit.Models;
using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Trains a method: order, views, loss, backward pass, clipping, optimiser, teacher; watches for collapse; saves and resumes. With a folder,
/// a run that was stopped or killed goes on from its last checkpoint and ends with the same bits, given the same number of threads.
/// </summary>
public sealed class Pretrainer : IDisposable
{
    private readonly PretrainOptions options;
    private readonly PretrainData data;
    private readonly Device device;
    private readonly string? folder;
    private readonly MultiCrop crops;
    private readonly Updates updates;
    private readonly List<TrainingStep> log = [];

    /// <summary>Prepares a run, or takes up the one in <paramref name="folder"/>.</summary>
    /// <param name="options">The run.</param>
    /// <param name="data">Its pictures; not disposed here.</param>
    /// <param name="device">Where to train.</param>
    /// <param name="folder">Holds checkpoint.safetensors and log.jsonl; null keeps nothing.</param>
    /// <exception cref="KitException">An option is out of its range, or the folder holds another run.</exception>
    public Pretrainer(PretrainOptions options, PretrainData data, Device device, string? folder = null)
    {
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

    /// <summary>All steps that are done.</summary>
    public IReadOnlyList<TrainingStep> Log => log;

    /// <summary>Called with the number of the finished epoch, from 1, and the backbone in evaluation mode, without gradients; null for nobody.</summary>
    public Action<int, Backbone>? AfterEpoch { get; set; }

    /// <summary>Trains to the end.</summary>
    /// <param name="progress">Called after every step.</param>
    /// <param name="cancellation">Stops after the step that runs, with a checkpoint.</param>
    /// <returns><see cref="Log"/>.</returns>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    /// <exception cref="KitException">The loss is not finite; the last checkpoint stays.</exception>
    public IReadOnlyList<TrainingStep> Run(Action<TrainingStep>? progress = null, CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        int from = Done;
        for (int epoch = Done / StepsPerEpoch; Done < Steps; epoch++)
        {
            int[][] order = data.Order(options.Batch, options.Seed, epoch);
            for (int i = Done % StepsPerEpoch; i < StepsPerEpoch; i++)
            {
                if (cancellation.IsCancellationRequested)
                {
                    Save();
                    cancellation.ThrowIfCancellationRequested();
                }
                TrainingStep step = Step(order[i], epoch);
                step = step with { ImagesPerSecond = (Done - from) * options.Batch / clock.Elapsed.TotalSeconds };
                if (Done - from >= 50) (from, clock) = (Done, Stopwatch.StartNew());
                log.Add(step);
                progress?.Invoke(step);
                if (Done == Steps || (options.CheckpointEvery > 0 ? Done % options.CheckpointEvery == 0 : i == StepsPerEpoch - 1)) Save();
            }
            if (AfterEpoch is null) continue;
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            Backbone.eval();
            AfterEpoch(epoch + 1, Backbone);
            Backbone.train();
        }
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

    private TrainingStep Step(int[] numbers, int epoch)
    {
        using var scope = NewDisposeScope();
        using Tensor pixels = data.Batch(numbers, device);
        using Views views = crops.Make(pixels, numbers, epoch);
        return updates.Next(views);
    }

    private void Save()
    {
        if (folder is null) return;
        // The log first: a log that is longer than its checkpoint is cut at the next start.
        TrainingLog.Write(Path.Combine(folder, TrainingLog.FileName), log);
        Checkpoint.Save(Path.Combine(folder, Checkpoint.FileName), updates, options, data.Key);
    }

    private void Resume()
    {
        if (folder is null || !File.Exists(Path.Combine(folder, Checkpoint.FileName))) return;
        Checkpoint.Load(Path.Combine(folder, Checkpoint.FileName), updates, options, data.Key);
        // A log that was deleted begins anew; what a killed process was writing is of no use.
        if (File.Exists(Path.Combine(folder, TrainingLog.FileName))) log.AddRange(TrainingLog.Read(Path.Combine(folder, TrainingLog.FileName)).Take(Done));
        foreach (string left in Directory.GetFiles(folder, "*.tmp")) File.Delete(left);
    }
}
