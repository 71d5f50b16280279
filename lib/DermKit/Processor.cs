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

/// <summary>Number type of the matrix products.</summary>
[JsonConverter(typeof(SpelledEnumConverter<Precision>))]
public enum Precision
{
    /// <summary>bf16 on a CPU with native bf16 (<see cref="Processor.MultipliesBFloat16"/>), else fp32.</summary>
    [JsonStringEnumMemberName("auto")]
    Auto,

    /// <summary>32-bit floating point.</summary>
    [JsonStringEnumMemberName("fp32")]
    Fp32,

    /// <summary>bfloat16.</summary>
    [JsonStringEnumMemberName("bf16")]
    Bf16,
}

internal static class PrecisionTypes
{
    // The type for Dense.ComputeIn: null keeps the weights' own.
    public static ScalarType? ProductType(this Precision precision) =>
        precision == Precision.Bf16 ? bfloat16 : null;
}
