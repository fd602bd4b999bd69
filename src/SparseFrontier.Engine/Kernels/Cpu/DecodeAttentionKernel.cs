using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Softmax attention of one query per head over cached tokens. Cost: reads every attended key and value once for all query heads that share
/// a KV head and a list of tokens.
/// </summary>
/// <remarks>
/// The tokens of a list are split into runs of 512, in the order of the list; each run gives a maximum, a sum and a weighted sum of values by
/// query head, and these are combined in ascending order. Splits do not depend on threads or on where the cache's segments meet.
/// </remarks>
internal static unsafe class DecodeAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int SplitTokens = 512;

    // Multiply-adds below which handing tasks out costs more than it saves.
    private const long ParallelWork = 1 << 17;

    public static void Run(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output)
    {
        int dimension = cache.Prompt.Dimension;
        int kvHeads = cache.Prompt.Heads;
        int groups = Math.Max(kvHeads, selection?.Lists.Length ?? 1);
        int groupHeads = queryHeads / groups;
        int padded = (dimension + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        int partialSize = padded + 2;
        int[] firstTask = new int[groups + 1];
        long tokens = 0;
        for (int g = 0; g < groups; g++)
        {
            int count = CountTokens(g);
            firstTask[g + 1] = firstTask[g] + ((count + SplitTokens - 1) / SplitTokens);
            tokens += count;
        }

        float* partials = ThreadScratch.RentShared((long)firstTask[groups] * groupHeads * partialSize);
        if (tokens * groupHeads * dimension * 2 < ParallelWork)
        {
            for (int task = 0; task < firstTask[groups]; task++)
            {
                RunTask(task);
            }
        }
        else
        {
            WorkerPool.For(firstTask[groups], RunTask);
        }

        for (int g = 0; g < groups; g++)
        {
            for (int h = 0; h < groupHeads; h++)
            {
                float* first = partials + ((((long)firstTask[g] * groupHeads) + h) * partialSize);
                Combine(first, firstTask[g + 1] - firstTask[g], (long)groupHeads * partialSize, padded, dimension, output + ((((long)g * groupHeads) + h) * dimension));
            }
        }

        int CountTokens(int group)
        {
            if (selection is null)
            {
                return cache.Length(group * kvHeads / groups);
            }

            int count = 0;
            foreach (KeyRange range in selection.ForQueryHead(group * groupHeads, queryHeads))
            {
                count += range.Length;
            }

            return count;
        }

        void RunTask(int task)
        {
            int group = 0;
            while (firstTask[group + 1] <= task)
            {
                group++;
            }

            int kvHead = group * kvHeads / groups;
            ReadOnlySpan<KeyRange> ranges = selection is null
                ? [new KeyRange(0, cache.Length(kvHead))]
                : selection.ForQueryHead(group * groupHeads, queryHeads);
            AttendSplit(
                queries + ((long)group * groupHeads * dimension),
                groupHeads,
                cache,
                kvHead,
                ranges,
                (task - firstTask[group]) * SplitTokens,
                scale,
                padded,
                partials + ((long)task * groupHeads * partialSize));
        }
    }

    // partial: by query head the weighted sum of values [padded], the maximum and the sum of weights.
    private static void AttendSplit(
        float* queries, int heads, LayerCache cache, int kvHead, ReadOnlySpan<KeyRange> ranges, int skip, float scale, int padded, float* partial)
    {
        int dimension = cache.Prompt.Dimension;
        const int AddressFloats = SplitTokens * sizeof(ulong) / sizeof(float);
        float* scores = ThreadScratch.Rent(
            ((long)heads * SplitTokens) + (padded == dimension ? 0 : (long)SplitTokens * padded) + (2 * AddressFloats) + ((long)heads * (padded + 1)));
        float** keys = (float**)(scores + ((long)heads * SplitTokens));
        float** values = keys + SplitTokens;
        float* sums = (float*)(values + SplitTokens);
        float* ones = sums + ((long)heads * padded);
        float* copies = ones + heads;
        int count = ListTokens(cache, kvHead, ranges, skip, keys, values);
        if (padded != dimension)
        {
            for (int t = 0; t < count; t++)
            {
                float* copy = copies + ((long)t * padded);
                new ReadOnlySpan<float>(values[t], dimension).CopyTo(new Span<float>(copy, dimension));
                new Span<float>(copy + dimension, padded - dimension).Clear();
                values[t] = copy;
            }
        }

        new Span<float>(sums, heads * padded).Clear();
        new Span<float>(ones, heads).Fill(1);
        Score(queries, heads, keys, values, count, dimension, scale * 1.44269504f, scores);
        for (int h = 0; h < heads; h++)
        {
            float* head = partial + ((long)h * (padded + 2));
            Weigh(scores + ((long)h * SplitTokens), count, head + padded, head + padded + 1);
        }

        AttentionTiles<TSimd, TVector>.Accumulate(scores, 1, SplitTokens, heads, ones, values, count, padded, sums);
        for (int h = 0; h < heads; h++)
        {
            new ReadOnlySpan<float>(sums + ((long)h * padded), padded).CopyTo(new Span<float>(partial + ((long)h * (padded + 2)), padded));
        }
    }

    // Addresses of up to SplitTokens tokens of the list, after the first `skip`.
    private static int ListTokens(LayerCache cache, int kvHead, ReadOnlySpan<KeyRange> ranges, int skip, float** keys, float** values)
    {
        int dimension = cache.Prompt.Dimension;
        int prompt = cache.Prompt.Lengths[kvHead];
        float* promptKeys = cache.Prompt.Key(kvHead, 0);
        float* promptValues = cache.Prompt.Value(kvHead, 0);
        float* generatedKeys = cache.Generated.Key(kvHead, 0);
        float* generatedValues = cache.Generated.Value(kvHead, 0);
        int count = 0;
        foreach (KeyRange range in ranges)
        {
            if (skip >= range.Length)
            {
                skip -= range.Length;
                continue;
            }

            int start = range.Start + skip;
            int end = Math.Min(range.End, start + SplitTokens - count);
            skip = 0;
            for (int token = start; token < end; token++)
            {
                bool generated = token >= prompt;
                long offset = (long)(generated ? token - prompt : token) * dimension;
                keys[count] = (generated ? generatedKeys : promptKeys) + offset;
                values[count] = (generated ? generatedValues : promptValues) + offset;
                count++;
            }

            if (count == SplitTokens)
            {
                break;
            }
        }

        return count;
    }

    // Four keys at a time for all heads, so that a key comes from memory once; its value is asked for meanwhile.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score(float* queries, int heads, float** keys, float** values, int count, int dimension, float scale, float* scores)
    {
        for (; count % 4 != 0; count++)
        {
            keys[count] = keys[count - 1];
            values[count] = values[count - 1];
        }

        for (int t = 0; t < count; t += 4)
        {
            float* k0 = keys[t];
            float* k1 = keys[t + 1];
            float* k2 = keys[t + 2];
            float* k3 = keys[t + 3];
            if (Sse.IsSupported)
            {
                for (int d = 0; d < dimension; d += 16)
                {
                    Sse.Prefetch1(values[t] + d);
                    Sse.Prefetch1(values[t + 1] + d);
                    Sse.Prefetch1(values[t + 2] + d);
                    Sse.Prefetch1(values[t + 3] + d);
                }
            }

            for (int h = 0; h < heads; h++)
            {
                float* query = queries + ((long)h * dimension);
                TVector s0 = TSimd.Broadcast(0);
                TVector s1 = s0;
                TVector s2 = s0;
                TVector s3 = s0;
                int d = 0;
                for (; d + TSimd.Width <= dimension; d += TSimd.Width)
                {
                    TVector q = TSimd.Load(query + d);
                    s0 = TSimd.MultiplyAdd(q, TSimd.Load(k0 + d), s0);
                    s1 = TSimd.MultiplyAdd(q, TSimd.Load(k1 + d), s1);
                    s2 = TSimd.MultiplyAdd(q, TSimd.Load(k2 + d), s2);
                    s3 = TSimd.MultiplyAdd(q, TSimd.Load(k3 + d), s3);
                }

                Vector128<float> sums = TSimd.Sum(s0, s1, s2, s3);
                for (; d < dimension; d++)
                {
                    sums += Vector128.Create(k0[d], k1[d], k2[d], k3[d]) * query[d];
                }

                (sums * scale).Store(scores + ((long)h * SplitTokens) + t);
            }
        }
    }

    // Scores become weights 2^(score - maximum).
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Weigh(float* scores, int count, float* maximum, float* sum)
    {
        // SplitTokens is a multiple of every vector width: there is room to fill up.
        int lanes = (count + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        new Span<float>(scores + count, lanes - count).Fill(AttentionTiles<TSimd, TVector>.Masked);
        TVector maxima = TSimd.Load(scores);
        for (int t = TSimd.Width; t < lanes; t += TSimd.Width)
        {
            maxima = TSimd.Max(maxima, TSimd.Load(scores + t));
        }

        *maximum = TSimd.Maximum(maxima);
        maxima = TSimd.Broadcast(*maximum);
        TVector sums = TSimd.Broadcast(0);
        for (int t = 0; t < lanes; t += TSimd.Width)
        {
            TVector weight = SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(scores + t), maxima));
            TSimd.Store(weight, scores + t);
            sums = TSimd.Add(sums, weight);
        }

        *sum = TSimd.Sum(sums);
    }

    private static void Combine(float* partials, int splits, long splitStride, int padded, int dimension, float* output)
    {
        new Span<float>(output, dimension).Clear();
        float maximum = AttentionTiles<TSimd, TVector>.Masked;
        for (int s = 0; s < splits; s++)
        {
            maximum = MathF.Max(maximum, partials[(s * splitStride) + padded]);
        }

        float sum = 0;
        for (int s = 0; s < splits; s++)
        {
            float* partial = partials + (s * splitStride);
            float factor = MathF.Pow(2, partial[padded] - maximum);
            sum += factor * partial[padded + 1];
            for (int d = 0; d < dimension; d++)
            {
                output[d] += factor * partial[d];
            }
        }

        for (int d = 0; splits > 0 && d < dimension; d++)
        {
            output[d] /= sum;
        }
    }
}
