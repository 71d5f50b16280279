namespace DermKit.Evaluation;

/// <summary>Multinomial logistic regression, fitted to convergence in float64; the defaults are the paper's linear
/// evaluation. The objective is the sum of losses + 0.5 |W|^2 / C, intercepts free. Balanced weighs each class by N /
/// (classes * its rows), as scikit-learn; Standardise (not in the paper) scales features to mean 0 and population
/// standard deviation 1. Tolerance bounds every gradient entry of a converged fit; MaxIterations bounds
/// L-BFGS.</summary>
public sealed record LinearProbe(double C = 1, bool Balanced = false, bool Standardise = false,
    double Tolerance = 1e-6, int MaxIterations = 10_000) : Probe("linear")
{
    // Numbers in one batch of draws, which then fit the processor's cache.
    private const long BatchElements = 1_500_000;

    /// <inheritdoc/>
    public override ProbeOutcome Run(Tensor train, int[] labels, Tensor test, int classes, int seed = 1)
    {
        LinearFit fit = Fit(train, labels, classes);
        return new(fit.Predict(test, classes))
        {
            Converged = fit.Converged,
            Iterations = fit.Iterations,
            GradientNorm = fit.GradientNorm,
            Note = fit.Converged ? "" : string.Create(CultureInfo.InvariantCulture,
                $"Logistic regression did not converge: gradient {fit.GradientNorm:g2} after "
                + $"{fit.Iterations} iterations; its scores are a lower bound of the probe."),
        };
    }

    internal LinearFit Fit(Tensor train, int[] labels, int classes)
    {
        ProbeInput.Check("training", train, labels, classes);
        int[] counts = ProbeInput.CountClasses(labels, classes);
        int[] present = [.. Enumerable.Range(0, classes).Where(c => counts[c] > 0)];
        if (present.Length < 2)
            throw new KitException($"Linear probe: all {labels.Length} training rows are of class {present[0]}; "
                + "expected at least two classes.");
        using var scope = NewDisposeScope();
        int[] places = Array.ConvertAll(labels, l => Array.IndexOf(present, l));
        Tensor target = ProbeInput.OneHot(places, present.Length, train.device);
        double[] weights = Array.ConvertAll(labels,
            l => Balanced ? labels.Length / ((double)present.Length * counts[l]) : 1);
        Regressions solved = Solve(train.to(float64).unsqueeze(0), target.unsqueeze(0),
            tensor(weights, device: train.device).unsqueeze(0));
        return new(ProbeInput.ToArray(solved.Coefficients[0].t()), ProbeInput.ToFlatArray(solved.Intercepts), present,
            ProbeInput.ToFlatArray(solved.Mean), ProbeInput.ToFlatArray(solved.Scale), solved.Solution.Objective[0],
            solved.Solution.GradientNorm[0], solved.Solution.Iterations,
            solved.Solution.GradientNorm[0] <= Tolerance);
    }

    /// <summary>Solves draws of one size in batches: many small regressions cost calls, not arithmetic.</summary>
    public override IReadOnlyList<DrawOutcome> RunDraws(Tensor train, int[] labels, Tensor test, int classes,
        IReadOnlyList<LabelDraw> draws, CancellationToken cancellation = default)
    {
        ProbeInput.Check(train, labels, test, classes);
        using var scope = NewDisposeScope();
        long columns = train.shape[1], testRows = test.shape[0];
        // One rotation brings all large draws close to their principal axes and keeps the penalty; small ones are
        // solved in the span of their rows.
        bool rotated = !Standardise && draws.Max(d => d.Rows.Length) >= columns / 3;
        Tensor wide = test.to(float64);
        if (rotated)
        {
            train = train.to(float64);
            Tensor axes = PrincipalAxes(train.t().mm(train));
            train = train.mm(axes);
            wide = wide.mm(axes);
        }
        var outcomes = new DrawOutcome[draws.Count];
        foreach (var size in Enumerable.Range(0, draws.Count).GroupBy(d => draws[d].Rows.Length))
        {
            long together = BatchElements / (size.Key * Math.Max(size.Key, columns));
            foreach (int[] batch in size.Chunk((int)Math.Max(1, together)))
            {
                cancellation.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                int[] rows = [.. batch.SelectMany(d => draws[d].Rows)];
                Tensor x = ProbeInput.Rows(train, rows).to(float64).reshape(batch.Length, size.Key, columns);
                Tensor target = ProbeInput.OneHot(Array.ConvertAll(rows, r => labels[r]), classes, train.device)
                    .reshape(batch.Length, size.Key, classes);
                // Classes have equally many rows: balanced weights are 1.
                Regressions solved = Solve(x, target, ones([batch.Length, size.Key], float64, train.device), rotated);
                // Scaled test rows of each draw would fill the memory, so weights are scaled instead.
                Tensor scaled = solved.Coefficients / solved.Scale.transpose(1, 2);
                Tensor offsets = solved.Intercepts - solved.Mean.matmul(scaled);
                Tensor logits = wide.mm(scaled.permute(1, 0, 2).reshape(columns, -1))
                    .reshape(testRows, batch.Length, -1).Plus(offsets.squeeze(1));
                Tensor predicted = classes == 2 ? (logits > Kept(0)).squeeze(2) : logits.argmax(2);
                int[][] all = [.. predicted.t().to(int32).cpu().contiguous().data<int>().Chunk((int)testRows)];
                foreach ((int b, int d) in batch.Index())
                    outcomes[d] = new(all[b], Converged: solved.Solution.GradientNorm[b] <= Tolerance);
            }
        }
        return outcomes;
    }

    // Coefficients [P, D, rows] and intercepts [P, 1, rows] for features after mean and scale [P, 1, D].
    private sealed record Regressions(Tensor Coefficients, Tensor Intercepts, Tensor Mean, Tensor Scale,
        LogisticSolver.Solution Solution);

    // P regressions on features [P, n, D], one-hot targets [P, n, K] and row weights [P, n], all float64. Rotated
    // features are close to principal axes, leading first.
    private Regressions Solve(Tensor x, Tensor target, Tensor weights, bool rotated = false)
    {
        long n = x.shape[1], d = x.shape[2];
        Tensor mean = zeros([x.shape[0], 1, d], float64, x.device), scale = ones_like(mean);
        if (Standardise)
        {
            mean = x.mean([1L], keepdim: true);
            scale = (x - mean).Squared().mean([1L], keepdim: true).sqrt();
            scale = scale.masked_fill(scale == Kept(0), Kept(1));
            x = (x - mean) / scale;
        }
        // With fewer rows than columns the solution lies in the span of the rows, X^T U / s with X X^T = U s^2 U^T; for
        // rotated features that pays when the span is much smaller.
        bool spanned = n < (rotated ? d / 3 : d);
        Tensor? axes = spanned ? Span(x) : rotated ? null : PrincipalAxes(x.transpose(1, 2).matmul(x));
        LogisticSolver.Solution solution = LogisticSolver.Solve(axes is null ? x : x.matmul(axes), target, weights, C,
            Tolerance, MaxIterations);
        Tensor coefficients = solution.Weights.narrow(1, 1, solution.Weights.shape[1] - 1);
        return new(axes is null ? coefficients : axes.matmul(coefficients), solution.Weights.narrow(1, 0, 1), mean,
            scale, solution);
    }

    // Eigenvectors in columns, by falling eigenvalue.
    private static Tensor PrincipalAxes(Tensor gram) => linalg.eigh(gram).Item2.flip(-1);

    // Orthonormal axes [P, D, n] of the rows' span; axes below rounding are zero.
    private static Tensor Span(Tensor x)
    {
        var (values, vectors) = linalg.eigh(x.matmul(x.transpose(1, 2)));
        Tensor smallest = values.narrow(-1, values.shape[^1] - 1, 1) * Kept(1e-13);
        Tensor inverse = where(values > smallest, values.clamp_min(Kept(double.Epsilon)).rsqrt(), zeros_like(values));
        return x.transpose(1, 2).matmul((vectors * inverse.unsqueeze(1)).flip(-1));
    }
}

/// <summary>A fit in scikit-learn's form, for features after mean and scale [D]: one sigmoid row for two classes, else
/// a row for each. Classes without training rows (not in Present) get probability 0.</summary>
internal sealed record LinearFit(double[,] Coefficients, double[] Intercepts, int[] Present, double[] Mean,
    double[] Scale, double Objective, double GradientNorm, int Iterations, bool Converged)
{
    // Features [M, D] to probabilities [M, classes].
    public double[,] Predict(Tensor features, int classes)
    {
        ProbeInput.Check("test", features, null, classes);
        ProbeInput.CheckColumns(Mean.Length, features);
        using var scope = NewDisposeScope();
        Device device = features.device;
        Tensor x = (features.to(float64) - tensor(Mean, device: device)) / tensor(Scale, device: device);
        Tensor logits = x.mm(tensor(Coefficients, device: device).t()).Plus(tensor(Intercepts, device: device));
        if (Present.Length == 2) logits = cat([zeros_like(logits), logits], 1);
        Tensor probabilities = zeros([x.shape[0], classes], float64, device);
        probabilities.index_copy_(1, ProbeInput.ToTensor(Present, device), logits.softmax(1));
        return ProbeInput.ToArray(probabilities);
    }
}
