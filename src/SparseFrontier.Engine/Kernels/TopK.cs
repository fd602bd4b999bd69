using System.Buffers;
using System.Runtime.CompilerServices;

namespace SparseFrontier.Kernels;

/// <summary>
/// Selection of the largest scores, shared by all back ends so that the same scores give the same choice everywhere. Ties go to the lower
/// index; +∞ is above and NaN below everything else; -0 equals 0. Cost of a selection O(n): up to four passes, one by byte, find the bits of
/// the k-th largest score.
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

        uint[]? rented = null;
        Span<uint> keys = scores.Length <= 1024 ? stackalloc uint[1024] : rented = ArrayPool<uint>.Shared.Rent(scores.Length);
        keys = keys[..scores.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = SortKey(scores[i]);
        }

        (uint threshold, int ties) = FindThreshold(keys, indices.Length);
        int written = 0;
        for (int i = 0; written < indices.Length; i++)
        {
            uint key = SortKey(scores[i]);
            if (key > threshold || (key == threshold && ties-- > 0))
            {
                indices[written++] = i;
            }
        }

        if (rented is not null)
        {
            ArrayPool<uint>.Shared.Return(rented);
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

    // The count-th largest key, and how many keys equal to it belong to the count largest. Reorders the keys.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (uint Threshold, int Ties) FindThreshold(Span<uint> keys, int count)
    {
        // Two histograms in turn, because neighbouring scores often fall into the same bucket and would wait for each other.
        Span<int> even = stackalloc int[256];
        Span<int> odd = stackalloc int[256];
        uint prefix = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            even.Clear();
            odd.Clear();
            int i = 0;
            for (; i + 1 < keys.Length; i += 2)
            {
                even[(byte)(keys[i] >> shift)]++;
                odd[(byte)(keys[i + 1] >> shift)]++;
            }

            if (i < keys.Length)
            {
                even[(byte)(keys[i] >> shift)]++;
            }

            int digit = 255;
            while (even[digit] + odd[digit] < count)
            {
                count -= even[digit] + odd[digit];
                digit--;
            }

            prefix |= (uint)digit << shift;

            // Only the keys of that bucket can be the threshold.
            int kept = 0;
            foreach (uint key in keys)
            {
                keys[kept] = key;
                kept += (byte)(key >> shift) == digit ? 1 : 0;
            }

            keys = keys[..kept];
        }

        return (prefix, count);
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
