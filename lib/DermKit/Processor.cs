using System.Runtime.Intrinsics.X86;

namespace DermKit;

internal static class Processor
{
    // AVX512_BF16 or AMX, with 512-bit registers kept by the system; otherwise bfloat16 is several times slower than
    // float32.
    public static bool MultipliesBFloat16 { get; } = HasBFloat16();

    private static bool HasBFloat16()
    {
        if (!X86Base.IsSupported || !Avx512F.IsSupported || X86Base.CpuId(0, 0).Eax < 7) return false;
        // Intel's manual, volume 2A, CPUID leaf 7: AMX-BF16 is bit 22 of EDX, AVX512_BF16 bit 5 of EAX in subleaf 1.
        (int subleaves, _, _, int edx) = X86Base.CpuId(7, 0);
        return (edx & 1 << 22) != 0 || subleaves >= 1 && (X86Base.CpuId(7, 1).Eax & 1 << 5) != 0;
    }
}
