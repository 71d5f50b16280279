using System.Text.RegularExpressions;
using DermKit.Evaluation;
using DermKit.Models.Weights;
using TorchSharp;
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
        foreach ((string prefix, KnnVote vote) in new[] { ("dino", KnnVote.Softmax), ("sk_uniform", KnnVote.Uniform), ("sk_distance", KnnVote.InverseDistance) })
        {
            int[] ks = [.. file.Entries.Keys.Select(k => Regex.Match(k, $@"^{prefix}_k(\d+)\.pred$")).Where(m => m.Success).Select(m => int.Parse(m.Groups[1].Value))];
            Assert.NotEmpty(ks);
            var votes = KnnProbe.Votes(train, trainY, test, classes, ks, vote);
            var outcomes = KnnProbe.Classify(train, trainY, test, classes, ks, vote);
            foreach (int k in ks)
            {
                string key = $"{prefix}_k{k}";
                int[] expected = Labels(file, $"{key}.pred");
                // Where rounding alone decides between two classes either answer is right.
                double[,] p = outcomes[k].Probabilities;
                for (int i = 0; i < expected.Length; i++)
                    Assert.True(expected[i] == outcomes[k].Predicted[i] || (vote != KnnVote.Uniform && p[i, outcomes[k].Predicted[i]] - p[i, expected[i]] < 1e-6), $"{key} row {i}");
                if (vote == KnnVote.Softmax)
                {
                    Fixtures.Close(tensor(votes[k]), file.Load($"{key}.scores"), 1e-5, $"{key}.scores");
                    double[] top = [.. file.Load($"{key}.top1_top5").data<double>()];
                    Assert.Equal(top[0], 100 * Metrics.TopAccuracy(testY, Distinct(votes[k]), 1), 6);
                    Assert.Equal(top[1], 100 * Metrics.TopAccuracy(testY, Distinct(votes[k]), Math.Min(5, k)), 6);
                }
                else Fixtures.Close(tensor(p), file.Load($"{key}.proba"), 1e-5, $"{key}.proba");
                checks++;
            }
        }
        foreach (string key in file.Entries.Keys.Where(k => k.StartsWith("neighbors_k", StringComparison.Ordinal)))
        {
            int k = int.Parse(key["neighbors_k".Length..]);
            var found = KnnProbe.Search(train, test, k).ToArray();
            Tensor cosine = cat([.. found.Select(f => f.Cosine)], 0), index = cat([.. found.Select(f => f.Index)], 0), expected = file.Load(key);
            Fixtures.Close(cosine, file.Load($"cosine_k{k}"), 1e-5, $"cosine_k{k}");
            Tensor differs = index != expected;
            Tensor own = Cosine(train, test, index), theirs = Cosine(train, test, expected);
            Assert.True(((own - theirs).abs() * differs).max().item<double>() < 1e-6, $"{key}: another neighbour, and not for a tie");
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

    private static Tensor Cosine(Tensor train, Tensor test, Tensor index)
    {
        Tensor a = train.to(float64), b = test.to(float64);
        a = a / a.norm(1, keepdim: true);
        b = b / b.norm(1, keepdim: true);
        return b.mm(a.t()).gather(1, index);
    }

    internal static int[] Labels(SafeTensorsFile file, string key) => [.. file.Load(key).to(int64).data<long>().Select(v => (int)v)];
}
