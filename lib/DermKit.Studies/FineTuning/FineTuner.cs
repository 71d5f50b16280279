using DermKit.Data;
using DermKit.Imaging;
using DermKit.Models;
using DermKit.Pretraining;
using TorchSharp;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace DermKit.Studies;

/// <summary>Rows of the caches and their classes.</summary>
internal sealed record TuningPart(int[] Rows, int[] Labels);

/// <summary>Two caches row by row: whole images to crop, and images after the evaluation transform. Validation images
/// choose the epoch; test images are scored once, with its weights.</summary>
internal sealed record TuningImages(ImageCache Source, ImageCache Seen, TuningPart Fit, TuningPart Validation,
    TuningPart Test, int Classes);

/// <summary>Losses and score after an epoch; 0 is before the first step. The training loss is a mean over steps, on
/// crops, with label smoothing, NaN for epoch 0; the validation loss is log loss.</summary>
public sealed record TuningEpoch(int Epoch, double TrainLoss, double ValidationLoss, double ValidationF1);

/// <summary>Trains all weights with AdamW, layer-wise rates, warm-up and cosine; keeps those of the best
/// epoch.</summary>
internal sealed class FineTuner : IDisposable
{
    private const int PredictionBatch = 64;
    private readonly TunedNetwork network;
    private readonly FineTuningOptions options;
    private readonly Device device;
    private readonly (string Name, Parameter Value)[] parameters;
    private readonly AdamW optimiser;
    private readonly Tensor? classWeights;

    // The caller disposes the network. Counts are the training images of each class, none 0.
    public FineTuner(TunedNetwork network, FineTuningOptions options, int[] counts, Device device)
    {
        options.Check();
        this.network = network;
        this.options = options;
        this.device = device;
        parameters = [.. network.named_parameters().Select(p => (p.name, p.parameter))];
        optimiser = new AdamW(parameters, (name, value) => network.Rule(name, value, options.LayerDecay));
        if (!options.Balanced) return;
        float[] weights = Array.ConvertAll(counts, c => (float)counts.Sum() / (counts.Length * c));
        classWeights = tensor(weights, device: device).DetachFromDisposeScope();
    }

    // Does not wait for the device or check numbers. Views are normalised [B, 3, S, S], labels int64 [B]; the rate is
    // the head's. Returns the loss and each gradient's norm before clipping.
    public (Tensor Loss, Tensor Norms) Step(Tensor views, Tensor labels, double learningRate)
    {
        using var scope = NewDisposeScope();
        Tensor loss = TunedNetwork.Loss(network.forward(views), labels, options.LabelSmoothing, classWeights);
        loss.backward();
        Tensor norms = optimiser.Clip(options.ClipGradient);
        optimiser.Step(learningRate, options.WeightDecay);
        foreach ((_, Parameter value) in parameters) value.grad = null;
        return (loss.detach().MoveToOuterDisposeScope(), norms.MoveToOuterDisposeScope());
    }

    // Sets the network to the best epoch and predicts the test images. Returns class probabilities, epochs from 0, and
    // the best epoch, never 0.
    public (double[,] Test, IReadOnlyList<TuningEpoch> Epochs, int Best) Run(TuningImages images, long seed,
        string what, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        seed = RandomStream.SeedOf(seed, RandomPurpose.FineTuning);
        int count = images.Fit.Rows.Length;
        int batch = Math.Min(options.Batch, count);
        int perEpoch = count / batch;
        int steps = perEpoch * options.Epochs;
        int done = 0;
        double[] rates = Schedules.Cosine(options.BaseLearningRate * batch / 256, options.MinLearningRate, steps,
            (int)Math.Round(options.WarmupEpochs * perEpoch));
        network.train();
        network.ComputeIn(options.Precision.ProductType());
        var epochs = new List<TuningEpoch> { Validate(images, 0, double.NaN) };
        Tensor[] weights = [.. network.state_dict().Values];
        Tensor[] kept = [];
        int best = 0;
        using var queue = new ViewQueue(Batches(count, batch, seed), (rows, epoch) => Cut(images, rows, epoch, seed));
        for (int epoch = 1; epoch <= options.Epochs; epoch++)
        {
            double sum = 0;
            for (int i = 0; i < perEpoch; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                using WaitingBatch waiting = queue.Take();
                network.Seed(seed, done);
                int[] labels = Array.ConvertAll(waiting.Numbers, n => images.Fit.Labels[n]);
                (Tensor loss, Tensor norms) =
                    Step(waiting.Views.Globals, ProbeInput.ToTensor(labels, device), rates[done]);
                double value = loss.Value();
                double norm = norms.sum().Value();
                if (!double.IsFinite(value) || !double.IsFinite(norm))
                {
                    string found = FormattableString.Invariant($"loss {value}, sum of gradient norms {norm}");
                    throw new KitException($"Fine-tuning {what}, epoch {epoch}, step {i + 1}: {found}; expected finite "
                        + "numbers. Lower baseLearningRate or clipGradient, or train in fp32.");
                }
                sum += value;
                done++;
                progress?.Invoke(done, steps);
            }
            epochs.Add(Validate(images, epoch, sum / perEpoch));
            if (best > 0 && !(epochs[^1].ValidationF1 > epochs[best].ValidationF1)) continue;
            best = epoch;
            foreach (Tensor old in kept) old.Dispose();
            using (no_grad()) kept = [.. weights.Select(w => w.clone())];
        }
        using (no_grad())
            foreach ((Tensor now, Tensor then) in weights.Zip(kept)) now.copy_(then);
        return (Predict(images.Seen, images.Test.Rows), epochs, best);
    }

    // Class probabilities [rows, classes] in evaluation mode and float32.
    public double[,] Predict(ImageCache seen, int[] rows)
    {
        using var scope = NewDisposeScope();
        using var mode = new EvaluationMode(network);
        network.ComputeIn(null);
        return ProbeInput.ToArray(cat([.. rows.Chunk(PredictionBatch).Select(Part)], 0));

        Tensor Part(int[] part)
        {
            using var pass = NewDisposeScope();
            Tensor logits = network.forward(seen.Transform.Normalise(seen.Batch(part, device)));
            return logits.to(ScalarType.Float64).softmax(1).MoveToOuterDisposeScope();
        }
    }

    public void Dispose()
    {
        optimiser.Dispose();
        classWeights?.Dispose();
    }

    private TuningEpoch Validate(TuningImages images, int epoch, double loss)
    {
        double[,] found = Predict(images.Seen, images.Validation.Rows);
        int[] truth = images.Validation.Labels;
        double f1 = ClassCounts.Of(truth, Metrics.ArgMax(found), images.Classes).PaperF1();
        return new(epoch, loss, Metrics.LogLoss(truth, found), f1);
    }

    private Views Cut(TuningImages images, int[] numbers, int epoch, long seed)
    {
        int[] rows = Array.ConvertAll(numbers, n => images.Fit.Rows[n]);
        using Tensor pixels = images.Source.Batch(rows, CPU);
        // Draws depend on the place in the training part, which is in the result's key, not in the cache.
        long views = RandomStream.SeedOf(seed, RandomPurpose.Views);
        ImageSize[] sizes = Array.ConvertAll(rows, r =>
            new ImageSize(images.Source.OriginalSize(r), images.Source.Size(r)));
        return new(CropViews.Make(pixels, numbers, views, epoch, sizes, device, [[options.Recipe]])[0], null);
    }

    // A partial batch is left out, as in MAE.
    private IEnumerable<(int[] Numbers, int Epoch)> Batches(int count, int batch, long seed)
    {
        for (int epoch = 0; epoch < options.Epochs; epoch++)
        {
            int[] order = [.. Enumerable.Range(0, count)];
            new SplitMix64((ulong)RandomStream.SeedOf(seed, RandomPurpose.Order, epoch)).Shuffle(order.AsSpan());
            for (int i = 0; i < count / batch; i++) yield return (order[(i * batch)..((i + 1) * batch)], epoch);
        }
    }
}
