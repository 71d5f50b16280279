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
        start.Environment["JUPYTER_DATA_DIR"] = Path.Combine(_cache.Path, "jupyter");
        start.Environment.Remove("JUPYTER_PATH");
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
        Assert.Equal(["SDK", "torch", "matrix", "block", "settings", "device", "threads", "memory", "disk",
            "temporary", "library", "data", "host", "host", "host", "host"], lines.Select(Name).TakeWhile(n =>
            n != "kernel"));
        Assert.All(lines, line => Assert.Matches("^(PASS|WARN) ", line));
        Assert.All(lines.Where(l => l.StartsWith("WARN", StringComparison.Ordinal)), line => Assert.Matches(@"  ->  \S", line));
    }

    [Fact]
    public void EachKernelIsNamedWithWhatToTypeNext()
    {
        string[] Kernels() => [.. Run().Lines.Where(l => Name(l) == "kernel")];
        string kernels = Path.Combine(_cache.Path, "jupyter", "kernels");
        void Write(string name, string argument, string title)
        {
            Directory.CreateDirectory(Path.Combine(kernels, name));
            File.WriteAllText(Path.Combine(kernels, name, "kernel.json"), $$"""{"argv": ["dotnet", "{{argument}}"], "display_name": "{{title}}", "language": "C#"}""");
        }
        Assert.Contains(Kernels(), l => l.StartsWith("WARN", StringComparison.Ordinal) && l.EndsWith("-- jupyter install", StringComparison.Ordinal));
        Write(".net-csharp", "interactive", "Of others");
        Write("r", "r", "R");
        Write("kit-old", "/gone/DermKit.Cli.dll", "Old");
        string[] lines = Kernels();
        Assert.Contains(lines, l => l.Contains(".net-csharp is another program's, 'Of others'") && l.Contains("--force"));
        Assert.Contains(lines, l => l.Contains("/gone/DermKit.Cli.dll, which is gone") && l.EndsWith("jupyter install --name kit-old", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("PASS", StringComparison.Ordinal) && l.Contains("of others: r (R)"));
        Write(".net-csharp", Path.Combine(Root, "lib", "bin", "DermKit.Cli.dll"), ".NET (C#)");
        Assert.Contains(Kernels(), l => l.StartsWith("PASS", StringComparison.Ordinal) && l.Contains(".net-csharp of this clone") && l.Contains("choose '.NET (C#)'"));
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
