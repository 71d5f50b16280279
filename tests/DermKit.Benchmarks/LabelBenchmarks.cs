using DermKit.Evaluation;
using DermKit.Imaging;
using DermKit.Models;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Benchmarks;

/// <summary>
/// Probes of one task of 7 classes against scikit-learn where python3-sklearn is installed: random ViT-T features of
/// HAM10000 where its images are, else drawn features, 10,015 x 768 as of the whole set. The ratio is scikit-learn's
/// time over the kit's, in turns in one run. Debian installs it beside a reference BLAS that is some thirty times
/// slower: a comparison with that would say nothing, so libopenblas0-pthread is asked for too.
/// </summary>
internal static class LabelBenchmarks
{
    /// <summary>Largest gradient entry that both are asked to stop at; scikit-learn's L-BFGS may stop above it, when
    /// a step gains little.</summary>
    private const double Gradient = 1e-4;

    private const int Repeats = 50;
    private static readonly int[] Ks = [1, 5, 10, 20, 30, 50, 100, 200];

    private sealed record Problem(string Name, Tensor Train, int[] Labels, Tensor Test) : IDisposable
    {
        public int Classes => Labels.Max() + 1;

        public void Dispose()
        {
            Train.Dispose();
            Test.Dispose();
        }
    }

    /// <param name="limit">scikit-learn is stopped after this many seconds of one task; the ratio
    /// is then a lower bound.</param>
    public static IEnumerable<Row> Probes(double limit)
    {
        using var noGrad = no_grad();
        using Problem problem = Open();
        using Peer? peer = Peer.Start(problem);
        string rest = $"{problem.Name}{(peer is null ? "; no scikit-learn with a fair BLAS here" : "")}";
        int[] smallest = [.. problem.Labels.CountBy(l => l).Select(c => c.Value)],
            sizes = [.. new[] { 1, 3, 10, 30, 100, 300, 1000 }.Where(n => n <= smallest.Min())];
        var linear = new LinearProbe(Tolerance: Gradient);

        // One turn of a long task needs no rehearsal by scikit-learn; short ones take turns. The kit's work gives its
        // largest gradient entry, NaN for neighbours.
        IEnumerable<Row> Against(string name, int turns, Func<double> kit, string command)
        {
            double ours, theirs = double.NaN, gradient = double.NaN;
            Answer? answer = null;
            if (peer is null || turns == 1)
            {
                ours = Measure.Medians(turns, () => gradient = kit())[0];
                answer = peer?.Ask(command, limit);
                theirs = answer?.Seconds ?? double.NaN;
            }
            else
            {
                double[] seconds = Measure.Medians(turns, () => gradient = kit(),
                    () => answer = peer.Ask(command, limit));
                ours = seconds[0];
                theirs = seconds[1];
            }
            yield return new($"{name} ({rest}"
                + $"{(answer is { Stopped: true } ? $"; scikit-learn stopped after {limit:0} s, at least" : "")})",
                ours, "s", peer is null ? null : theirs / ours);
            // Of the same objective, sum of losses + 0.5 |W|^2: at 1 or more the kit stops no sooner than scikit-learn.
            if (!double.IsNaN(gradient))
                yield return new($"{name}, largest gradient entry ({rest})", gradient, "",
                    answer is { Stopped: false } ? answer.Gradient / gradient : null);
        }

        LabelDraw[] draws = [.. Enumerable.Range(0, Repeats)
            .SelectMany(r => LabelDraws.Draw(problem.Labels, problem.Classes, sizes, 1, r))];
        return
        [
            .. Against("knn-all-k", 5, () =>
            {
                KnnProbe.Classify(problem.Train, problem.Labels, problem.Test, problem.Classes, Ks);
                return double.NaN;
            }, $"knn {string.Join(' ', Ks)}"),
            .. Against("logreg-full", 1,
                () => linear.Run(problem.Train, problem.Labels, problem.Test, problem.Classes).GradientNorm!.Value,
                "full"),
            .. Against("label-grid-linear", 1,
                () => linear.RunDraws(problem.Train, problem.Labels, problem.Test, problem.Classes, draws)
                    .All(d => d.Converged) ? Gradient
                    : throw new InvalidOperationException("A regression of the grid did not converge."),
                $"grid {Repeats} {string.Join(' ', sizes)}"),
        ];
    }

    /// <summary>10,000 resamples of 1,512 rows, drawing included.</summary>
    public static IEnumerable<Row> BootstrapF1()
    {
        var random = new Random(1);
        int[] truth = [.. Enumerable.Range(0, 1512).Select(_ => random.Next(7))],
            predicted = [.. truth.Select(t => random.Next(2) == 0 ? t : random.Next(7))];
        string[] units = [.. truth.Select((_, i) => $"{i}")];
        double[] seconds = Measure.Medians(7,
            () => Bootstrap.Mean([new("task", "set", 7, units, truth, predicted)], resamples: 10_000));
        yield return new("bootstrap-f1, 10,000 x 1,512 x 7", seconds[0], "s", null);
    }

    private static Problem Open()
    {
        KitSettings settings = KitSettings.FromEnvironment();
        TaskDefinition task = TaskSuite.Load(Path.Combine(settings.Root, "data"))["ham10000-diagnosis"];
        if (TaskSuite.Missing(task, settings) is not null) return Drawn();
        ProbeTask opened = TaskSuite.Open(task, settings);
        using VisionTransformer model = VisionTransformer.Random(VitConfig.Tiny, 1);
        using ImageCache cache = ImageCache.Build(settings.CacheDir, opened.Table.Paths, new EvalTransform());
        using Tensor all = new FeatureStore(settings.CacheDir).Extract(model, cache).ToTensor();
        DermKit.Data.Split split = opened.SplitFor(1);
        Tensor Rows(int[] rows) => all.index_select(0, tensor(rows.Select(r => (long)cache.RowOf[r]).ToArray()));
        return new("HAM10000", Rows(split.Train), Array.ConvertAll(split.Train, r => opened.Labels[r]),
            Rows(split.Test));
    }

    /// <summary>Features whose principal axes spread by 25 j^-1.6, close to those of a random ViT-T's features of
    /// the whole of HAM10000 (25.6, 9.0, 4.3, 0.44 at the 11th, 0.013 at the 101st), with its numbers of
    /// images.</summary>
    private static Problem Drawn()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        int[] counts = [6705, 1113, 1099, 514, 327, 142, 115],
            labels = [.. counts.SelectMany((n, c) => Enumerable.Repeat(c, n))];
        Tensor spread = 25 * arange(1, 769, ScalarType.Float32).pow(-1.6).unsqueeze(0),
            mix = linalg.qr(randn([768, 768], generator: generator)).Q,
            centres = randn([7, 768], generator: generator) * 0.5;
        Tensor Make(int[] of) =>
            ((randn([of.Length, 768], generator: generator)
                + centres.index_select(0, tensor(of.Select(c => (long)c).ToArray()))) * spread).mm(mix);
        int[] test = [.. Enumerable.Range(0, 1512).Select(i => i % 7)];
        return new("drawn features", Make(labels).MoveToOuterDisposeScope(), labels,
            Make(test).MoveToOuterDisposeScope());
    }

    /// <param name="Seconds">Of the fits and predictions.</param>
    /// <param name="Gradient">Largest entry of the gradient at any of its solutions; NaN for neighbours.</param>
    /// <param name="Stopped">True when it did not end within the limit.</param>
    private sealed record Answer(double Seconds, double Gradient, bool Stopped);

    /// <summary>A scikit-learn process that holds the same features.</summary>
    private sealed class Peer : IDisposable
    {
        private const string FairBlas = "import sys, sklearn, threadpoolctl; sys.exit(all(l['user_api'] != 'blas' for "
            + "l in threadpoolctl.threadpool_info()))";

        private readonly ProcessStartInfo start;
        private readonly string folder;
        private Process process;

        private Peer(ProcessStartInfo start, string folder)
        {
            this.start = start;
            this.folder = folder;
            process = Process.Start(start)!;
        }

        /// <summary>Null where Debian's python has no scikit-learn, or numpy no BLAS that threadpoolctl knows (it does
        /// not know the reference BLAS).</summary>
        public static Peer? Start(Problem problem)
        {
            const string Python = "/usr/bin/python3";
            if (!File.Exists(Python)) return null;
            using (Process probe =
                Process.Start(new ProcessStartInfo(Python, ["-c", FairBlas]) { RedirectStandardError = true })!)
            {
                probe.StandardError.ReadToEnd();
                probe.WaitForExit();
                if (probe.ExitCode != 0) return null;
            }
            string folder = Directory.CreateTempSubdirectory("kit-peer").FullName;
            File.WriteAllBytes(Path.Combine(folder, "train.f32"), problem.Train.contiguous().bytes.ToArray());
            File.WriteAllBytes(Path.Combine(folder, "test.f32"), problem.Test.contiguous().bytes.ToArray());
            File.WriteAllBytes(Path.Combine(folder, "labels.i32"),
                MemoryMarshal.AsBytes(problem.Labels.AsSpan()).ToArray());
            var start = new ProcessStartInfo(Python,
                [Path.Combine(AppContext.BaseDirectory, "sklearn_peer.py"), folder, $"{problem.Train.shape[1]}",
                    Gradient.ToString(CultureInfo.InvariantCulture)])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            return new(start, folder);
        }

        /// <summary>What it took, or that it was stopped after the limit and started again.</summary>
        public Answer Ask(string command, double limit)
        {
            process.StandardInput.WriteLine(command);
            process.StandardInput.Flush();
            Task<string?> answer = process.StandardOutput.ReadLineAsync();
            bool stopped = !answer.Wait(TimeSpan.FromSeconds(limit));
            Console.Error.WriteLine($"scikit-learn, {command}: "
                + $"{(stopped ? $"stopped after {limit} s"
                    : answer.Result ?? throw new InvalidOperationException($"scikit-learn ended at '{command}'."))} "
                + "(seconds, largest gradient entry)");
            if (!stopped
                && Array.ConvertAll(answer.Result!.Split(' '), n => double.Parse(n, CultureInfo.InvariantCulture))
                    is [var seconds, var gradient]) return new(seconds, gradient, false);
            process.Kill();
            process.Dispose();
            process = Process.Start(start)!;
            return new(limit, double.NaN, true);
        }

        public void Dispose()
        {
            process.StandardInput.Close();
            process.WaitForExit();
            process.Dispose();
            Directory.Delete(folder, recursive: true);
        }
    }
}
