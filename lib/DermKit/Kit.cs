using System.Globalization;
using TorchSharp;

namespace DermKit;

/// <summary>How much work a notebook does. A mode changes numbers only, never the path of the code.</summary>
public enum RunMode
{
    /// <summary>Minutes on two cores; what CI runs.</summary>
    Quick,
    /// <summary>Under an hour on a laptop; results worth reading.</summary>
    Workshop,
    /// <summary>The paper's protocol.</summary>
    Full,
}

/// <summary>What the environment says about this run: KIT_MODE, KIT_DEVICE, KIT_DATA_DIR, KIT_CACHE_DIR. Read once, passed on as values.</summary>
/// <param name="Mode">KIT_MODE; quick when unset.</param>
/// <param name="Device">KIT_DEVICE as torch spells it (cpu, cuda, cuda:1); cpu when unset.</param>
/// <param name="Root">Folder of Kit.sln, found upwards from this assembly or the working folder.</param>
/// <param name="DataDir">KIT_DATA_DIR, else data/ of the kit: holds one folder for each data set.</param>
/// <param name="CacheDir">KIT_CACHE_DIR, else data/.cache of the kit.</param>
public sealed record KitSettings(RunMode Mode, string Device, string Root, string DataDir, string CacheDir)
{
    /// <summary>Reads the environment.</summary>
    /// <exception cref="KitException">KIT_MODE names no mode, KIT_DATA_DIR names no folder, or no Kit.sln is found.</exception>
    public static KitSettings FromEnvironment()
    {
        string root = FindRoot();
        string mode = Variable("KIT_MODE") ?? "quick";
        if (!Enum.TryParse(mode, ignoreCase: true, out RunMode parsed) || int.TryParse(mode, out _))
            throw new KitException($"KIT_MODE is '{mode}'; expected quick, workshop or full.");
        string data = Path.GetFullPath(Variable("KIT_DATA_DIR") ?? Path.Combine(root, "data"));
        if (!Directory.Exists(data))
            throw new KitException($"KIT_DATA_DIR is '{data}', which is no folder; name the folder that holds isic2017/, pad-ufes-20/ or ham10000/, or unset it.");
        return new(parsed, Variable("KIT_DEVICE") ?? "cpu", root, data, Path.GetFullPath(Variable("KIT_CACHE_DIR") ?? Path.Combine(root, "data", ".cache")));
    }

    /// <summary>The torch device that <see cref="Device"/> names, with CUDA initialised first (a notebook host may otherwise not see it).</summary>
    /// <exception cref="KitException">The name is unknown or CUDA is not available.</exception>
    public torch.Device TorchDevice()
    {
        if (Device == "cpu") return torch.CPU;
        if (Device != "cuda" && !Device.StartsWith("cuda:", StringComparison.Ordinal))
            throw new KitException($"Device '{Device}' is unknown; expected cpu, cuda or cuda:N (KIT_DEVICE or --device).");
        if (!torch.TryInitializeDeviceType(DeviceType.CUDA))
            throw new KitException("CUDA is not available: build with -p:TorchBackend=cuda on a machine with an NVIDIA driver, or use --device cpu.");
        int count = torch.cuda.device_count();
        if (Device != "cuda" && !(int.TryParse(Device["cuda:".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < count))
            throw new KitException($"Device '{Device}': expected cuda or cuda:N with N below {count}, the number of devices here (KIT_DEVICE or --device).");
        return torch.device(Device);
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static string FindRoot()
    {
        foreach (string start in new[] { Path.GetDirectoryName(typeof(KitSettings).Assembly.Location)!, Environment.CurrentDirectory })
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
                if (File.Exists(Path.Combine(folder.FullName, "Kit.sln"))) return folder.FullName;
        throw new KitException("No Kit.sln above this library or the working folder; run from inside a clone of the kit.");
    }
}
