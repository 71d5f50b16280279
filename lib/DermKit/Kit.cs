namespace DermKit;

/// <summary>How much work a notebook does; changes numbers only, not the code path.</summary>
public enum RunMode
{
    /// <summary>Minutes on two cores; used by CI.</summary>
    Quick,
    /// <summary>Under an hour on a laptop.</summary>
    Workshop,
    /// <summary>The paper's protocol.</summary>
    Full,
}

/// <summary>Settings from the environment: KIT_MODE (quick when unset), KIT_DEVICE as torch spells it (cpu, cuda,
/// cuda:1; cpu when unset), KIT_DATA_DIR with one folder for each data set (else data/ of the kit) and KIT_CACHE_DIR
/// (else data/.cache). Root is the folder of Kit.sln, above this assembly or the working folder.</summary>
public sealed record KitSettings(RunMode Mode, string Device, string Root, string DataDir, string CacheDir)
{
    /// <summary>Reads the environment variables.</summary>
    /// <exception cref="KitException">KIT_MODE is not a mode, KIT_DATA_DIR is not a folder, or there is no
    /// Kit.sln.</exception>
    public static KitSettings FromEnvironment()
    {
        string root = FindRoot(), mode = Variable("KIT_MODE") ?? "quick";
        if (!Enum.TryParse(mode, ignoreCase: true, out RunMode parsed) || int.TryParse(mode, out _))
            throw new KitException($"KIT_MODE is '{mode}'; expected quick, workshop or full.");
        string data = Path.GetFullPath(Variable("KIT_DATA_DIR") ?? Path.Combine(root, "data"));
        if (!Directory.Exists(data))
            throw new KitException($"KIT_DATA_DIR is '{data}', which is no folder; name the one that holds isic2017/, "
                + "pad-ufes-20/ or ham10000/, or unset it.");
        string cache = Path.GetFullPath(Variable("KIT_CACHE_DIR") ?? Path.Combine(root, "data", ".cache"));
        return new(parsed, Variable("KIT_DEVICE") ?? "cpu", root, data, cache);
    }

    /// <summary>The torch device. Initialises CUDA first, because a notebook host may not see it otherwise.</summary>
    /// <exception cref="KitException">The name is unknown or CUDA is unavailable.</exception>
    public torch.Device TorchDevice()
    {
        if (Device == "cpu") return torch.CPU;
        if (Device != "cuda" && !Device.StartsWith("cuda:", Ordinal))
            throw new KitException(
                $"Device '{Device}' is unknown; expected cpu, cuda or cuda:N (KIT_DEVICE or --device).");
        if (!torch.TryInitializeDeviceType(DeviceType.CUDA))
            throw new KitException("CUDA is not available: build with -p:TorchBackend=cuda on a machine with an NVIDIA "
                + "driver, or use --device cpu.");
        int count = torch.cuda.device_count();
        if (Device == "cuda"
            || int.TryParse(Device[5..], NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n < count)
            return torch.device(Device);
        throw new KitException($"Device '{Device}': expected cuda or cuda:N with N below {count}, the number of "
            + "devices here (KIT_DEVICE or --device).");
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value
        ? value : null;

    private static string FindRoot()
    {
        string[] starts = [Path.GetDirectoryName(typeof(KitSettings).Assembly.Location)!, Environment.CurrentDirectory];
        foreach (string start in starts)
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
                if (File.Exists(Path.Combine(folder.FullName, "Kit.sln"))) return folder.FullName;
        throw new KitException("No Kit.sln above this library or the working folder; run inside a clone of the kit.");
    }
}
