using System.Text.RegularExpressions;
using DermKit.Evaluation;
using DermKit.Models;
using TorchSharp;
using static DermKit.KeptScalar;
using static TorchSharp.torch;

namespace DermKit.Tests.Parity;

[Takes("knn*.safetensors")]
public sealed class KnnParity
{
    public static TheoryData<string> Files => Fixtures.Named("knn*.safetensors");

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Files))]
    public void VotesAndNeighboursAreThoseOfTheOriginals(string name)
    {
        using var scope = NewDisposeScope();
        using SafeTensorsFile file = Fixtures.Open(name);
        int classes = file.Config().GetProperty("classes").GetInt32();
        Tensor train = file.Load("train_x"), test = file.Load("test_x");
        int[] trainY = Labels(file, "train_y"), testY = Labels(file, "test_y");
        int checks = 0;
        foreach ((string prefix, KnnVote vote) in new[]
        {
            ("dino", KnnVote.Softmax), ("sk_uniform", KnnVote.Uniform), ("sk_distance", KnnVote.InverseDistance)
        })
        {
            int[] ks = [.. file.Entries.Keys.Select(k => Regex.Match(k, $@"^{prefix}_k(\d+)\.pred$"))
                .Where(m => m.Success).Select(m => int.Parse(m.Groups[1].Value))];
            Assert.NotEmpty(ks);
            var votes = KnnProbe.Votes(train, trainY, test, classes, ks, vote);
            var outcomes = KnnProbe.Classify(train, trainY, test, classes, ks, vote);
            foreach (int k in ks)
            {
                bool[] tied = Tied(train, test, k);
                Tensor decided =
                    tensor(Enumerable.Range(0, tied.Length).Where(i => !tied[i]).Select(i => (long)i).ToArray());
                void Close(Tensor actual, Tensor stored, string what) =>
                    Fixtures.Close(actual.index_select(0, decided), stored.index_select(0, decided), 1e-5, what);
                string key = $"{prefix}_k{k}";
                int[] expected = Labels(file, $"{key}.pred");
                // Where rounding alone decides between two classes either answer is right.
                double[,] p = outcomes[k].Probabilities;
                for (int i = 0; i < expected.Length; i++)
                    Assert.True(tied[i] || expected[i] == outcomes[k].Predicted[i]
                        || (vote != KnnVote.Uniform && p[i, outcomes[k].Predicted[i]] - p[i, expected[i]] < 1e-6),
                        $"{key} row {i}");
                if (vote == KnnVote.Softmax)
                {
                    Close(tensor(votes[k]), file.Load($"{key}.scores"), $"{key}.scores");
                    double[] top = [.. file.Load($"{key}.top1_top5").data<double>()];
                    double slack = 1e-6 + 100.0 * tied.Count(t => t) / tied.Length;
                    Assert.Equal(top[0], 100 * ReferenceMetrics.TopAccuracy(testY, Distinct(votes[k]), 1), slack);
                    Assert.Equal(top[1],
                        100 * ReferenceMetrics.TopAccuracy(testY, Distinct(votes[k]), Math.Min(5, k)), slack);
                }
                else
                    Close(Columns(tensor(p), [.. trainY.Distinct().Order()], file.Load($"{key}.proba")),
                        file.Load($"{key}.proba"), $"{key}.proba");
                checks++;
            }
        }
        foreach (string key in file.Entries.Keys.Where(k => k.StartsWith("neighbors_k", StringComparison.Ordinal)))
        {
            int k = int.Parse(key["neighbors_k".Length..]);
            var found = CosineSearch.Nearest(train, test, k).ToArray();
            Tensor cosine = cat([.. found.Select(f => f.Cosine)], 0), index = cat([.. found.Select(f => f.Index)], 0),
                expected = file.Load(key);
            Fixtures.Close(cosine, file.Load($"cosine_k{k}"), 1e-5, $"cosine_k{k}");
            Tensor differs = index != expected;
            Tensor own = Cosine(train, test, index), theirs = Cosine(train, test, expected);
            Assert.True(((own - theirs).abs() * differs).max().item<double>() < 1e-6,
                $"{key}: another neighbour, and not for a tie");
            checks++;
        }
        Assert.True(checks > 3);
    }

    // The reference ranks classes by descending vote with the smaller index first where classes have no vote at all.
    private static double[,] Distinct(double[,] votes)
    {
        double[,] result = (double[,])votes.Clone();
        for (int i = 0; i < result.GetLength(0); i++)
            for (int c = 0; c < result.GetLength(1); c++) result[i, c] -= c * 1e-9;
        return result;
    }

    /// <summary>scikit-learn has probabilities for the classes of the training rows only: the same columns,
    /// when so many are stored.</summary>
    internal static Tensor Columns(Tensor probabilities, int[] present, Tensor stored) => stored.shape[1]
        != present.Length
        ? probabilities
        : probabilities.index_select(1, tensor(Array.ConvertAll(present, c => (long)c)));

    /// <summary>Rows whose k-th and next neighbour are equally near but for rounding, so
    /// that either may vote.</summary>
    private static bool[] Tied(Tensor train, Tensor test, int k)
    {
        if (k >= train.shape[0]) return new bool[test.shape[0]];
        Tensor cosine = cat([.. CosineSearch.Nearest(train, test, k + 1).Select(f => f.Cosine)], 0).to(float64);
        return [.. (cosine.select(1, k - 1) - cosine.select(1, k) < Kept(1e-6)).data<bool>()];
    }

    private static Tensor Cosine(Tensor train, Tensor test, Tensor index)
    {
        Tensor a = train.to(float64), b = test.to(float64);
        a = a / a.norm(1, keepdim: true);
        b = b / b.norm(1, keepdim: true);
        return b.mm(a.t()).gather(1, index);
    }

    internal static int[] Labels(SafeTensorsFile file, string key) =>
        [.. file.Load(key).to(int64).data<long>().Select(v => (int)v)];
}
