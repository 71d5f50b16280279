using System.Diagnostics;

namespace DermKit.Tests.Cli;

/// <summary>kit doctor as a user starts it: a process of its own from lib/bin.</summary>
public sealed class DoctorTests : IDisposable
{
    private static readonly string Root = KitSettings.FromEnvironment().Root;
    private readonly TemporaryFolder _cache = new();

    public void Dispose() => _cache.Dispose();

    private (int Code, string[] Lines) Run(params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Path.Combine(Root, "lib", "bin", "DermKit.Cli.dll"), "doctor"]) { RedirectStandardOutput = true, WorkingDirectory = Root };
        foreach (string name in new[] { "KIT_MODE", "KIT_DEVICE", "KIT_DATA_DIR" }) start.Environment.Remove(name);
        start.Environment["KIT_CACHE_DIR"] = _cache.Path;
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        using Process child = Process.Start(start)!;
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return (child.ExitCode, output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    private static string Name(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];

    [Fact]
    public void AGoodEnvironmentPassesEveryCheck()
    {
        (int code, string[] lines) = Run();
        Assert.Equal(0, code);
        Assert.Equal(["SDK", "torch", "matrix", "settings", "device", "threads", "memory", "disk", "library", "data", "host", "host", "host"], lines.Select(Name));
        Assert.All(lines, line => Assert.Matches("^(PASS|WARN) ", line));
        Assert.All(lines.Where(l => l.StartsWith("WARN", StringComparison.Ordinal)), line => Assert.Matches(@"  ->  \S", line));
    }

    [Theory]
    [InlineData("KIT_MODE", "quik", "expected quick, workshop or full")]
    [InlineData("KIT_DATA_DIR", "no-such-folder", "which is no folder; name the folder that holds isic2017/")]
    public void AWrongSettingIsTheLastLineAndSaysWhatToDo(string variable, string value, string expected)
    {
        (int code, string[] lines) = Run((variable, value));
        Assert.Equal(1, code);
        Assert.Equal("settings", Name(lines[^1]));
        Assert.StartsWith("FAIL", lines[^1]);
        Assert.Contains(variable, lines[^1]);
        Assert.Contains(value, lines[^1]);
        Assert.Contains(expected, lines[^1]);
        Assert.Matches(@"  ->  \S", lines[^1]);
    }
}
