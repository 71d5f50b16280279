using System.Diagnostics;
using System.Globalization;
using DermKit.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>What computes a transformer block in bfloat16 on the cpu.</summary>
public enum BlockKernel
{
    /// <summary>libtorch's operations, one after the other.</summary>
    Plain,
    /// <summary>Both branches as one pass each over rows that stay in the cache, around libtorch's micro kernel for small matrix products.</summary>
    Fused,
}

/// <summary>
/// The one place where it is decided how a block is computed. Bfloat16 on a cpu with AMX takes what a measurement of some tenths of a second, made
/// once in the process, finds faster; KIT_BLOCK=plain or fused decides instead. All else is libtorch's.
/// </summary>
public static class BlockPath
{
    private static readonly Lazy<(BlockKernel Kernel, string Reason)> Choice = new(Choose);

    // The measurement's own, which no other thread's blocks may follow.
    [ThreadStatic]
    private static BlockKernel? measured;

    /// <summary>The kernel in use.</summary>
    /// <exception cref="KitException">KIT_BLOCK is neither plain nor fused, or fused where it cannot be.</exception>
    public static BlockKernel Kernel => measured ?? Forced ?? Choice.Value.Kernel;

    /// <summary>Why <see cref="Kernel"/> is in use, with the measured times.</summary>
    public static string Reason => Choice.Value.Reason;

    /// <summary>Overrules the choice, so that one process can compare both.</summary>
    internal static BlockKernel? Forced { get; set; }

    /// <summary>Why blocks cannot be fused in this process; empty when they can. The micro kernel is looked for in a libtorch that is there.</summary>
    internal static string Missing => TryInitializeDeviceType(DeviceType.CPU) ? MicroKernel.Missing : "torch cannot be loaded";

    /// <summary>Goes on with a kernel that an earlier process has measured.</summary>
    /// <exception cref="KitException">It cannot be had here.</exception>
    internal static void Use(BlockKernel kernel)
    {
        if (kernel == BlockKernel.Fused && Missing.Length > 0) throw new KitException($"Fused transformer blocks cannot be had here: {Missing}.");
        if (Kernel != kernel) Forced = kernel;
    }

    /// <summary>Whether <see cref="Attention"/> and <see cref="Mlp"/> take tokens [B, T, D] and layers of these sizes.</summary>
    internal static bool Takes(Tensor x, ScalarType? type, int heads, long hidden, bool hasBias)
    {
        if (type != ScalarType.BFloat16 || x.device_type != DeviceType.CPU || x.dtype != ScalarType.Float32 || !hasBias) return false;
        long dim = x.size(2);
        return dim % 64 == 0 && hidden % 64 == 0 && dim / heads is 16 or 32 or 48 or 64 && Bytes(x, heads, hidden) < 2_000_000_000 && Kernel == BlockKernel.Fused;
    }

    /// <summary>x + scale proj(attention(norm(x))), [B, T, D] to the same, or to the CLS row [B, 1, D].</summary>
    /// <param name="x">Tokens.</param>
    /// <param name="scales">[B, 1, 1]; null for 1.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="eps">Of the norm.</param>
    /// <param name="weights">Weight and bias of norm, qkv and proj.</param>
    /// <param name="clsOnly">Only the CLS token asks.</param>
    internal static Tensor Attention(Tensor x, Tensor? scales, int heads, double eps, Tensor[] weights, bool clsOnly) =>
        FusedBranch.Run(new AttentionPass((int)x.size(0), (int)x.size(1), (int)x.size(2), heads, (float)eps, get_num_threads(), clsOnly), x, scales, weights);

    /// <summary>x + scale fc2(gelu(fc1(norm(x)))), [B, T, D] to the same.</summary>
    /// <param name="x">Tokens.</param>
    /// <param name="scales">[B, 1, 1]; null for 1.</param>
    /// <param name="eps">Of the norm.</param>
    /// <param name="weights">Weight and bias of norm, fc1 and fc2.</param>
    internal static Tensor Mlp(Tensor x, Tensor? scales, double eps, Tensor[] weights) =>
        FusedBranch.Run(new MlpPass((int)x.size(0), (int)x.size(1), (int)x.size(2), (int)weights[2].size(0), (float)eps, get_num_threads()), x, scales, weights);

    /// <summary>What a pass keeps for the backward one, at most, with room to spare.</summary>
    private static long Bytes(Tensor x, int heads, long hidden) => x.size(0) * x.size(1) * (2 * Math.Max(x.size(2) + 2 * hidden, 5 * x.size(2) + heads * (x.size(1) + 32)) + 64);

    private static (BlockKernel, string) Choose()
    {
        switch (Environment.GetEnvironmentVariable("KIT_BLOCK"))
        {
            case "plain": return (BlockKernel.Plain, "KIT_BLOCK=plain");
            case "fused": return Missing.Length == 0 ? (BlockKernel.Fused, "KIT_BLOCK=fused") : throw new KitException($"KIT_BLOCK is 'fused', but {Missing}. Unset it.");
            case null or "": break;
            case var other: throw new KitException($"KIT_BLOCK is '{other}'; expected plain or fused, or unset it to let the kit measure.");
        }
        if (Missing.Length > 0) return (BlockKernel.Plain, Missing);
        using var scope = NewDisposeScope();
        using var block = new VitBlock(VitConfig.Tiny, 0, CPU);
        Dense.ComputeIn(block, ScalarType.BFloat16);
        using (no_grad()) foreach (Parameter p in block.parameters()) p.fill_(KeptScalar.Kept(0.01));
        Tensor x = ones(Math.Max(4, 2 * get_num_threads()), 197, VitConfig.Tiny.Dim);
        double[] best = [double.MaxValue, double.MaxValue];
        for (int i = 0; i < 6; i++)
            for (int kernel = 0; kernel < 2; kernel++) best[kernel] = Math.Min(best[kernel], Seconds(block, x, (BlockKernel)kernel));
        measured = null;
        string reason = string.Create(CultureInfo.InvariantCulture, $"measured: plain {1e3 * best[0]:f1}, fused {1e3 * best[1]:f1} ms for a block of ViT-T and its gradients");
        return (best[1] < best[0] ? BlockKernel.Fused : BlockKernel.Plain, reason);
    }

    private static double Seconds(VitBlock block, Tensor x, BlockKernel kernel)
    {
        using var scope = NewDisposeScope();
        measured = kernel;
        long start = Stopwatch.GetTimestamp();
        using (enable_grad()) block.forward(x).sum().backward();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        block.zero_grad(set_to_none: true);
        return seconds;
    }
}
