using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Evaluation;

/// <summary>Settings of <see cref="LinearProbe"/>; the defaults are the paper's protocol.</summary>
/// <param name="C">Inverse penalty: the objective is the sum of the losses + 0.5 |W|^2 / C, intercepts not penalised.</param>
/// <param name="Balanced">Weighs each class by N / (classes * its rows) (scikit-learn class_weight="balanced").</param>
/// <param name="Standardise">Scales features to mean 0 and population standard deviation 1 of the training rows first; not the paper's protocol.</param>
/// <param name="Tolerance">Largest absolute entry of the gradient at which the fit counts as converged.</param>
/// <param name="MaxIterations">Limit of L-BFGS iterations.</param>
public sealed record LinearOptions(double C = 1, bool Balanced = false, bool Standardise = false, double Tolerance = 1e-6, int MaxIterations = 10_000);

/// <summary>A fitted logistic regression in scikit-learn's form: with two classes one sigmoid row, else a row for each class.</summary>
/// <param name="Coefficients">[rows, D], for features after <paramref name="Mean"/> and <paramref name="Scale"/>.</param>
/// <param name="Intercepts">[rows].</param>
/// <param name="Present">Class indices that had training rows, ascending; the others get probability 0.</param>
/// <param name="Mean">[D] subtracted from the features.</param>
/// <param name="Scale">[D] divided by.</param>
/// <param name="Objective">Value reached.</param>
/// <param name="GradientNorm">Largest absolute entry of the gradient there.</param>
/// <param name="Iterations">L-BFGS iterations.</param>
/// <param name="Converged">Whether the gradient norm is within the tolerance.</param>
public sealed record LinearFit(double[,] Coefficients, double[] Intercepts, int[] Present, double[] Mean, double[] Scale,
    double Objective, double GradientNorm, int Iterations, bool Converged);

/// <summary>Multinomial logistic regression with an L2 penalty on frozen features, to convergence in float64, on the features' device.</summary>
public static class LinearProbe
{
    /// <summary>Fits on all training rows and classifies the test rows (the paper's linear evaluation).</summary>
    /// <param name="train">[N, D] training features.</param>
    /// <param name="trainLabels">N class indices.</param>
    /// <param name="test">[M, D] test features.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="options">Defaults to the paper's protocol.</param>
    /// <exception cref="KitException">Features are not finite, labels are out of range, sizes do not match, or only one class has training rows.</exception>
    public static ProbeOutcome Run(Tensor train, int[] trainLabels, Tensor test, int classes, LinearOptions? options = null)
    {
        LinearFit fit = Fit(train, trainLabels, classes, options);
        double[,] probabilities = Predict(fit, test, classes);
        return new(Metrics.ArgMax(probabilities), probabilities)
        {
            Converged = fit.Converged,
            Iterations = fit.Iterations,
            GradientNorm = fit.GradientNorm,
            Note = fit.Converged ? "" : FormattableString.Invariant($"Logistic regression did not converge: gradient {fit.GradientNorm:g2} after {fit.Iterations} iterations; its scores are a lower bound of the probe."),
        };
    }

    /// <summary>Fits the regression.</summary>
    /// <exception cref="KitException">See <see cref="Run"/>.</exception>
    public static LinearFit Fit(Tensor train, int[] labels, int classes, LinearOptions? options = null)
    {
        options ??= new();
        ProbeInput.Check("training", train, labels, classes);
        int[] counts = ProbeInput.CountClasses(labels, classes);
        int[] present = [.. Enumerable.Range(0, classes).Where(c => counts[c] > 0)];
        if (present.Length < 2) throw new KitException($"Linear probe: all {labels.Length} training rows are of class {present[0]}; expected at least two classes.");
        using var scope = NewDisposeScope();
        Tensor target = nn.functional.one_hot(ProbeInput.ToTensor(Array.ConvertAll(labels, l => Array.IndexOf(present, l)), train.device), present.Length).to(float64);
        double[] weights = Array.ConvertAll(labels, l => options.Balanced ? labels.Length / ((double)present.Length * counts[l]) : 1);
        var (coefficients, intercepts, mean, scale, solution) = Solve(train.to(float64).unsqueeze(0), target.unsqueeze(0), tensor(weights, device: train.device).unsqueeze(0), options);
        return new(ProbeInput.ToArray(coefficients[0].t()), ToArray(intercepts.flatten()), present, ToArray(mean.flatten()), ToArray(scale.flatten()),
            solution.Objective[0], solution.GradientNorm[0], solution.Iterations, solution.GradientNorm[0] <= options.Tolerance);
    }

    /// <summary>Solves P regressions at once: coefficients [P, D, rows] and intercepts [P, 1, rows] for features after mean and scale [P, 1, D].</summary>
    /// <param name="x">[P, n, D] float64.</param>
    /// <param name="target">[P, n, K] one-hot float64.</param>
    /// <param name="weights">[P, n] float64 weight of each row's loss.</param>
    /// <param name="options">C, tolerance, iterations, and whether to standardise.</param>
    /// <param name="turned">The features lie close to their principal axes, leading first, already.</param>
    internal static (Tensor Coefficients, Tensor Intercepts, Tensor Mean, Tensor Scale, LogisticSolver.Solution Solution) Solve(Tensor x, Tensor target, Tensor weights, LinearOptions options, bool turned = false)
    {
        long n = x.shape[1], d = x.shape[2];
        Tensor mean = zeros([x.shape[0], 1, d], float64, x.device), scale = ones_like(mean);
        if (options.Standardise)
        {
            mean = x.mean([1L], keepdim: true);
            scale = (x - mean).Squared().mean([1L], keepdim: true).sqrt();
            scale = scale.masked_fill(scale == Kept(0), Kept(1));
            x = (x - mean) / scale;
        }
        // The penalty is the same in rotated axes. With fewer rows than columns the solution lies in the span of the rows, X^T U / s with X X^T = U s^2 U^T.
        // Where the features lie along their axes already, a span only pays when it is much the smaller.
        bool spanned = n < (turned ? d / 3 : d);
        Tensor? axes = spanned ? Span(x) : turned ? null : PrincipalAxes(x.transpose(1, 2).matmul(x));
        LogisticSolver.Solution solution = LogisticSolver.Solve(axes is null ? x : x.matmul(axes), target, weights, options.C, options.Tolerance, options.MaxIterations);
        Tensor coefficients = solution.Weights.narrow(1, 1, solution.Weights.shape[1] - 1);
        return (axes is null ? coefficients : axes.matmul(coefficients), solution.Weights.narrow(1, 0, 1), mean, scale, solution);
    }

    /// <summary>Eigenvectors of symmetric matrices [.., D, D] in columns, that of the largest eigenvalue first.</summary>
    internal static Tensor PrincipalAxes(Tensor gram) => linalg.eigh(gram).Item2.flip(-1);

    /// <summary>Orthonormal axes [P, D, n] of the rows' span; axes shorter than rounding are zero.</summary>
    private static Tensor Span(Tensor x)
    {
        var (values, vectors) = linalg.eigh(x.matmul(x.transpose(1, 2)));
        Tensor smallest = values.narrow(-1, values.shape[^1] - 1, 1) * Kept(1e-13);
        Tensor inverse = where(values > smallest, values.clamp_min(double.Epsilon).rsqrt(), zeros_like(values));
        return x.transpose(1, 2).matmul((vectors * inverse.unsqueeze(1)).flip(-1));
    }

    /// <summary>Class probabilities [M, classes] of feature rows [M, D].</summary>
    /// <exception cref="KitException">Features are not finite or have another number of columns.</exception>
    public static double[,] Predict(LinearFit fit, Tensor features, int classes)
    {
        ProbeInput.Check("test", features, null, classes);
        ProbeInput.CheckColumns(fit.Mean.Length, features);
        using var scope = NewDisposeScope();
        Device device = features.device;
        Tensor x = (features.to(float64) - tensor(fit.Mean, device: device)) / tensor(fit.Scale, device: device);
        Tensor logits = x.mm(tensor(fit.Coefficients, device: device).t()).Plus(tensor(fit.Intercepts, device: device));
        if (fit.Present.Length == 2) logits = cat([zeros_like(logits), logits], 1);
        Tensor probabilities = zeros([x.shape[0], classes], float64, device);
        probabilities.index_copy_(1, ProbeInput.ToTensor(fit.Present, device), logits.softmax(1));
        return ProbeInput.ToArray(probabilities);
    }

    private static double[] ToArray(Tensor values)
    {
        using Tensor flat = values.cpu().contiguous();
        return flat.data<double>().ToArray();
    }
}
