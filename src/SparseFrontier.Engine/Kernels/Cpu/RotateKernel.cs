using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Rotary position embedding in place, halves convention: (x_i, x_{i+d/2}) becomes (x_i c_i - x_{i+d/2} s_i, x_{i+d/2} c_i + x_i s_i). Cost: one
/// pass over the vectors.
/// </summary>
internal static unsafe class RotateKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* vectors, int firstRow, int endRow, int heads, int dimension, float* cosines, float* sines)
    {
        int half = dimension / 2;
        for (int r = firstRow; r < endRow; r++)
        {
            float* cosine = cosines + ((long)r * half);
            float* sine = sines + ((long)r * half);
            for (int h = 0; h < heads; h++)
            {
                float* x = vectors + ((((long)r * heads) + h) * dimension);
                float* y = x + half;
                int i = 0;
                for (; i + TSimd.Width <= half; i += TSimd.Width)
                {
                    TVector c = TSimd.Load(cosine + i);
                    TVector s = TSimd.Load(sine + i);
                    TVector a = TSimd.Load(x + i);
                    TVector b = TSimd.Load(y + i);
                    TSimd.Store(TSimd.Subtract(TSimd.Multiply(a, c), TSimd.Multiply(b, s)), x + i);
                    TSimd.Store(TSimd.MultiplyAdd(b, c, TSimd.Multiply(a, s)), y + i);
                }

                for (; i < half; i++)
                {
                    float a = x[i];
                    float b = y[i];
                    x[i] = (a * cosine[i]) - (b * sine[i]);
                    y[i] = (b * cosine[i]) + (a * sine[i]);
                }
            }
        }
    }
}
