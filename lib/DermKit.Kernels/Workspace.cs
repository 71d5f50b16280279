using System.Buffers;
using System.Runtime.InteropServices;

namespace DermKit.Kernels;

/// <summary>
/// Memory of a pass, out of .NET's shared pool: fresh pages cost more than the work on them, and the pool gives back what was not used for a while.
/// </summary>
internal sealed unsafe class Workspace : IDisposable
{
    private readonly byte[] array;
    private GCHandle handle;

    private Workspace(long bytes)
    {
        array = ArrayPool<byte>.Shared.Rent(checked((int)(bytes + Arena.Alignment)));
        handle = GCHandle.Alloc(array, GCHandleType.Pinned);
    }

    /// <summary>Places blocks twice: once to learn how many bytes they take, then in memory of that size.</summary>
    /// <exception cref="OverflowException">They take 2 GiB or more.</exception>
    public static Workspace Of<T>(Func<Arena, T> place, out T placed)
    {
        var counting = new Arena(null);
        place(counting);
        var space = new Workspace(counting.Used);
        placed = place(new Arena((byte*)space.handle.AddrOfPinnedObject()));
        return space;
    }

    /// <inheritdoc cref="Of{T}"/>
    public static Workspace Of(Action<Arena> place) => Of(arena => { place(arena); return 0; }, out _);

    /// <summary>A graph that nobody asks for gradients is dropped without a word, and a pinned array would stay for ever.</summary>
    ~Workspace() => Release();

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (!handle.IsAllocated) return;
        handle.Free();
        ArrayPool<byte>.Shared.Return(array);
    }
}

/// <summary>Hands out memory from an address on, in whole cache lines.</summary>
internal sealed unsafe class Arena
{
    /// <summary>Bytes of a cache line.</summary>
    public const int Alignment = 64;

    private readonly byte* start;
    private byte* at;

    /// <summary>Starts at an address, or at null to count only.</summary>
    public Arena(byte* start) => this.start = at = start;

    /// <summary>Bytes handed out.</summary>
    public long Used => at - start;

    /// <summary>So many numbers, not cleared.</summary>
    public T* Take<T>(long count) where T : unmanaged
    {
        at = (byte*)(((nint)at + Alignment - 1) & -Alignment);
        var taken = (T*)at;
        at += count * sizeof(T);
        return taken;
    }
}
