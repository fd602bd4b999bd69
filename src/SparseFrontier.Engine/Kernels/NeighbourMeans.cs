using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels;

/// <summary>
/// Means over neighbours: mean[i] = (value[i - r] + ... + value[i + r]) / (2 r + 1), where what lies beyond the ends counts as 0, so that the ends are damped.
/// Cost: 2 r + 1 additions an element, as many elements at a time as a vector holds; every element adds in the same order, whatever the vectors' width.
/// </summary>
internal static class NeighbourMeans
{
    /// <summary>Averages.</summary>
    /// <param name="values">[n].</param>
    /// <param name="size">Values of a mean, 2 r + 1: odd.</param>
    /// <param name="means">[n], written; must not overlap the values.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(ReadOnlySpan<float> values, int size, Span<float> means)
    {
        int reach = size / 2;
        int vectors = (values.Length + Vector<float>.Count - 1) / Vector<float>.Count;
        float[] rented = ArrayPool<float>.Shared.Rent((vectors * Vector<float>.Count) + size);
        Span<float> padded = rented.AsSpan(0, (vectors * Vector<float>.Count) + size);
        padded.Clear();
        values.CopyTo(padded[reach..]);
        var divisor = new Vector<float>(size);
        for (int vector = 0; vector < vectors; vector++)
        {
            int first = vector * Vector<float>.Count;
            Vector<float> sum = Vector<float>.Zero;
            for (int i = 0; i < size; i++)
            {
                sum += new Vector<float>(padded[(first + i)..]);
            }

            Vector<float> mean = sum / divisor;
            if (first + Vector<float>.Count <= means.Length)
            {
                mean.CopyTo(means[first..]);
            }
            else
            {
                for (int i = first; i < means.Length; i++)
                {
                    means[i] = mean[i - first];
                }
            }
        }

        ArrayPool<float>.Shared.Return(rented);
    }
}
