using DermKit.Cli;
using DermKit.Models;
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
        var start = new ProcessStartInfo("dotnet",
            ["exec", Path.Combine(Root, "lib", "bin", "DermKit.Cli.dll"), "doctor"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Root
        };
        foreach (string name in new[] { "KIT_MODE", "KIT_DEVICE", "KIT_DATA_DIR" }) start.Environment.Remove(name);
        start.Environment["KIT_CACHE_DIR"] = _cache.Path;
        start.Environment["JUPYTER_DATA_DIR"] = Path.Combine(_cache.Path, "jupyter");
        start.Environment.Remove("JUPYTER_PATH");
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        using Process child = Process.Start(start)!;
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        return (child.ExitCode,
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    private static string Name(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];

    [Fact]
    public void AGoodEnvironmentPassesEveryCheck()
    {
        (int code, string[] lines) = Run();
        Assert.Equal(0, code);
        Assert.Equal(["SDK", "torch", "native", "precision", "settings", "device", "threads", "memory", "disk",
            "temporary", "library", "data", "host", "host", "host", "host"],
            // "native" has a line for each operation that fails in modules of others.
            lines.Select(Name).TakeWhile(n => n != "kernel").Where((n, i) => n != "native" || Name(lines[i - 1]) != n));
        Assert.All(lines, line => Assert.Matches("^(PASS|WARN) ", line));
        Assert.All(lines.Where(l => l.StartsWith("WARN", StringComparison.Ordinal)),
            line => Assert.Matches(@"  ->  \S", line));
    }

    [Theory]
    [InlineData("FPE", 136, "SIGFPE")]
    [InlineData("SEGV", 139, "SIGSEGV")]
    [InlineData("KILL", 137, "SIGKILL")]
    [InlineData("ILL", 132, "SIGILL")]
    public void ANativeOperationThatEndsItsProcessIsNamedWithTheSignalAndTheRestIsTried(string signal,
        int code, string name)
    {
        NativeCheck[] operations = [.. Enumerable.Range(0, 4)
            .Select(i => new NativeCheck($"operation {i} of a test", 1e-3, () => 0))];
        // Operation 1 ends the child, operation 3 is wrong.
        string script = "for i in 0 1 2 3; do [ $i -lt $0 ] && continue; echo start $i; [ $i = 1 ] && kill "
            + $"-{signal} $$; "
            + "if [ $i = 3 ]; then echo error $i 2.4; else echo error $i 1E-07; fi; done";
        Check[] checks =
            [.. NativeOperations.Checks(operations, first => new ProcessStartInfo("bash", ["-c", script, $"{first}"]))];
        Assert.Equal([CheckStatus.Fail, CheckStatus.Fail], checks.Select(c => c.Status));
        Assert.Equal($"operation 1 of a test: ended with code {code} ({name})", checks[0].Found);
        Assert.Equal("operation 3 of a test: off by 2.4 of the largest value, 0.001 allowed", checks[1].Found);
        Assert.All(checks, check => Assert.Contains("another machine", check.Remedy));
    }

    [Fact]
    public void AChildThatCannotStartIsNoWrongOperation()
    {
        NativeCheck[] operations = [new("operation of a test", 1e-3, () => 0)];
        Check check =
            Assert.Single(NativeOperations.Checks(operations, _ => new ProcessStartInfo("bash", ["-c", "exit 3"])));
        Assert.Equal((CheckStatus.Fail, "the process that tries native operations ended with code 3"),
            (check.Status, check.Found));
    }

    [Fact]
    public void EachKernelIsNamedWithWhatToTypeNext()
    {
        string[] Kernels() => [.. Run().Lines.Where(l => Name(l) == "kernel")];
        string kernels = Path.Combine(_cache.Path, "jupyter", "kernels");
        void Write(string name, string argument, string title)
        {
            Directory.CreateDirectory(Path.Combine(kernels, name));
            File.WriteAllText(Path.Combine(kernels, name, "kernel.json"),
                $$"""{"argv": ["dotnet", "{{argument}}"], "display_name": "{{title}}", "language": "C#"}""");
        }
        Assert.Contains(Kernels(),
            l => l.StartsWith("WARN", StringComparison.Ordinal)
                && l.EndsWith("-- jupyter install", StringComparison.Ordinal));
        Write(".net-csharp", "interactive", "Of others");
        Write("r", "r", "R");
        Write("kit-old", "/gone/DermKit.Cli.dll", "Old");
        string[] lines = Kernels();
        Assert.Contains(lines,
            l => l.Contains(".net-csharp is another program's, 'Of others'") && l.Contains("--force"));
        Assert.Contains(lines,
            l => l.Contains("/gone/DermKit.Cli.dll, which is gone")
                && l.EndsWith("jupyter install --name kit-old", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("PASS", StringComparison.Ordinal) && l.Contains("of others: r (R)"));
        Write(".net-csharp", Path.Combine(Root, "lib", "bin", "DermKit.Cli.dll"), ".NET (C#)");
        Assert.Contains(Kernels(),
            l => l.StartsWith("PASS", StringComparison.Ordinal) && l.Contains(".net-csharp of this clone")
                && l.Contains("choose '.NET (C#)'"));
    }

    [Theory]
    [InlineData("KIT_MODE", "quik", "expected quick, workshop or full")]
    [InlineData("KIT_DATA_DIR", "no-such-folder", "which is no folder; name the one that holds isic2017/")]
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
