using System.ComponentModel;

namespace DermKit.Evaluation;

/// <summary>Growth of an NVIDIA GPU's memory in use, from nvidia-smi. libtorch returns nothing to the driver, so that
/// the growth is the most ever reserved, by earlier models too.</summary>
internal sealed class GpuMemory
{
    private readonly string gpu;
    private readonly long? before;
    private long most;

    // index counts the CUDA devices of CUDA_VISIBLE_DEVICES.
    public GpuMemory(int index)
    {
        string[] visible = (Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") ?? "")
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        gpu = index < visible.Length ? visible[index] : index.ToString(CultureInfo.InvariantCulture);
        before = Used();
        most = before ?? 0;
    }

    // Bytes; null without nvidia-smi or when nothing more was reserved.
    public long? Growth()
    {
        if (before is not { } first || Used() is not { } now || now <= most) return null;
        most = now;
        return now - first;
    }

    private long? Used()
    {
        try
        {
            string[] query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits", "-i", gpu];
            string? text = ProgramOutput.Of("nvidia-smi", query);
            return long.TryParse(text, CultureInfo.InvariantCulture, out long mebibytes) ? mebibytes << 20 : null;
        }
        catch (Win32Exception)
        {
            // nvidia-smi is not on the PATH.
            return null;
        }
    }
}
