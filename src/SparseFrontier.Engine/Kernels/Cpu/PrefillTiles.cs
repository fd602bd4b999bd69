using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// The two products of prompt attention on tiles in cache. Keys and values are addressed row by row through lists of addresses, so that one
/// kernel serves consecutive and gathered tokens.
/// </summary>
/// <remarks>
/// <para>
/// Scores: lanes are queries, S[key][query] = Σ_d K[key][d] Qᵀ[d][query], keys broadcast; no sums across lanes. Values: lanes are elements,
/// O[query][d] = α O[query][d] + Σ_key P[key][query] V[key][d], weights broadcast. Every sum runs in ascending order of its index.
/// </para>
/// <para>
/// Qᵀ and S are stored in blocks of <see cref="LaneBlock"/> queries, and packed values in blocks of as many elements: what an inner loop reads
/// again and again then lies dense in a few kilobytes of the first-level cache, which holds neither Qᵀ nor the values of 128 keys as a whole.
/// </para>
/// </remarks>
internal static unsafe class PrefillTiles<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Keys are scored in groups of this many; lists are filled up to a multiple.</summary>
    public const int KeyGroup = 8;

    /// <summary>Queries of a task at most.</summary>
    public const int TaskRows = 64;

    /// <summary>The score of a pair that must not be attended to: finite, because differences of scores are taken.</summary>
    public const float Masked = -1e30f;

    /// <summary>Queries (or elements) of a block: two vectors.</summary>
    public static int LaneBlock
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2 * TSimd.Width;
    }

    /// <summary>Outputs are accumulated for multiples of this many queries.</summary>
    public static int QueryTile
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TSimd.HasManyRegisters ? 8 : 4;
    }

    /// <summary>
    /// Qᵀ in blocks, multiplied with the scale and log2 e, so that softmax weights are powers of two; lanes of the last vector beyond the last
    /// row repeat it.
    /// </summary>
    /// <param name="queries">[heads, rows, dimension].</param>
    /// <param name="head">Query head.</param>
    /// <param name="firstRow">Row of the first lane.</param>
    /// <param name="rows">Number of rows, at most <see cref="TaskRows"/>.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="transposed">[TaskRows / LaneBlock][dimension][LaneBlock], written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposeQueries(HeadTensor queries, int head, int firstRow, int rows, float scale, float* transposed)
    {
        scale *= 1.44269504f;
        int dimension = queries.Dimension;
        int lanes = (rows + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        int largest = TSimd.Width == 16 && SimdTranspose.IsWideSupported ? 16 : SimdTranspose.IsSupported ? 8 : 1;
        int block;
        for (int r = 0; r < lanes; r += block)
        {
            block = largest;
            while (block > 1 && r + block > rows)
            {
                block = block == 16 ? 8 : 1;
            }

            float* source = queries.Row(head, firstRow + Math.Min(r, rows - 1));
            float* target = transposed + ((long)(r / LaneBlock) * dimension * LaneBlock) + (r % LaneBlock);
            int d = 0;
            for (; block == 16 && d + 16 <= dimension; d += 16)
            {
                SimdTranspose.Transpose16x16(source + d, queries.RowStride, scale, target + ((long)d * LaneBlock), LaneBlock);
            }

            for (; block >= 8 && d + 8 <= dimension; d += 8)
            {
                for (int i = 0; i < block; i += 8)
                {
                    SimdTranspose.Transpose8x8(
                        source + (i * queries.RowStride) + d, queries.RowStride, scale, target + ((long)d * LaneBlock) + i, LaneBlock);
                }
            }

            for (; d < dimension; d++)
            {
                for (int i = 0; i < block; i++)
                {
                    target[((long)d * LaneBlock) + i] = source[(i * queries.RowStride) + d] * scale;
                }
            }
        }
    }

    /// <summary>Scores keys for the first lanes of a block.</summary>
    /// <param name="transposed">Qᵀ [dimension][LaneBlock].</param>
    /// <param name="lanes">Two vectors, or one.</param>
    /// <param name="keys">Addresses of the keys.</param>
    /// <param name="firstCount">Keys that are scored for the first vector, a multiple of <see cref="KeyGroup"/>.</param>
    /// <param name="count">Keys that are scored for the second, at least as many; with one vector both are the same.</param>
    /// <param name="dimension">Elements of a key.</param>
    /// <param name="scores">S [count][LaneBlock], written.</param>
    /// <param name="next">
    /// Addresses of vectors of the same dimension that are soon needed, fetched into the second-level cache meanwhile, spread over the call: a
    /// burst would fill the queue of misses and stop the scores.
    /// </param>
    /// <param name="nextCount">Number of these, a multiple of <paramref name="nextAtOnce"/>.</param>
    /// <param name="nextAtOnce">1, 2, 4, 8 or 16: how many of them are fetched beside a group of keys.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score(
        float* transposed, int lanes, float** keys, int firstCount, int count, int dimension, float* scores, float** next, int nextCount, int nextAtOnce)
    {
        float** end = next + nextCount;
        int group;
        for (int k = 0; k < count; k += group)
        {
            bool two = lanes > TSimd.Width && k < firstCount;
            group = two && !TSimd.HasManyRegisters ? SmallTile(firstCount - k) : KeyGroup;

            // When all are fetched, some of the group's own keys, which costs nothing.
            bool fetches = next < end;
            float** fetched = fetches ? next : keys + k;
            int mask = fetches ? nextAtOnce - 1 : 3;
            next += fetches ? nextAtOnce : 0;
            float* target = scores + ((long)k * LaneBlock);
            if (!two)
            {
                // One vector, or of two the second alone: twice as many keys, whose sums keep two units of multiply-adds busy, and the fetches of two groups.
                int lane = lanes > TSimd.Width ? TSimd.Width : 0;
                if (TSimd.HasManyRegisters && count - k >= 2 * KeyGroup)
                {
                    group = 2 * KeyGroup;
                    bool more = next < end;
                    float** others = more ? next : keys + k;
                    next += more ? nextAtOnce : 0;
                    Score16x1(transposed + lane, keys + k, dimension, target + lane, fetched, others, mask);
                    continue;
                }

                Score8x1(transposed + lane, keys + k, dimension, target + lane, fetched, mask);
            }
            else if (TSimd.HasManyRegisters)
            {
                Score8x2(transposed, keys + k, dimension, target, fetched, mask);
            }
            else if (group == 6)
            {
                Score6x2(transposed, keys + k, dimension, target, fetched, mask);
            }
            else
            {
                Score4x2(transposed, keys + k, dimension, target, fetched, mask);
            }
        }
    }

    // Keys or queries of the next tile where there are 16 registers, of an even number that are left: six, whose twelve sums keep two units of
    // multiply-adds busy where the eight of four just do, and four where sixes would not come out even.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SmallTile(int left) => left >= 12 || left % 4 != 0 ? 6 : 4;

    /// <summary>Fetches vectors into the second-level cache.</summary>
    /// <param name="vectors">Their addresses.</param>
    /// <param name="count">Number of vectors.</param>
    /// <param name="dimension">Elements of a vector.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(float** vectors, int count, int dimension)
    {
        const int Line = 64 / sizeof(float);
        for (int i = 0; Sse.IsSupported && i < count; i++)
        {
            for (int d = 0; d < dimension; d += Line)
            {
                Sse.Prefetch1(vectors[i] + d);
            }
        }
    }

    // The line of a vector that holds an element, as one of 16 steps.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchLine(float* vector, int element)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(vector + (element & ~15));
        }
    }

    /// <summary>Masks the scores of keys that come after a row or have left its sliding window.</summary>
    /// <param name="scores">S [count][LaneBlock].</param>
    /// <param name="lanes">Lanes in use, a multiple of the vector width.</param>
    /// <param name="indices">[count] keys, ascending.</param>
    /// <param name="firstCount">Number of keys of the first vector of lanes.</param>
    /// <param name="count">Number of keys of the others, at least as many.</param>
    /// <param name="first">Position of the first lane's row.</param>
    /// <param name="window">Number of latest keys that a row may see.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mask(float* scores, int lanes, int* indices, int firstCount, int count, int first, int window)
    {
        // All rows see the keys in the middle.
        int last = first + lanes - 1;
        int start = 0;
        for (; start < count && indices[start] <= last - window; start++)
        {
            MaskKey(scores + ((long)start * LaneBlock), lanes, (long)indices[start] - first, window);
        }

        // Rows see all others but those after them, which a first vector that stops before them was not scored with.
        TVector masked = TSimd.Broadcast(Masked);
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            TVector lane = TSimd.Ascending(q);
            for (int k = (q == 0 ? firstCount : count) - 1; k >= start && indices[k] > first + q; k--)
            {
                float* score = scores + ((long)k * LaneBlock) + q;
                TSimd.Store(TSimd.SelectLessOrEqual(TSimd.Broadcast(indices[k] - first), lane, TSimd.Load(score), masked), score);
            }
        }
    }

    // Masks the scores of a key at a distance from the first lane's row: lane q sees it when distance <= q <= distance + window - 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MaskKey(float* scores, int lanes, long distance, int window)
    {
        TVector masked = TSimd.Broadcast(Masked);
        TVector low = TSimd.Broadcast(distance);
        TVector high = TSimd.Broadcast(distance + window - 1);
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            // All rows of the vector see it.
            if (distance <= q && distance + window >= q + TSimd.Width)
            {
                continue;
            }

            TVector lane = TSimd.Ascending(q);
            TVector score = TSimd.SelectLessOrEqual(low, lane, TSimd.Load(scores + q), masked);
            TSimd.Store(TSimd.SelectLessOrEqual(lane, high, score, masked), scores + q);
        }
    }

    /// <summary>
    /// One step of the running softmax: scores become weights 2^(score - maximum); maxima and sums are brought up to date, and factors are what
    /// earlier sums and outputs must be multiplied with.
    /// </summary>
    /// <param name="scores">S [count][LaneBlock], replaced by the weights.</param>
    /// <param name="lanes">Lanes in use, a multiple of the vector width.</param>
    /// <param name="firstCount">Number of keys of the first vector of lanes, even.</param>
    /// <param name="count">Number of keys of the others, even.</param>
    /// <param name="maxima">[lanes].</param>
    /// <param name="sums">[lanes].</param>
    /// <param name="factors">[lanes], written.</param>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Weigh(float* scores, int lanes, int firstCount, int count, float* maxima, float* sums, float* factors)
    {
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            int keys = q == 0 ? firstCount : count;
            TVector before = TSimd.Load(maxima + q);
            TVector maximum = before;
            TVector other = before;
            float* score = scores + q;
            for (int k = 0; k < keys; k += 2)
            {
                maximum = TSimd.Max(maximum, TSimd.Load(score));
                other = TSimd.Max(other, TSimd.Load(score + LaneBlock));
                score += 2 * LaneBlock;
            }

            maximum = TSimd.Max(maximum, other);
            TVector factor = SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(before, maximum));
            TVector sum = TSimd.Multiply(TSimd.Load(sums + q), factor);
            score = scores + q;
            for (int k = 0; k < keys; k++)
            {
                TVector weight = SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(score), maximum));
                TSimd.Store(weight, score);
                sum = TSimd.Add(sum, weight);
                score += LaneBlock;
            }

            // A tile of queries of both vectors takes the keys of the second.
            for (int k = keys; k < count; k++)
            {
                TSimd.Store(TSimd.Broadcast(0), score);
                score += LaneBlock;
            }

            TSimd.Store(maximum, maxima + q);
            TSimd.Store(sum, sums + q);
            TSimd.Store(factor, factors + q);
        }
    }

    /// <summary>Copies values into blocks of elements, zeros beyond the dimension.</summary>
    /// <param name="values">Addresses of the values; replaced by those of the copies' first block.</param>
    /// <param name="count">Number of values.</param>
    /// <param name="dimension">Elements of a value.</param>
    /// <param name="packed">[blocks][blockStride / LaneBlock][LaneBlock], written.</param>
    /// <param name="blockStride">Elements from one block to the next.</param>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void PackValues(float** values, int count, int dimension, float* packed, long blockStride)
    {
        for (int k = 0; k < count; k++)
        {
            float* value = values[k];
            float* target = packed + ((long)k * LaneBlock);
            values[k] = target;
            int d = 0;
            for (; d + LaneBlock <= dimension; d += LaneBlock)
            {
                TSimd.Store(TSimd.Load(value + d), target);
                TSimd.Store(TSimd.Load(value + d + TSimd.Width), target + TSimd.Width);
                target += blockStride;
            }

            for (int i = 0; d < dimension; i++, d++)
            {
                target[i] = value[d];
            }

            for (int i = d % LaneBlock; i > 0 && i < LaneBlock; i++)
            {
                target[i] = 0;
            }
        }
    }

    /// <summary>Adds weighted values to the outputs of the queries of a block, a tile of queries at a time.</summary>
    /// <param name="weights">P [keys][LaneBlock].</param>
    /// <param name="rows">Number of queries, a multiple of <see cref="QueryTile"/>.</param>
    /// <param name="counts">[rows], how many of the keys each query takes at least, ascending; a tile takes those of its last query.</param>
    /// <param name="factors">[queries]: what the outputs are multiplied with first.</param>
    /// <param name="values">Addresses of the values' first block.</param>
    /// <param name="blockStride">Elements from one block of a value to the next.</param>
    /// <param name="dimension">Elements of a value; a multiple of <see cref="LaneBlock"/>.</param>
    /// <param name="source">[queries][dimension], the outputs before.</param>
    /// <param name="sourceStride">Elements from one query to the next; 0 with zeros for all.</param>
    /// <param name="target">[queries][dimension], written; may be <paramref name="source"/>.</param>
    /// <param name="targetStride">Elements from one query to the next.</param>
    /// <param name="scales">[queries]: what the outputs are multiplied with last; or null.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(
        float* weights,
        int rows,
        int* counts,
        float* factors,
        float** values,
        long blockStride,
        int dimension,
        float* source,
        long sourceStride,
        float* target,
        long targetStride,
        float* scales)
    {
        long offset = 0;
        for (int d = 0; d < dimension; d += LaneBlock)
        {
            int tile;
            for (int query = 0; query < rows; query += tile)
            {
                tile = TSimd.HasManyRegisters ? QueryTile : SmallTile(rows - query);
                int count = counts[query + tile - 1];
                if (count == 0 && source == target && scales is null)
                {
                    continue;
                }

                float* p = weights + query;
                float* f = factors + query;
                float* s = source + (query * sourceStride) + (sourceStride == 0 ? 0 : d);
                float* o = target + (query * targetStride) + d;
                float* last = scales is null ? null : scales + query;
                if (TSimd.HasManyRegisters)
                {
                    Accumulate8x2(p, f, values, offset, count, s, sourceStride, o, targetStride, last);
                }
                else if (tile == 6)
                {
                    Accumulate6x2(p, f, values, offset, count, s, sourceStride, o, targetStride, last);
                }
                else
                {
                    Accumulate4x2(p, f, values, offset, count, s, sourceStride, o, targetStride, last);
                }
            }

            offset += blockStride;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score8x2(float* transposed, float** keys, int dimension, float* scores, float** next, int nextMask)
    {
        int width = TSimd.Width;
        float* k0 = keys[0];
        float* k1 = keys[1];
        float* k2 = keys[2];
        float* k3 = keys[3];
        float* k4 = keys[4];
        float* k5 = keys[5];
        float* k6 = keys[6];
        float* k7 = keys[7];
        TVector s00 = TSimd.Broadcast(0);
        TVector s01 = s00;
        TVector s10 = s00;
        TVector s11 = s00;
        TVector s20 = s00;
        TVector s21 = s00;
        TVector s30 = s00;
        TVector s31 = s00;
        TVector s40 = s00;
        TVector s41 = s00;
        TVector s50 = s00;
        TVector s51 = s00;
        TVector s60 = s00;
        TVector s61 = s00;
        TVector s70 = s00;
        TVector s71 = s00;
        for (int d = 0; d < dimension; d++)
        {
            FetchLine(next[d & nextMask], d);
            TVector q0 = TSimd.Load(transposed);
            TVector q1 = TSimd.Load(transposed + width);
            transposed += LaneBlock;
            TVector x = TSimd.Broadcast(k0[d]);
            s00 = TSimd.MultiplyAdd(x, q0, s00);
            s01 = TSimd.MultiplyAdd(x, q1, s01);
            x = TSimd.Broadcast(k1[d]);
            s10 = TSimd.MultiplyAdd(x, q0, s10);
            s11 = TSimd.MultiplyAdd(x, q1, s11);
            x = TSimd.Broadcast(k2[d]);
            s20 = TSimd.MultiplyAdd(x, q0, s20);
            s21 = TSimd.MultiplyAdd(x, q1, s21);
            x = TSimd.Broadcast(k3[d]);
            s30 = TSimd.MultiplyAdd(x, q0, s30);
            s31 = TSimd.MultiplyAdd(x, q1, s31);
            x = TSimd.Broadcast(k4[d]);
            s40 = TSimd.MultiplyAdd(x, q0, s40);
            s41 = TSimd.MultiplyAdd(x, q1, s41);
            x = TSimd.Broadcast(k5[d]);
            s50 = TSimd.MultiplyAdd(x, q0, s50);
            s51 = TSimd.MultiplyAdd(x, q1, s51);
            x = TSimd.Broadcast(k6[d]);
            s60 = TSimd.MultiplyAdd(x, q0, s60);
            s61 = TSimd.MultiplyAdd(x, q1, s61);
            x = TSimd.Broadcast(k7[d]);
            s70 = TSimd.MultiplyAdd(x, q0, s70);
            s71 = TSimd.MultiplyAdd(x, q1, s71);
        }

        TSimd.Store(s00, scores);
        TSimd.Store(s01, scores + width);
        TSimd.Store(s10, scores + LaneBlock);
        TSimd.Store(s11, scores + LaneBlock + width);
        TSimd.Store(s20, scores + (2 * LaneBlock));
        TSimd.Store(s21, scores + (2 * LaneBlock) + width);
        TSimd.Store(s30, scores + (3 * LaneBlock));
        TSimd.Store(s31, scores + (3 * LaneBlock) + width);
        TSimd.Store(s40, scores + (4 * LaneBlock));
        TSimd.Store(s41, scores + (4 * LaneBlock) + width);
        TSimd.Store(s50, scores + (5 * LaneBlock));
        TSimd.Store(s51, scores + (5 * LaneBlock) + width);
        TSimd.Store(s60, scores + (6 * LaneBlock));
        TSimd.Store(s61, scores + (6 * LaneBlock) + width);
        TSimd.Store(s70, scores + (7 * LaneBlock));
        TSimd.Store(s71, scores + (7 * LaneBlock) + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score6x2(float* transposed, float** keys, int dimension, float* scores, float** next, int nextMask)
    {
        int width = TSimd.Width;
        float* k0 = keys[0];
        float* k1 = keys[1];
        float* k2 = keys[2];
        float* k3 = keys[3];
        float* k4 = keys[4];
        float* k5 = keys[5];
        TVector s00 = TSimd.Broadcast(0);
        TVector s01 = s00;
        TVector s10 = s00;
        TVector s11 = s00;
        TVector s20 = s00;
        TVector s21 = s00;
        TVector s30 = s00;
        TVector s31 = s00;
        TVector s40 = s00;
        TVector s41 = s00;
        TVector s50 = s00;
        TVector s51 = s00;
        for (int d = 0; d < dimension; d++)
        {
            FetchLine(next[d & nextMask], d);
            TVector q0 = TSimd.Load(transposed);
            TVector q1 = TSimd.Load(transposed + width);
            transposed += LaneBlock;
            TVector x = TSimd.Broadcast(k0[d]);
            s00 = TSimd.MultiplyAdd(x, q0, s00);
            s01 = TSimd.MultiplyAdd(x, q1, s01);
            x = TSimd.Broadcast(k1[d]);
            s10 = TSimd.MultiplyAdd(x, q0, s10);
            s11 = TSimd.MultiplyAdd(x, q1, s11);
            x = TSimd.Broadcast(k2[d]);
            s20 = TSimd.MultiplyAdd(x, q0, s20);
            s21 = TSimd.MultiplyAdd(x, q1, s21);
            x = TSimd.Broadcast(k3[d]);
            s30 = TSimd.MultiplyAdd(x, q0, s30);
            s31 = TSimd.MultiplyAdd(x, q1, s31);
            x = TSimd.Broadcast(k4[d]);
            s40 = TSimd.MultiplyAdd(x, q0, s40);
            s41 = TSimd.MultiplyAdd(x, q1, s41);
            x = TSimd.Broadcast(k5[d]);
            s50 = TSimd.MultiplyAdd(x, q0, s50);
            s51 = TSimd.MultiplyAdd(x, q1, s51);
        }

        TSimd.Store(s00, scores);
        TSimd.Store(s01, scores + width);
        TSimd.Store(s10, scores + LaneBlock);
        TSimd.Store(s11, scores + LaneBlock + width);
        TSimd.Store(s20, scores + (2 * LaneBlock));
        TSimd.Store(s21, scores + (2 * LaneBlock) + width);
        TSimd.Store(s30, scores + (3 * LaneBlock));
        TSimd.Store(s31, scores + (3 * LaneBlock) + width);
        TSimd.Store(s40, scores + (4 * LaneBlock));
        TSimd.Store(s41, scores + (4 * LaneBlock) + width);
        TSimd.Store(s50, scores + (5 * LaneBlock));
        TSimd.Store(s51, scores + (5 * LaneBlock) + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score4x2(float* transposed, float** keys, int dimension, float* scores, float** next, int nextMask)
    {
        int width = TSimd.Width;
        float* k0 = keys[0];
        float* k1 = keys[1];
        float* k2 = keys[2];
        float* k3 = keys[3];
        TVector s00 = TSimd.Broadcast(0);
        TVector s01 = s00;
        TVector s10 = s00;
        TVector s11 = s00;
        TVector s20 = s00;
        TVector s21 = s00;
        TVector s30 = s00;
        TVector s31 = s00;
        for (int d = 0; d < dimension; d++)
        {
            FetchLine(next[d & nextMask], d);
            TVector q0 = TSimd.Load(transposed);
            TVector q1 = TSimd.Load(transposed + width);
            transposed += LaneBlock;
            TVector x = TSimd.Broadcast(k0[d]);
            s00 = TSimd.MultiplyAdd(x, q0, s00);
            s01 = TSimd.MultiplyAdd(x, q1, s01);
            x = TSimd.Broadcast(k1[d]);
            s10 = TSimd.MultiplyAdd(x, q0, s10);
            s11 = TSimd.MultiplyAdd(x, q1, s11);
            x = TSimd.Broadcast(k2[d]);
            s20 = TSimd.MultiplyAdd(x, q0, s20);
            s21 = TSimd.MultiplyAdd(x, q1, s21);
            x = TSimd.Broadcast(k3[d]);
            s30 = TSimd.MultiplyAdd(x, q0, s30);
            s31 = TSimd.MultiplyAdd(x, q1, s31);
        }

        TSimd.Store(s00, scores);
        TSimd.Store(s01, scores + width);
        TSimd.Store(s10, scores + LaneBlock);
        TSimd.Store(s11, scores + LaneBlock + width);
        TSimd.Store(s20, scores + (2 * LaneBlock));
        TSimd.Store(s21, scores + (2 * LaneBlock) + width);
        TSimd.Store(s30, scores + (3 * LaneBlock));
        TSimd.Store(s31, scores + (3 * LaneBlock) + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score8x1(float* transposed, float** keys, int dimension, float* scores, float** next, int nextMask)
    {
        int width = TSimd.Width;
        float* k0 = keys[0];
        float* k1 = keys[1];
        float* k2 = keys[2];
        float* k3 = keys[3];
        float* k4 = keys[4];
        float* k5 = keys[5];
        float* k6 = keys[6];
        float* k7 = keys[7];
        TVector s00 = TSimd.Broadcast(0);
        TVector s10 = s00;
        TVector s20 = s00;
        TVector s30 = s00;
        TVector s40 = s00;
        TVector s50 = s00;
        TVector s60 = s00;
        TVector s70 = s00;
        for (int d = 0; d < dimension; d++)
        {
            FetchLine(next[d & nextMask], d);
            TVector q0 = TSimd.Load(transposed);
            transposed += LaneBlock;
            TVector x = TSimd.Broadcast(k0[d]);
            s00 = TSimd.MultiplyAdd(x, q0, s00);
            x = TSimd.Broadcast(k1[d]);
            s10 = TSimd.MultiplyAdd(x, q0, s10);
            x = TSimd.Broadcast(k2[d]);
            s20 = TSimd.MultiplyAdd(x, q0, s20);
            x = TSimd.Broadcast(k3[d]);
            s30 = TSimd.MultiplyAdd(x, q0, s30);
            x = TSimd.Broadcast(k4[d]);
            s40 = TSimd.MultiplyAdd(x, q0, s40);
            x = TSimd.Broadcast(k5[d]);
            s50 = TSimd.MultiplyAdd(x, q0, s50);
            x = TSimd.Broadcast(k6[d]);
            s60 = TSimd.MultiplyAdd(x, q0, s60);
            x = TSimd.Broadcast(k7[d]);
            s70 = TSimd.MultiplyAdd(x, q0, s70);
        }

        TSimd.Store(s00, scores);
        TSimd.Store(s10, scores + LaneBlock);
        TSimd.Store(s20, scores + (2 * LaneBlock));
        TSimd.Store(s30, scores + (3 * LaneBlock));
        TSimd.Store(s40, scores + (4 * LaneBlock));
        TSimd.Store(s50, scores + (5 * LaneBlock));
        TSimd.Store(s60, scores + (6 * LaneBlock));
        TSimd.Store(s70, scores + (7 * LaneBlock));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score16x1(float* transposed, float** keys, int dimension, float* scores, float** next, float** others, int nextMask)
    {
        float* k0 = keys[0];
        float* k1 = keys[1];
        float* k2 = keys[2];
        float* k3 = keys[3];
        float* k4 = keys[4];
        float* k5 = keys[5];
        float* k6 = keys[6];
        float* k7 = keys[7];
        float* k8 = keys[8];
        float* k9 = keys[9];
        float* k10 = keys[10];
        float* k11 = keys[11];
        float* k12 = keys[12];
        float* k13 = keys[13];
        float* k14 = keys[14];
        float* k15 = keys[15];
        TVector s0 = TSimd.Broadcast(0);
        TVector s1 = s0;
        TVector s2 = s0;
        TVector s3 = s0;
        TVector s4 = s0;
        TVector s5 = s0;
        TVector s6 = s0;
        TVector s7 = s0;
        TVector s8 = s0;
        TVector s9 = s0;
        TVector s10 = s0;
        TVector s11 = s0;
        TVector s12 = s0;
        TVector s13 = s0;
        TVector s14 = s0;
        TVector s15 = s0;
        for (int d = 0; d < dimension; d++)
        {
            FetchLine(next[d & nextMask], d);
            FetchLine(others[d & nextMask], d);
            TVector q = TSimd.Load(transposed);
            transposed += LaneBlock;
            s0 = TSimd.MultiplyAdd(TSimd.Broadcast(k0[d]), q, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Broadcast(k1[d]), q, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Broadcast(k2[d]), q, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Broadcast(k3[d]), q, s3);
            s4 = TSimd.MultiplyAdd(TSimd.Broadcast(k4[d]), q, s4);
            s5 = TSimd.MultiplyAdd(TSimd.Broadcast(k5[d]), q, s5);
            s6 = TSimd.MultiplyAdd(TSimd.Broadcast(k6[d]), q, s6);
            s7 = TSimd.MultiplyAdd(TSimd.Broadcast(k7[d]), q, s7);
            s8 = TSimd.MultiplyAdd(TSimd.Broadcast(k8[d]), q, s8);
            s9 = TSimd.MultiplyAdd(TSimd.Broadcast(k9[d]), q, s9);
            s10 = TSimd.MultiplyAdd(TSimd.Broadcast(k10[d]), q, s10);
            s11 = TSimd.MultiplyAdd(TSimd.Broadcast(k11[d]), q, s11);
            s12 = TSimd.MultiplyAdd(TSimd.Broadcast(k12[d]), q, s12);
            s13 = TSimd.MultiplyAdd(TSimd.Broadcast(k13[d]), q, s13);
            s14 = TSimd.MultiplyAdd(TSimd.Broadcast(k14[d]), q, s14);
            s15 = TSimd.MultiplyAdd(TSimd.Broadcast(k15[d]), q, s15);
        }

        TSimd.Store(s0, scores);
        TSimd.Store(s1, scores + LaneBlock);
        TSimd.Store(s2, scores + (2 * LaneBlock));
        TSimd.Store(s3, scores + (3 * LaneBlock));
        TSimd.Store(s4, scores + (4 * LaneBlock));
        TSimd.Store(s5, scores + (5 * LaneBlock));
        TSimd.Store(s6, scores + (6 * LaneBlock));
        TSimd.Store(s7, scores + (7 * LaneBlock));
        TSimd.Store(s8, scores + (8 * LaneBlock));
        TSimd.Store(s9, scores + (9 * LaneBlock));
        TSimd.Store(s10, scores + (10 * LaneBlock));
        TSimd.Store(s11, scores + (11 * LaneBlock));
        TSimd.Store(s12, scores + (12 * LaneBlock));
        TSimd.Store(s13, scores + (13 * LaneBlock));
        TSimd.Store(s14, scores + (14 * LaneBlock));
        TSimd.Store(s15, scores + (15 * LaneBlock));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate8x2(
        float* weights, float* factors, float** values, long offset, int count, float* source, long sourceStride, float* target, long targetStride, float* scales)
    {
        int width = TSimd.Width;
        float* o = source;
        TVector x;
        x = TSimd.Broadcast(factors[0]);
        TVector s00 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s01 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[1]);
        TVector s10 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s11 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[2]);
        TVector s20 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s21 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[3]);
        TVector s30 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s31 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[4]);
        TVector s40 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s41 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[5]);
        TVector s50 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s51 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[6]);
        TVector s60 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s61 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[7]);
        TVector s70 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s71 = TSimd.Multiply(x, TSimd.Load(o + width));
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + offset;
            TVector v0 = TSimd.Load(value);
            TVector v1 = TSimd.Load(value + width);
            x = TSimd.Broadcast(weights[0]);
            s00 = TSimd.MultiplyAdd(x, v0, s00);
            s01 = TSimd.MultiplyAdd(x, v1, s01);
            x = TSimd.Broadcast(weights[1]);
            s10 = TSimd.MultiplyAdd(x, v0, s10);
            s11 = TSimd.MultiplyAdd(x, v1, s11);
            x = TSimd.Broadcast(weights[2]);
            s20 = TSimd.MultiplyAdd(x, v0, s20);
            s21 = TSimd.MultiplyAdd(x, v1, s21);
            x = TSimd.Broadcast(weights[3]);
            s30 = TSimd.MultiplyAdd(x, v0, s30);
            s31 = TSimd.MultiplyAdd(x, v1, s31);
            x = TSimd.Broadcast(weights[4]);
            s40 = TSimd.MultiplyAdd(x, v0, s40);
            s41 = TSimd.MultiplyAdd(x, v1, s41);
            x = TSimd.Broadcast(weights[5]);
            s50 = TSimd.MultiplyAdd(x, v0, s50);
            s51 = TSimd.MultiplyAdd(x, v1, s51);
            x = TSimd.Broadcast(weights[6]);
            s60 = TSimd.MultiplyAdd(x, v0, s60);
            s61 = TSimd.MultiplyAdd(x, v1, s61);
            x = TSimd.Broadcast(weights[7]);
            s70 = TSimd.MultiplyAdd(x, v0, s70);
            s71 = TSimd.MultiplyAdd(x, v1, s71);
            weights += LaneBlock;
        }

        if (scales is not null)
        {
            x = TSimd.Broadcast(scales[0]);
            s00 = TSimd.Multiply(x, s00);
            s01 = TSimd.Multiply(x, s01);
            x = TSimd.Broadcast(scales[1]);
            s10 = TSimd.Multiply(x, s10);
            s11 = TSimd.Multiply(x, s11);
            x = TSimd.Broadcast(scales[2]);
            s20 = TSimd.Multiply(x, s20);
            s21 = TSimd.Multiply(x, s21);
            x = TSimd.Broadcast(scales[3]);
            s30 = TSimd.Multiply(x, s30);
            s31 = TSimd.Multiply(x, s31);
            x = TSimd.Broadcast(scales[4]);
            s40 = TSimd.Multiply(x, s40);
            s41 = TSimd.Multiply(x, s41);
            x = TSimd.Broadcast(scales[5]);
            s50 = TSimd.Multiply(x, s50);
            s51 = TSimd.Multiply(x, s51);
            x = TSimd.Broadcast(scales[6]);
            s60 = TSimd.Multiply(x, s60);
            s61 = TSimd.Multiply(x, s61);
            x = TSimd.Broadcast(scales[7]);
            s70 = TSimd.Multiply(x, s70);
            s71 = TSimd.Multiply(x, s71);
        }

        o = target;
        TSimd.Store(s00, o);
        TSimd.Store(s01, o + width);
        o += targetStride;
        TSimd.Store(s10, o);
        TSimd.Store(s11, o + width);
        o += targetStride;
        TSimd.Store(s20, o);
        TSimd.Store(s21, o + width);
        o += targetStride;
        TSimd.Store(s30, o);
        TSimd.Store(s31, o + width);
        o += targetStride;
        TSimd.Store(s40, o);
        TSimd.Store(s41, o + width);
        o += targetStride;
        TSimd.Store(s50, o);
        TSimd.Store(s51, o + width);
        o += targetStride;
        TSimd.Store(s60, o);
        TSimd.Store(s61, o + width);
        o += targetStride;
        TSimd.Store(s70, o);
        TSimd.Store(s71, o + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate6x2(
        float* weights, float* factors, float** values, long offset, int count, float* source, long sourceStride, float* target, long targetStride, float* scales)
    {
        int width = TSimd.Width;
        float* o = source;
        TVector x;
        x = TSimd.Broadcast(factors[0]);
        TVector s00 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s01 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[1]);
        TVector s10 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s11 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[2]);
        TVector s20 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s21 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[3]);
        TVector s30 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s31 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[4]);
        TVector s40 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s41 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[5]);
        TVector s50 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s51 = TSimd.Multiply(x, TSimd.Load(o + width));
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + offset;
            TVector v0 = TSimd.Load(value);
            TVector v1 = TSimd.Load(value + width);
            x = TSimd.Broadcast(weights[0]);
            s00 = TSimd.MultiplyAdd(x, v0, s00);
            s01 = TSimd.MultiplyAdd(x, v1, s01);
            x = TSimd.Broadcast(weights[1]);
            s10 = TSimd.MultiplyAdd(x, v0, s10);
            s11 = TSimd.MultiplyAdd(x, v1, s11);
            x = TSimd.Broadcast(weights[2]);
            s20 = TSimd.MultiplyAdd(x, v0, s20);
            s21 = TSimd.MultiplyAdd(x, v1, s21);
            x = TSimd.Broadcast(weights[3]);
            s30 = TSimd.MultiplyAdd(x, v0, s30);
            s31 = TSimd.MultiplyAdd(x, v1, s31);
            x = TSimd.Broadcast(weights[4]);
            s40 = TSimd.MultiplyAdd(x, v0, s40);
            s41 = TSimd.MultiplyAdd(x, v1, s41);
            x = TSimd.Broadcast(weights[5]);
            s50 = TSimd.MultiplyAdd(x, v0, s50);
            s51 = TSimd.MultiplyAdd(x, v1, s51);
            weights += LaneBlock;
        }

        if (scales is not null)
        {
            x = TSimd.Broadcast(scales[0]);
            s00 = TSimd.Multiply(x, s00);
            s01 = TSimd.Multiply(x, s01);
            x = TSimd.Broadcast(scales[1]);
            s10 = TSimd.Multiply(x, s10);
            s11 = TSimd.Multiply(x, s11);
            x = TSimd.Broadcast(scales[2]);
            s20 = TSimd.Multiply(x, s20);
            s21 = TSimd.Multiply(x, s21);
            x = TSimd.Broadcast(scales[3]);
            s30 = TSimd.Multiply(x, s30);
            s31 = TSimd.Multiply(x, s31);
            x = TSimd.Broadcast(scales[4]);
            s40 = TSimd.Multiply(x, s40);
            s41 = TSimd.Multiply(x, s41);
            x = TSimd.Broadcast(scales[5]);
            s50 = TSimd.Multiply(x, s50);
            s51 = TSimd.Multiply(x, s51);
        }

        o = target;
        TSimd.Store(s00, o);
        TSimd.Store(s01, o + width);
        o += targetStride;
        TSimd.Store(s10, o);
        TSimd.Store(s11, o + width);
        o += targetStride;
        TSimd.Store(s20, o);
        TSimd.Store(s21, o + width);
        o += targetStride;
        TSimd.Store(s30, o);
        TSimd.Store(s31, o + width);
        o += targetStride;
        TSimd.Store(s40, o);
        TSimd.Store(s41, o + width);
        o += targetStride;
        TSimd.Store(s50, o);
        TSimd.Store(s51, o + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x2(
        float* weights, float* factors, float** values, long offset, int count, float* source, long sourceStride, float* target, long targetStride, float* scales)
    {
        int width = TSimd.Width;
        float* o = source;
        TVector x;
        x = TSimd.Broadcast(factors[0]);
        TVector s00 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s01 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[1]);
        TVector s10 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s11 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[2]);
        TVector s20 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s21 = TSimd.Multiply(x, TSimd.Load(o + width));
        o += sourceStride;
        x = TSimd.Broadcast(factors[3]);
        TVector s30 = TSimd.Multiply(x, TSimd.Load(o));
        TVector s31 = TSimd.Multiply(x, TSimd.Load(o + width));
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + offset;
            TVector v0 = TSimd.Load(value);
            TVector v1 = TSimd.Load(value + width);
            x = TSimd.Broadcast(weights[0]);
            s00 = TSimd.MultiplyAdd(x, v0, s00);
            s01 = TSimd.MultiplyAdd(x, v1, s01);
            x = TSimd.Broadcast(weights[1]);
            s10 = TSimd.MultiplyAdd(x, v0, s10);
            s11 = TSimd.MultiplyAdd(x, v1, s11);
            x = TSimd.Broadcast(weights[2]);
            s20 = TSimd.MultiplyAdd(x, v0, s20);
            s21 = TSimd.MultiplyAdd(x, v1, s21);
            x = TSimd.Broadcast(weights[3]);
            s30 = TSimd.MultiplyAdd(x, v0, s30);
            s31 = TSimd.MultiplyAdd(x, v1, s31);
            weights += LaneBlock;
        }

        if (scales is not null)
        {
            x = TSimd.Broadcast(scales[0]);
            s00 = TSimd.Multiply(x, s00);
            s01 = TSimd.Multiply(x, s01);
            x = TSimd.Broadcast(scales[1]);
            s10 = TSimd.Multiply(x, s10);
            s11 = TSimd.Multiply(x, s11);
            x = TSimd.Broadcast(scales[2]);
            s20 = TSimd.Multiply(x, s20);
            s21 = TSimd.Multiply(x, s21);
            x = TSimd.Broadcast(scales[3]);
            s30 = TSimd.Multiply(x, s30);
            s31 = TSimd.Multiply(x, s31);
        }

        o = target;
        TSimd.Store(s00, o);
        TSimd.Store(s01, o + width);
        o += targetStride;
        TSimd.Store(s10, o);
        TSimd.Store(s11, o + width);
        o += targetStride;
        TSimd.Store(s20, o);
        TSimd.Store(s21, o + width);
        o += targetStride;
        TSimd.Store(s30, o);
        TSimd.Store(s31, o + width);
    }
}
