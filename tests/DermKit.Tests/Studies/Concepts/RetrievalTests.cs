using DermKit.Studies;
using DermKit.Evaluation;

namespace DermKit.Tests.Studies;

public sealed class RetrievalTests
{
    private static readonly string[] Sources = [.. Enumerable.Range(0, 300).Select(i => i % 10 < 6 ? "isic" : i % 10 < 9 ? "pad" : "ham")];

    private static FeatureSet Features()
    {
        var random = new Random(3);
        return new([.. Enumerable.Range(0, 300 * 8).Select(_ => (float)(random.NextDouble() - 0.5))], 300, 8, "key", "hash");
    }

    private static double Cosine(FeatureSet f, int a, int b)
    {
        double Dot(int x, int y) => Enumerable.Range(0, 8).Sum(j => (double)f.Values[x * 8 + j] * f.Values[y * 8 + j]);
        return Dot(a, b) / Math.Sqrt(Dot(a, a) * Dot(b, b));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NeighboursAreThoseOfASearchOverAllPairs(bool across)
    {
        FeatureSet features = Features();
        int[] queries = [.. Enumerable.Range(0, 299).Select(i => (7 * i) % 300)];
        Neighbour[][] found = Retrieval.Nearest(features, queries, 5, across ? Sources : null);
        Assert.Equal(queries.Length, found.Length);
        foreach ((int query, Neighbour[] neighbours) in queries.Zip(found))
        {
            int[] expected = [.. Enumerable.Range(0, 300).Where(i => across ? Sources[i] != Sources[query] : i != query).OrderByDescending(i => Cosine(features, query, i)).Take(5)];
            Assert.Equal(expected, neighbours.Select(n => n.Row));
            Assert.All(neighbours, n => Assert.Equal(Cosine(features, query, n.Row), n.Cosine, 1e-5));
        }
    }

    [Fact]
    public void FewerAreFoundWhereThereAreNoMore()
    {
        FeatureSet features = Features();
        Assert.Equal(299, Retrieval.Nearest(features, [4], 1_000)[0].Length);
        Assert.Equal(30, Retrieval.Nearest(features, [0], 1_000, [.. Sources.Select(s => s == "ham" ? "ham" : "rest")])[0].Length);
        Assert.Empty(Retrieval.Nearest(features, [4], 3, [.. Sources.Select(_ => "one")])[0]);
        Assert.Throws<ArgumentException>(() => Retrieval.Nearest(features, [4], 0));
        Assert.Throws<ArgumentException>(() => Retrieval.Nearest(features, [4], 3, ["one"]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Retrieval.Nearest(features, [300], 3));
    }
}
