using System.Text.RegularExpressions;

namespace DermKit.Tests.Cli;

/// <summary>kit evaluate --publish and kit verify, as processes, on a fixture set.</summary>
public sealed class VerifyCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private Task<(int Code, string Out, string Error)> Run(params string[] command) => KitProcess.Run(command,
        new Dictionary<string, string>
        {
            ["KIT_DATA_DIR"] = Path.Combine(folder.Path, "data"),
            ["KIT_CACHE_DIR"] = Path.Combine(folder.Path, "cache"),
            ["KIT_MODE"] = "quick",
            ["OMP_NUM_THREADS"] = "1",
        });

    [Fact]
    public async Task APublishedRunIsVerifiedAndAChangedNumberEndsWithOne()
    {
        DermKit.Studies.FixtureSets.Write(KitSettings.FromEnvironment(), Path.Combine(folder.Path, "data"), "med-node");
        string path = Path.Combine(folder.Path, "mine.json");
        (int code, string text, string error) = await Run("evaluate", "--publish", path, "--title", "Mine", "--tasks",
            "med_node", "--models", "vit-tiny-random", "--out", Path.Combine(folder.Path, "out"));
        Assert.True(code == 0, text + error);
        string json = File.ReadAllText(path);
        Assert.Contains("\"KIT_DATA_DIR=... dotnet run --project lib/DermKit.Cli -c Release -- evaluate --publish "
            + "mine.json --tasks med_node --models vit-tiny-random --mode quick\"", json);
        Assert.DoesNotContain(folder.Path, json);

        (code, text, error) = await Run("verify", path);
        Assert.True(code == 0, text + error);
        Assert.Matches(@"\nPASS  .*mine\.json, features of vit-tiny-random on med-node: 16 images", text);
        Assert.Contains(" passed, 0 failed, ", text);

        File.WriteAllText(path, Regex.Replace(json, @"""f1"": \[[\d.]+", "\"f1\": [0.123456"));
        (code, text, _) = await Run("verify", path);
        Assert.Equal(1, code);
        Assert.Contains("mine.json, sums: the F1 of vit-tiny-random", text);

        File.WriteAllText(path, json);
        Directory.Delete(Path.Combine(folder.Path, "data", "med-node"), recursive: true);
        (code, text, _) = await Run("verify", path, "--full", "--models", "vit-tiny-random");
        Assert.Contains("mine.json, labels of med_node: data not here", text);
        // The weights are drawn here: something was checked.
        Assert.Equal(0, code);
    }

    [Fact]
    public async Task WhatCannotBeCheckedEndsWithOneAndWrongUseWithTwo()
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, "data"));
        (int code, string text, _) = await Run("verify", "times");
        Assert.Equal(1, code);
        Assert.Contains("SKIP  times, file: measured before", text);
        Assert.Contains("Nothing could be checked.", text);

        (code, text, string error) = await Run("verify", "time");
        Assert.Equal(2, code);
        Assert.Contains("did you mean 'times'?", text + error);

        (code, text, error) = await Run("verify", "times", "--tasks", "med_node");
        Assert.Equal(2, code);
        Assert.Contains("need --full", text + error);
    }
}
