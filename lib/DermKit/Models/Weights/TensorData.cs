using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace DermKit.Models;

/// <summary>The memory behind a contiguous cpu tensor.</summary>
internal static class TensorData
{
    /// <summary>Address of the first element, null when there is none; valid while the tensor lives. Any size: only one element is asked for, as a span over all ends at 2 GiB.</summary>
    public static unsafe void* Pointer(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || !tensor.is_contiguous())
            throw new ArgumentException($"Expected a contiguous cpu tensor, found device {tensor.device} with strides [{string.Join(", ", tensor.stride())}].", nameof(tensor));
        if (tensor.numel() == 0) return null;
        using var scope = NewDisposeScope();
        return Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.detach().view(-1).narrow(0, 0, 1).bytes));
    }

    /// <summary>Hands the raw bytes on in parts of at most 64 MB, through a contiguous cpu copy where the tensor is none.</summary>
    public static unsafe void ForEachPart(Tensor tensor, Action<ReadOnlySpan<byte>> take)
    {
        using var scope = NewDisposeScope();
        Tensor data = tensor.detach().cpu().contiguous();
        byte* pointer = (byte*)Pointer(data);
        long bytes = data.numel() * data.element_size();
        const int Part = 1 << 26;
        for (long done = 0; done < bytes; done += Part) take(new(pointer + done, (int)Math.Min(Part, bytes - done)));
    }

    /// <summary>Fills a contiguous cpu tensor from a file, without a copy between; large ones by all cores, because one of them copies slower than a file in memory can be read.</summary>
    /// <exception cref="EndOfStreamException">The file ends before.</exception>
    public static unsafe void Fill(Tensor tensor, FileStream stream, long position)
    {
        const long Size = 4 << 20;
        nint pointer = (nint)Pointer(tensor);
        long bytes = tensor.numel() * tensor.element_size(), parts = (bytes + Size - 1) / Size;
        void Part(long index)
        {
            long done = index * Size, end = Math.Min(done + Size, bytes);
            while (done < end)
            {
                int read = RandomAccess.Read(stream.SafeFileHandle, new Span<byte>((byte*)pointer + done, (int)(end - done)), position + done);
                if (read == 0) throw new EndOfStreamException($"{stream.Name}: ended at byte {position + done}, expected {position + bytes}; it was cut after it was opened.");
                done += read;
            }
        }
        if (parts < 3)
        {
            for (long i = 0; i < parts; i++) Part(i);
            return;
        }
        try
        {
            Parallel.For(0, parts, Part);
        }
        catch (AggregateException e) when (e.InnerException is IOException inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }
    }
}
