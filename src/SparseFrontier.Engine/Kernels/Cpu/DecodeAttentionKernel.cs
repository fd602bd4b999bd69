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
/// The tokens of a list are split into runs of 480, in the order of the list, and a task takes several of them. A run goes block by block of at
/// most 48 tokens: scores, weights with the maximum so far, weighted sum of values, so that a block's values are asked for while its keys are
/// multiplied, and the next block's keys, of the next run too, while the values are. Blocks are short enough for the processor's first cache to
/// hold both: a line that is there already does not wait behind those that are still to come from memory. The runs' maxima, sums and weighted
/// sums are combined in ascending order by the thread that ends the list's last task; the caller takes tasks from the front and other threads
/// from the back, so that most of what it combines is its own. Neither runs nor blocks depend on threads or on where the cache's segments meet.
/// Queries and sums lie in the cache type's own order; see <see cref="ICacheElement"/>.
/// </remarks>
internal static unsafe class DecodeAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int SplitTokens = 480;

    // The most tokens of a block, and their distance from one query head's scores to the next.
    private const int BlockTokens = 48;

    // Keys of a block, so that those of two blocks fill no more than three quarters of a first cache of 32 KiB. Heads of more than 128 elements in float32 exceed it.
    private const int BlockBytes = 12 << 10;

    // Memory whose address the processor translates at once, at least.
    private const int TranslatedBytes = 4096;

    // The maximum of no scores.
    private const float NoScore = float.MinValue;

    // A partial result: by query head the weighted sum of values, then the maximum and the sum of weights, in a cache line of their own.
    private const int StateFloats = 16;

    // Fewer tasks would leave threads idle in the end; more begin more often with keys that were not asked for ahead.
    private const int TasksPerThread = 8;

    // Multiply-adds below which handing tasks out costs more than it saves.
    private const long ParallelWork = 1 << 17;

    private const float Log2E = 1.44269504f;

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
        int[] firstRun = new int[groups + 1];
        long tokens = 0;
        for (int g = 0; g < groups; g++)
        {
            int count = selection is null ? cache.Length(g * kvHeads / groups) : CountTokens(selection.ForQueryHead(g * groupHeads, queryHeads));
            firstRun[g + 1] = firstRun[g] + ((count + SplitTokens - 1) / SplitTokens);
            tokens += count;
        }

        int[] firstTask = new int[groups + 1];
        int[] left = new int[groups];
        int taskRuns = Math.Max(1, firstRun[groups] / (TasksPerThread * WorkerPool.ThreadCount));
        for (int g = 0; g < groups; g++)
        {
            left[g] = (firstRun[g + 1] - firstRun[g] + taskRuns - 1) / taskRuns;
            firstTask[g + 1] = firstTask[g] + left[g];
        }

        float* ordered = ThreadScratch.RentShared(((long)queryHeads * padded) + ((long)firstRun[groups] * groupHeads * partialSize));
        float* partials = ordered + ((long)queryHeads * padded);
        OrderQueries<TElement>(queries, queryHeads, dimension, padded, scale * Log2E, ordered);
        if (tokens * groupHeads * dimension * 2 < ParallelWork)
        {
            for (int task = 0; task < firstTask[groups]; task++)
            {
                RunTask(task);
            }
        }
        else
        {
            int caller = Environment.CurrentManagedThreadId;
            int front = -1;
            int back = firstTask[groups];
            WorkerPool.For(
                firstTask[groups],
                _ => RunTask(Environment.CurrentManagedThreadId == caller ? Interlocked.Increment(ref front) : Interlocked.Decrement(ref back)));
        }

        for (int g = 0; g < groups; g++)
        {
            if (firstTask[g + 1] == firstTask[g])
            {
                CombineGroup(g);
            }
        }

        void CombineGroup(int g)
        {
            float* first = partials + ((long)firstRun[g] * groupHeads * partialSize);
            for (int h = 0; h < groupHeads; h++)
            {
                float* target = output + ((((long)g * groupHeads) + h) * dimension);
                Combine<TElement>(first + ((long)h * partialSize), firstRun[g + 1] - firstRun[g], (long)groupHeads * partialSize, padded, dimension, target);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        void RunTask(int task)
        {
            int group = 0;
            while (firstTask[group + 1] <= task)
            {
                group++;
            }

            // The group's runs in even shares.
            int runs = firstRun[group + 1] - firstRun[group];
            int tasks = firstTask[group + 1] - firstTask[group];
            int share = task - firstTask[group];
            int run = (int)((long)runs * share / tasks);
            int end = (int)(runs * (share + 1L) / tasks);
            int kvHead = group * kvHeads / groups;
            ReadOnlySpan<KeyRange> ranges = selection is null
                ? [new KeyRange(0, cache.Length(kvHead))]
                : selection.ForQueryHead(group * groupHeads, queryHeads);
            AttendRuns<TElement>(
                ordered + ((long)group * groupHeads * padded),
                groupHeads,
                new TokenList(cache, kvHead, ranges, run * SplitTokens, (end - run) * SplitTokens),
                copy,
                padded,
                partials + ((long)(firstRun[group] + run) * groupHeads * partialSize));
            if (Interlocked.Decrement(ref left[group]) == 0)
            {
                CombineGroup(group);
            }
        }
    }

    /// <summary>Attends list by list, each a task of its own that first has the list written; with the bits that all lists together would give.</summary>
    public static void Run(float* queries, int queryHeads, LayerCache cache, DecodeSelection selection, Action<int> choose, float scale, float* output)
    {
        bool copy = cache.Prompt.Dimension % Step != 0;
        bool single = copy || cache.Prompt.DataType == DataType.F32;
        WorkerPool.For(selection.Lists.Length, list =>
        {
            choose(list);
            if (single)
            {
                AttendList<SingleCacheElement>(queries, queryHeads, cache, selection, list, scale, copy, output);
            }
            else
            {
                AttendList<BFloat16CacheElement>(queries, queryHeads, cache, selection, list, scale, copy, output);
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendList<TElement>(
        float* queries, int queryHeads, LayerCache cache, DecodeSelection selection, int list, float scale, bool copy, float* output)
        where TElement : struct, ICacheElement
    {
        int dimension = cache.Prompt.Dimension;
        int heads = queryHeads / selection.Lists.Length;
        int padded = (dimension + Step - 1) / Step * Step;
        int partialSize = padded + StateFloats;
        KeyRange[] ranges = selection.Lists[list];
        int runs = (CountTokens(ranges) + SplitTokens - 1) / SplitTokens;
        float* ordered = ThreadScratch.RentShared(((long)heads * padded) + ((long)runs * heads * partialSize));
        float* partials = ordered + ((long)heads * padded);
        long first = (long)list * heads * dimension;
        OrderQueries<TElement>(queries + first, heads, dimension, padded, scale * Log2E, ordered);
        int kvHead = list * cache.Prompt.Heads / selection.Lists.Length;
        AttendRuns<TElement>(ordered, heads, new TokenList(cache, kvHead, ranges, 0, runs * SplitTokens), copy, padded, partials);
        for (int h = 0; h < heads; h++)
        {
            Combine<TElement>(partials + ((long)h * partialSize), runs, (long)heads * partialSize, padded, dimension, output + first + ((long)h * dimension));
        }
    }

    // A divisor of a run, and a multiple of the tokens that are scored at a time and of the vector's lanes.
    private static int BlockLength(int rowBytes) => BlockTokens * rowBytes <= BlockBytes ? BlockTokens : TSimd.Width > 8 ? 16 : 24;

    private static int CountTokens(KeyRange[] ranges)
    {
        int count = 0;
        foreach (KeyRange range in ranges)
        {
            count += range.Length;
        }

        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OrderQueries<TElement>(float* queries, int heads, int dimension, int padded, float scale, float* ordered)
        where TElement : struct, ICacheElement
    {
        for (int h = 0; h < heads; h++)
        {
            float* target = ordered + ((long)h * padded);
            TElement.Order(queries + ((long)h * dimension), target, dimension, TSimd.Width);
            int d = 0;
            for (; d + TSimd.Width <= dimension; d += TSimd.Width)
            {
                TSimd.Store(TSimd.Multiply(TSimd.Load(target + d), TSimd.Broadcast(scale)), target + d);
            }

            for (; d < padded; d++)
            {
                target[d] = d < dimension ? target[d] * scale : 0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AttendRuns<TElement>(float* queries, int heads, TokenList list, bool copy, int padded, float* partials)
        where TElement : struct, ICacheElement
    {
        int length = copy ? BlockTokens : BlockLength(padded * TElement.Size);
        int runBlocks = SplitTokens / length;
        TokenList translated = list;
        float* scores = ThreadScratch.Rent((heads * BlockTokens) + (copy ? 4L * BlockTokens * padded : 0));
        float* copies = scores + (heads * BlockTokens);

        // Of two blocks in turn; the one address more is read, though nothing at it, where the last row has been asked for.
        byte** keys = stackalloc byte*[(4 * BlockTokens) + 1];
        byte** values = keys + (2 * BlockTokens);
        keys[4 * BlockTokens] = null;
        translated.Translate(SplitTokens);
        int count = List(0, ref list);
        for (int t = 0; t < count; t++)
        {
            Fetch(keys[t], padded * TElement.Size);
        }

        for (int current = 0, block = 0; count > 0; current = BlockTokens - current, block++)
        {
            float* partial = partials + ((long)(block / runBlocks) * heads * (padded + StateFloats));
            if (block % runBlocks == 0)
            {
                Begin(partial, heads, padded);
                translated.Translate(SplitTokens);
            }

            int next = BlockTokens - current;
            int nextCount = List(next, ref list);
            Score<TElement>(queries, heads, keys + current, count, copy ? null : values + current, padded, scores);
            Weigh(scores, heads, count, length, partial, padded);
            Accumulate<TElement>(scores, heads, values + current, count, copy || nextCount == 0 ? null : keys + next, padded, partial);
            count = nextCount;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        int List(int first, ref TokenList tokens)
        {
            int listed = tokens.Next(length, keys + first, values + first);
            if (copy && listed > 0)
            {
                tokens.Copy(keys + first, copies + (2L * first * padded), padded);
                tokens.Copy(values + first, copies + (((2L * first) + BlockTokens) * padded), padded);
            }

            return listed;
        }
    }

    private static void Fetch(byte* row, int bytes)
    {
        for (int i = 0; Sse.IsSupported && i < bytes; i += 64)
        {
            Sse.Prefetch0(row + i);
        }
    }

    // The partial results of a run without tokens.
    private static void Begin(float* partial, int heads, int padded)
    {
        for (int h = 0; h < heads; h++)
        {
            new Span<float>(partial, padded + StateFloats).Clear();
            partial[padded] = NoScore;
            partial += padded + StateFloats;
        }
    }

    // scores[h, t] = q_h · k_t, while the rows ahead are asked for, if any. Rows beyond the count repeat the last one, so that there are always
    // as many as are multiplied at a time.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Score<TElement>(float* queries, int heads, byte** keys, int count, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        for (int h = 0; h < heads;)
        {
            float* query = queries + ((long)h * padded);
            float* target = scores + (h * BlockTokens);
            if (h + 4 <= heads && TSimd.HasManyRegisters)
            {
                Score4x4<TElement>(query, keys, count, ahead, padded, target);
                h += 4;
            }
            else if (h + 4 <= heads)
            {
                Score4x3<TElement>(query, keys, count, ahead, padded, target);
                h += 4;
            }
            else if (h + 2 <= heads)
            {
                Score2x4<TElement>(query, keys, count, ahead, padded, target);
                h += 2;
            }
            else
            {
                Score1x4<TElement>(query, keys, count, ahead, padded, target);
                h++;
            }

            ahead = null;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score4x4<TElement>(float* queries, byte** keys, int count, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        TVector zero = TSimd.Broadcast(0);
        var fetcher = new RowFetcher(ahead, padded * TElement.Size);
        float* q1 = queries + padded;
        float* q2 = q1 + padded;
        float* q3 = q2 + padded;
        for (int t = 0; t < count; t += 4)
        {
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
            byte* x0 = keys[t];
            byte* x1 = keys[t + 1];
            byte* x2 = keys[t + 2];
            byte* x3 = keys[t + 3];
            for (long d = 0; d < padded; d += Step)
            {
                long offset = d * TElement.Size;
                if (ahead != null && (offset & 63) == 0)
                {
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                }

                TVector k0 = TElement.LoadFirst<TSimd, TVector>(x0 + offset);
                TVector k1 = TElement.LoadFirst<TSimd, TVector>(x1 + offset);
                TVector k2 = TElement.LoadFirst<TSimd, TVector>(x2 + offset);
                TVector k3 = TElement.LoadFirst<TSimd, TVector>(x3 + offset);
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
                k0 = TElement.LoadSecond<TSimd, TVector>(x0 + offset);
                k1 = TElement.LoadSecond<TSimd, TVector>(x1 + offset);
                k2 = TElement.LoadSecond<TSimd, TVector>(x2 + offset);
                k3 = TElement.LoadSecond<TSimd, TVector>(x3 + offset);
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

            TSimd.Sum(s00, s01, s02, s03).Store(scores + t);
            TSimd.Sum(s10, s11, s12, s13).Store(scores + BlockTokens + t);
            TSimd.Sum(s20, s21, s22, s23).Store(scores + (2 * BlockTokens) + t);
            TSimd.Sum(s30, s31, s32, s33).Store(scores + (3 * BlockTokens) + t);
        }
    }

    // 12 sums, three keys and a query fill 16 registers, and hide the latency of a multiply-add, which 8 sums only just do.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score4x3<TElement>(float* queries, byte** keys, int count, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        TVector zero = TSimd.Broadcast(0);
        var fetcher = new RowFetcher(ahead, padded * TElement.Size);
        float* q1 = queries + padded;
        float* q2 = q1 + padded;
        float* q3 = q2 + padded;
        for (int t = 0; t < count; t += 3)
        {
            TVector s00 = zero;
            TVector s01 = zero;
            TVector s02 = zero;
            TVector s10 = zero;
            TVector s11 = zero;
            TVector s12 = zero;
            TVector s20 = zero;
            TVector s21 = zero;
            TVector s22 = zero;
            TVector s30 = zero;
            TVector s31 = zero;
            TVector s32 = zero;
            byte* x0 = keys[t];
            byte* x1 = keys[t + 1];
            byte* x2 = keys[t + 2];
            for (long d = 0; d < padded; d += Step)
            {
                long offset = d * TElement.Size;
                if (ahead != null && (offset & 63) == 0)
                {
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                }

                TVector k0 = TElement.LoadFirst<TSimd, TVector>(x0 + offset);
                TVector k1 = TElement.LoadFirst<TSimd, TVector>(x1 + offset);
                TVector k2 = TElement.LoadFirst<TSimd, TVector>(x2 + offset);
                TVector q = TSimd.Load(queries + d);
                s00 = TSimd.MultiplyAdd(q, k0, s00);
                s01 = TSimd.MultiplyAdd(q, k1, s01);
                s02 = TSimd.MultiplyAdd(q, k2, s02);
                q = TSimd.Load(q1 + d);
                s10 = TSimd.MultiplyAdd(q, k0, s10);
                s11 = TSimd.MultiplyAdd(q, k1, s11);
                s12 = TSimd.MultiplyAdd(q, k2, s12);
                q = TSimd.Load(q2 + d);
                s20 = TSimd.MultiplyAdd(q, k0, s20);
                s21 = TSimd.MultiplyAdd(q, k1, s21);
                s22 = TSimd.MultiplyAdd(q, k2, s22);
                q = TSimd.Load(q3 + d);
                s30 = TSimd.MultiplyAdd(q, k0, s30);
                s31 = TSimd.MultiplyAdd(q, k1, s31);
                s32 = TSimd.MultiplyAdd(q, k2, s32);
                k0 = TElement.LoadSecond<TSimd, TVector>(x0 + offset);
                k1 = TElement.LoadSecond<TSimd, TVector>(x1 + offset);
                k2 = TElement.LoadSecond<TSimd, TVector>(x2 + offset);
                q = TSimd.Load(queries + d + TSimd.Width);
                s00 = TSimd.MultiplyAdd(q, k0, s00);
                s01 = TSimd.MultiplyAdd(q, k1, s01);
                s02 = TSimd.MultiplyAdd(q, k2, s02);
                q = TSimd.Load(q1 + d + TSimd.Width);
                s10 = TSimd.MultiplyAdd(q, k0, s10);
                s11 = TSimd.MultiplyAdd(q, k1, s11);
                s12 = TSimd.MultiplyAdd(q, k2, s12);
                q = TSimd.Load(q2 + d + TSimd.Width);
                s20 = TSimd.MultiplyAdd(q, k0, s20);
                s21 = TSimd.MultiplyAdd(q, k1, s21);
                s22 = TSimd.MultiplyAdd(q, k2, s22);
                q = TSimd.Load(q3 + d + TSimd.Width);
                s30 = TSimd.MultiplyAdd(q, k0, s30);
                s31 = TSimd.MultiplyAdd(q, k1, s31);
                s32 = TSimd.MultiplyAdd(q, k2, s32);
            }

            // By token the sums of the heads.
            Vector128<float> sums0 = TSimd.Sum(s00, s10, s20, s30);
            Vector128<float> sums1 = TSimd.Sum(s01, s11, s21, s31);
            Vector128<float> sums2 = TSimd.Sum(s02, s12, s22, s32);
            float* target = scores + t;
            target[0] = sums0[0];
            target[1] = sums1[0];
            target[2] = sums2[0];
            target[BlockTokens] = sums0[1];
            target[BlockTokens + 1] = sums1[1];
            target[BlockTokens + 2] = sums2[1];
            target[2 * BlockTokens] = sums0[2];
            target[(2 * BlockTokens) + 1] = sums1[2];
            target[(2 * BlockTokens) + 2] = sums2[2];
            target[3 * BlockTokens] = sums0[3];
            target[(3 * BlockTokens) + 1] = sums1[3];
            target[(3 * BlockTokens) + 2] = sums2[3];
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score2x4<TElement>(float* queries, byte** keys, int count, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        TVector zero = TSimd.Broadcast(0);
        var fetcher = new RowFetcher(ahead, padded * TElement.Size);
        float* q1 = queries + padded;
        for (int t = 0; t < count; t += 4)
        {
            TVector s00 = zero;
            TVector s01 = zero;
            TVector s02 = zero;
            TVector s03 = zero;
            TVector s10 = zero;
            TVector s11 = zero;
            TVector s12 = zero;
            TVector s13 = zero;
            byte* x0 = keys[t];
            byte* x1 = keys[t + 1];
            byte* x2 = keys[t + 2];
            byte* x3 = keys[t + 3];
            for (long d = 0; d < padded; d += Step)
            {
                long offset = d * TElement.Size;
                if (ahead != null && (offset & 63) == 0)
                {
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                }

                TVector k0 = TElement.LoadFirst<TSimd, TVector>(x0 + offset);
                TVector k1 = TElement.LoadFirst<TSimd, TVector>(x1 + offset);
                TVector k2 = TElement.LoadFirst<TSimd, TVector>(x2 + offset);
                TVector k3 = TElement.LoadFirst<TSimd, TVector>(x3 + offset);
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
                k0 = TElement.LoadSecond<TSimd, TVector>(x0 + offset);
                k1 = TElement.LoadSecond<TSimd, TVector>(x1 + offset);
                k2 = TElement.LoadSecond<TSimd, TVector>(x2 + offset);
                k3 = TElement.LoadSecond<TSimd, TVector>(x3 + offset);
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
            }

            TSimd.Sum(s00, s01, s02, s03).Store(scores + t);
            TSimd.Sum(s10, s11, s12, s13).Store(scores + BlockTokens + t);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score1x4<TElement>(float* queries, byte** keys, int count, byte** ahead, int padded, float* scores)
        where TElement : struct, ICacheElement
    {
        TVector zero = TSimd.Broadcast(0);
        var fetcher = new RowFetcher(ahead, padded * TElement.Size);
        for (int t = 0; t < count; t += 4)
        {
            TVector s00 = zero;
            TVector s01 = zero;
            TVector s02 = zero;
            TVector s03 = zero;
            byte* x0 = keys[t];
            byte* x1 = keys[t + 1];
            byte* x2 = keys[t + 2];
            byte* x3 = keys[t + 3];
            for (long d = 0; d < padded; d += Step)
            {
                long offset = d * TElement.Size;
                if (ahead != null && (offset & 63) == 0)
                {
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                    fetcher.Next<TElement>();
                }

                TVector k0 = TElement.LoadFirst<TSimd, TVector>(x0 + offset);
                TVector k1 = TElement.LoadFirst<TSimd, TVector>(x1 + offset);
                TVector k2 = TElement.LoadFirst<TSimd, TVector>(x2 + offset);
                TVector k3 = TElement.LoadFirst<TSimd, TVector>(x3 + offset);
                TVector q = TSimd.Load(queries + d);
                s00 = TSimd.MultiplyAdd(q, k0, s00);
                s01 = TSimd.MultiplyAdd(q, k1, s01);
                s02 = TSimd.MultiplyAdd(q, k2, s02);
                s03 = TSimd.MultiplyAdd(q, k3, s03);
                k0 = TElement.LoadSecond<TSimd, TVector>(x0 + offset);
                k1 = TElement.LoadSecond<TSimd, TVector>(x1 + offset);
                k2 = TElement.LoadSecond<TSimd, TVector>(x2 + offset);
                k3 = TElement.LoadSecond<TSimd, TVector>(x3 + offset);
                q = TSimd.Load(queries + d + TSimd.Width);
                s00 = TSimd.MultiplyAdd(q, k0, s00);
                s01 = TSimd.MultiplyAdd(q, k1, s01);
                s02 = TSimd.MultiplyAdd(q, k2, s02);
                s03 = TSimd.MultiplyAdd(q, k3, s03);
            }

            TSimd.Sum(s00, s01, s02, s03).Store(scores + t);
        }
    }

    // Scores become weights 2^(score - maximum so far); a new maximum scales what was summed before.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Weigh(float* scores, int heads, int count, int length, float* partial, int padded)
    {
        for (int h = 0; h < heads; h++)
        {
            float* state = partial + padded;

            // Behind the last score copies of it, which do not change the maximum.
            new Span<float>(scores + count, length - count).Fill(scores[count - 1]);
            TVector maxima = TSimd.Load(scores);
            for (int t = TSimd.Width; t < length; t += TSimd.Width)
            {
                maxima = TSimd.Max(maxima, TSimd.Load(scores + t));
            }

            float maximum = TSimd.Maximum(maxima);
            if (maximum > state[0])
            {
                TVector factor = SimdMath<TSimd, TVector>.Weight(TSimd.Broadcast(state[0] - maximum));
                for (int d = 0; d < padded; d += TSimd.Width)
                {
                    TSimd.Store(TSimd.Multiply(TSimd.Load(partial + d), factor), partial + d);
                }

                state[0] = maximum;
                state[1] *= TSimd.Maximum(factor);
            }

            maxima = TSimd.Broadcast(state[0]);
            TVector sums = TSimd.Broadcast(0);
            for (int t = 0; t < length; t += TSimd.Width)
            {
                TVector weight = SimdMath<TSimd, TVector>.Weight(TSimd.Subtract(TSimd.Load(scores + t), maxima));
                TSimd.Store(weight, scores + t);
                sums = TSimd.Add(sums, weight);
            }

            if (count < length)
            {
                // The copies weigh nothing.
                new Span<float>(scores + count, length - count).Clear();
                sums = TSimd.Broadcast(0);
                for (int t = 0; t < length; t += TSimd.Width)
                {
                    sums = TSimd.Add(sums, TSimd.Load(scores + t));
                }
            }

            state[1] += TSimd.Sum(sums);
            scores += BlockTokens;
            partial += padded + StateFloats;
        }
    }

    // sums[h] += Σ_t weights[h, t] v_t, while the rows ahead are asked for, if any.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate<TElement>(float* weights, int heads, byte** values, int count, byte** ahead, int padded, float* sums)
        where TElement : struct, ICacheElement
    {
        int size = padded + StateFloats;
        var rows = new RowFetcher(ahead, padded * TElement.Size);
        int h = 0;
        for (; h + 4 <= heads; h += 4)
        {
            int d = 0;
            for (; TSimd.HasManyRegisters && d + (2 * Step) <= padded; d += 2 * Step)
            {
                Accumulate4x4<TElement>(weights, values, count, (long)d * TElement.Size, ref rows, size, sums + d);
            }

            for (; d < padded; d += Step)
            {
                Accumulate4x2<TElement>(weights, values, count, (long)d * TElement.Size, ref rows, size, sums + d);
            }

            weights += 4 * BlockTokens;
            sums += 4 * size;
            rows = default;
        }

        for (; h + 2 <= heads; h += 2)
        {
            int d = 0;
            for (; d + (2 * Step) <= padded; d += 2 * Step)
            {
                Accumulate2x4<TElement>(weights, values, count, (long)d * TElement.Size, ref rows, size, sums + d);
            }

            for (; d < padded; d += Step)
            {
                Accumulate1x2<TElement>(weights, values, count, (long)d * TElement.Size, ref rows, sums + d);
                RowFetcher none = default;
                Accumulate1x2<TElement>(weights + BlockTokens, values, count, (long)d * TElement.Size, ref none, sums + size + d);
            }

            weights += 2 * BlockTokens;
            sums += 2 * size;
            rows = default;
        }

        for (; h < heads; h++)
        {
            for (int d = 0; d < padded; d += Step)
            {
                Accumulate1x2<TElement>(weights, values, count, (long)d * TElement.Size, ref rows, sums + d);
            }

            weights += BlockTokens;
            sums += size;
            rows = default;
        }
    }

    // Two steps at a time, so that a weight is broadcast and a row's address read half as often.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x4<TElement>(
        float* weights, byte** values, int count, long offset, ref RowFetcher rows, int size, float* o)
        where TElement : struct, ICacheElement
    {
        RowFetcher fetcher = rows;
        bool fetch = fetcher.HasRows && (offset & 63) == 0;
        bool fetchSecond = fetcher.HasRows && ((offset + (Step * TElement.Size)) & 63) == 0;
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
        for (long t = 0; t < count; t++)
        {
            if (fetch)
            {
                fetcher.Next<TElement>();
            }

            if (fetchSecond)
            {
                fetcher.Next<TElement>();
            }

            byte* value = values[t] + offset;
            TVector a = TElement.LoadFirst<TSimd, TVector>(value);
            TVector b = TElement.LoadSecond<TSimd, TVector>(value);
            TVector c = TElement.LoadFirst<TSimd, TVector>(value + (Step * TElement.Size));
            TVector d = TElement.LoadSecond<TSimd, TVector>(value + (Step * TElement.Size));
            float* weight = weights + t;
            TVector w = TSimd.Broadcast(weight);
            a0 = TSimd.MultiplyAdd(w, a, a0);
            b0 = TSimd.MultiplyAdd(w, b, b0);
            c0 = TSimd.MultiplyAdd(w, c, c0);
            d0 = TSimd.MultiplyAdd(w, d, d0);
            w = TSimd.Broadcast(weight + BlockTokens);
            a1 = TSimd.MultiplyAdd(w, a, a1);
            b1 = TSimd.MultiplyAdd(w, b, b1);
            c1 = TSimd.MultiplyAdd(w, c, c1);
            d1 = TSimd.MultiplyAdd(w, d, d1);
            w = TSimd.Broadcast(weight + (2 * BlockTokens));
            a2 = TSimd.MultiplyAdd(w, a, a2);
            b2 = TSimd.MultiplyAdd(w, b, b2);
            c2 = TSimd.MultiplyAdd(w, c, c2);
            d2 = TSimd.MultiplyAdd(w, d, d2);
            w = TSimd.Broadcast(weight + (3 * BlockTokens));
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
        rows = fetcher;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x2<TElement>(
        float* weights, byte** values, int count, long offset, ref RowFetcher rows, int size, float* o)
        where TElement : struct, ICacheElement
    {
        RowFetcher fetcher = rows;
        bool fetch = fetcher.HasRows && (offset & 63) == 0;
        TVector a0 = TSimd.Load(o);
        TVector b0 = TSimd.Load(o + TSimd.Width);
        TVector a1 = TSimd.Load(o + size);
        TVector b1 = TSimd.Load(o + size + TSimd.Width);
        TVector a2 = TSimd.Load(o + (2 * size));
        TVector b2 = TSimd.Load(o + (2 * size) + TSimd.Width);
        TVector a3 = TSimd.Load(o + (3 * size));
        TVector b3 = TSimd.Load(o + (3 * size) + TSimd.Width);
        for (long t = 0; t < count; t++)
        {
            if (fetch)
            {
                fetcher.Next<TElement>();
            }

            byte* value = values[t] + offset;
            TVector a = TElement.LoadFirst<TSimd, TVector>(value);
            TVector b = TElement.LoadSecond<TSimd, TVector>(value);
            float* weight = weights + t;
            TVector w = TSimd.Broadcast(weight);
            a0 = TSimd.MultiplyAdd(w, a, a0);
            b0 = TSimd.MultiplyAdd(w, b, b0);
            w = TSimd.Broadcast(weight + BlockTokens);
            a1 = TSimd.MultiplyAdd(w, a, a1);
            b1 = TSimd.MultiplyAdd(w, b, b1);
            w = TSimd.Broadcast(weight + (2 * BlockTokens));
            a2 = TSimd.MultiplyAdd(w, a, a2);
            b2 = TSimd.MultiplyAdd(w, b, b2);
            w = TSimd.Broadcast(weight + (3 * BlockTokens));
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
        rows = fetcher;
    }

    // Two heads alone: eight sums hide the latency of a multiply-add, the two of a head and a step do not.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate2x4<TElement>(
        float* weights, byte** values, int count, long offset, ref RowFetcher rows, int size, float* o)
        where TElement : struct, ICacheElement
    {
        RowFetcher fetcher = rows;
        bool fetch = fetcher.HasRows && (offset & 63) == 0;
        bool fetchSecond = fetcher.HasRows && ((offset + (Step * TElement.Size)) & 63) == 0;
        TVector a0 = TSimd.Load(o);
        TVector b0 = TSimd.Load(o + TSimd.Width);
        TVector c0 = TSimd.Load(o + (2 * TSimd.Width));
        TVector d0 = TSimd.Load(o + (3 * TSimd.Width));
        TVector a1 = TSimd.Load(o + size);
        TVector b1 = TSimd.Load(o + size + TSimd.Width);
        TVector c1 = TSimd.Load(o + size + (2 * TSimd.Width));
        TVector d1 = TSimd.Load(o + size + (3 * TSimd.Width));
        for (long t = 0; t < count; t++)
        {
            if (fetch)
            {
                fetcher.Next<TElement>();
            }

            if (fetchSecond)
            {
                fetcher.Next<TElement>();
            }

            byte* value = values[t] + offset;
            TVector a = TElement.LoadFirst<TSimd, TVector>(value);
            TVector b = TElement.LoadSecond<TSimd, TVector>(value);
            TVector c = TElement.LoadFirst<TSimd, TVector>(value + (Step * TElement.Size));
            TVector d = TElement.LoadSecond<TSimd, TVector>(value + (Step * TElement.Size));
            float* weight = weights + t;
            TVector w = TSimd.Broadcast(weight);
            a0 = TSimd.MultiplyAdd(w, a, a0);
            b0 = TSimd.MultiplyAdd(w, b, b0);
            c0 = TSimd.MultiplyAdd(w, c, c0);
            d0 = TSimd.MultiplyAdd(w, d, d0);
            w = TSimd.Broadcast(weight + BlockTokens);
            a1 = TSimd.MultiplyAdd(w, a, a1);
            b1 = TSimd.MultiplyAdd(w, b, b1);
            c1 = TSimd.MultiplyAdd(w, c, c1);
            d1 = TSimd.MultiplyAdd(w, d, d1);
        }

        TSimd.Store(a0, o);
        TSimd.Store(b0, o + TSimd.Width);
        TSimd.Store(c0, o + (2 * TSimd.Width));
        TSimd.Store(d0, o + (3 * TSimd.Width));
        TSimd.Store(a1, o + size);
        TSimd.Store(b1, o + size + TSimd.Width);
        TSimd.Store(c1, o + size + (2 * TSimd.Width));
        TSimd.Store(d1, o + size + (3 * TSimd.Width));
        rows = fetcher;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate1x2<TElement>(
        float* weights, byte** values, int count, long offset, ref RowFetcher rows, float* o)
        where TElement : struct, ICacheElement
    {
        RowFetcher fetcher = rows;
        bool fetch = fetcher.HasRows && (offset & 63) == 0;
        TVector a0 = TSimd.Load(o);
        TVector b0 = TSimd.Load(o + TSimd.Width);
        for (long t = 0; t < count; t++)
        {
            if (fetch)
            {
                fetcher.Next<TElement>();
            }

            byte* value = values[t] + offset;
            TVector a = TElement.LoadFirst<TSimd, TVector>(value);
            TVector b = TElement.LoadSecond<TSimd, TVector>(value);
            TVector w = TSimd.Broadcast(weights + t);
            a0 = TSimd.MultiplyAdd(w, a, a0);
            b0 = TSimd.MultiplyAdd(w, b, b0);
        }

        TSimd.Store(a0, o);
        TSimd.Store(b0, o + TSimd.Width);
        rows = fetcher;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Combine<TElement>(float* partials, int splits, long splitStride, int padded, int dimension, float* output)
        where TElement : struct, ICacheElement
    {
        float* combined = ThreadScratch.Rent(splits + padded + TSimd.Width);
        float* factors = combined + padded + TSimd.Width;
        float maximum = NoScore;
        for (int s = 0; s < splits; s++)
        {
            maximum = MathF.Max(maximum, partials[(s * splitStride) + padded]);
        }

        float sum = 0;
        for (int s = 0; s < splits; s++)
        {
            TSimd.Store(SimdMath<TSimd, TVector>.Weight(TSimd.Broadcast(partials[(s * splitStride) + padded] - maximum)), combined);
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

    /// <summary>
    /// Asks for rows line by line, in the order of their addresses: the processor's own prefetching follows that order, and goes astray where
    /// lines of several rows alternate. The requests are spread over multiply-adds: a burst of them stops everything until the first are answered.
    /// </summary>
    private struct RowFetcher
    {
        private readonly long _rowBytes;
        private byte** _rows;
        private byte* _line;
        private byte* _end;

        /// <summary>Starts at the first of the rows; null where there are none.</summary>
        public RowFetcher(byte** rows, long rowBytes)
        {
            _rowBytes = rowBytes;
            _rows = rows;
            _line = rows == null ? null : rows[0];
            _end = _line + rowBytes;
        }

        public readonly bool HasRows => _rows != null;

        /// <summary>The lines that a step takes of a row, at least one: to be called where a step begins a line, once for each row.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Next<TElement>()
            where TElement : struct, ICacheElement
        {
            for (int i = 0; Sse.IsSupported && i < Step * TElement.Size; i += 64)
            {
                Sse.Prefetch0(_line);
                _line += 64;
                if (_line >= _end)
                {
                    _line = *++_rows;
                    _end = _line + _rowBytes;
                }
            }
        }
    }

    /// <summary>The addresses of some consecutive tokens of a list, block by block.</summary>
    private ref struct TokenList
    {
        private readonly LayerCache _cache;
        private readonly ReadOnlySpan<KeyRange> _ranges;
        private readonly int _prompt;
        private readonly byte* _promptKeys;
        private readonly byte* _promptValues;
        private readonly int* _promptList;
        private readonly byte* _generatedKeys;
        private readonly byte* _generatedValues;
        private int _range;
        private int _offset;
        private int _left;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public TokenList(LayerCache cache, int kvHead, ReadOnlySpan<KeyRange> ranges, int skip, int most)
        {
            _left = most;
            _cache = cache;
            _ranges = ranges;
            _prompt = cache.Prompt.Lengths[kvHead];
            (nint keys, nint values, nint list) = cache.Prompt.Locate(kvHead);
            _promptKeys = (byte*)keys;
            _promptValues = (byte*)values;
            _promptList = (int*)list;
            _generatedKeys = cache.Generated.Key(kvHead, 0);
            _generatedValues = cache.Generated.Value(kvHead, 0);
            for (; _range < ranges.Length && skip >= ranges[_range].Length; _range++)
            {
                skip -= ranges[_range].Length;
            }

            _offset = skip;
        }

        /// <summary>
        /// Passes over the next tokens and asks for a line every 4 KiB of each range of them: scattered ones each wait for their address to be
        /// translated, and together they wait once.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Translate(int most)
        {
            if (!Sse.IsSupported || _promptList != null || _ranges.Length < 2)
            {
                return;
            }

            most = Math.Min(most, _left);
            _left -= most;
            long row = _cache.Prompt.RowBytes;
            while (most > 0 && _range < _ranges.Length)
            {
                int start = _ranges[_range].Start + _offset;
                int end = Math.Min(_ranges[_range].End, start + most);
                bool generated = start >= _prompt;
                end = generated ? end : Math.Min(end, _prompt);
                long first = (generated ? start - _prompt : start) * row;
                byte* key = (generated ? _generatedKeys : _promptKeys) + first;
                byte* value = (generated ? _generatedValues : _promptValues) + first;
                for (long at = 0; at < (end - start) * row; at += TranslatedBytes)
                {
                    Sse.Prefetch0(key + at);
                    Sse.Prefetch0(value + at);
                }

                most -= end - start;
                _offset += end - start;
                if (end == _ranges[_range].End)
                {
                    _range++;
                    _offset = 0;
                }
            }
        }

        /// <summary>Writes the addresses of the next tokens, the last repeated to the block's end. Returns how many there are.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Next(int block, byte** keys, byte** values)
        {
            int most = Math.Min(block, _left);
            int count = 0;
            long row = _cache.Prompt.RowBytes;
            while (count < most && _range < _ranges.Length)
            {
                int start = _ranges[_range].Start + _offset;
                int end = Math.Min(_ranges[_range].End, start + most - count);
                bool generated = start >= _prompt;
                end = generated ? end : Math.Min(end, _prompt);
                if (_promptList != null && !generated)
                {
                    Locate(_promptList + start, end - start, _promptKeys, _promptValues, row, keys + count, values + count);
                    count += end - start;
                }
                else
                {
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
                }

                _offset += end - start;
                if (end == _ranges[_range].End)
                {
                    _range++;
                    _offset = 0;
                }
            }

            for (int t = count; t < block && count > 0; t++)
            {
                keys[t] = keys[count - 1];
                values[t] = values[count - 1];
            }

            _left -= count;
            return count;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Locate(int* list, int count, byte* firstKey, byte* firstValue, long row, byte** keys, byte** values)
        {
            for (int t = 0; t < count; t++)
            {
                long place = list[t] * row;
                keys[t] = firstKey + place;
                values[t] = firstValue + place;
            }
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
