using System.Runtime.Intrinsics.X86;

namespace DermKit;

/// <summary>What this processor's instructions are good for.</summary>
public static class Processor
{
    // Bits of CPUID leaf 7 (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2A, instruction CPUID).
    private const int AmxBf16OfEdx = 1 << 22;
    private const int Avx512Bf16OfEax = 1 << 5;

    /// <summary>
    /// True when the processor multiplies bfloat16 natively (AVX512_BF16 or AMX), as its CPUID says, and the operating system
    /// keeps the 512-bit registers. Elsewhere bfloat16 is several times slower than float32 on a CPU.
    /// </summary>
    public static bool MultipliesBFloat16 { get; } = Reads();

    private static bool Reads()
    {
        if (!X86Base.IsSupported || !Avx512F.IsSupported || X86Base.CpuId(0, 0).Eax < 7) return false;
        (int subleaves, _, _, int edx) = X86Base.CpuId(7, 0);
        if ((edx & AmxBf16OfEdx) != 0) return true;
        return subleaves >= 1 && (X86Base.CpuId(7, 1).Eax & Avx512Bf16OfEax) != 0;
    }
}
