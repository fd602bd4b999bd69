using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SparseFrontier.Kernels;

/// <summary>
/// Selection of the largest scores, shared by all back ends so that the same scores give the same choice everywhere. Ties go to the lower
/// index; +∞ is above and NaN below everything else; -0 equals 0. Cost of a selection O(n): one pass by bit finds those of the k-th largest
/// score, without the bits that all scores share and those that choose nothing more.
/// </summary>
public static class TopK
{
    /// <summary>Indices of the <paramref name="count"/> largest scores (all, if there are fewer), ascending.</summary>
    public static int[] Select(ReadOnlySpan<float> scores, int count)
    {
        int[] indices = new int[Math.Clamp(count, 0, scores.Length)];
        Select(scores, indices);
        return indices;
    }

    /// <summary>Writes the indices of the largest scores, as many as <paramref name="indices"/> holds, ascending.</summary>
    /// <exception cref="ArgumentException">More indices are asked for than there are scores.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Select(ReadOnlySpan<float> scores, Span<int> indices)
    {
        if (indices.Length > scores.Length)
        {
            throw new ArgumentException($"{indices.Length} indices cannot be chosen from {scores.Length} scores.", nameof(indices));
        }

        if (indices.IsEmpty)
        {
            return;
        }

        int[]? rented = null;
        Span<int> keys = scores.Length <= 1024 ? stackalloc int[1024] : rented = ArrayPool<int>.Shared.Rent(scores.Length);
        keys = keys[..scores.Length];
        (int smallest, int largest) = WriteKeys(scores, keys);
        (int threshold, int ties) = FindThreshold(keys, indices.Length, smallest, largest);
        int written = 0;
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i + Vector256<int>.Count <= keys.Length && written < indices.Length; i += Vector256<int>.Count)
            {
                uint chosen = Vector256.GreaterThanOrEqual(Vector256.Create(keys.Slice(i, Vector256<int>.Count)), Vector256.Create(threshold)).ExtractMostSignificantBits();
                for (; chosen != 0 && written < indices.Length; chosen &= chosen - 1)
                {
                    int index = i + BitOperations.TrailingZeroCount(chosen);
                    if (keys[index] > threshold || ties-- > 0)
                    {
                        indices[written++] = index;
                    }
                }
            }
        }

        for (; written < indices.Length; i++)
        {
            if (keys[i] > threshold || (keys[i] == threshold && ties-- > 0))
            {
                indices[written++] = i;
            }
        }

        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    /// <summary>All indices from the largest score to the smallest. Cost O(n): three passes that sort by eleven bits of the score each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int[] Order(ReadOnlySpan<float> scores)
    {
        const int Bits = 11;
        const int Buckets = 1 << Bits;
        int n = scores.Length;
        int[] order = new int[n];
        int[] other = ArrayPool<int>.Shared.Rent(n);
        uint[] keys = ArrayPool<uint>.Shared.Rent(n);
        int[] counts = new int[3 * Buckets];
        for (int i = 0; i < n; i++)
        {
            // Ascending keys are descending scores; each pass keeps the order of equal digits, so that the lower index comes first.
            uint key = ~SortKey(scores[i]);
            keys[i] = key;
            counts[key & (Buckets - 1)]++;
            counts[Buckets + ((key >> Bits) & (Buckets - 1))]++;
            counts[(2 * Buckets) + (key >> (2 * Bits))]++;
            order[i] = i;
        }

        Span<int> source = order;
        Span<int> target = other.AsSpan(0, n);
        for (int pass = 0; pass < 3; pass++)
        {
            Span<int> next = counts.AsSpan(pass * Buckets, Buckets);
            int first = 0;
            for (int digit = 0; digit < Buckets; digit++)
            {
                (next[digit], first) = (first, first + next[digit]);
            }

            foreach (int index in source)
            {
                target[next[(int)((keys[index] >> (pass * Bits)) & (Buckets - 1))]++] = index;
            }

            Span<int> swap = source;
            source = target;
            target = swap;
        }

        source.CopyTo(order);
        ArrayPool<int>.Shared.Return(other);
        ArrayPool<uint>.Shared.Return(keys);
        return order;
    }

    // Writes integers in the order of the floats. Returns the smallest and the largest.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (int Smallest, int Largest) WriteKeys(ReadOnlySpan<float> scores, Span<int> keys)
    {
        int smallest = int.MaxValue;
        int largest = int.MinValue;
        int i = 0;
        if (Vector256.IsHardwareAccelerated && scores.Length >= Vector256<int>.Count)
        {
            Vector256<int> minima = Vector256.Create(int.MaxValue);
            Vector256<int> maxima = Vector256.Create(int.MinValue);
            for (; i + Vector256<int>.Count <= scores.Length; i += Vector256<int>.Count)
            {
                // As SortKey, with the sign turned.
                Vector256<float> score = Vector256.Create(scores.Slice(i, Vector256<int>.Count)) + Vector256<float>.Zero;
                Vector256<int> bits = score.AsInt32();
                Vector256<int> key = bits ^ ((bits >> 31) & Vector256.Create(int.MaxValue));
                key = Vector256.ConditionalSelect(Vector256.Equals(score, score).AsInt32(), key, Vector256.Create(int.MinValue));
                key.CopyTo(keys[i..]);
                minima = Vector256.Min(minima, key);
                maxima = Vector256.Max(maxima, key);
            }

            for (int lane = 0; lane < Vector256<int>.Count; lane++)
            {
                smallest = Math.Min(smallest, minima[lane]);
                largest = Math.Max(largest, maxima[lane]);
            }
        }

        for (; i < scores.Length; i++)
        {
            keys[i] = (int)(SortKey(scores[i]) ^ 0x8000_0000);
            smallest = Math.Min(smallest, keys[i]);
            largest = Math.Max(largest, keys[i]);
        }

        return (smallest, largest);
    }

    // A key such that all above it are among the count largest, and how many equal to it are.
    private static (int Threshold, int Ties) FindThreshold(ReadOnlySpan<int> keys, int count, int smallest, int largest)
    {
        // Bit by bit, from the first in which keys differ, the largest threshold that enough keys reach.
        int differing = 32 - BitOperations.LeadingZeroCount((uint)(smallest ^ largest));
        long threshold = differing == 32 ? int.MinValue : smallest & ~((1L << differing) - 1);
        for (int bit = differing - 1; bit >= 0; bit--)
        {
            long candidate = threshold + (1L << bit);
            int reach = CountAtLeast(keys, (int)candidate);
            if (reach == count)
            {
                return ((int)candidate, count);
            }

            threshold = reach > count ? candidate : threshold;
        }

        return ((int)threshold, threshold == int.MaxValue ? count : count - CountAtLeast(keys, (int)threshold + 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int CountAtLeast(ReadOnlySpan<int> keys, int threshold)
    {
        int count = 0;
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<int> least = Vector256.Create(threshold);
            Vector256<int> first = Vector256<int>.Zero;
            Vector256<int> second = Vector256<int>.Zero;
            for (; i + (2 * Vector256<int>.Count) <= keys.Length; i += 2 * Vector256<int>.Count)
            {
                first -= Vector256.GreaterThanOrEqual(Vector256.Create(keys.Slice(i, Vector256<int>.Count)), least);
                second -= Vector256.GreaterThanOrEqual(Vector256.Create(keys.Slice(i + Vector256<int>.Count, Vector256<int>.Count)), least);
            }

            count = Vector256.Sum(first + second);
        }

        for (; i < keys.Length; i++)
        {
            count += keys[i] >= threshold ? 1 : 0;
        }

        return count;
    }

    // Unsigned integers in the order of the floats.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint SortKey(float score)
    {
        // Adding 0 turns -0 into 0.
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);
        uint key = bits ^ ((uint)((int)bits >> 31) | 0x8000_0000);
        return float.IsNaN(score) ? 0 : key;
    }
}
