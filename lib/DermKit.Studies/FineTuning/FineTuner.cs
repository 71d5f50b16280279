using DermKit.Reporting;
using DermKit.Data;
using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace DermKit.Studies;

/// <summary>Images of one part: rows of the caches and their classes.</summary>
internal sealed record TuningPart(int[] Rows, int[] Labels);

/// <summary>What a network is trained, watched and tested on.</summary>
/// <param name="Source">Whole images, which training crops are cut from.</param>
/// <param name="Seen">The same images after the evaluation transform, row by row.</param>
/// <param name="Fit">Trained on.</param>
/// <param name="Validation">Chooses the epoch.</param>
/// <param name="Test">Scored once, with the chosen epoch's weights.</param>
/// <param name="Classes">Number of classes.</param>
internal sealed record TuningImages(ImageCache Source, ImageCache Seen, TuningPart Fit, TuningPart Validation, TuningPart Test, int Classes);

/// <summary>How a network stood after an epoch.</summary>
/// <param name="Epoch">0 before the first step.</param>
/// <param name="TrainLoss">Mean loss of the epoch's steps, on crops and with label smoothing; NaN for epoch 0.</param>
/// <param name="ValidationLoss">Log loss on the validation images.</param>
/// <param name="ValidationF1">F1 on the validation images: macro with more than two classes, else of the positive one.</param>
public sealed record TuningEpoch(int Epoch, double TrainLoss, double ValidationLoss, double ValidationF1);

/// <summary>Trains all weights of a network: AdamW with layer-wise rates, warm-up and cosine, and keeps those of the epoch that is best on validation images.</summary>
internal sealed class FineTuner : IDisposable
{
    private const int Together = 64;
    private readonly TunedNetwork network;
    private readonly FineTuningOptions options;
    private readonly Device device;
    private readonly (string Name, Parameter Value)[] parameters;
    private readonly AdamW optimiser;
    private readonly GradientClipping clipping;
    private readonly Tensor? classWeights;

    /// <summary>Prepares the training of a network that the caller disposes.</summary>
    /// <param name="network">On the device.</param>
    /// <param name="options">How.</param>
    /// <param name="counts">Training images of each class, none of them 0.</param>
    /// <param name="device">Where the network lies.</param>
    public FineTuner(TunedNetwork network, FineTuningOptions options, int[] counts, Device device)
    {
        options.Check();
        (this.network, this.options, this.device) = (network, options, device);
        parameters = [.. network.named_parameters().Select(p => (p.name, p.parameter))];
        optimiser = new AdamW(parameters, (name, value) => network.Rule(name, value, options.LayerDecay));
        clipping = new(parameters.Select(p => p.Value), options.ClipGradient);
        if (options.Balanced) classWeights = tensor(Array.ConvertAll(counts, c => (float)counts.Sum() / (counts.Length * c)), device: device).DetachFromDisposeScope();
    }

    /// <summary>One step: loss, backward pass, clipping, AdamW. Nothing waits for the device, and nothing is checked.</summary>
    /// <param name="views">Normalised [B, 3, S, S].</param>
    /// <param name="labels">int64 [B].</param>
    /// <param name="learningRate">Of the head.</param>
    /// <returns>The loss, and the norm of each parameter's gradient before clipping.</returns>
    public (Tensor Loss, Tensor Norms) Step(Tensor views, Tensor labels, double learningRate)
    {
        using var scope = NewDisposeScope();
        Tensor loss = TunedNetwork.Loss(network.forward(views), labels, options.LabelSmoothing, classWeights);
        loss.backward();
        Tensor norms = clipping.Step();
        optimiser.Step(learningRate, options.WeightDecay);
        foreach ((_, Parameter value) in parameters) value.grad = null;
        return (loss.detach().MoveToOuterDisposeScope(), norms.MoveToOuterDisposeScope());
    }

    /// <summary>Trains, and gives the test images to the weights of the best epoch, which the network then holds.</summary>
    /// <param name="images">The parts.</param>
    /// <param name="seed">Of order, crops, colours and stochastic depth.</param>
    /// <param name="what">Names the run in errors.</param>
    /// <param name="progress">Called with (done, all) after each step.</param>
    /// <param name="cancellation">Looked at before each step.</param>
    /// <returns>Class probabilities of the test images, every epoch from 0, and the number of the best one (never 0).</returns>
    /// <exception cref="KitException">Loss or gradient is not finite.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public (double[,] Test, IReadOnlyList<TuningEpoch> Epochs, int Best) Run(TuningImages images, long seed, string what, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        seed = RandomStream.SeedOf(seed, RandomPurpose.FineTuning);
        int batch = Math.Min(options.Batch, images.Fit.Rows.Length), perEpoch = images.Fit.Rows.Length / batch, steps = perEpoch * options.Epochs, done = 0;
        double[] rates = Schedules.Cosine(options.BaseLearningRate * batch / 256, options.MinLearningRate, steps, (int)Math.Round(options.WarmupEpochs * perEpoch));
        network.train();
        network.ComputeIn(options.Precision == "bf16" ? ScalarType.BFloat16 : null);
        var epochs = new List<TuningEpoch> { Watch(images, 0, double.NaN) };
        Tensor[] weights = [.. network.state_dict().Values], kept = [];
        int best = 0;
        using var queue = new ViewQueue(Coming(images.Fit.Rows.Length, batch, perEpoch, seed), (numbers, epoch) => Cut(images, numbers, epoch, seed));
        for (int epoch = 1; epoch <= options.Epochs; epoch++)
        {
            double sum = 0;
            for (int i = 0; i < perEpoch; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                using WaitingBatch waiting = queue.Take();
                network.Seed(seed, done);
                (Tensor loss, Tensor norms) = Step(waiting.Views.Globals, ProbeInput.ToTensor(Array.ConvertAll(waiting.Numbers, n => images.Fit.Labels[n]), device), rates[done]);
                (double value, double norm) = (loss.Value(), norms.sum().Value());
                if (!double.IsFinite(value) || !double.IsFinite(norm))
                    throw new KitException(FormattableString.Invariant($"Fine-tuning {what}, epoch {epoch}, step {i + 1}: loss {value}, sum of gradient norms {norm}; expected finite numbers. Lower baseLearningRate or clipGradient, or train in fp32."));
                sum += value;
                done++;
                progress?.Invoke(done, steps);
            }
            epochs.Add(Watch(images, epoch, sum / perEpoch));
            if (best > 0 && !(epochs[^1].ValidationF1 > epochs[best].ValidationF1)) continue;
            best = epoch;
            foreach (Tensor old in kept) old.Dispose();
            using (no_grad()) kept = [.. weights.Select(w => w.clone())];
        }
        using (no_grad())
            foreach ((Tensor now, Tensor then) in weights.Zip(kept)) now.copy_(then);
        return (Predict(images.Seen, images.Test.Rows), epochs, best);
    }

    /// <summary>Class probabilities [rows, classes] in evaluation mode and float32.</summary>
    public double[,] Predict(ImageCache seen, int[] rows)
    {
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(network);
        network.ComputeIn(null);
        return ProbeInput.ToArray(cat([.. rows.Chunk(Together).Select(part =>
        {
            using var pass = NewDisposeScope();
            return network.forward(seen.Transform.Normalise(seen.Batch(part, device))).to(ScalarType.Float64).softmax(1).MoveToOuterDisposeScope();
        })], 0));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        optimiser.Dispose();
        clipping.Dispose();
        classWeights?.Dispose();
    }

    private TuningEpoch Watch(TuningImages images, int epoch, double loss)
    {
        double[,] validation = Predict(images.Seen, images.Validation.Rows);
        int[] truth = images.Validation.Labels;
        return new(epoch, loss, Metrics.LogLoss(truth, validation), ClassCounts.Of(truth, Metrics.ArgMax(validation), images.Classes).PaperF1());
    }

    private Views Cut(TuningImages images, int[] numbers, int epoch, long seed)
    {
        int[] rows = Array.ConvertAll(numbers, n => images.Fit.Rows[n]);
        using Tensor pixels = images.Source.Batch(rows, device);
        // Draws go by the place in the training part, which the result's key holds, and not by the place in the cache.
        long views = RandomStream.SeedOf(seed, RandomPurpose.Views);
        ImageSize[] sizes = Array.ConvertAll(rows, r => new ImageSize(images.Source.OriginalSize(r), images.Source.Size(r)));
        return new(CropViews.Make(pixels, numbers, views, epoch, sizes, [[options.Recipe]])[0], null);
    }

    /// <summary>The images of each step; a rest that fills no batch is left out, as MAE does it.</summary>
    private IEnumerable<(int[] Numbers, int Epoch)> Coming(int count, int batch, int perEpoch, long seed)
    {
        for (int epoch = 0; epoch < options.Epochs; epoch++)
        {
            int[] order = [.. Enumerable.Range(0, count)];
            new SplitMix64((ulong)RandomStream.SeedOf(seed, RandomPurpose.Order, epoch)).Shuffle(order.AsSpan());
            for (int i = 0; i < perEpoch; i++) yield return (order[(i * batch)..((i + 1) * batch)], epoch);
        }
    }
}
