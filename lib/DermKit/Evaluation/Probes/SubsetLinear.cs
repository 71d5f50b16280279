using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary><see cref="LinearProbe"/> on many small sets drawn from the same training rows, sets of one size in batches: small regressions cost calls, not arithmetic.</summary>
internal static class SubsetLinear
{
    /// <summary>Numbers of one batch's matrices, so that large sets stay in the processor's cache.</summary>
    private const long BatchElements = 1_500_000;

    /// <summary>The predicted class of each test row for each draw, and the draws whose regression did not converge. One that does not ends no other of its batch.</summary>
    /// <param name="train">[N, D] training features.</param>
    /// <param name="labels">N class indices.</param>
    /// <param name="test">[M, D] test features.</param>
    /// <param name="classes">Number of classes; every draw has rows of each.</param>
    /// <param name="draws">Rows of the training features.</param>
    /// <param name="options">As the probe's.</param>
    /// <param name="cancellation">Looked at between batches.</param>
    /// <exception cref="KitException">Features are not finite, or sizes do not match.</exception>
    public static (int[][] Predicted, LabelDraw[] Open) Predict(Tensor train, int[] labels, Tensor test, int classes, IReadOnlyList<LabelDraw> draws, LinearOptions options, CancellationToken cancellation = default)
    {
        ProbeInput.Check("training", train, labels, classes);
        ProbeInput.Check("test", test, null, classes);
        ProbeInput.CheckColumns(train.shape[1], test);
        using var kept = NewDisposeScope();
        // Rotated once, all large draws lie close to their principal axes, and the penalty is the same there; small ones are solved in the span of their rows.
        bool turned = !options.Standardise && draws.Max(d => d.Rows.Length) >= train.shape[1] / 3;
        Tensor wide = test.to(float64);
        if (turned)
        {
            train = train.to(float64);
            Tensor axes = LinearProbe.PrincipalAxes(train.t().mm(train));
            (train, wide) = (train.mm(axes), wide.mm(axes));
        }
        int[][] calls = new int[draws.Count][];
        var open = new List<LabelDraw>();
        int rowsOfTest = (int)test.shape[0];
        foreach (var size in draws.Select((draw, i) => (draw, i)).GroupBy(d => d.draw.Rows.Length))
            foreach (var batch in size.Chunk((int)Math.Max(1, BatchElements / (size.Key * Math.Max(size.Key, train.shape[1])))))
            {
                cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                int[] rows = [.. batch.SelectMany(b => b.draw.Rows)];
                Tensor x = train.index_select(0, ProbeInput.ToTensor(rows, train.device)).to(float64).reshape(batch.Length, size.Key, train.shape[1]);
                Tensor target = nn.functional.one_hot(ProbeInput.ToTensor(Array.ConvertAll(rows, r => labels[r]), train.device), classes).to(float64).reshape(batch.Length, size.Key, classes);
                // Every class has the same number of rows, so that balanced weights are 1.
                var (coefficients, intercepts, mean, scale, solution) = LinearProbe.Solve(x, target, ones([batch.Length, size.Key], float64, train.device), options, turned);
                open.AddRange(batch.Where((_, b) => !(solution.GradientNorm[b] <= options.Tolerance)).Select(b => b.draw));
                // One product for all problems: mean and scale go into the weights, because scaled test rows of each problem would fill the memory.
                Tensor scaled = coefficients / scale.transpose(1, 2), offsets = intercepts - mean.matmul(scaled);
                Tensor logits = wide.mm(scaled.permute(1, 0, 2).reshape(wide.shape[1], -1)).reshape(rowsOfTest, batch.Length, -1).Plus(offsets.squeeze(1));
                Tensor predicted = classes == 2 ? (logits > Kept(0)).squeeze(2) : logits.argmax(2);
                int[] all = [.. predicted.t().to(int32).cpu().contiguous().data<int>()];
                for (int b = 0; b < batch.Length; b++) calls[batch[b].i] = all[(b * rowsOfTest)..((b + 1) * rowsOfTest)];
            }
        return (calls, [.. open]);
    }
}
