using DermKit.Models;

namespace DermKit.Tests.Kernels;

/// <summary>What these tests need of the processor.</summary>
internal static class Processor
{
    /// <summary>Skips with the reason where there is no bfloat16 micro kernel.</summary>
    public static void NeedsMicroKernel() => Assert.SkipWhen(BlockPath.Missing.Length > 0, $"needs a cpu with AMX: {BlockPath.Missing}");
}
