using DermKit.Studies;
using DermKit.Notebooks;
using DermKit.Data;
using DermKit.Models;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;

namespace DermKit.Cli;

/// <summary>How a check came out.</summary>
public enum CheckStatus
{
    /// <summary>As needed.</summary>
    Pass,
    /// <summary>The kit runs, with less.</summary>
    Warn,
    /// <summary>The kit does not run.</summary>
    Fail,
}

/// <summary>One line of the doctor.</summary>
/// <param name="Status">PASS, WARN or FAIL.</param>
/// <param name="Name">What was looked at.</param>
/// <param name="Found">What was found.</param>
/// <param name="Remedy">What to do; empty for PASS.</param>
public sealed record Check(CheckStatus Status, string Name, string Found, string Remedy = "")
{
    /// <summary>The line as printed: status, name, finding and, after an arrow, the remedy.</summary>
    public override string ToString() =>
        $"{Status.ToString().ToUpperInvariant()}  {Name,-12} {Found}{(Remedy.Length > 0 ? $"  ->  {Remedy}" : "")}";
}

/// <summary>Looks at everything the kit needs on this machine.</summary>
public static class Doctor
{
    private const double Gibibyte = 1L << 30;

    /// <summary>Runs every check, one after the other; a check that throws becomes a FAIL line with the error's text.</summary>
    public static IEnumerable<Check> Run()
    {
        yield return Sdk();
        Check torch = Guarded("torch", Torch);
        yield return torch;
        if (torch.Status == CheckStatus.Fail) yield break;
        foreach (Check native in NativeOperations.Checks()) yield return native;
        yield return Precision();
        KitSettings? settings = null;
        yield return Guarded("settings", () =>
        {
            settings = KitSettings.FromEnvironment();
            return new(CheckStatus.Pass, "settings", $"mode {settings.Mode.ToString().ToLowerInvariant()}, data in {settings.DataDir}");
        });
        if (settings is null) yield break;
        yield return Guarded("device", () => DeviceOf(settings));
        yield return Guarded("threads", Threads);
        yield return Guarded("memory", Memory);
        yield return Guarded("disk", () => Disk(settings));
        yield return Guarded("temporary", Temporary);
        yield return Guarded("library", () => Library(settings));
        foreach (string set in DataSetCatalog.RealSets.Where(s => DataSetCatalog.Folder(settings, s) is not null)) yield return Guarded("data", () => DataSet(settings, set));
        string[] absent = [.. DataSetCatalog.RealSets.Where(s => DataSetCatalog.Folder(settings, s) is null)];
        if (absent.Length > 0)
            yield return new(CheckStatus.Warn, "data", $"not there: {string.Join(", ", absent)}{(absent.Length == DataSetCatalog.RealSets.Count ? "; the synthetic set takes their place" : "")}", $"kit data card NAME says where to get one; put it into {Path.Combine(settings.DataDir, "NAME")}, or set KIT_DATA_DIR");
        foreach (Check host in NotebookHosts.Checks(settings.Root)) yield return host;
    }

    private static Check DataSet(KitSettings settings, string set)
    {
        string folder = DataSetCatalog.Folder(settings, set)!;
        ImageTable table = DataSetCatalog.Load(settings, set);
        return new(CheckStatus.Pass, "data", $"{set}: {table.Count} images in {folder}{(DataSetCatalog.IsFixture(settings, set) ? " (FIXTURE)" : "")}, hash {DataSetCatalog.Hash(folder)[..12]}");
    }

    private static Check Guarded(string name, Func<Check> check)
    {
        try
        {
            return check();
        }
        catch (Exception e)
        {
            return new(CheckStatus.Fail, name, e.Message.ReplaceLineEndings(" "), "mend what the message names, then run doctor again");
        }
    }

    private static Check Sdk()
    {
        string? version = Output("dotnet", "--version");
        return version is null
            ? new(CheckStatus.Fail, "SDK", "no dotnet on PATH", "install the .NET 10 SDK")
            : version.StartsWith("10.", StringComparison.Ordinal)
                ? new(CheckStatus.Pass, "SDK", $".NET SDK {version}, runtime {Environment.Version}, {RuntimeInformation.RuntimeIdentifier}")
                : new(CheckStatus.Warn, "SDK", $".NET SDK {version}", "the kit is tested with the .NET 10 SDK");
    }

    private static Check Torch()
    {
        try
        {
            using torch.Tensor sum = torch.ones(3).sum();
            return new(CheckStatus.Pass, "torch", $"TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)}, libtorch {torch.__version__} loads and adds ({sum.item<float>()} = 3)");
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            return new(CheckStatus.Fail, "torch", (e.InnerException ?? e).Message.Split('\n')[0].Trim(),
                "build again; on Linux the build makes the version need GLIBCXX_3.4.32 of libLibTorchSharp.so optional (environment/build/ElfVersionNeed.cs), which older libstdc++ does not define");
        }
    }

    private static Check Precision() => new(CheckStatus.Pass, "precision", Processor.MultipliesBFloat16
        ? "the processor multiplies bfloat16 natively: pre-training on the CPU is bf16 unless it says fp32"
        : "the processor does not multiply bfloat16 natively: pre-training on the CPU is fp32 unless it says bf16");

    private static Check DeviceOf(KitSettings settings)
    {
        bool cuda = torch.TryInitializeDeviceType(DeviceType.CUDA);
        if (settings.Device != "cpu") return new(CheckStatus.Pass, "device", $"KIT_DEVICE={settings.Device}: {settings.TorchDevice()}");
        return cuda
            ? new(CheckStatus.Warn, "device", "CUDA is available, KIT_DEVICE is cpu", "set KIT_DEVICE=cuda or pass --device cuda")
            : new(CheckStatus.Pass, "device", "cpu (for a GPU: build with -p:TorchBackend=cuda on a machine with an NVIDIA driver)");
    }

    private static Check Threads()
    {
        int threads = torch.get_num_threads();
        string found = $"{threads} torch threads on {Environment.ProcessorCount} processors";
        return threads <= Environment.ProcessorCount
            ? new(CheckStatus.Pass, "threads", found)
            : new(CheckStatus.Warn, "threads", found, $"set OMP_NUM_THREADS={Environment.ProcessorCount}: more threads than processors slow torch down many times");
    }

    private static Check Memory()
    {
        double total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Gibibyte;
        string found = string.Create(CultureInfo.InvariantCulture, $"{total:0.0} GiB");
        return total >= 4 ? new(CheckStatus.Pass, "memory", found) : new(CheckStatus.Warn, "memory", found, "quick mode is made for 4 GiB; close other programs");
    }

    private static Check Disk(KitSettings settings)
    {
        Directory.CreateDirectory(settings.CacheDir);
        double free = new DriveInfo(settings.CacheDir).AvailableFreeSpace / Gibibyte;
        string found = string.Create(CultureInfo.InvariantCulture, $"{free:0.0} GiB free for {settings.CacheDir}");
        return free >= 4 ? new(CheckStatus.Pass, "disk", found) : new(CheckStatus.Warn, "disk", found, "free some, or point KIT_CACHE_DIR elsewhere (4 GiB are enough for quick mode)");
    }

    /// <summary>
    /// Whether TMPDIR can be written, and whether a notebook's process can be reached through a socket in it or
    /// elsewhere.
    /// </summary>
    private static Check Temporary()
    {
        const string Remedy = "set TMPDIR to a folder that is there, may be written and has a path of at most 70 bytes";
        string folder = Path.GetTempPath();
        using (var pipe = new SessionPipe())
        {
            // The socket lies in a folder of its own.
            string? parent = OperatingSystem.IsWindows() ? null : Path.GetDirectoryName(Path.GetDirectoryName(pipe.Name));
            if (parent is not null && parent != Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))
            {
                return new(CheckStatus.Warn, "temporary",
                    $"{folder} cannot hold the socket of a notebook's process, which is put into {parent}", Remedy);
            }
        }
        string file = Path.Combine(folder, $"kit-{Guid.NewGuid():N}");
        try
        {
            File.WriteAllBytes(file, [1]);
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new(CheckStatus.Warn, "temporary", $"{folder} cannot be written: {e.Message}", Remedy);
        }
        return new(CheckStatus.Pass, "temporary", folder);
    }

    private static Check Library(KitSettings settings)
    {
        string dll = Path.Combine(settings.Root, "lib", "bin", "DermKit.dll");
        return File.Exists(dll)
            ? new(CheckStatus.Pass, "library", $"{Path.GetRelativePath(settings.Root, dll)} of {File.GetLastWriteTime(dll):yyyy-MM-dd HH:mm}")
            : new(CheckStatus.Fail, "library", $"{dll} is missing", "run: dotnet build lib/DermKit.Cli -c Release");
    }

    /// <summary>What a program prints; null when it is not there or fails.</summary>
    internal static string? Output(string file, string arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? text.Trim() : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
