using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>
/// Minimises sum_i w_i * cross entropy_i + 0.5 |W|^2 / C (intercepts free) for a batch of P problems by L-BFGS in float64.
/// The initial Hessian of the two-loop recursion is not a scaled identity but a <see cref="LeadingHessian"/>, made anew at a few, ever rarer iterations:
/// frozen features are strongly correlated, and in their principal axes this takes the iterations from hundreds to tens.
/// </summary>
internal static class LogisticSolver
{
    private const int Memory = 10, Trials = 40;
    private const double Decrease = 1e-4, Curvature = 0.9;

    /// <summary>A solution: weights [P, d + 1, R] with the intercept first, and how far the optimiser came in each problem.</summary>
    public sealed record Solution(Tensor Weights, double[] Objective, double[] GradientNorm, int Iterations);

    private sealed record Point(Tensor Weights, Tensor Gradient, Tensor Probabilities, double[] Value, double[] Norm);

    /// <summary>Solves all problems.</summary>
    /// <param name="features">[P, n, d] float64, best along principal axes of falling variance.</param>
    /// <param name="target">[P, n, K] one-hot float64; a row of zeros with weight 0 is padding.</param>
    /// <param name="weights">[P, n] float64 weight of each row's loss.</param>
    /// <param name="c">Inverse of the penalty.</param>
    /// <param name="tolerance">Largest absolute gradient entry at which a problem is solved.</param>
    /// <param name="maxIterations">Limit.</param>
    /// <remarks>With K = 2 there is one sigmoid row (R = 1), as in scikit-learn; else R = K and intercepts sum to 0.</remarks>
    public static Solution Solve(Tensor features, Tensor target, Tensor weights, double c, double tolerance, int maxIterations)
    {
        using var scope = NewDisposeScope();
        long problems = features.shape[0], classes = target.shape[2];
        bool binary = classes == 2;
        Tensor x = cat([ones_like(features.narrow(2, 0, 1)), features], 2), xt = x.transpose(1, 2);
        Tensor penalty = full([x.shape[2], 1], Kept(1 / c), float64, x.device);
        penalty[0] = 0;
        Tensor rowWeights = weights.unsqueeze(2);

        Point At(Tensor w)
        {
            Tensor logits = x.matmul(w);
            if (binary) logits = cat([zeros_like(logits), logits], 2);
            Tensor log = logits.log_softmax(2), p = log.exp(), residual = (p - target) * rowWeights;
            Tensor value = (-(rowWeights * target * log).sum([1L, 2L])).Plus(Kept(0.5) * (penalty * w * w).sum([1L, 2L]));
            Tensor gradient = xt.matmul(binary ? residual.narrow(2, 1, 1) : residual).Plus(penalty * w);
            return new(w, gradient, p, Values(value), Values(gradient.abs().amax([1L, 2L])));
        }

        Point at = At(zeros([problems, x.shape[2], binary ? 1 : classes], float64, x.device));
        LeadingHessian near = LeadingHessian.At(x, at.Probabilities, rowWeights, penalty);
        var history = new List<(Tensor Step, Tensor Change, Tensor Inverse)>();
        int iteration = 0, refresh = 3;
        int[] failures = new int[problems];
        bool[] Open() => [.. at.Norm.Select((n, p) => n > tolerance && failures[p] < 2)];
        for (bool[] open = Open(); open.Contains(true) && iteration < maxIterations; open = Open())
        {
            using var step = NewDisposeScope();
            Tensor direction = -Apply(history, near, at.Gradient);
            (Point next, bool[] stuck) = Search(At, at, direction, open);
            iteration++;
            bool renew = iteration == refresh || stuck.Contains(true);
            if (iteration == refresh) refresh = 2 * refresh + 2;
            for (int p = 0; p < problems; p++)
                if (open[p]) failures[p] = stuck[p] ? failures[p] + 1 : 0;
            Tensor moved = next.Weights - at.Weights, change = next.Gradient - at.Gradient, product = Dot(moved, change);
            history.Add((moved, change, where(product > Kept(0), Kept(1) / product, zeros_like(product))));
            Forget(history, history.Count - Memory);
            foreach (Tensor t in new[] { at.Weights, at.Gradient, at.Probabilities }) t.Dispose();
            at = next;
            // Rounding has spoiled the curvature pairs of these: once more from a fresh matrix, then they stay where they are. The others go on.
            if (stuck.Contains(true))
                foreach (var (_, _, inverse) in history) inverse.masked_fill_(Mask(stuck, inverse.device), Kept(0));
            if (renew)
            {
                near.Dispose();
                near = LeadingHessian.At(x, at.Probabilities, rowWeights, penalty);
            }
            step.MoveToOuter([at.Weights, at.Gradient, at.Probabilities, .. near.Tensors, .. history.SelectMany(h => new[] { h.Step, h.Change, h.Inverse })]);
        }
        return new(at.Weights.MoveToOuterDisposeScope(), at.Value, at.Norm, iteration);
    }

    private static void Forget(List<(Tensor Step, Tensor Change, Tensor Inverse)> history, int oldest)
    {
        if (oldest <= 0) return;
        foreach (var (step, change, inverse) in history.Take(oldest))
            foreach (Tensor t in new[] { step, change, inverse }) t.Dispose();
        history.RemoveRange(0, oldest);
    }

    // Two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).
    private static Tensor Apply(List<(Tensor Step, Tensor Change, Tensor Inverse)> history, LeadingHessian near, Tensor gradient)
    {
        Tensor q = gradient;
        var alphas = new Stack<Tensor>();
        foreach (var (step, change, inverse) in Enumerable.Reverse(history))
        {
            Tensor alpha = inverse * Dot(step, q);
            alphas.Push(alpha);
            q = q - alpha * change;
        }
        Tensor r = near.Solve(q);
        foreach (var (step, change, inverse) in history) r = r.Plus(step * (alphas.Pop() - inverse * Dot(change, r)));
        return r;
    }

    // Strong Wolfe conditions, each problem with its own bracket; the function is convex, so its slope only grows along the line.
    // A problem that finds no point is stuck: it stays where it is, and the others keep the points they found.
    private static (Point Next, bool[] Stuck) Search(Func<Tensor, Point> at, Point start, Tensor direction, bool[] open)
    {
        Point Moved(double[] lengths) =>
            at(start.Weights.Plus(direction.masked_fill(Mask([.. lengths.Select(l => l == 0)], direction.device), Kept(0)) * tensor(lengths, [lengths.Length, 1, 1], device: direction.device)));
        double[] slope = Values(Dot(start.Gradient, direction)), step = [.. open.Select(o => o ? 1.0 : 0.0)];
        double[] low = new double[step.Length], lowSlope = [.. slope], high = new double[step.Length], highSlope = new double[step.Length];
        bool[] stuck = [.. open];
        for (int trial = 0; trial < Trials; trial++)
        {
            Point next = Moved(step);
            double[] slopes = Values(Dot(next.Gradient, direction));
            bool done = true;
            for (int p = 0; p < step.Length; p++)
            {
                if (step[p] == 0) continue;
                bool tooHigh = !(next.Value[p] <= start.Value[p] + Decrease * step[p] * slope[p] + 1e-12 * Math.Abs(start.Value[p]));
                stuck[p] = tooHigh || !(Math.Abs(slopes[p]) <= -Curvature * slope[p]);
                if (!stuck[p]) continue;
                done = false;
                if (tooHigh || slopes[p] > 0) (high[p], highSlope[p]) = (step[p], slopes[p]);
                else (low[p], lowSlope[p]) = (step[p], slopes[p]);
                if (high[p] == 0) step[p] *= 2;
                else
                {
                    double share = highSlope[p] > 0 ? lowSlope[p] / (lowSlope[p] - highSlope[p]) : 0.5;
                    step[p] = low[p] + (high[p] - low[p]) * (double.IsFinite(share) ? Math.Clamp(share, 0.1, 0.9) : 0.5);
                }
            }
            if (done) return (next, stuck);
        }
        return (Moved([.. step.Select((s, p) => stuck[p] ? 0 : s)]), stuck);
    }

    // [P, 1, 1], true where a problem is meant.
    private static Tensor Mask(bool[] problems, Device device) => tensor(problems, [problems.Length, 1, 1], device: device);

    private static Tensor Dot(Tensor a, Tensor b) => (a * b).sum([1L, 2L], keepdim: true);

    private static double[] Values(Tensor values) => values.cpu().data<double>().ToArray();
}
