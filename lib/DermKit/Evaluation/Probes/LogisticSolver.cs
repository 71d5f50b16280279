namespace DermKit.Evaluation;

/// <summary>Minimises sum_i w_i * cross entropy_i + 0.5 |W|^2 / C (intercepts free) for P problems by L-BFGS in
/// float64. Its initial Hessian is a <see cref="LeadingHessian"/>, recomputed at a few iterations: for strongly
/// correlated features in principal axes this reduces hundreds of iterations to tens.</summary>
internal static class LogisticSolver
{
    private const int Memory = 10, Trials = 40;
    private const double Decrease = 1e-4, Curvature = 0.9;

    // Weights [P, d + 1, R], intercept first; objective and largest absolute gradient entry of each problem.
    public sealed record Solution(Tensor Weights, double[] Objective, double[] GradientNorm, int Iterations);

    private sealed record Point(Tensor Weights, Tensor Gradient, Tensor Probabilities, double[] Value, double[] Norm)
    {
        public Tensor[] Tensors => [Weights, Gradient, Probabilities];
    }

    // Inverse is 1 / (step * change of the gradient).
    private sealed record Pair(Tensor Step, Tensor Change, Tensor Inverse)
    {
        public Tensor[] Tensors => [Step, Change, Inverse];
    }

    // Features [P, n, d], best along principal axes of falling variance, targets [P, n, K] one-hot, row weights [P, n],
    // all float64. K = 2 has one sigmoid row (R = 1), as in scikit-learn; else R = K and intercepts sum to 0.
    public static Solution Solve(Tensor features, Tensor target, Tensor weights, double c, double tolerance,
        int maxIterations)
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
            Tensor value = (-(rowWeights * target * log).sum([1L, 2L]))
                .Plus(Kept(0.5) * (penalty * w * w).sum([1L, 2L]));
            Tensor gradient = xt.matmul(binary ? residual.narrow(2, 1, 1) : residual).Plus(penalty * w);
            return new(w, gradient, p, ProbeInput.ToFlatArray(value),
                ProbeInput.ToFlatArray(gradient.abs().amax([1L, 2L])));
        }

        Point at = At(zeros([problems, x.shape[2], binary ? 1 : classes], float64, x.device));
        LeadingHessian near = LeadingHessian.At(x, at.Probabilities, rowWeights, penalty);
        var history = new List<Pair>();
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
            Tensor moved = next.Weights - at.Weights, change = next.Gradient - at.Gradient;
            Tensor product = Dot(moved, change);
            history.Add(new(moved, change, where(product > Kept(0), Kept(1) / product, zeros_like(product))));
            if (history.Count > Memory)
            {
                DisposeAll(history[0].Tensors);
                history.RemoveAt(0);
            }
            DisposeAll(at.Tensors);
            at = next;
            // Rounding has spoiled stuck problems' curvature pairs: they get one more try with a new Hessian.
            if (stuck.Contains(true))
                foreach (Pair pair in history) pair.Inverse.masked_fill_(Mask(stuck, x.device), Kept(0));
            if (renew)
            {
                DisposeAll(near.Tensors);
                near = LeadingHessian.At(x, at.Probabilities, rowWeights, penalty);
            }
            step.MoveToOuter([.. at.Tensors, .. near.Tensors, .. history.SelectMany(h => h.Tensors)]);
        }
        return new(at.Weights.MoveToOuterDisposeScope(), at.Value, at.Norm, iteration);
    }

    private static void DisposeAll(Tensor[] tensors)
    {
        foreach (Tensor tensor in tensors) tensor.Dispose();
    }

    // Two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).
    private static Tensor Apply(List<Pair> history, LeadingHessian near, Tensor gradient)
    {
        Tensor q = gradient;
        var alphas = new Stack<Tensor>();
        foreach (Pair pair in Enumerable.Reverse(history))
        {
            Tensor alpha = pair.Inverse * Dot(pair.Step, q);
            alphas.Push(alpha);
            q = q - alpha * pair.Change;
        }
        Tensor r = near.Solve(q);
        foreach (Pair pair in history)
            r = r.Plus(pair.Step * (alphas.Pop() - pair.Inverse * Dot(pair.Change, r)));
        return r;
    }

    // Strong Wolfe conditions, a bracket for each problem; by convexity the slope grows along the line. A problem
    // without a valid point is stuck and stays where it is.
    private static (Point Next, bool[] Stuck) Search(Func<Tensor, Point> at, Point start, Tensor direction, bool[] open)
    {
        Point Moved(double[] lengths)
        {
            Tensor moving = direction.masked_fill(Mask(Array.ConvertAll(lengths, l => l == 0), direction.device),
                Kept(0));
            return at(start.Weights.Plus(moving
                * tensor(lengths, [lengths.Length, 1, 1], device: direction.device)));
        }
        double[] slope = ProbeInput.ToFlatArray(Dot(start.Gradient, direction));
        double[] step = Array.ConvertAll(open, o => o ? 1.0 : 0.0);
        double[] low = new double[step.Length], lowSlope = [.. slope];
        double[] high = new double[step.Length], highSlope = new double[step.Length];
        bool[] stuck = [.. open];
        for (int trial = 0; trial < Trials; trial++)
        {
            Point next = Moved(step);
            double[] slopes = ProbeInput.ToFlatArray(Dot(next.Gradient, direction));
            bool done = true;
            for (int p = 0; p < step.Length; p++)
            {
                if (step[p] == 0) continue;
                bool tooHigh = !(next.Value[p]
                    <= start.Value[p] + Decrease * step[p] * slope[p] + 1e-12 * Math.Abs(start.Value[p]));
                stuck[p] = tooHigh || !(Math.Abs(slopes[p]) <= -Curvature * slope[p]);
                if (!stuck[p]) continue;
                done = false;
                if (tooHigh || slopes[p] > 0) (high[p], highSlope[p]) = (step[p], slopes[p]);
                else (low[p], lowSlope[p]) = (step[p], slopes[p]);
                if (high[p] == 0) step[p] *= 2;
                else
                {
                    double share = highSlope[p] > 0 ? lowSlope[p] / (lowSlope[p] - highSlope[p]) : 0.5;
                    step[p] = low[p]
                        + (high[p] - low[p]) * (double.IsFinite(share) ? Math.Clamp(share, 0.1, 0.9) : 0.5);
                }
            }
            if (done) return (next, stuck);
        }
        return (Moved([.. step.Select((s, p) => stuck[p] ? 0 : s)]), stuck);
    }

    // [P, 1, 1].
    private static Tensor Mask(bool[] problems, Device device) =>
        tensor(problems, [problems.Length, 1, 1], device: device);

    private static Tensor Dot(Tensor a, Tensor b) => (a * b).sum([1L, 2L], keepdim: true);
}
