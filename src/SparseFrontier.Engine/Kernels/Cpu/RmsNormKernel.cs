using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>output[r, i] = input[r, i] / √(mean_j input[r, j]² + epsilon) · weight[i]; in place allowed. Cost: two passes over a row, which stays in cache.</summary>
internal static unsafe class RmsNormKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* input, int firstRow, int endRow, int width, float* weight, float epsilon, float* output)
    {
        for (int r = firstRow; r < endRow; r++)
        {
            float* x = input + ((long)r * width);
            float* y = output + ((long)r * width);
            TVector first = TSimd.Broadcast(0);
            TVector second = first;
            int i = 0;
            for (; i + (2 * TSimd.Width) <= width; i += 2 * TSimd.Width)
            {
                TVector a = TSimd.Load(x + i);
                TVector b = TSimd.Load(x + i + TSimd.Width);
                first = TSimd.MultiplyAdd(a, a, first);
                second = TSimd.MultiplyAdd(b, b, second);
            }

            float squares = TSimd.Sum(TSimd.Add(first, second));
            for (; i < width; i++)
            {
                squares = MathF.FusedMultiplyAdd(x[i], x[i], squares);
            }

            float scale = 1 / MathF.Sqrt((squares / width) + epsilon);
            TVector scales = TSimd.Broadcast(scale);
            for (i = 0; i + TSimd.Width <= width; i += TSimd.Width)
            {
                TSimd.Store(TSimd.Multiply(TSimd.Multiply(TSimd.Load(x + i), scales), TSimd.Load(weight + i)), y + i);
            }

            for (; i < width; i++)
            {
                y[i] = x[i] * scale * weight[i];
            }
        }
    }
}
