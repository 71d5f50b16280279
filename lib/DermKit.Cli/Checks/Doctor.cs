using System.ComponentModel;
using System.Runtime.InteropServices;
using DermKit.Data;
using TorchSharp;

namespace DermKit.Cli;

internal static class Doctor
{
    // A check that throws becomes a FAIL line.
    internal static IEnumerable<Check> Run()
    {
        yield return Guarded("SDK", Sdk);
        Check torch = Guarded("torch", Torch);
        yield return torch;
        if (torch.Status == CheckStatus.Fail) yield break;
        foreach (Check native in NativeOperations.Checks()) yield return native with { Name = "native" };
        yield return Guarded("precision", Precision);
        KitSettings? settings = null;
        yield return Guarded("settings", () =>
        {
            settings = KitSettings.FromEnvironment();
            return Check.Pass($"mode {settings.Mode.ToString().ToLowerInvariant()}, data in {settings.DataDir}");
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
            yield return Guarded("data", () => Check.Warn($"not there: {string.Join(", ", absent)}"
                + (present.Length == 0 ? "; the synthetic set takes their place" : ""),
                $"kit data card NAME says where to get one; put it into {Path.Combine(settings.DataDir, "NAME")}, or "
                + "set KIT_DATA_DIR"));
        foreach (Check host in NotebookHosts.Checks()) yield return host with { Name = "host" };
        foreach (Check kernel in NotebookHosts.Kernels(settings.Root)) yield return kernel with { Name = "kernel" };
    }

    // Null when the program is missing or fails.
    internal static string? Output(string file, string arguments)
    {
        try
        {
            return ProgramOutput.Of(file, arguments.Split(' '));
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private static Check Guarded(string name, Func<Check> check)
    {
        Check line;
        try
        {
            line = check();
        }
        catch (Exception e)
        {
            line = Check.Fail(e.Message.ReplaceLineEndings(" "),
                "solve the problem in the message, then run doctor again");
        }
        return line with { Name = name };
    }

    private static Check Sdk()
    {
        if (Output("dotnet", "--version") is not { } version)
            return Check.Fail("no dotnet on PATH", "install the .NET 10 SDK");
        string found = $".NET SDK {version}, runtime {Environment.Version}, {RuntimeInformation.RuntimeIdentifier}";
        return version.StartsWith("10.", Ordinal) ? Check.Pass(found)
            : Check.Warn(found, "the kit is tested with the .NET 10 SDK");
    }

    private static Check Torch()
    {
        try
        {
            using torch.Tensor sum = torch.ones(3).sum();
            return Check.Pass($"TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)}, libtorch "
                + $"{torch.__version__} loads and adds ({sum.item<float>()} = 3)");
        }
        catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            return Check.Fail((e.InnerException ?? e).Message.Split('\n')[0].Trim(),
                "build again; on Linux the build makes the version need GLIBCXX_3.4.32 of libLibTorchSharp.so "
                + "optional (environment/build/ElfVersionNeed.cs)");
        }
    }

    private static Check Precision() => Check.Pass(Processor.MultipliesBFloat16
        ? "the processor multiplies bfloat16 natively: pre-training on the CPU is bf16 unless it says fp32"
        : "the processor does not multiply bfloat16 natively: pre-training on the CPU is fp32 unless it says bf16");

    private static Check DeviceOf(KitSettings settings)
    {
        if (settings.Device != "cpu")
            return Check.Pass($"KIT_DEVICE={settings.Device}: {settings.TorchDevice()}");
        return torch.TryInitializeDeviceType(DeviceType.CUDA)
            ? Check.Warn("CUDA is available, KIT_DEVICE is cpu", "set KIT_DEVICE=cuda or pass --device cuda")
            : Check.Pass("cpu (for a GPU: build with -p:TorchBackend=cuda on a machine with an NVIDIA driver)");
    }

    private static Check Threads()
    {
        int threads = torch.get_num_threads();
        string found = $"{threads} torch threads on {Environment.ProcessorCount} processors";
        return threads <= Environment.ProcessorCount ? Check.Pass(found)
            : Check.Warn(found, $"set OMP_NUM_THREADS={Environment.ProcessorCount}: more threads than "
                + "processors slow torch down");
    }

    private static Check Memory() =>
        ForQuickMode(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "", "close other programs");

    private static Check Disk(KitSettings settings)
    {
        Directory.CreateDirectory(settings.CacheDir);
        return ForQuickMode(new DriveInfo(settings.CacheDir).AvailableFreeSpace, $" free for {settings.CacheDir}",
            "free some, or point KIT_CACHE_DIR elsewhere");
    }

    private static Check ForQuickMode(long bytes, string of, string remedy)
    {
        double gibibytes = bytes / 1073741824.0;
        string found = Invariant($"{gibibytes:0.0} GiB{of}");
        return gibibytes >= 4 ? Check.Pass(found) : Check.Warn(found, $"quick mode is made for 4 GiB; {remedy}");
    }

    // TMPDIR must be writable and hold a socket.
    private static Check Temporary()
    {
        string folder = Path.GetTempPath();
        using (var pipe = new SessionPipe())
        {
            // The socket is in its own folder.
            string? parent = Path.GetDirectoryName(Path.GetDirectoryName(pipe.Name));
            if (!OperatingSystem.IsWindows()
                && parent != Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))
                return Check.Warn($"{folder} cannot hold the socket of a notebook's process, which is in {parent}",
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
            return Check.Warn($"{folder} is not writable: {e.Message}", SessionPipe.Remedy);
        }
        return Check.Pass(folder);
    }

    private static Check Library(KitSettings settings)
    {
        string dll = Path.Combine(settings.Root, "lib", "bin", "DermKit.dll");
        return File.Exists(dll)
            ? Check.Pass($"{Path.GetRelativePath(settings.Root, dll)} of {File.GetLastWriteTime(dll):yyyy-MM-dd HH:mm}")
            : Check.Fail($"{dll} is missing", "run: dotnet build lib/DermKit.Cli -c Release");
    }

    private static Check DataSet(KitSettings settings, string set)
    {
        string folder = DataSetCatalog.Folder(settings, set)!;
        string fixture = DataSetCatalog.IsFixture(settings, set) ? " (FIXTURE)" : "";
        return Check.Pass($"{set}: {DataSetCatalog.Load(settings, set).Count} images in {folder}{fixture}, "
            + $"hash {DataSetCatalog.Hash(folder)[..12]}");
    }
}
