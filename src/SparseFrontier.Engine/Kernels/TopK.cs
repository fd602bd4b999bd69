namespace SparseFrontier.Kernels;

/// <summary>
/// Selection of the largest scores, shared by all back ends so that the same scores give the same choice everywhere. Ties go to the lower
/// index; +∞ is above and NaN below everything else; -0 equals 0. Cost O(n): four passes find the bits of the k-th largest score.
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

        (uint threshold, int above) = FindThreshold(scores, indices.Length);
        int ties = indices.Length - above;
        int written = 0;
        for (int i = 0; written < indices.Length; i++)
        {
            uint key = SortKey(scores[i]);
            if (key > threshold || (key == threshold && ties-- > 0))
            {
                indices[written++] = i;
            }
        }
    }

    // The key of the count-th largest score, and how many keys lie above it.
    private static (uint Threshold, int Above) FindThreshold(ReadOnlySpan<float> scores, int count)
    {
        Span<int> histogram = stackalloc int[256];
        uint prefix = 0;
        int above = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            histogram.Clear();
            foreach (float score in scores)
            {
                uint key = SortKey(score);
                if (shift == 24 || (key >> (shift + 8)) == (prefix >> (shift + 8)))
                {
                    histogram[(int)(key >> shift) & 0xFF]++;
                }
            }

            int digit = 255;
            while (above + histogram[digit] < count)
            {
                above += histogram[digit--];
            }

            prefix |= (uint)digit << shift;
        }

        return (prefix, above);
    }

    // Unsigned integers in the order of the floats.
    private static uint SortKey(float score)
    {
        if (float.IsNaN(score))
        {
            return 0;
        }

        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);
        return (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
    }
}
