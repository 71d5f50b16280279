using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace DermKit.Evaluation;

/// <summary>
/// What models take of an NVIDIA GPU: the growth of its memory in use since this was made, as nvidia-smi tells it. libtorch gives nothing back to the
/// driver, so after a pass the growth is the most that was reserved at any time, blocks of the models before it among them.
/// </summary>
internal sealed class GpuMemory
{
    private readonly string gpu;
    private readonly long? before;
    private long most;

    /// <param name="index">Number of the CUDA device, counted among those of CUDA_VISIBLE_DEVICES.</param>
    public GpuMemory(int index)
    {
        string[] visible = (Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        gpu = index < visible.Length ? visible[index] : index.ToString(CultureInfo.InvariantCulture);
        before = Used();
        most = before ?? 0;
    }

    /// <summary>Bytes more than at first; null where nvidia-smi is not on the PATH or tells no number, and where nothing was reserved beyond what was before.</summary>
    public long? Growth()
    {
        if (before is not { } first || Used() is not { } now || now <= most) return null;
        most = now;
        return now - first;
    }

    /// <summary>Bytes in use by all programs.</summary>
    private long? Used()
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("nvidia-smi", ["--query-gpu=memory.used", "--format=csv,noheader,nounits", "-i", gpu]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> text = process.StandardOutput.ReadToEndAsync();
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 && long.TryParse(text.Result.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long mebibytes) ? mebibytes << 20 : null;
        }
        catch (Win32Exception)
        {
            // Not on the PATH: the table says that memory was not read.
            return null;
        }
    }
}
