using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Softmax attention of one query per head over cached tokens: output_h = Σ_t w_ht v_t / Σ_t w_ht, w_ht = 2^(s_ht - max_t s_ht),
/// s_ht = scale · log2(e) · q_h · k_t. Cost: reads every attended key and value once for all query heads that share a KV head and a list of
/// tokens; 2 · dimension multiply-adds a token and query head.
/// </summary>
/// <remarks>
/// The tokens of a list are split into runs of 512, in the order of the list. A run goes block by block of 32 tokens: scores, weights with
/// the maximum so far, weighted sum of values, so that a block's values are asked for while its keys are multiplied, and the next block's keys
/// while the values are. The runs' maxima, sums and weighted sums are combined in ascending order. Neither runs nor blocks depend on threads
/// or on where the cache's segments meet. Queries and sums lie in the cache type's own order; see <see cref="ICacheElement"/>.
/// </remarks>
internal static unsafe class DecodeAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int SplitTokens = 512;
    private const int BlockTokens = 32;
    private const int Ahead = 3;
    private const int GroupTokens = 8;

    // A partial result: by query head the weighted sum of values, then the maximum and the sum of weights, in a cache line of their own.
    private const int StateFloats = 16;

    // Multiply-adds below which handing tasks out costs more than it saves.
    private const long ParallelWork = 1 << 17;

    private static int Step => 2 * TSimd.Width;

    public static void Run(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output)
    {
        // Rows that do not fill whole vectors are copied, widened and filled up with zeros.
        bool copy = cache.Prompt.Dimension % Step != 0;
        if (copy || cache.Prompt.DataType == DataType.F32)
        {
            Run<SingleCacheElement>(queries, queryHeads, cache, selection, scale, copy, output);
        }
        else
        {
            Run<BFloat16CacheElement>(queries, queryHeads, cache, selection, scale, copy, output);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TElement>(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, bool copy, float* output)
        where TElement : struct, ICacheElement
    {
        int dimension = cache.Prompt.Dimension;
        int kvHeads = cache.Prompt.Heads;
        int groups = Math.Max(kvHeads, selection?.Lists.Length ?? 1);
        int groupHeads = queryHeads / groups;
        int padded = (dimension + Step - 1) / Step * Step;
        int partialSize = padded + StateFloats;
        int[] firstTask = new int[groups + 1];
        long tokens = 0;
        for (int g = 0; g < groups; g++)
        {
            int count = CountTokens(g);
            firstTask[g + 1] = firstTask[g] + ((count + SplitTokens - 1) / SplitTokens);
            tokens += count;
        }

        float* ordered = ThreadScratch.RentShared(((long)queryHeads * padded) + ((long)firstTask[groups] * groupHeads * partialSize));
        float* partials = ordered + ((long)queryHeads * padded);
        OrderQueries<TElement>(queries, queryHeads, dimension, padded, scale * 1.44269504f, ordered);
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

        for (int h = 0; h < queryHeads; h++)
        {
            int g = h / groupHeads;
            float* first = partials + ((((long)firstTask[g] * groupHeads) + (h % groupHeads)) * partialSize);
            Combine<TElement>(first, firstTask[g + 1] - firstTask[g], (long)groupHeads * partialSize, padded, dimension, output + ((long)h * dimension));
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

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
            AttendSplit<TElement>(
                ordered + ((long)group * groupHeads * padded),
                groupHeads,
                new TokenList(cache, kvHead, ranges, (task - firstTask[group]) * SplitTokens),
                copy,
                padded,
                partials + ((long)task * groupHeads * partialSize));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OrderQueries<TElement>(float* queries, int heads, int dimension, int padded, float scale, float* ordered)
        where TElement : struct, ICacheElement
    {
        for (int h = 0; h < heads; h++)
        {
            float* target = ordered + ((long)h * padded);
            TElement.Order(queries + ((long)h * dimension), target, dimension, TSimd.Width);
            for (int d = 0; d < padded; d++)
            {
                target[d] = d < dimension ? target[d] * scale : 0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendSplit<TElement>(float* queries, int heads, TokenList list, bool copy, int padded, float* partial)
        where TElement : struct, ICacheElement
    {
        int partialSize = padded + StateFloats;
        float* scores = ThreadScratch.Rent((2 * heads * BlockTokens) + (copy ? 2L * Ahead * BlockTokens * padded : 0));
        float* copies = scores + (2 * heads * BlockTokens);
        byte** keys = stackalloc byte*[2 * Ahead * BlockTokens];
        byte** values = keys + (Ahead * BlockTokens);
        int* counts = stackalloc int[Ahead];
        for (int h = 0; h < heads; h++)
        {
            new Span<float>(partial + ((long)h * partialSize), partialSize).Clear();
            partial[((long)h * partialSize) + padded] = PrefillTiles<TSimd, TVector>.Masked;
        }

        for (int i = 0; i < Ahead - 1; i++)
        {
            List(i, ref list);
        }

        int count = counts[0];
        Score<TElement>(queries, heads, keys, count, keys, padded, scores);
        Weigh(scores, heads, count, partial, padded);
        for (int block = 0; count > 0; block++)
        {
            List(block + Ahead - 1, ref list);
            byte** blockValues = values + (block % Ahead * BlockTokens);
            int next = (block + 1) % Ahead;
            int last = (block + 2) % Ahead;
            float* weights = scores + (block % 2 * heads * BlockTokens);
            float* nextScores = scores + ((block + 1) % 2 * heads * BlockTokens);
            byte** nextKeys = keys + (next * BlockTokens);
            byte** aheadKeys = counts[last] > 0 ? keys + (last * BlockTokens) : nextKeys;
            byte** aheadValues = counts[next] > 0 ? values + (next * BlockTokens) : blockValues;
            for (int t = 0; t < BlockTokens; t += GroupTokens)
            {
                if (t < counts[next])
                {
                    Score<TElement>(queries, heads, nextKeys + t, Math.Min(GroupTokens, counts[next] - t), aheadKeys + t, padded, nextScores + t);
                }

                if (t < count)
                {
                    Accumulate<TElement>(weights + t, heads, blockValues + t, Math.Min(GroupTokens, count - t), aheadValues + t, padded, partial);
                }
            }

            count = counts[next];
            if (count > 0)
            {
                Weigh(nextScores, heads, count, partial, padded);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void List(int block, ref TokenList tokens)
        {
            block %= Ahead;
            byte** blockKeys = keys + (block * BlockTokens);
            byte** blockValues = values + (block * BlockTokens);
            counts[block] = tokens.Next(blockKeys, blockValues);
            if (copy && counts[block] > 0)
            {
                tokens.Copy(blockKeys, copies + (2L * block * BlockTokens * padded), padded);
                tokens.Copy(blockValues, copies + (((2L * block) + 1) * BlockTokens * padded), padded);
            }
        }
    }

    // scores[h, t] = q_h · k_t. Rows beyond the count repeat the last one, so that there are always four to multiply at a time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score<TElement>(float* queries, int heads, byte** keys, int count, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        for (int t = 0; t < count; t += 4)
        {
            byte** fetched = ahead + t;
            int h = 0;
            for (; TSimd.HasManyRegisters && h + 4 <= heads; h += 4)
            {
                Score4x4<TElement>(queries + ((long)h * padded), keys + t, fetched, padded, scores + (h * BlockTokens) + t);
                fetched = keys + t;
            }

            for (; h + 2 <= heads; h += 2)
            {
                Score2x4<TElement>(queries + ((long)h * padded), keys + t, fetched, padded, scores + (h * BlockTokens) + t);
                fetched = keys + t;
            }

            for (; h < heads; h++)
            {
                Score1x4<TElement>(queries + ((long)h * padded), keys + t, fetched, padded, scores + (h * BlockTokens) + t);
                fetched = keys + t;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score4x4<TElement>(float* queries, byte** keys, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
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
        float* q1 = queries + padded;
        float* q2 = q1 + padded;
        float* q3 = q2 + padded;
        for (int d = 0; d < padded; d += Step)
        {
            long offset = (long)d * TElement.Size;
            FetchStep<TElement>(ahead[0] + offset);
            FetchStep<TElement>(ahead[1] + offset);
            FetchStep<TElement>(ahead[2] + offset);
            FetchStep<TElement>(ahead[3] + offset);
            TVector k0 = TElement.LoadFirst<TSimd, TVector>(keys[0] + offset);
            TVector k1 = TElement.LoadFirst<TSimd, TVector>(keys[1] + offset);
            TVector k2 = TElement.LoadFirst<TSimd, TVector>(keys[2] + offset);
            TVector k3 = TElement.LoadFirst<TSimd, TVector>(keys[3] + offset);
            TVector q = TSimd.Load(queries + d);
            s00 = TSimd.MultiplyAdd(q, k0, s00);
            s01 = TSimd.MultiplyAdd(q, k1, s01);
            s02 = TSimd.MultiplyAdd(q, k2, s02);
            s03 = TSimd.MultiplyAdd(q, k3, s03);
            q = TSimd.Load(q1 + d);
            s10 = TSimd.MultiplyAdd(q, k0, s10);
            s11 = TSimd.MultiplyAdd(q, k1, s11);
            s12 = TSimd.MultiplyAdd(q, k2, s12);
            s13 = TSimd.MultiplyAdd(q, k3, s13);
            q = TSimd.Load(q2 + d);
            s20 = TSimd.MultiplyAdd(q, k0, s20);
            s21 = TSimd.MultiplyAdd(q, k1, s21);
            s22 = TSimd.MultiplyAdd(q, k2, s22);
            s23 = TSimd.MultiplyAdd(q, k3, s23);
            q = TSimd.Load(q3 + d);
            s30 = TSimd.MultiplyAdd(q, k0, s30);
            s31 = TSimd.MultiplyAdd(q, k1, s31);
            s32 = TSimd.MultiplyAdd(q, k2, s32);
            s33 = TSimd.MultiplyAdd(q, k3, s33);
            k0 = TElement.LoadSecond<TSimd, TVector>(keys[0] + offset);
            k1 = TElement.LoadSecond<TSimd, TVector>(keys[1] + offset);
            k2 = TElement.LoadSecond<TSimd, TVector>(keys[2] + offset);
            k3 = TElement.LoadSecond<TSimd, TVector>(keys[3] + offset);
            q = TSimd.Load(queries + d + TSimd.Width);
            s00 = TSimd.MultiplyAdd(q, k0, s00);
            s01 = TSimd.MultiplyAdd(q, k1, s01);
            s02 = TSimd.MultiplyAdd(q, k2, s02);
            s03 = TSimd.MultiplyAdd(q, k3, s03);
            q = TSimd.Load(q1 + d + TSimd.Width);
            s10 = TSimd.MultiplyAdd(q, k0, s10);
            s11 = TSimd.MultiplyAdd(q, k1, s11);
            s12 = TSimd.MultiplyAdd(q, k2, s12);
            s13 = TSimd.MultiplyAdd(q, k3, s13);
            q = TSimd.Load(q2 + d + TSimd.Width);
            s20 = TSimd.MultiplyAdd(q, k0, s20);
            s21 = TSimd.MultiplyAdd(q, k1, s21);
            s22 = TSimd.MultiplyAdd(q, k2, s22);
            s23 = TSimd.MultiplyAdd(q, k3, s23);
            q = TSimd.Load(q3 + d + TSimd.Width);
            s30 = TSimd.MultiplyAdd(q, k0, s30);
            s31 = TSimd.MultiplyAdd(q, k1, s31);
            s32 = TSimd.MultiplyAdd(q, k2, s32);
            s33 = TSimd.MultiplyAdd(q, k3, s33);
        }

        TSimd.Sum(s00, s01, s02, s03).Store(scores);
        TSimd.Sum(s10, s11, s12, s13).Store(scores + BlockTokens);
        TSimd.Sum(s20, s21, s22, s23).Store(scores + (2 * BlockTokens));
        TSimd.Sum(s30, s31, s32, s33).Store(scores + (3 * BlockTokens));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score2x4<TElement>(float* queries, byte** keys, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
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
        float* q1 = queries + padded;
        for (int d = 0; d < padded; d += Step)
        {
            long offset = (long)d * TElement.Size;
            FetchStep<TElement>(ahead[0] + offset);
            FetchStep<TElement>(ahead[1] + offset);
            FetchStep<TElement>(ahead[2] + offset);
            FetchStep<TElement>(ahead[3] + offset);
            TVector x = TSimd.Load(queries + d);
            TVector y = TSimd.Load(q1 + d);
            TVector k = TElement.LoadFirst<TSimd, TVector>(keys[0] + offset);
            s00 = TSimd.MultiplyAdd(x, k, s00);
            s10 = TSimd.MultiplyAdd(y, k, s10);
            k = TElement.LoadFirst<TSimd, TVector>(keys[1] + offset);
            s01 = TSimd.MultiplyAdd(x, k, s01);
            s11 = TSimd.MultiplyAdd(y, k, s11);
            k = TElement.LoadFirst<TSimd, TVector>(keys[2] + offset);
            s02 = TSimd.MultiplyAdd(x, k, s02);
            s12 = TSimd.MultiplyAdd(y, k, s12);
            k = TElement.LoadFirst<TSimd, TVector>(keys[3] + offset);
            s03 = TSimd.MultiplyAdd(x, k, s03);
            s13 = TSimd.MultiplyAdd(y, k, s13);
            x = TSimd.Load(queries + d + TSimd.Width);
            y = TSimd.Load(q1 + d + TSimd.Width);
            k = TElement.LoadSecond<TSimd, TVector>(keys[0] + offset);
            s00 = TSimd.MultiplyAdd(x, k, s00);
            s10 = TSimd.MultiplyAdd(y, k, s10);
            k = TElement.LoadSecond<TSimd, TVector>(keys[1] + offset);
            s01 = TSimd.MultiplyAdd(x, k, s01);
            s11 = TSimd.MultiplyAdd(y, k, s11);
            k = TElement.LoadSecond<TSimd, TVector>(keys[2] + offset);
            s02 = TSimd.MultiplyAdd(x, k, s02);
            s12 = TSimd.MultiplyAdd(y, k, s12);
            k = TElement.LoadSecond<TSimd, TVector>(keys[3] + offset);
            s03 = TSimd.MultiplyAdd(x, k, s03);
            s13 = TSimd.MultiplyAdd(y, k, s13);
        }

        TSimd.Sum(s00, s01, s02, s03).Store(scores);
        TSimd.Sum(s10, s11, s12, s13).Store(scores + BlockTokens);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score1x4<TElement>(float* query, byte** keys, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        TVector s0 = TSimd.Broadcast(0);
        TVector s1 = s0;
        TVector s2 = s0;
        TVector s3 = s0;
        for (int d = 0; d < padded; d += Step)
        {
            long offset = (long)d * TElement.Size;
            FetchStep<TElement>(ahead[0] + offset);
            FetchStep<TElement>(ahead[1] + offset);
            FetchStep<TElement>(ahead[2] + offset);
            FetchStep<TElement>(ahead[3] + offset);
            TVector q = TSimd.Load(query + d);
            s0 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(keys[0] + offset), s0);
            s1 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(keys[1] + offset), s1);
            s2 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(keys[2] + offset), s2);
            s3 = TSimd.MultiplyAdd(q, TElement.LoadFirst<TSimd, TVector>(keys[3] + offset), s3);
            q = TSimd.Load(query + d + TSimd.Width);
            s0 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(keys[0] + offset), s0);
            s1 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(keys[1] + offset), s1);
            s2 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(keys[2] + offset), s2);
            s3 = TSimd.MultiplyAdd(q, TElement.LoadSecond<TSimd, TVector>(keys[3] + offset), s3);
        }

        TSimd.Sum(s0, s1, s2, s3).Store(scores);
    }

    // Scores become weights 2^(score - maximum so far); a new maximum scales what was summed before.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Weigh(float* scores, int heads, int count, float* partial, int padded)
    {
        for (int h = 0; h < heads; h++)
        {
            float* state = partial + padded;
            for (int t = count; t < BlockTokens; t++)
            {
                scores[t] = PrefillTiles<TSimd, TVector>.Masked;
            }

            TVector maxima = TSimd.Load(scores);
            for (int t = TSimd.Width; t < BlockTokens; t += TSimd.Width)
            {
                maxima = TSimd.Max(maxima, TSimd.Load(scores + t));
            }

            float maximum = TSimd.Maximum(maxima);
            if (maximum > state[0])
            {
                TVector factor = SimdMath<TSimd, TVector>.Exp2(TSimd.Broadcast(state[0] - maximum));
                for (int d = 0; d < padded; d += TSimd.Width)
                {
                    TSimd.Store(TSimd.Multiply(TSimd.Load(partial + d), factor), partial + d);
                }

                state[0] = maximum;
                state[1] *= TSimd.Maximum(factor);
            }

            maxima = TSimd.Broadcast(state[0]);
            TVector sums = TSimd.Broadcast(0);
            for (int t = 0; t < BlockTokens; t += TSimd.Width)
            {
                TVector weight = SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(scores + t), maxima));
                TSimd.Store(weight, scores + t);
                sums = TSimd.Add(sums, weight);
            }

            state[1] += TSimd.Sum(sums);
            scores += BlockTokens;
            partial += padded + StateFloats;
        }
    }

    // sums[h] += Σ_t weights[h, t] v_t.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate<TElement>(float* weights, int heads, byte** values, int count, byte** ahead, int padded, float* sums)
        where TElement : struct, ICacheElement
    {
        int size = padded + StateFloats;
        int h = 0;
        for (; h + 4 <= heads; h += 4)
        {
            Accumulate4<TElement>(weights + (h * BlockTokens), values, count, ahead, padded, sums + ((long)h * size));
            ahead = values;
        }

        for (; h < heads; h++)
        {
            Accumulate1<TElement>(weights + (h * BlockTokens), values, count, ahead, padded, sums + ((long)h * size));
            ahead = values;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4<TElement>(float* weights, byte** values, int count, byte** ahead, int padded, float* sums)
        where TElement : struct, ICacheElement
    {
        int size = padded + StateFloats;
        int d = 0;
        for (; TSimd.HasManyRegisters && d + (2 * Step) <= padded; d += 2 * Step)
        {
            Accumulate4x2<TElement>(weights, values, count, ahead, (long)d * TElement.Size, size, sums + d);
        }

        for (; d < padded; d += Step)
        {
            float* o = sums + d;
            long offset = (long)d * TElement.Size;
            TVector a0 = TSimd.Load(o);
            TVector b0 = TSimd.Load(o + TSimd.Width);
            TVector a1 = TSimd.Load(o + size);
            TVector b1 = TSimd.Load(o + size + TSimd.Width);
            TVector a2 = TSimd.Load(o + (2 * size));
            TVector b2 = TSimd.Load(o + (2 * size) + TSimd.Width);
            TVector a3 = TSimd.Load(o + (3 * size));
            TVector b3 = TSimd.Load(o + (3 * size) + TSimd.Width);
            for (int t = 0; t < count; t++)
            {
                FetchStep<TElement>(ahead[t] + offset);
                TVector a = TElement.LoadFirst<TSimd, TVector>(values[t] + offset);
                TVector b = TElement.LoadSecond<TSimd, TVector>(values[t] + offset);
                TVector w = TSimd.Broadcast(weights[t]);
                a0 = TSimd.MultiplyAdd(w, a, a0);
                b0 = TSimd.MultiplyAdd(w, b, b0);
                w = TSimd.Broadcast(weights[BlockTokens + t]);
                a1 = TSimd.MultiplyAdd(w, a, a1);
                b1 = TSimd.MultiplyAdd(w, b, b1);
                w = TSimd.Broadcast(weights[(2 * BlockTokens) + t]);
                a2 = TSimd.MultiplyAdd(w, a, a2);
                b2 = TSimd.MultiplyAdd(w, b, b2);
                w = TSimd.Broadcast(weights[(3 * BlockTokens) + t]);
                a3 = TSimd.MultiplyAdd(w, a, a3);
                b3 = TSimd.MultiplyAdd(w, b, b3);
            }

            TSimd.Store(a0, o);
            TSimd.Store(b0, o + TSimd.Width);
            TSimd.Store(a1, o + size);
            TSimd.Store(b1, o + size + TSimd.Width);
            TSimd.Store(a2, o + (2 * size));
            TSimd.Store(b2, o + (2 * size) + TSimd.Width);
            TSimd.Store(a3, o + (3 * size));
            TSimd.Store(b3, o + (3 * size) + TSimd.Width);
        }
    }

    // Two steps at a time, so that a weight is broadcast and a row's address read half as often.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x2<TElement>(float* weights, byte** values, int count, byte** ahead, long offset, int size, float* o)
        where TElement : struct, ICacheElement
    {
        TVector a0 = TSimd.Load(o);
        TVector b0 = TSimd.Load(o + TSimd.Width);
        TVector c0 = TSimd.Load(o + (2 * TSimd.Width));
        TVector d0 = TSimd.Load(o + (3 * TSimd.Width));
        TVector a1 = TSimd.Load(o + size);
        TVector b1 = TSimd.Load(o + size + TSimd.Width);
        TVector c1 = TSimd.Load(o + size + (2 * TSimd.Width));
        TVector d1 = TSimd.Load(o + size + (3 * TSimd.Width));
        TVector a2 = TSimd.Load(o + (2 * size));
        TVector b2 = TSimd.Load(o + (2 * size) + TSimd.Width);
        TVector c2 = TSimd.Load(o + (2 * size) + (2 * TSimd.Width));
        TVector d2 = TSimd.Load(o + (2 * size) + (3 * TSimd.Width));
        TVector a3 = TSimd.Load(o + (3 * size));
        TVector b3 = TSimd.Load(o + (3 * size) + TSimd.Width);
        TVector c3 = TSimd.Load(o + (3 * size) + (2 * TSimd.Width));
        TVector d3 = TSimd.Load(o + (3 * size) + (3 * TSimd.Width));
        for (int t = 0; t < count; t++)
        {
            FetchStep<TElement>(ahead[t] + offset);
            FetchStep<TElement>(ahead[t] + offset + (Step * TElement.Size));
            byte* value = values[t] + offset;
            TVector a = TElement.LoadFirst<TSimd, TVector>(value);
            TVector b = TElement.LoadSecond<TSimd, TVector>(value);
            TVector c = TElement.LoadFirst<TSimd, TVector>(value + (Step * TElement.Size));
            TVector d = TElement.LoadSecond<TSimd, TVector>(value + (Step * TElement.Size));
            float* weight = weights + t;
            TVector w = TSimd.Broadcast(*weight);
            a0 = TSimd.MultiplyAdd(w, a, a0);
            b0 = TSimd.MultiplyAdd(w, b, b0);
            c0 = TSimd.MultiplyAdd(w, c, c0);
            d0 = TSimd.MultiplyAdd(w, d, d0);
            w = TSimd.Broadcast(weight[BlockTokens]);
            a1 = TSimd.MultiplyAdd(w, a, a1);
            b1 = TSimd.MultiplyAdd(w, b, b1);
            c1 = TSimd.MultiplyAdd(w, c, c1);
            d1 = TSimd.MultiplyAdd(w, d, d1);
            w = TSimd.Broadcast(weight[2 * BlockTokens]);
            a2 = TSimd.MultiplyAdd(w, a, a2);
            b2 = TSimd.MultiplyAdd(w, b, b2);
            c2 = TSimd.MultiplyAdd(w, c, c2);
            d2 = TSimd.MultiplyAdd(w, d, d2);
            w = TSimd.Broadcast(weight[3 * BlockTokens]);
            a3 = TSimd.MultiplyAdd(w, a, a3);
            b3 = TSimd.MultiplyAdd(w, b, b3);
            c3 = TSimd.MultiplyAdd(w, c, c3);
            d3 = TSimd.MultiplyAdd(w, d, d3);
        }

        TSimd.Store(a0, o);
        TSimd.Store(b0, o + TSimd.Width);
        TSimd.Store(c0, o + (2 * TSimd.Width));
        TSimd.Store(d0, o + (3 * TSimd.Width));
        TSimd.Store(a1, o + size);
        TSimd.Store(b1, o + size + TSimd.Width);
        TSimd.Store(c1, o + size + (2 * TSimd.Width));
        TSimd.Store(d1, o + size + (3 * TSimd.Width));
        TSimd.Store(a2, o + (2 * size));
        TSimd.Store(b2, o + (2 * size) + TSimd.Width);
        TSimd.Store(c2, o + (2 * size) + (2 * TSimd.Width));
        TSimd.Store(d2, o + (2 * size) + (3 * TSimd.Width));
        TSimd.Store(a3, o + (3 * size));
        TSimd.Store(b3, o + (3 * size) + TSimd.Width);
        TSimd.Store(c3, o + (3 * size) + (2 * TSimd.Width));
        TSimd.Store(d3, o + (3 * size) + (3 * TSimd.Width));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate1<TElement>(float* weights, byte** values, int count, byte** ahead, int padded, float* sums)
        where TElement : struct, ICacheElement
    {
        for (int d = 0; d < padded; d += Step)
        {
            long offset = (long)d * TElement.Size;
            TVector a0 = TSimd.Load(sums + d);
            TVector b0 = TSimd.Load(sums + d + TSimd.Width);
            for (int t = 0; t < count; t++)
            {
                FetchStep<TElement>(ahead[t] + offset);
                TVector w = TSimd.Broadcast(weights[t]);
                a0 = TSimd.MultiplyAdd(w, TElement.LoadFirst<TSimd, TVector>(values[t] + offset), a0);
                b0 = TSimd.MultiplyAdd(w, TElement.LoadSecond<TSimd, TVector>(values[t] + offset), b0);
            }

            TSimd.Store(a0, sums + d);
            TSimd.Store(b0, sums + d + TSimd.Width);
        }
    }

    // Asks for a step of a row into the second-level cache, because the first has too few requests in flight. These are spread over the
    // multiply-adds: a burst of them stops everything until the first are answered.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchStep<TElement>(byte* source)
        where TElement : struct, ICacheElement
    {
        for (int i = 0; Sse.IsSupported && i < Step * TElement.Size; i += 64)
        {
            Sse.Prefetch1(source + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Combine<TElement>(float* partials, int splits, long splitStride, int padded, int dimension, float* output)
        where TElement : struct, ICacheElement
    {
        float* combined = ThreadScratch.Rent(splits + padded + TSimd.Width);
        float* factors = combined + padded + TSimd.Width;
        float maximum = PrefillTiles<TSimd, TVector>.Masked;
        for (int s = 0; s < splits; s++)
        {
            maximum = MathF.Max(maximum, partials[(s * splitStride) + padded]);
        }

        float sum = 0;
        for (int s = 0; s < splits; s++)
        {
            TSimd.Store(SimdMath<TSimd, TVector>.Exp2(TSimd.Broadcast(partials[(s * splitStride) + padded] - maximum)), combined);
            factors[s] = combined[0];
            sum += factors[s] * partials[(s * splitStride) + padded + 1];
        }

        TVector divisor = TSimd.Broadcast(splits == 0 ? 1 : sum);
        for (int d = 0; d < padded; d += TSimd.Width)
        {
            TVector lanes = TSimd.Broadcast(0);
            for (int s = 0; s < splits; s++)
            {
                lanes = TSimd.MultiplyAdd(TSimd.Broadcast(factors[s]), TSimd.Load(partials + (s * splitStride) + d), lanes);
            }

            TSimd.Store(TSimd.Divide(lanes, divisor), combined + d);
        }

        TElement.Restore(combined, output, dimension, TSimd.Width);
    }

    /// <summary>The addresses of up to <see cref="SplitTokens"/> tokens of a list, block by block.</summary>
    private ref struct TokenList
    {
        private readonly LayerCache _cache;
        private readonly ReadOnlySpan<KeyRange> _ranges;
        private readonly int _prompt;
        private readonly byte* _promptKeys;
        private readonly byte* _promptValues;
        private readonly byte* _generatedKeys;
        private readonly byte* _generatedValues;
        private int _range;
        private int _offset;
        private int _left = SplitTokens;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public TokenList(LayerCache cache, int kvHead, ReadOnlySpan<KeyRange> ranges, int skip)
        {
            _cache = cache;
            _ranges = ranges;
            _prompt = cache.Prompt.Lengths[kvHead];
            _promptKeys = cache.Prompt.Key(kvHead, 0);
            _promptValues = cache.Prompt.Value(kvHead, 0);
            _generatedKeys = cache.Generated.Key(kvHead, 0);
            _generatedValues = cache.Generated.Value(kvHead, 0);
            for (; _range < ranges.Length && skip >= ranges[_range].Length; _range++)
            {
                skip -= ranges[_range].Length;
            }

            _offset = skip;
        }

        /// <summary>Writes the addresses of the next tokens, the last repeated to the block's end. Returns how many there are.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Next(byte** keys, byte** values)
        {
            int most = Math.Min(BlockTokens, _left);
            int count = 0;
            long row = _cache.Prompt.RowBytes;
            while (count < most && _range < _ranges.Length)
            {
                int start = _ranges[_range].Start + _offset;
                int end = Math.Min(_ranges[_range].End, start + most - count);
                bool generated = start >= _prompt;
                end = generated ? end : Math.Min(end, _prompt);
                long first = (generated ? start - _prompt : start) * row;
                byte* key = (generated ? _generatedKeys : _promptKeys) + first;
                byte* value = (generated ? _generatedValues : _promptValues) + first;
                for (int token = start; token < end; token++)
                {
                    keys[count] = key;
                    values[count++] = value;
                    key += row;
                    value += row;
                }

                _offset += end - start;
                if (end == _ranges[_range].End)
                {
                    _range++;
                    _offset = 0;
                }
            }

            for (int t = count; t < BlockTokens && count > 0; t++)
            {
                keys[t] = keys[count - 1];
                values[t] = values[count - 1];
            }

            _left -= count;
            return count;
        }

        /// <summary>Replaces rows by copies in float32 that zeros fill up.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Copy(byte** rows, float* target, int padded)
        {
            int dimension = _cache.Prompt.Dimension;
            bool isRounded = _cache.Prompt.DataType == DataType.BF16;
            for (int t = 0; t < BlockTokens; t++)
            {
                float* copy = target + (t * padded);
                for (int d = 0; d < dimension; d++)
                {
                    copy[d] = isRounded ? BFloat16CacheElement.LoadScalar(rows[t] + (2 * d)) : ((float*)rows[t])[d];
                }

                new Span<float>(copy + dimension, padded - dimension).Clear();
                rows[t] = (byte*)copy;
            }
        }
    }
}
