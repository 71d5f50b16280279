using DermKit.Evaluation;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

/// <summary>Settings of <see cref="SgdProbe"/>; the defaults are those of DINO's eval_linear.py (batch and
/// rate of one process).</summary>
/// <param name="LearningRate">Learning rate at the start; cosine annealed to 0, once an epoch.</param>
/// <param name="Momentum">Momentum.</param>
/// <param name="WeightDecay">L2 penalty added to the gradient.</param>
/// <param name="Epochs">Passes over the training rows.</param>
/// <param name="Batch">Rows of a step.</param>
internal sealed record SgdOptions(double LearningRate = 0.001, double Momentum = 0.9, double WeightDecay = 0,
    int Epochs = 100, int Batch = 128);

/// <summary>The linear classifier of DINO's eval_linear.py on frozen features, the reference of the parity test: SGD
/// with momentum on the mean cross
/// entropy, in the features' type.</summary>
internal static class SgdProbe
{
    /// <summary>Trains with a given start and order of rows.</summary>
    /// <param name="train">[N, D].</param>
    /// <param name="labels">N class indices.</param>
    /// <param name="start">[classes, D] weights at the start; the bias starts at zero.</param>
    /// <param name="order">Row order of each epoch.</param>
    /// <param name="options">Settings; epochs are those of <paramref name="order"/>.</param>
    /// <returns>Weight [classes, D], bias [classes], loss of every step.</returns>
    public static (Tensor Weight, Tensor Bias, double[] Losses) Fit(Tensor train, int[] labels, Tensor start,
        int[][] order, SgdOptions options)
    {
        using var scope = NewDisposeScope();
        // The bias is one more column: the update is one for all.
        Tensor x = cat([train, ones_like(train.narrow(1, 0, 1))], 1),
            w = cat([start, zeros_like(start.narrow(1, 0, 1))], 1), velocity = zeros_like(w);
        Tensor y = nn.functional.one_hot(ProbeInput.ToTensor(labels, x.device), start.shape[0]).to(x.dtype);
        var losses = new List<Tensor>();
        for (int epoch = 0; epoch < order.Length; epoch++)
        {
            double rate = options.LearningRate * (1 + Math.Cos(Math.PI * epoch / order.Length)) / 2;
            foreach (int[] rows in order[epoch].Chunk(options.Batch))
            {
                using var step = NewDisposeScope();
                Tensor index = ProbeInput.ToTensor(rows, x.device), xb = x.index_select(0, index),
                    yb = y.index_select(0, index);
                Tensor log = xb.mm(w.t()).log_softmax(1);
                losses.Add((-(yb * log).sum() / Kept(rows.Length)).MoveToOuterDisposeScope());
                Tensor gradient = ((log.exp() - yb) / Kept(rows.Length)).t().mm(xb).Plus(Kept(options.WeightDecay) * w);
                velocity.mul_(Kept(options.Momentum)).PlusInPlace(gradient);
                w.sub_(velocity * Kept(rate));
            }
        }
        double[] values = losses.Count == 0 ? [] : [.. stack(losses).to(float64).cpu().data<double>()];
        return (w.narrow(1, 0, w.shape[1] - 1).clone().MoveToOuterDisposeScope(),
            w.select(1, -1).clone().MoveToOuterDisposeScope(), values);
    }
}
