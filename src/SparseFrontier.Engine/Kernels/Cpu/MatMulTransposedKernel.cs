using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// output[r, o] = Σ_i left[r, i] right[o, i] for small matrices, neither of them rearranged; on the calling thread. Cost: rows · outputs · depth
/// multiply-adds.
/// </summary>
/// <remarks>
/// Lanes are inputs. Four outputs at a time are multiplied with four rows, or with one: each product has its own accumulator, always filled
/// in the same order, so a row's bits do not depend on the other rows.
/// </remarks>
internal static unsafe class MatMulTransposedKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>output[r, o] = Σ_i left[r, i] right[o, i] for all rows and outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(
        float* left, long leftStride, int rows, float* right, long rightStride, int outputs, int depth, float* output, long outputStride)
    {
        int o = 0;
        for (; o + 4 <= outputs; o += 4)
        {
            int r = 0;
            for (; r + 4 <= rows; r += 4)
            {
                Multiply4x4(left + (r * leftStride), leftStride, right, o * rightStride, rightStride, depth, output + (r * outputStride) + o, outputStride);
            }

            for (; r < rows; r++)
            {
                Multiply1x4(left + (r * leftStride), right, o * rightStride, rightStride, depth, output + (r * outputStride) + o);
            }
        }

        for (; o < outputs; o++)
        {
            for (int r = 0; r < rows; r++)
            {
                output[(r * outputStride) + o] = Dot(left + (r * leftStride), right, o * rightStride, depth);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x4(
        float* left, long leftStride, float* right, long index, long rightStride, int depth, float* output, long outputStride)
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
            TVector w = TSimd.Load(right + index + i);
            s00 = TSimd.MultiplyAdd(x0, w, s00);
            s10 = TSimd.MultiplyAdd(x1, w, s10);
            s20 = TSimd.MultiplyAdd(x2, w, s20);
            s30 = TSimd.MultiplyAdd(x3, w, s30);
            w = TSimd.Load(right + index + rightStride + i);
            s01 = TSimd.MultiplyAdd(x0, w, s01);
            s11 = TSimd.MultiplyAdd(x1, w, s11);
            s21 = TSimd.MultiplyAdd(x2, w, s21);
            s31 = TSimd.MultiplyAdd(x3, w, s31);
            w = TSimd.Load(right + index + (2 * rightStride) + i);
            s02 = TSimd.MultiplyAdd(x0, w, s02);
            s12 = TSimd.MultiplyAdd(x1, w, s12);
            s22 = TSimd.MultiplyAdd(x2, w, s22);
            s32 = TSimd.MultiplyAdd(x3, w, s32);
            w = TSimd.Load(right + index + (3 * rightStride) + i);
            s03 = TSimd.MultiplyAdd(x0, w, s03);
            s13 = TSimd.MultiplyAdd(x1, w, s13);
            s23 = TSimd.MultiplyAdd(x2, w, s23);
            s33 = TSimd.MultiplyAdd(x3, w, s33);
        }

        output[0] = Finish(s00, left, right, index, i, depth);
        output[1] = Finish(s01, left, right, index + rightStride, i, depth);
        output[2] = Finish(s02, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish(s03, left, right, index + (3 * rightStride), i, depth);
        left += leftStride;
        output += outputStride;
        output[0] = Finish(s10, left, right, index, i, depth);
        output[1] = Finish(s11, left, right, index + rightStride, i, depth);
        output[2] = Finish(s12, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish(s13, left, right, index + (3 * rightStride), i, depth);
        left += leftStride;
        output += outputStride;
        output[0] = Finish(s20, left, right, index, i, depth);
        output[1] = Finish(s21, left, right, index + rightStride, i, depth);
        output[2] = Finish(s22, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish(s23, left, right, index + (3 * rightStride), i, depth);
        left += leftStride;
        output += outputStride;
        output[0] = Finish(s30, left, right, index, i, depth);
        output[1] = Finish(s31, left, right, index + rightStride, i, depth);
        output[2] = Finish(s32, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish(s33, left, right, index + (3 * rightStride), i, depth);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Multiply1x4(float* left, float* right, long index, long rightStride, int depth, float* output)
    {
        TVector s0 = TSimd.Broadcast(0);
        TVector s1 = s0;
        TVector s2 = s0;
        TVector s3 = s0;

        int i = 0;
        for (; i + TSimd.Width <= depth; i += TSimd.Width)
        {
            TVector x = TSimd.Load(left + i);
            s0 = TSimd.MultiplyAdd(x, TSimd.Load(right + index + i), s0);
            s1 = TSimd.MultiplyAdd(x, TSimd.Load(right + index + rightStride + i), s1);
            s2 = TSimd.MultiplyAdd(x, TSimd.Load(right + index + (2 * rightStride) + i), s2);
            s3 = TSimd.MultiplyAdd(x, TSimd.Load(right + index + (3 * rightStride) + i), s3);
        }

        output[0] = Finish(s0, left, right, index, i, depth);
        output[1] = Finish(s1, left, right, index + rightStride, i, depth);
        output[2] = Finish(s2, left, right, index + (2 * rightStride), i, depth);
        output[3] = Finish(s3, left, right, index + (3 * rightStride), i, depth);
    }

    private static float Dot(float* left, float* right, long index, int depth)
    {
        TVector s = TSimd.Broadcast(0);
        int i = 0;
        for (; i + TSimd.Width <= depth; i += TSimd.Width)
        {
            s = TSimd.MultiplyAdd(TSimd.Load(left + i), TSimd.Load(right + index + i), s);
        }

        return Finish(s, left, right, index, i, depth);
    }

    // The lanes' sum and the products that did not fill a vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Finish(TVector lanes, float* left, float* right, long index, int i, int depth)
    {
        float sum = TSimd.Sum(lanes);
        for (; i < depth; i++)
        {
            sum = MathF.FusedMultiplyAdd(left[i], right[index + i], sum);
        }

        return sum;
    }
}
