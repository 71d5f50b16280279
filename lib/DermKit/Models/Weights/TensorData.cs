using static TorchSharp.torch;

namespace DermKit.Models.Weights;

/// <summary>The memory behind a contiguous cpu tensor.</summary>
internal static class TensorData
{
    /// <summary>Address of the first element; valid while the tensor lives.</summary>
    public static unsafe void* Pointer(Tensor tensor)
    {
        if (tensor.device_type != TorchSharp.DeviceType.CPU || !tensor.is_contiguous())
            throw new ArgumentException($"Expected a contiguous cpu tensor, found device {tensor.device} with strides [{string.Join(", ", tensor.stride())}].", nameof(tensor));
        return tensor.numel() == 0 ? null : System.Runtime.CompilerServices.Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetReference(tensor.bytes));
    }
}
