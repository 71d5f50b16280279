namespace DermKit.Tests;

public sealed class NamesTests
{
    [Theory]
    [InlineData(0, "")]
    [InlineData(2, "n0, n1")]
    [InlineData(10, "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9")]
    [InlineData(389, "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 379 more")]
    public void MoreThanTenNamesEndInACount(int count, string expected) =>
        Assert.Equal(expected, Names.Listed(Enumerable.Range(0, count).Select(i => $"n{i}")));

    [Fact]
    public void FewerAndOtherSeparatorsCanBeAskedFor() =>
        Assert.Equal("a; b and 1 more", Names.Listed(["a", "b", "c"], 2, "; "));
}
