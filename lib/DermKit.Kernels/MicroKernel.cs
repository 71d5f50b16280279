using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace DermKit.Kernels;

/// <summary>
/// The matrix product of small blocks that libtorch's own attention is made of (oneDNN's brgemm, in bfloat16 on AMX), and libtorch's
/// threads to call it from: threads of one's own would wait for the cores on which libtorch's idle ones spin.
/// </summary>
internal static unsafe class MicroKernel
{
    /// <summary>Columns of a packed right operand.</summary>
    public const int Slab = 64;

    private const int BFloat16 = 15;

    private static readonly delegate* unmanaged<long, long, long, long, long, long, byte, ushort*, ushort*, float*, byte, void> Product;
    private static readonly delegate* unmanaged<byte, void> ReleaseTiles;
    private static readonly delegate* unmanaged<delegate* unmanaged<Job*, void>, Job*, uint, uint, void> Parallel;
    private static readonly delegate* unmanaged<int> ThreadNumber, ThreadCount;

    static MicroKernel()
    {
        Missing = "";
        if (!Avx512BW.IsSupported) Missing = "the processor has no AVX-512";
        else if (!NativeLibrary.TryLoad("libtorch_cpu.so", out nint torch)) Missing = "libtorch_cpu.so is not loaded";
        else
        {
            Product = (delegate* unmanaged<long, long, long, long, long, long, byte, ushort*, ushort*, float*, byte, void>)Symbol(torch, "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb");
            ReleaseTiles = (delegate* unmanaged<byte, void>)Symbol(torch, "_ZN2at6native7cpublas14brgemm_releaseEb");
            Parallel = (delegate* unmanaged<delegate* unmanaged<Job*, void>, Job*, uint, uint, void>)Symbol(torch, "GOMP_parallel");
            ThreadNumber = (delegate* unmanaged<int>)Symbol(torch, "omp_get_thread_num");
            ThreadCount = (delegate* unmanaged<int>)Symbol(torch, "omp_get_num_threads");
            var packs = (delegate* unmanaged<sbyte, byte>)Symbol(torch, "_ZN2at6native7cpublas10could_packEN3c1010ScalarTypeE");
            if (Missing.Length == 0 && packs(BFloat16) == 0) Missing = "libtorch has its bfloat16 micro kernel for processors with AMX only";
        }
    }

    /// <summary>Why the product cannot be had in this process; empty when it can. libtorch must be loaded before the first look.</summary>
    public static string Missing { get; private set; }

    /// <summary>C [m, n] = A [m, k] B [k, n], or is added to it.</summary>
    /// <param name="m">Rows.</param>
    /// <param name="n">Columns: 16, 32, 48 or 64.</param>
    /// <param name="k">Even.</param>
    /// <param name="a">bfloat16, rows <paramref name="lda"/> apart.</param>
    /// <param name="lda">Numbers from row to row.</param>
    /// <param name="b">bfloat16 in pairs of rows: [k / 2, n, 2].</param>
    /// <param name="c">float32, rows <paramref name="ldc"/> apart.</param>
    /// <param name="ldc">Numbers from row to row.</param>
    /// <param name="add">Adds to C.</param>
    public static void Multiply(int m, int n, int k, ushort* a, int lda, uint* b, float* c, int ldc, bool add = false) =>
        Product(m, n, k, lda, n, ldc, add ? (byte)1 : (byte)0, a, (ushort*)b, c, 1);

    /// <summary>Calls the body with 0, 1, ... of the workers, each on its own thread of libtorch as far as there are so many.</summary>
    public static void Run(int workers, Action<int> body)
    {
        var work = new Work(workers, body);
        GCHandle handle = GCHandle.Alloc(work);
        try
        {
            var job = new Job { Work = GCHandle.ToIntPtr(handle) };
            Parallel(&Enter, &job, (uint)workers, 0);
        }
        finally
        {
            handle.Free();
        }
        work.Failure?.Throw();
    }

    [UnmanagedCallersOnly]
    private static void Enter(Job* job)
    {
        var work = (Work)GCHandle.FromIntPtr(job->Work).Target!;
        try
        {
            for (int worker = ThreadNumber(); worker < work.Workers; worker += ThreadCount()) work.Body(worker);
        }
        catch (Exception e)
        {
            // An exception must not cross native frames: the caller throws it again.
            work.Failure = ExceptionDispatchInfo.Capture(e);
        }
        finally
        {
            // The tiles of a thread are its own; libtorch's next product lays them out anew.
            ReleaseTiles(1);
        }
    }

    private static nint Symbol(nint library, string name)
    {
        if (!NativeLibrary.TryGetExport(library, name, out nint address)) Missing = $"libtorch does not export {name}";
        return address;
    }

    private struct Job
    {
        public nint Work;
    }

    private sealed class Work(int workers, Action<int> body)
    {
        public int Workers => workers;

        public Action<int> Body => body;

        public ExceptionDispatchInfo? Failure { get; set; }
    }
}
