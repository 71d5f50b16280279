using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace DermKit.Models;

internal static class TensorData
{
    // Null for an empty tensor; valid while the tensor lives.
    public static unsafe void* Pointer(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || !tensor.is_contiguous())
            throw new ArgumentException($"Expected a contiguous cpu tensor, found device {tensor.device} with strides "
                + $"[{string.Join(", ", tensor.stride())}].", nameof(tensor));
        if (tensor.numel() == 0) return null;
        using var scope = NewDisposeScope();
        // Over one element: spans end at 2 GiB.
        return Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.detach().view(-1).narrow(0, 0, 1).bytes));
    }

    public static unsafe void ForEachPart(Tensor tensor, Action<ReadOnlySpan<byte>> take)
    {
        using var scope = NewDisposeScope();
        Tensor data = tensor.detach().cpu().contiguous();
        byte* pointer = (byte*)Pointer(data);
        long bytes = data.numel() * data.element_size();
        const int Part = 1 << 26;
        for (long done = 0; done < bytes; done += Part) take(new(pointer + done, (int)Math.Min(Part, bytes - done)));
    }

    // Without a copy; large tensors on all cores, because one copies slower than a cached file can be read.
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
                var target = new Span<byte>((byte*)pointer + done, (int)(end - done));
                int read = RandomAccess.Read(stream.SafeFileHandle, target, position + done);
                if (read == 0)
                    throw new EndOfStreamException($"{stream.Name}: ended at byte {position + done}, expected "
                        + $"{position + bytes}; it was cut after it was opened.");
                done += read;
            }
        }
        try
        {
            if (parts >= 3) Parallel.For(0, parts, Part);
            else
                for (long i = 0; i < parts; i++) Part(i);
        }
        catch (AggregateException e) when (e.InnerException is IOException inner)
        {
            ExceptionDispatchInfo.Throw(inner);
        }
    }
}
