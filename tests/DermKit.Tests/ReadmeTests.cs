namespace DermKit.Tests;

/// <summary>What the README promises is there.</summary>
public sealed class ReadmeTests
{
    private static readonly string Root = KitSettings.FromEnvironment().Root;
    private static readonly string Text = File.ReadAllText(Path.Combine(Root, "README.md"));

    [Fact]
    public void TheTwoCommandsStandBeforeTheFirstHeadingBelowTheTitle()
    {
        string top = Text[..Text.IndexOf("\n## ", StringComparison.Ordinal)];
        Assert.Contains("dotnet run --project lib/DermKit.Cli -c Release -- run", top, StringComparison.Ordinal);
        Assert.Contains("dotnet test Kit.sln -c Release", top, StringComparison.Ordinal);
        Assert.Contains("\n`dotnet test tests/DermKit.Tests -c Release --filter FullyQualifiedName~Parity`\n", Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public void TheTopLevelIsTheAgreedOne()
    {
        string[] agreed = ["notebooks", "lib", "tests", "data", "environment", "README.md", "Kit.sln",
            "LICENSE", "reports"];
        Assert.All(Directory.GetFileSystemEntries(Root).Select(e => Path.GetFileName(e)!).Where(e => e[0] != '.'),
            e => Assert.Contains(e, agreed));
    }
}
