using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// output[r, o] = bias[o] + Σ_i input[r, i] W[o, i] for few rows: bound by reading the weights, which are read once for all rows. Cost:
/// outputs · inputs elements of memory.
/// </summary>
/// <remarks>
/// Lanes are inputs. Four outputs at a time are multiplied with four rows, or with one: each product has its own accumulator, always filled
/// in the same order, so a row's bits do not depend on the other rows.
/// </remarks>
internal static unsafe class MatVecKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    // Weights of a task: enough to outweigh handing it out.
    private const int TaskElements = 1 << 15;

    private const int PrefetchBytes = 4096;

    public static void Run<TElement>(float* input, int rows, WeightMatrix weight, float* bias, float* output)
        where TElement : struct, IWeightElement
    {
        int inputs = weight.Columns;
        int outputs = weight.Rows;
        int taskOutputs = Math.Max(4, TaskElements / Math.Max(1, inputs) / 4 * 4);
        WorkerPool.For(
            (outputs + taskOutputs - 1) / taskOutputs,
            task =>
            {
                int first = task * taskOutputs;
                int end = Math.Min(outputs, first + taskOutputs);
                Multiply<TElement>(input, inputs, rows, weight.Data, inputs, first, end, inputs, output, outputs);
                if (bias != null)
                {
                    for (int r = 0; r < rows; r++)
                    {
                        for (int o = first; o < end; o++)
                        {
                            output[((long)r * outputs) + o] += bias[o];
                        }
                    }
                }
            });
    }

    /// <summary>output[r, o] = Σ_i left[r, i] right[o, i] for the outputs from <paramref name="first"/> to <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<TElement>(
        float* left, long leftStride, int rows, void* right, long rightStride, int first, int end, int depth, float* output, long outputStride)
        where TElement : struct, IWeightElement
    {
        int o = first;
        for (; o + 4 <= end; o += 4)
        {
            int r = 0;
            for (; r + 4 <= rows; r += 4)
            {
                Multiply4x4<TElement>(left + (r * leftStride), leftStride, right, o * rightStride, rightStride, depth, output + (r * outputStride) + o, outputStride);
            }

            for (; r < rows; r++)
            {
                Multiply1x4<TElement>(left + (r * leftStride), right, o * rightStride, rightStride, depth, output + (r * outputStride) + o);
            }
        }

        for (; o < end; o++)
        {
            for (int r = 0; r < rows; r++)
            {
                output[(r * outputStride) + o] = Dot<TElement>(left + (r * leftStride), right, o * rightStride, depth);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x4<TElement>(
        float* left, long leftStride, void* right, long index, long rightStride, int depth, float* output, long outputStride)
        where TElement : struct, IWeightElement
    {
        TVector zero = TSimd.Broadcast(0);
        TVector s00 = zero;
        TVector s01 = zero;
        TVector s02 = zero;
        TVector s03 = zero;
        TVector s10 = zero;
        TVector s11 = zero;
        TVector s12 = zero;
        TVector s13 = zero;
        TVector s20 = zero;
        TVector s21 = zero;
        TVector s22 = zero;
        TVector s23 = zero;
        TVector s30 = zero;
        TVector s31 = zero;
        TVector s32 = zero;
        TVector s33 = zero;
        int i = 0;
        for (; i + TSimd.Width <= depth; i += TSimd.Width)
        {
            TVector x0 = TSimd.Load(left + i);
            TVector x1 = TSimd.Load(left + leftStride + i);
            TVector x2 = TSimd.Load(left + (2 * leftStride) + i);
            TVector x3 = TSimd.Load(left + (3 * leftStride) + i);
            TVector w = TElement.Load<TSimd, TVector>(right, index + i);
            s00 = TSimd.MultiplyAdd(x0, w, s00);
            s10 = TSimd.MultiplyAdd(x1, w, s10);
            s20 = TSimd.MultiplyAdd(x2, w, s20);
            s30 = TSimd.MultiplyAdd(x3, w, s30);
            w = TElement.Load<TSimd, TVector>(right, index + rightStride + i);
            s01 = TSimd.MultiplyAdd(x0, w, s01);
            s11 = TSimd.MultiplyAdd(x1, w, s11);
            s21 = TSimd.MultiplyAdd(x2, w, s21);
            s31 = TSimd.MultiplyAdd(x3, w, s31);
            w = TElement.Load<TSimd, TVector>(right, index + (2 * rightStride) + i);
            s02 = TSimd.MultiplyAdd(x0, w, s02);
            s12 = TSimd.MultiplyAdd(x1, w, s12);
            s22 = TSimd.MultiplyAdd(x2, w, s22);
            s32 = TSimd.MultiplyAdd(x3, w, s32);
            w = TElement.Load<TSimd, TVector>(right, index + (3 * rightStride) + i);
            s03 = TSimd.MultiplyAdd(x0, w, s03);
            s13 = TSimd.MultiplyAdd(x1, w, s13);
            s23 = TSimd.MultiplyAdd(x2, w, s23);
            s33 = TSimd.MultiplyAdd(x3, w, s33);
        }

        output[0] = Finish<TElement>(s00, left, right, index, i, depth);
        output[1] = Finish<TElement>(s01, left, right, index + rightStride, i, depth);
        output[2] = Finish<TElement>(s02, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish<TElement>(s03, left, right, index + (3 * rightStride), i, depth);
        left += leftStride;
        output += outputStride;
        output[0] = Finish<TElement>(s10, left, right, index, i, depth);
        output[1] = Finish<TElement>(s11, left, right, index + rightStride, i, depth);
        output[2] = Finish<TElement>(s12, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish<TElement>(s13, left, right, index + (3 * rightStride), i, depth);
        left += leftStride;
        output += outputStride;
        output[0] = Finish<TElement>(s20, left, right, index, i, depth);
        output[1] = Finish<TElement>(s21, left, right, index + rightStride, i, depth);
        output[2] = Finish<TElement>(s22, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish<TElement>(s23, left, right, index + (3 * rightStride), i, depth);
        left += leftStride;
        output += outputStride;
        output[0] = Finish<TElement>(s30, left, right, index, i, depth);
        output[1] = Finish<TElement>(s31, left, right, index + rightStride, i, depth);
        output[2] = Finish<TElement>(s32, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish<TElement>(s33, left, right, index + (3 * rightStride), i, depth);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply1x4<TElement>(float* left, void* right, long index, long rightStride, int depth, float* output)
        where TElement : struct, IWeightElement
    {
        TVector s0 = TSimd.Broadcast(0);
        TVector s1 = s0;
        TVector s2 = s0;
        TVector s3 = s0;

        // Memory is read four rows at a time, in pieces too short for the processor's own prefetching: ask for the rows to come.
        int ahead = Math.Max(1, PrefetchBytes / Math.Max(1, 4 * depth * TElement.Size)) * 4 * depth * TElement.Size;
        byte* next = (byte*)right + (index * TElement.Size) + ahead;
        int i = 0;
        for (; i + TSimd.Width <= depth; i += TSimd.Width)
        {
            Prefetch<TElement>(next);
            next += 4 * TSimd.Width * TElement.Size;
            TVector x = TSimd.Load(left + i);
            s0 = TSimd.MultiplyAdd(x, TElement.Load<TSimd, TVector>(right, index + i), s0);
            s1 = TSimd.MultiplyAdd(x, TElement.Load<TSimd, TVector>(right, index + rightStride + i), s1);
            s2 = TSimd.MultiplyAdd(x, TElement.Load<TSimd, TVector>(right, index + (2 * rightStride) + i), s2);
            s3 = TSimd.MultiplyAdd(x, TElement.Load<TSimd, TVector>(right, index + (3 * rightStride) + i), s3);
        }

        output[0] = Finish<TElement>(s0, left, right, index, i, depth);
        output[1] = Finish<TElement>(s1, left, right, index + rightStride, i, depth);
        output[2] = Finish<TElement>(s2, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish<TElement>(s3, left, right, index + (3 * rightStride), i, depth);
    }

    // What one step of four rows reads: one to four cache lines.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<TElement>(byte* address)
        where TElement : struct, IWeightElement
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        Sse.Prefetch1(address);
        if (4 * TSimd.Width * TElement.Size >= 128)
        {
            Sse.Prefetch1(address + 64);
        }

        if (4 * TSimd.Width * TElement.Size >= 256)
        {
            Sse.Prefetch1(address + 128);
            Sse.Prefetch1(address + 192);
        }
    }

    private static float Dot<TElement>(float* left, void* right, long index, int depth)
        where TElement : struct, IWeightElement
    {
        TVector s = TSimd.Broadcast(0);
        int i = 0;
        for (; i + TSimd.Width <= depth; i += TSimd.Width)
        {
            s = TSimd.MultiplyAdd(TSimd.Load(left + i), TElement.Load<TSimd, TVector>(right, index + i), s);
        }

        return Finish<TElement>(s, left, right, index, i, depth);
    }

    // The lanes' sum and the products that did not fill a vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Finish<TElement>(TVector lanes, float* left, void* right, long index, int i, int depth)
        where TElement : struct, IWeightElement
    {
        float sum = TSimd.Sum(lanes);
        for (; i < depth; i++)
        {
            sum = MathF.FusedMultiplyAdd(left[i], TElement.LoadScalar(right, index + i), sum);
        }

        return sum;
    }
}
