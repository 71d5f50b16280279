using DermKit.Studies;
using DermKit.Tests.Data;

namespace DermKit.Tests.Cli;

/// <summary>kit speedrun as a process.</summary>
public sealed class SpeedrunCommandTests
{
    [Fact]
    public async Task WhatBreaksARuleIsRefusedBeforeTheTraining()
    {
        (int code, string text, string error) =
            await KitProcess.Run(["speedrun", "simclr-10min", "--minutes", "10", "--set", "initialWeights=a.pth"]);
        Assert.Equal(2, code);
        Assert.Contains("key 'initialWeights': expected none", text + error);
        (code, text, error) = await KitProcess.Run(["speedrun", "simclr-10mins"]);
        Assert.Equal(2, code);
        Assert.Contains("did you mean 'simclr-10min'?", text + error);
    }

    [Fact]
    public async Task OnDrawnImagesAnEntryIsStampedAndStaysInTheCache()
    {
        SlowTier.Need("probes the whole drawn set");
        using var folder = new TemporaryFolder();
        KitSettings settings = DrawnOnce.In(folder);
        string page = Path.Combine(settings.Root, "data", "speedrun", "README.md"), before = File.ReadAllText(page);
        (int code, string text, string error) = await KitProcess.Run(
            ["speedrun", "simclr-10min", "--minutes", "0.05", "--name", "tried", "--seed", "3", "--final",
                "--set", "sets=[\"synthetic\"]", "--set", "mostImages=64", "--set", "batch=8"],
            new Dictionary<string, string> { ["KIT_CACHE_DIR"] = settings.CacheDir });
        Assert.True(code == 0, text + error);
        Assert.Contains("[SYNTHETIC] Entries", text);
        Assert.Contains("epochs fit into 0.05 minutes", text);
        SpeedrunEntry entry = Assert.Single(new SpeedrunLedger(settings, isDrawn: true).Entries());
        Assert.Equal(("tried", 3, "SYNTHETIC"), (entry.Name, entry.Seed, entry.Stamp));
        Assert.NotNull(entry.Test);
        Assert.Equal("SimCLR", entry.Config["method"].GetString());
        Assert.Equal(before, File.ReadAllText(page));
    }
}
