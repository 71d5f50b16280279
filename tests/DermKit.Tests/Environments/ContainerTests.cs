using System.Text.Json;
using System.Text.RegularExpressions;

namespace DermKit.Tests.Environments;

/// <summary>The container files as text: they cannot be built where the tests run.</summary>
public sealed class ContainerTests
{
    private static readonly string Root = KitSettings.FromEnvironment().Root;
    private static readonly string Docker = File.ReadAllText(Path.Combine(Root, "environment", "Dockerfile"));

    [Fact]
    public void TheImageIsPinnedToAnSdkOfTheKitsFramework()
    {
        string image = Regex.Match(Docker, "^FROM (.+)$", RegexOptions.Multiline).Groups[1].Value;
        Match tag = Regex.Match(image, @"/dotnet/sdk:(\d+\.\d+)\.\d+-[a-z]+$");
        Assert.True(tag.Success, image);
        Assert.Contains($"<TargetFramework>net{tag.Groups[1].Value}</TargetFramework>",
            File.ReadAllText(Path.Combine(Root, "environment", "Kit.props")));
        Assert.Single(Regex.Matches(Docker, "^FROM ", RegexOptions.Multiline));
        Assert.Contains("Untried", Docker);
    }

    [Fact]
    public void BothCommandsOfTheReadmeAreThose()
    {
        string readme = File.ReadAllText(Path.Combine(Root, "README.md"));
        foreach (string command in new[]
        {
            "dotnet run --project lib/DermKit.Cli -c Release -- run", "dotnet test Kit.sln -c Release"
        })
        {
            Assert.Contains($"dermkit {command}\n", Docker);
            Assert.Contains(command, readme);
        }
    }

    [Fact]
    public void ItHasWhatCiInstallsForTheKernelsTests()
    {
        string install = Regex.Match(File.ReadAllText(Path.Combine(Root, ".ci", "run")),
            "--no-install-recommends ([a-z0-9 -]+) >").Groups[1].Value;
        Assert.NotEmpty(install);
        Assert.All(install.Split(' '), package => Assert.Contains($" {package}", Docker));
    }

    [Fact]
    public void TheDevcontainerBuildsThatFileAndInstallsTheKernel()
    {
        using JsonDocument container =
            JsonDocument.Parse(File.ReadAllText(Path.Combine(Root, ".devcontainer", "devcontainer.json")));
        JsonElement build = container.RootElement.GetProperty("build");
        foreach (string key in new[] { "dockerfile", "context" })
            Assert.True(Path.Exists(Path.Combine(Root, ".devcontainer", build.GetProperty(key).GetString()!)), key);
        Assert.Contains("jupyter install", container.RootElement.GetProperty("postCreateCommand").GetString());
        Assert.Contains("ms-toolsai.jupyter",
            container.RootElement.GetProperty("customizations").GetProperty("vscode").GetProperty("extensions")
                .EnumerateArray().Select(e => e.GetString()));
    }
}
