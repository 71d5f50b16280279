using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Pretraining;

/// <summary>
/// Updates of many tensors that are limited by memory: float32 on the cpu in one pass that reads and writes every number once, cut into
/// pieces that the threads take in turn. The result does not depend on the number of threads.
/// </summary>
internal static unsafe class ParameterPass
{
    /// <summary>Numbers in a piece: four streams of them fit a core's cache, and their sum of squares loses nothing in float32.</summary>
    private const int Piece = 1 << 14;

    /// <summary>Where a tensor's numbers lie; 0 unless they are float32 in one block on the cpu.</summary>
    public static nint Address(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.dtype != ScalarType.Float32 || !tensor.is_contiguous()) return 0;
        fixed (byte* at = tensor.bytes) return (nint)at;
    }

    /// <summary>Where a tensor's numbers lie, or those of a copy in one block that the caller's scope disposes.</summary>
    public static nint AddressInBlock(Tensor tensor) => Address(tensor) is not 0 and var address ? address : Address(tensor.to(ScalarType.Float32).cpu().contiguous());

    /// <summary>True when the passes take all these tensors.</summary>
    public static bool Takes(IEnumerable<Tensor> tensors) => tensors.All(t => Address(t) != 0);

    /// <summary>Calls the body with (tensor, first number, count) for all pieces of tensors of these lengths; nothing for a length of 0.</summary>
    public static void Run(ReadOnlySpan<int> lengths, Action<int, int, int> body)
    {
        var (sizes, ends) = (lengths.ToArray(), new int[lengths.Length]);
        for (int i = 0, pieces = 0; i < ends.Length; i++) ends[i] = pieces += Pieces(sizes[i]);
        Parallel.For(0, ends.Length == 0 ? 0 : ends[^1], new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() }, piece =>
        {
            // The first tensor whose pieces end behind this one.
            int i = Array.BinarySearch(ends, piece + 1);
            if (i < 0) i = ~i;
            while (i > 0 && ends[i - 1] == ends[i]) i--;
            int first = (piece - (ends[i] - Pieces(sizes[i]))) * Piece;
            body(i, first, Math.Min(Piece, sizes[i] - first));
        });
    }

    /// <summary>Square root of the sum that the body gives of the pieces of each tensor of these lengths.</summary>
    public static double[] Norms(ReadOnlySpan<int> lengths, Func<int, int, int, double> body)
    {
        double[][] sums = new double[lengths.Length][];
        for (int i = 0; i < sums.Length; i++) sums[i] = new double[Pieces(lengths[i])];
        Run(lengths, (i, first, count) => sums[i][first / Piece] = body(i, first, count));
        return [.. sums.Select(s => Math.Sqrt(s.Sum()))];
    }

    private static int Pieces(int length) => (length + Piece - 1) / Piece;
}
