using System.ComponentModel;
using System.Runtime.InteropServices;
using DermKit.Data;
using TorchSharp;

namespace DermKit.Cli;

internal static class Doctor
{
    private const double Gibibyte = 1L << 30;

    // A check that throws becomes a FAIL line.
    internal static IEnumerable<Check> Run()
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
            return Check.Pass("settings",
                $"mode {settings.Mode.ToString().ToLowerInvariant()}, data in {settings.DataDir}");
        });
        if (settings is null) yield break;
        yield return Guarded("device", () => DeviceOf(settings));
        yield return Guarded("threads", Threads);
        yield return Guarded("memory", Memory);
        yield return Guarded("disk", () => Disk(settings));
        yield return Guarded("temporary", Temporary);
        yield return Guarded("library", () => Library(settings));
        string[] present = [.. DataSetCatalog.RealSets.Where(s => DataSetCatalog.Folder(settings, s) is not null)];
        string[] absent = [.. DataSetCatalog.RealSets.Except(present)];
        foreach (string set in present) yield return Guarded("data", () => DataSet(settings, set));
        if (absent.Length > 0)
            yield return Check.Warn("data", $"not there: {string.Join(", ", absent)}"
                + (present.Length == 0 ? "; the synthetic set takes their place" : ""),
                $"kit data card NAME says where to get one; put it into {Path.Combine(settings.DataDir, "NAME")}, or "
                + "set KIT_DATA_DIR");
        foreach (Check host in NotebookHosts.Checks(settings.Root)) yield return host;
    }

    // Null when the program is missing or fails.
    internal static string? Output(string file, string argument)
    {
        try
        {
            return ProgramOutput.Of(file, [argument]);
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private static Check Guarded(string name, Func<Check> check)
    {
        try
        {
            return check();
        }
        catch (Exception e)
        {
            return Check.Fail(name, e.Message.ReplaceLineEndings(" "),
                "solve the problem in the message, then run doctor again");
        }
    }

    private static Check Sdk()
    {
        if (Output("dotnet", "--version") is not { } version)
            return Check.Fail("SDK", "no dotnet on PATH", "install the .NET 10 SDK");
        string found = $".NET SDK {version}";
        return version.StartsWith("10.", Ordinal)
            ? Check.Pass("SDK", $"{found}, runtime {Environment.Version}, {RuntimeInformation.RuntimeIdentifier}")
            : Check.Warn("SDK", found, "the kit is tested with the .NET 10 SDK");
    }

    private static Check Torch()
    {
        try
        {
            using torch.Tensor sum = torch.ones(3).sum();
            return Check.Pass("torch", $"TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)}, libtorch "
                + $"{torch.__version__} loads and adds ({sum.item<float>()} = 3)");
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            return Check.Fail("torch", (e.InnerException ?? e).Message.Split('\n')[0].Trim(),
                "build again; on Linux the build makes the version need GLIBCXX_3.4.32 of libLibTorchSharp.so "
                + "optional (environment/build/ElfVersionNeed.cs), which older libstdc++ does not define");
        }
    }

    private static Check Precision() => Check.Pass("precision", Processor.MultipliesBFloat16
        ? "the processor multiplies bfloat16 natively: pre-training on the CPU is bf16 unless it says fp32"
        : "the processor does not multiply bfloat16 natively: pre-training on the CPU is fp32 unless it says bf16");

    private static Check DeviceOf(KitSettings settings)
    {
        bool cuda = torch.TryInitializeDeviceType(DeviceType.CUDA);
        if (settings.Device != "cpu")
            return Check.Pass("device", $"KIT_DEVICE={settings.Device}: {settings.TorchDevice()}");
        return cuda
            ? Check.Warn("device", "CUDA is available, KIT_DEVICE is cpu", "set KIT_DEVICE=cuda or pass --device cuda")
            : Check.Pass("device",
                "cpu (for a GPU: build with -p:TorchBackend=cuda on a machine with an NVIDIA driver)");
    }

    private static Check Threads()
    {
        int threads = torch.get_num_threads();
        string found = $"{threads} torch threads on {Environment.ProcessorCount} processors";
        return threads <= Environment.ProcessorCount ? Check.Pass("threads", found)
            : Check.Warn("threads", found, $"set OMP_NUM_THREADS={Environment.ProcessorCount}: more threads than "
                + "processors slow torch down many times");
    }

    private static Check Memory() =>
        AtLeastFourGibibytes("memory", GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "",
            "quick mode is made for 4 GiB; close other programs");

    private static Check Disk(KitSettings settings)
    {
        Directory.CreateDirectory(settings.CacheDir);
        return AtLeastFourGibibytes("disk", new DriveInfo(settings.CacheDir).AvailableFreeSpace,
            $" free for {settings.CacheDir}",
            "free some, or point KIT_CACHE_DIR elsewhere (4 GiB are enough for quick mode)");
    }

    private static Check AtLeastFourGibibytes(string name, long bytes, string of, string remedy)
    {
        string found = Invariant($"{bytes / Gibibyte:0.0} GiB{of}");
        return bytes >= 4 * Gibibyte ? Check.Pass(name, found) : Check.Warn(name, found, remedy);
    }

    // TMPDIR must be writable and hold a socket.
    private static Check Temporary()
    {
        string folder = Path.GetTempPath();
        using (var pipe = new SessionPipe())
        {
            // The socket is in its own folder.
            string? parent = OperatingSystem.IsWindows() ? null
                : Path.GetDirectoryName(Path.GetDirectoryName(pipe.Name));
            if (parent is not null && parent != Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))
                return Check.Warn("temporary",
                    $"{folder} cannot hold the socket of a notebook's process, which is put into {parent}",
                    SessionPipe.Remedy);
        }
        string file = Path.Combine(folder, $"kit-{Guid.NewGuid():N}");
        try
        {
            File.WriteAllBytes(file, [1]);
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Check.Warn("temporary", $"{folder} is not writable: {e.Message}", SessionPipe.Remedy);
        }
        return Check.Pass("temporary", folder);
    }

    private static Check Library(KitSettings settings)
    {
        string dll = Path.Combine(settings.Root, "lib", "bin", "DermKit.dll");
        return File.Exists(dll)
            ? Check.Pass("library",
                $"{Path.GetRelativePath(settings.Root, dll)} of {File.GetLastWriteTime(dll):yyyy-MM-dd HH:mm}")
            : Check.Fail("library", $"{dll} is missing", "run: dotnet build lib/DermKit.Cli -c Release");
    }

    private static Check DataSet(KitSettings settings, string set)
    {
        string folder = DataSetCatalog.Folder(settings, set)!;
        string fixture = DataSetCatalog.IsFixture(settings, set) ? " (FIXTURE)" : "";
        return Check.Pass("data", $"{set}: {DataSetCatalog.Load(settings, set).Count} images in {folder}{fixture}, "
            + $"hash {DataSetCatalog.Hash(folder)[..12]}");
    }
}
