using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using SparseFrontier.Kernels.Cpu;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Measurement;

/// <summary>
/// What the machine can do at best, measured beside the kernels that it limits: multiply-adds from registers, reading and copying memory, each
/// on all threads of <see cref="WorkerPool"/> with the vectors that the kernels use.
/// </summary>
public static unsafe class MachineRoofs
{
    // What one task reads or copies: large against the cost of handing it out.
    private const long PieceBytes = 1 << 18;

    // 12 accumulators, enough to keep two multiply-add units of a latency of 4 or 5 cycles busy.
    private const int Accumulators = 12;

    /// <summary>Independent multiply-adds in registers: the peak of floating-point speed. A call takes some milliseconds.</summary>
    public static Contender MultiplyAdd(string name)
    {
        const int Steps = 1 << 20;
        int threads = WorkerPool.ThreadCount;
        (Func<int, float> loop, int width) = Vector512.IsHardwareAccelerated ? (MultiplyAddLoop<Simd512, Vector512<float>>, Simd512.Width)
            : Vector256.IsHardwareAccelerated ? (MultiplyAddLoop<Simd256, Vector256<float>>, Simd256.Width)
            : ((Func<int, float>)MultiplyAddLoop<Simd128, Vector128<float>>, Simd128.Width);
        return new Contender(name, () => WorkerPool.For(threads, _ => Consume(loop(Steps))))
        {
            Operations = 2.0 * Accumulators * width * Steps * threads,
        };
    }

    /// <summary>Reads memory once: the least time of any kernel that needs these bytes.</summary>
    /// <param name="name">Name in tables.</param>
    /// <param name="memory">What is read; larger than the caches, unless their speed is wanted.</param>
    public static Contender Read(string name, NativeArray<byte> memory) => Read(name, () => memory.Pointer, memory.Length);

    /// <summary>Reads memory once, another part in each call: what rotates over several buffers.</summary>
    /// <param name="name">Name in tables.</param>
    /// <param name="next">Gives the first byte of the next call's memory.</param>
    /// <param name="bytes">Bytes of a call.</param>
    public static Contender Read(string name, Func<nint> next, long bytes) => Read(name, () => (byte*)next(), bytes);

    /// <summary>Copies one buffer into another; the bytes are those read and those written.</summary>
    /// <param name="name">Name in tables.</param>
    /// <param name="source">What is read.</param>
    /// <param name="target">What is written, of the same length.</param>
    public static Contender Copy(string name, NativeArray<byte> source, NativeArray<byte> target) =>
        new(name, () => WorkerPool.For(
            Pieces(source.Length),
            piece =>
            {
                long first = piece * PieceBytes;
                long bytes = Math.Min(PieceBytes, source.Length - first);
                Buffer.MemoryCopy(source.Pointer + first, target.Pointer + first, bytes, bytes);
            }))
        {
            Bytes = 2.0 * source.Length,
        };

    private delegate byte* NextMemory();

    private static Contender Read(string name, NextMemory next, long bytes)
    {
        return new(name, () =>
        {
            byte* data = next();
            WorkerPool.For(
                Pieces(bytes),
                piece =>
                {
                    long first = piece * PieceBytes;
                    Consume(ReadOnce(data + first, Math.Min(PieceBytes, bytes - first)));
                });
        })
        {
            Bytes = bytes,
        };
    }

    private static int Pieces(long bytes) => (int)((bytes + PieceBytes - 1) / PieceBytes);

    // Keeps a result from being optimised away.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Consume<T>(T value) => _ = value;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAddLoop<TSimd, TVector>(int steps)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector x = TSimd.Broadcast(0.999f);
        TVector y = TSimd.Broadcast(0.001f);
        TVector s0 = TSimd.Ascending(0);
        TVector s1 = TSimd.Ascending(1);
        TVector s2 = TSimd.Ascending(2);
        TVector s3 = TSimd.Ascending(3);
        TVector s4 = TSimd.Ascending(4);
        TVector s5 = TSimd.Ascending(5);
        TVector s6 = TSimd.Ascending(6);
        TVector s7 = TSimd.Ascending(7);
        TVector s8 = TSimd.Ascending(8);
        TVector s9 = TSimd.Ascending(9);
        TVector s10 = TSimd.Ascending(10);
        TVector s11 = TSimd.Ascending(11);
        for (int i = 0; i < steps; i++)
        {
            s0 = TSimd.MultiplyAdd(s0, x, y);
            s1 = TSimd.MultiplyAdd(s1, x, y);
            s2 = TSimd.MultiplyAdd(s2, x, y);
            s3 = TSimd.MultiplyAdd(s3, x, y);
            s4 = TSimd.MultiplyAdd(s4, x, y);
            s5 = TSimd.MultiplyAdd(s5, x, y);
            s6 = TSimd.MultiplyAdd(s6, x, y);
            s7 = TSimd.MultiplyAdd(s7, x, y);
            s8 = TSimd.MultiplyAdd(s8, x, y);
            s9 = TSimd.MultiplyAdd(s9, x, y);
            s10 = TSimd.MultiplyAdd(s10, x, y);
            s11 = TSimd.MultiplyAdd(s11, x, y);
        }

        TVector first = TSimd.Add(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)), TSimd.Add(s4, s5));
        return TSimd.Sum(TSimd.Add(first, TSimd.Add(TSimd.Add(TSimd.Add(s6, s7), TSimd.Add(s8, s9)), TSimd.Add(s10, s11))));
    }

    // Vectors of 64 bytes whatever the machine: narrower ones read them in parts.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ReadOnce(byte* data, long bytes)
    {
        Vector512<int> s0 = Vector512<int>.Zero;
        Vector512<int> s1 = s0;
        Vector512<int> s2 = s0;
        Vector512<int> s3 = s0;
        long i = 0;
        for (; i + 256 <= bytes; i += 256)
        {
            s0 |= Vector512.Load((int*)(data + i));
            s1 |= Vector512.Load((int*)(data + i + 64));
            s2 |= Vector512.Load((int*)(data + i + 128));
            s3 |= Vector512.Load((int*)(data + i + 192));
        }

        int rest = 0;
        for (; i < bytes; i++)
        {
            rest |= data[i];
        }

        return ((s0 | s1) | (s2 | s3))[0] | rest;
    }
}
