using System.Diagnostics;
using System.Reflection;
using TorchSharp;

namespace DermKit.Tests.Environments;

public sealed class NativeLibraryTests
{
    private const string Version = "GLIBCXX_3.4.32";
    private static readonly string Root = KitSettings.FromEnvironment().Root;

    [Fact]
    public void TorchLoadsInTheTestHost() => Assert.Equal(6f, torch.tensor(new[] { 1f, 2f, 3f }).sum().item<float>());

    [Fact]
    public void TorchLoadsInABareChildProcess()
    {
        var start = new ProcessStartInfo(
            Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            RedirectStandardOutput = true,
            WorkingDirectory = Root,
        };
        foreach (string argument in new[] { "exec", Path.Combine(Root, "lib", "bin", "DermKit.Cli.dll"), "doctor" })
            start.ArgumentList.Add(argument);
        string[] kept = ["PATH", "HOME", "USERPROFILE", "SystemRoot", "TEMP", "TMPDIR", "DOTNET_ROOT"];
        foreach (string name in start.Environment.Keys.Except(kept).ToArray()) start.Environment.Remove(name);
        using Process child = Process.Start(start)!;
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        Assert.Contains(output.Split('\n'),
            line => line.StartsWith("PASS", StringComparison.Ordinal)
                && line.Contains("libtorch", StringComparison.Ordinal));
        Assert.Equal(0, child.ExitCode);
    }

    [Fact]
    public void TheVersionNeedIsMadeWeakOnceAndNothingElseChanges()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The version need exists on Linux only.");
        string packages = typeof(NativeLibraryTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(a => a.Key == "NuGetPackageRoot").Value!;
        string original = Directory.GetFiles(Path.Combine(packages, "torchsharp"), "libLibTorchSharp.so",
            SearchOption.AllDirectories).Single();
        using var folder = new TemporaryFolder();
        string copy = Path.Combine(folder.Path, "libLibTorchSharp.so");
        File.Copy(original, copy);

        Assert.Equal(2, ElfVersionNeed.MakeWeak(copy, Version));
        Assert.Equal(0, ElfVersionNeed.MakeWeak(copy, Version));
        Assert.Equal(0, ElfVersionNeed.MakeWeak(copy, "GLIBCXX_9.9.9"));

        byte[] before = File.ReadAllBytes(original), after = File.ReadAllBytes(copy);
        int[] changed = [.. Enumerable.Range(0, before.Length).Where(i => before[i] != after[i])];
        Assert.Single(changed);
        Assert.Equal((0, 2), (before[changed[0]], after[changed[0]]));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void AFileThatIsNoElfIsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        string file = Path.Combine(folder.Path, "libLibTorchSharp.so");
        File.WriteAllText(file, "no library");
        Assert.Contains(file,
            Assert.Throws<InvalidDataException>(() => ElfVersionNeed.MakeWeak(file, Version)).Message);
        Assert.Equal([file], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void TheLibraryHoldsOnnxRuntimeOfThisPlatformAlone()
    {
        string[] natives = [.. Directory.GetFiles(Path.Combine(Root, "lib", "bin"), "*onnxruntime*")
            .Select(f => Path.GetFileName(f)).Where(f => !f.StartsWith("Microsoft.", StringComparison.Ordinal))];
        string ending = OperatingSystem.IsWindows() ? ".dll" : OperatingSystem.IsMacOS() ? ".dylib" : ".so";
        Assert.NotEmpty(natives);
        Assert.All(natives, name => Assert.EndsWith(ending, name));
        Assert.False(Directory.Exists(Path.Combine(Root, "lib", "bin", "runtimes")));
    }

    [Theory]
    [InlineData("cpu", "libtorch-cpu-", "TorchSharp-cuda-linux")]
    [InlineData("cuda", "TorchSharp-cuda-linux", "libtorch-cpu-")]
    [InlineData("cpu", "Microsoft.ML.OnnxRuntime\"", "Microsoft.ML.OnnxRuntime.Gpu.Linux\"")]
    [InlineData("cuda", "Microsoft.ML.OnnxRuntime.Gpu.Linux\"", "Microsoft.ML.OnnxRuntime\"")]
    public void TheBackendPropertySelectsThePackage(string backend, string expected, string absent)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, WorkingDirectory = Root };
        foreach (string argument in new[]
        {
            "msbuild", Path.Combine("lib", "DermKit", "DermKit.csproj"), "-getItem:PackageReference",
            $"-p:TorchBackend={backend}"
        })
            start.ArgumentList.Add(argument);
        using Process child = Process.Start(start)!;
        string output = child.StandardOutput.ReadToEnd();
        child.WaitForExit();
        Assert.Contains($"\"Identity\": \"{expected}", output);
        Assert.DoesNotContain($"\"Identity\": \"{absent}", output);
    }
}
