using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// The two products of attention on tiles in cache. Keys and values are addressed row by row through lists of addresses, so that one kernel
/// serves consecutive and gathered tokens, and nothing is packed.
/// </summary>
/// <remarks>
/// Scores: lanes are queries, S[key][query] = Σ_d K[key][d] Qᵀ[d][query], keys broadcast; no sums across lanes. Values: lanes are elements,
/// O[query][d] = α O[query][d] + Σ_key P[key][query] V[key][d], weights broadcast. Every sum runs in ascending order of its index.
/// </remarks>
internal static unsafe class AttentionTiles<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Keys are scored in groups of this many; lists are filled up to a multiple.</summary>
    public const int KeyGroup = 8;

    /// <summary>Queries that a tile holds at most: the distance between rows of Qᵀ and S.</summary>
    public const int QueryStride = 64;

    /// <summary>The score of a pair that must not be attended to: finite, because differences of scores are taken.</summary>
    public const float Masked = -1e30f;

    /// <summary>
    /// Qᵀ, multiplied with the scale and log2 e, so that softmax weights are powers of two; the lanes of the last vector beyond the last row repeat it.
    /// </summary>
    /// <param name="queries">[heads, rows, dimension].</param>
    /// <param name="head">Query head.</param>
    /// <param name="firstRow">Row of the first lane.</param>
    /// <param name="rows">Number of rows, at most <see cref="QueryStride"/>.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="transposed">Qᵀ [dimension][QueryStride], written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransposeQueries(HeadTensor queries, int head, int firstRow, int rows, float scale, float* transposed)
    {
        scale *= 1.44269504f;
        int lanes = (rows + TSimd.Width - 1) / TSimd.Width * TSimd.Width;
        int r = 0;
        int blockDimension = SimdTranspose.IsSupported ? queries.Dimension / 8 * 8 : 0;
        for (; r + 8 <= rows; r += 8)
        {
            for (int d = 0; d < blockDimension; d += 8)
            {
                SimdTranspose.Transpose8x8(queries.Row(head, firstRow + r) + d, queries.RowStride, scale, transposed + ((long)d * QueryStride) + r, QueryStride);
            }

            for (int i = r; i < r + 8; i++)
            {
                TransposeRow(queries.Row(head, firstRow + i), blockDimension, queries.Dimension, scale, transposed + i);
            }
        }

        for (; r < lanes; r++)
        {
            TransposeRow(queries.Row(head, firstRow + Math.Min(r, rows - 1)), 0, queries.Dimension, scale, transposed + r);
        }
    }

    /// <summary>Masks the scores of keys that come after a row or have left its sliding window.</summary>
    /// <param name="scores">S [count][QueryStride].</param>
    /// <param name="lanes">Lanes in use, a multiple of the vector width.</param>
    /// <param name="indices">[count] keys.</param>
    /// <param name="count">Number of keys.</param>
    /// <param name="firstRow">Row of the first lane.</param>
    /// <param name="lastRow">Last row.</param>
    /// <param name="window">Number of latest keys that a row may see.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mask(float* scores, int lanes, int* indices, int count, int firstRow, int lastRow, int window)
    {
        TVector masked = TSimd.Broadcast(Masked);
        for (int k = 0; k < count; k++)
        {
            int key = indices[k];
            if (key <= firstRow && key > lastRow - window)
            {
                continue;
            }

            // Row first + lane sees the key when key <= first + lane <= key + window - 1.
            TVector low = TSimd.Broadcast((long)key - firstRow);
            TVector high = TSimd.Broadcast((long)key - firstRow + window - 1);
            float* row = scores + (k * QueryStride);
            for (int q = 0; q < lanes; q += TSimd.Width)
            {
                TVector lane = TSimd.Ascending(q);
                TVector score = TSimd.SelectLessOrEqual(low, lane, TSimd.Load(row + q), masked);
                TSimd.Store(TSimd.SelectLessOrEqual(lane, high, score, masked), row + q);
            }
        }
    }

    /// <summary>Scores keys for the first <paramref name="queries"/> lanes of a tile.</summary>
    /// <param name="transposed">Qᵀ [dimension][QueryStride].</param>
    /// <param name="queries">A multiple of the vector width.</param>
    /// <param name="keys">Addresses of the keys.</param>
    /// <param name="count">A multiple of <see cref="KeyGroup"/>.</param>
    /// <param name="dimension">Elements of a key.</param>
    /// <param name="scores">S [count][QueryStride], written.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Score(float* transposed, int queries, float** keys, int count, int dimension, float* scores)
    {
        int width = TSimd.Width;
        int q = 0;
        if (TSimd.HasManyRegisters)
        {
            for (; q + (4 * width) <= queries; q += 4 * width)
            {
                for (int k = 0; k < count; k += 4)
                {
                    Score4x4(transposed + q, keys + k, dimension, scores + (k * QueryStride) + q);
                }
            }
        }

        for (; q + (2 * width) <= queries; q += 2 * width)
        {
            for (int k = 0; k < count; k += 4)
            {
                Score4x2(transposed + q, keys + k, dimension, scores + (k * QueryStride) + q);
            }
        }

        for (; q < queries; q += width)
        {
            for (int k = 0; k < count; k += 8)
            {
                Score8x1(transposed + q, keys + k, dimension, scores + (k * QueryStride) + q);
            }
        }
    }

    /// <summary>Adds weighted values to the outputs of some queries.</summary>
    /// <param name="weights">Weight of key k for query q at [k · keyStride + q · queryStride].</param>
    /// <param name="keyStride">Elements from one key's weights to the next's.</param>
    /// <param name="queryStride">Elements from one query's weights to the next's.</param>
    /// <param name="queries">Number of queries.</param>
    /// <param name="factors">[queries]: what the outputs are multiplied with first.</param>
    /// <param name="values">Addresses of the values.</param>
    /// <param name="count">Number of keys.</param>
    /// <param name="dimension">Elements of a value; a multiple of the vector width.</param>
    /// <param name="output">[queries][dimension].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(
        float* weights, long keyStride, long queryStride, int queries, float* factors, float** values, int count, int dimension, float* output)
    {
        int q = 0;
        for (; q + 4 <= queries; q += 4)
        {
            float* p = weights + (q * queryStride);
            float* o = output + ((long)q * dimension);
            int d = 0;
            if (TSimd.HasManyRegisters)
            {
                for (; d + (4 * TSimd.Width) <= dimension; d += 4 * TSimd.Width)
                {
                    Accumulate4x4(p, keyStride, queryStride, factors + q, values, d, count, dimension, o + d);
                }
            }

            for (; d + (2 * TSimd.Width) <= dimension; d += 2 * TSimd.Width)
            {
                Accumulate4x2(p, keyStride, queryStride, factors + q, values, d, count, dimension, o + d);
            }

            for (; d < dimension; d += TSimd.Width)
            {
                Accumulate4x1(p, keyStride, queryStride, factors + q, values, d, count, dimension, o + d);
            }
        }

        for (; q < queries; q++)
        {
            float* p = weights + (q * queryStride);
            float* o = output + ((long)q * dimension);
            int d = 0;
            for (; d + (4 * TSimd.Width) <= dimension; d += 4 * TSimd.Width)
            {
                Accumulate1x4(p, keyStride, factors[q], values, d, count, o + d);
            }

            for (; d < dimension; d += TSimd.Width)
            {
                Accumulate1x1(p, keyStride, factors[q], values, d, count, o + d);
            }
        }
    }

    private static void TransposeRow(float* query, int from, int to, float scale, float* transposed)
    {
        for (int d = from; d < to; d++)
        {
            transposed[(long)d * QueryStride] = query[d] * scale;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score4x4(float* transposed, float** keys, int dimension, float* scores)
    {
        int width = TSimd.Width;
        float* k0 = keys[0];
        float* k1 = keys[1];
        float* k2 = keys[2];
        float* k3 = keys[3];
        TVector s00 = TSimd.Broadcast(0);
        TVector s01 = s00;
        TVector s02 = s00;
        TVector s03 = s00;
        TVector s10 = s00;
        TVector s11 = s00;
        TVector s12 = s00;
        TVector s13 = s00;
        TVector s20 = s00;
        TVector s21 = s00;
        TVector s22 = s00;
        TVector s23 = s00;
        TVector s30 = s00;
        TVector s31 = s00;
        TVector s32 = s00;
        TVector s33 = s00;
        for (int d = 0; d < dimension; d++)
        {
            TVector q0 = TSimd.Load(transposed);
            TVector q1 = TSimd.Load(transposed + width);
            TVector q2 = TSimd.Load(transposed + (2 * width));
            TVector q3 = TSimd.Load(transposed + (3 * width));
            transposed += QueryStride;
            TVector x = TSimd.Broadcast(k0[d]);
            s00 = TSimd.MultiplyAdd(x, q0, s00);
            s01 = TSimd.MultiplyAdd(x, q1, s01);
            s02 = TSimd.MultiplyAdd(x, q2, s02);
            s03 = TSimd.MultiplyAdd(x, q3, s03);
            x = TSimd.Broadcast(k1[d]);
            s10 = TSimd.MultiplyAdd(x, q0, s10);
            s11 = TSimd.MultiplyAdd(x, q1, s11);
            s12 = TSimd.MultiplyAdd(x, q2, s12);
            s13 = TSimd.MultiplyAdd(x, q3, s13);
            x = TSimd.Broadcast(k2[d]);
            s20 = TSimd.MultiplyAdd(x, q0, s20);
            s21 = TSimd.MultiplyAdd(x, q1, s21);
            s22 = TSimd.MultiplyAdd(x, q2, s22);
            s23 = TSimd.MultiplyAdd(x, q3, s23);
            x = TSimd.Broadcast(k3[d]);
            s30 = TSimd.MultiplyAdd(x, q0, s30);
            s31 = TSimd.MultiplyAdd(x, q1, s31);
            s32 = TSimd.MultiplyAdd(x, q2, s32);
            s33 = TSimd.MultiplyAdd(x, q3, s33);
        }

        TSimd.Store(s00, scores);
        TSimd.Store(s01, scores + width);
        TSimd.Store(s02, scores + (2 * width));
        TSimd.Store(s03, scores + (3 * width));
        TSimd.Store(s10, scores + QueryStride);
        TSimd.Store(s11, scores + QueryStride + width);
        TSimd.Store(s12, scores + QueryStride + (2 * width));
        TSimd.Store(s13, scores + QueryStride + (3 * width));
        TSimd.Store(s20, scores + (2 * QueryStride));
        TSimd.Store(s21, scores + (2 * QueryStride) + width);
        TSimd.Store(s22, scores + (2 * QueryStride) + (2 * width));
        TSimd.Store(s23, scores + (2 * QueryStride) + (3 * width));
        TSimd.Store(s30, scores + (3 * QueryStride));
        TSimd.Store(s31, scores + (3 * QueryStride) + width);
        TSimd.Store(s32, scores + (3 * QueryStride) + (2 * width));
        TSimd.Store(s33, scores + (3 * QueryStride) + (3 * width));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score4x2(float* transposed, float** keys, int dimension, float* scores)
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
            TVector q0 = TSimd.Load(transposed);
            TVector q1 = TSimd.Load(transposed + width);
            transposed += QueryStride;
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
        TSimd.Store(s10, scores + QueryStride);
        TSimd.Store(s11, scores + QueryStride + width);
        TSimd.Store(s20, scores + (2 * QueryStride));
        TSimd.Store(s21, scores + (2 * QueryStride) + width);
        TSimd.Store(s30, scores + (3 * QueryStride));
        TSimd.Store(s31, scores + (3 * QueryStride) + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Score8x1(float* transposed, float** keys, int dimension, float* scores)
    {
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
            TVector q0 = TSimd.Load(transposed);
            transposed += QueryStride;
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
        TSimd.Store(s10, scores + QueryStride);
        TSimd.Store(s20, scores + (2 * QueryStride));
        TSimd.Store(s30, scores + (3 * QueryStride));
        TSimd.Store(s40, scores + (4 * QueryStride));
        TSimd.Store(s50, scores + (5 * QueryStride));
        TSimd.Store(s60, scores + (6 * QueryStride));
        TSimd.Store(s70, scores + (7 * QueryStride));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x4(
        float* weights, long keyStride, long queryStride, float* factors, float** values, int element, int count, int dimension, float* output)
    {
        int width = TSimd.Width;
        float* p0 = weights;
        float* p1 = p0 + queryStride;
        float* p2 = p1 + queryStride;
        float* p3 = p2 + queryStride;
        float* o1 = output + dimension;
        float* o2 = o1 + dimension;
        float* o3 = o2 + dimension;
        TVector x = TSimd.Broadcast(factors[0]);
        TVector s00 = TSimd.Multiply(x, TSimd.Load(output));
        TVector s01 = TSimd.Multiply(x, TSimd.Load(output + width));
        TVector s02 = TSimd.Multiply(x, TSimd.Load(output + (2 * width)));
        TVector s03 = TSimd.Multiply(x, TSimd.Load(output + (3 * width)));
        x = TSimd.Broadcast(factors[1]);
        TVector s10 = TSimd.Multiply(x, TSimd.Load(o1));
        TVector s11 = TSimd.Multiply(x, TSimd.Load(o1 + width));
        TVector s12 = TSimd.Multiply(x, TSimd.Load(o1 + (2 * width)));
        TVector s13 = TSimd.Multiply(x, TSimd.Load(o1 + (3 * width)));
        x = TSimd.Broadcast(factors[2]);
        TVector s20 = TSimd.Multiply(x, TSimd.Load(o2));
        TVector s21 = TSimd.Multiply(x, TSimd.Load(o2 + width));
        TVector s22 = TSimd.Multiply(x, TSimd.Load(o2 + (2 * width)));
        TVector s23 = TSimd.Multiply(x, TSimd.Load(o2 + (3 * width)));
        x = TSimd.Broadcast(factors[3]);
        TVector s30 = TSimd.Multiply(x, TSimd.Load(o3));
        TVector s31 = TSimd.Multiply(x, TSimd.Load(o3 + width));
        TVector s32 = TSimd.Multiply(x, TSimd.Load(o3 + (2 * width)));
        TVector s33 = TSimd.Multiply(x, TSimd.Load(o3 + (3 * width)));
        long i = 0;
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + element;
            TVector v0 = TSimd.Load(value);
            TVector v1 = TSimd.Load(value + width);
            TVector v2 = TSimd.Load(value + (2 * width));
            TVector v3 = TSimd.Load(value + (3 * width));
            x = TSimd.Broadcast(p0[i]);
            s00 = TSimd.MultiplyAdd(x, v0, s00);
            s01 = TSimd.MultiplyAdd(x, v1, s01);
            s02 = TSimd.MultiplyAdd(x, v2, s02);
            s03 = TSimd.MultiplyAdd(x, v3, s03);
            x = TSimd.Broadcast(p1[i]);
            s10 = TSimd.MultiplyAdd(x, v0, s10);
            s11 = TSimd.MultiplyAdd(x, v1, s11);
            s12 = TSimd.MultiplyAdd(x, v2, s12);
            s13 = TSimd.MultiplyAdd(x, v3, s13);
            x = TSimd.Broadcast(p2[i]);
            s20 = TSimd.MultiplyAdd(x, v0, s20);
            s21 = TSimd.MultiplyAdd(x, v1, s21);
            s22 = TSimd.MultiplyAdd(x, v2, s22);
            s23 = TSimd.MultiplyAdd(x, v3, s23);
            x = TSimd.Broadcast(p3[i]);
            s30 = TSimd.MultiplyAdd(x, v0, s30);
            s31 = TSimd.MultiplyAdd(x, v1, s31);
            s32 = TSimd.MultiplyAdd(x, v2, s32);
            s33 = TSimd.MultiplyAdd(x, v3, s33);
            i += keyStride;
        }

        TSimd.Store(s00, output);
        TSimd.Store(s01, output + width);
        TSimd.Store(s02, output + (2 * width));
        TSimd.Store(s03, output + (3 * width));
        TSimd.Store(s10, o1);
        TSimd.Store(s11, o1 + width);
        TSimd.Store(s12, o1 + (2 * width));
        TSimd.Store(s13, o1 + (3 * width));
        TSimd.Store(s20, o2);
        TSimd.Store(s21, o2 + width);
        TSimd.Store(s22, o2 + (2 * width));
        TSimd.Store(s23, o2 + (3 * width));
        TSimd.Store(s30, o3);
        TSimd.Store(s31, o3 + width);
        TSimd.Store(s32, o3 + (2 * width));
        TSimd.Store(s33, o3 + (3 * width));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x2(
        float* weights, long keyStride, long queryStride, float* factors, float** values, int element, int count, int dimension, float* output)
    {
        int width = TSimd.Width;
        float* p0 = weights;
        float* p1 = p0 + queryStride;
        float* p2 = p1 + queryStride;
        float* p3 = p2 + queryStride;
        float* o1 = output + dimension;
        float* o2 = o1 + dimension;
        float* o3 = o2 + dimension;
        TVector x = TSimd.Broadcast(factors[0]);
        TVector s00 = TSimd.Multiply(x, TSimd.Load(output));
        TVector s01 = TSimd.Multiply(x, TSimd.Load(output + width));
        x = TSimd.Broadcast(factors[1]);
        TVector s10 = TSimd.Multiply(x, TSimd.Load(o1));
        TVector s11 = TSimd.Multiply(x, TSimd.Load(o1 + width));
        x = TSimd.Broadcast(factors[2]);
        TVector s20 = TSimd.Multiply(x, TSimd.Load(o2));
        TVector s21 = TSimd.Multiply(x, TSimd.Load(o2 + width));
        x = TSimd.Broadcast(factors[3]);
        TVector s30 = TSimd.Multiply(x, TSimd.Load(o3));
        TVector s31 = TSimd.Multiply(x, TSimd.Load(o3 + width));
        long i = 0;
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + element;
            TVector v0 = TSimd.Load(value);
            TVector v1 = TSimd.Load(value + width);
            x = TSimd.Broadcast(p0[i]);
            s00 = TSimd.MultiplyAdd(x, v0, s00);
            s01 = TSimd.MultiplyAdd(x, v1, s01);
            x = TSimd.Broadcast(p1[i]);
            s10 = TSimd.MultiplyAdd(x, v0, s10);
            s11 = TSimd.MultiplyAdd(x, v1, s11);
            x = TSimd.Broadcast(p2[i]);
            s20 = TSimd.MultiplyAdd(x, v0, s20);
            s21 = TSimd.MultiplyAdd(x, v1, s21);
            x = TSimd.Broadcast(p3[i]);
            s30 = TSimd.MultiplyAdd(x, v0, s30);
            s31 = TSimd.MultiplyAdd(x, v1, s31);
            i += keyStride;
        }

        TSimd.Store(s00, output);
        TSimd.Store(s01, output + width);
        TSimd.Store(s10, o1);
        TSimd.Store(s11, o1 + width);
        TSimd.Store(s20, o2);
        TSimd.Store(s21, o2 + width);
        TSimd.Store(s30, o3);
        TSimd.Store(s31, o3 + width);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate4x1(
        float* weights, long keyStride, long queryStride, float* factors, float** values, int element, int count, int dimension, float* output)
    {
        float* p0 = weights;
        float* p1 = p0 + queryStride;
        float* p2 = p1 + queryStride;
        float* p3 = p2 + queryStride;
        float* o1 = output + dimension;
        float* o2 = o1 + dimension;
        float* o3 = o2 + dimension;
        TVector x = TSimd.Broadcast(factors[0]);
        TVector s00 = TSimd.Multiply(x, TSimd.Load(output));
        x = TSimd.Broadcast(factors[1]);
        TVector s10 = TSimd.Multiply(x, TSimd.Load(o1));
        x = TSimd.Broadcast(factors[2]);
        TVector s20 = TSimd.Multiply(x, TSimd.Load(o2));
        x = TSimd.Broadcast(factors[3]);
        TVector s30 = TSimd.Multiply(x, TSimd.Load(o3));
        long i = 0;
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + element;
            TVector v0 = TSimd.Load(value);
            x = TSimd.Broadcast(p0[i]);
            s00 = TSimd.MultiplyAdd(x, v0, s00);
            x = TSimd.Broadcast(p1[i]);
            s10 = TSimd.MultiplyAdd(x, v0, s10);
            x = TSimd.Broadcast(p2[i]);
            s20 = TSimd.MultiplyAdd(x, v0, s20);
            x = TSimd.Broadcast(p3[i]);
            s30 = TSimd.MultiplyAdd(x, v0, s30);
            i += keyStride;
        }

        TSimd.Store(s00, output);
        TSimd.Store(s10, o1);
        TSimd.Store(s20, o2);
        TSimd.Store(s30, o3);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate1x4(float* weights, long keyStride, float factor, float** values, int element, int count, float* output)
    {
        int width = TSimd.Width;
        TVector x = TSimd.Broadcast(factor);
        TVector s0 = TSimd.Multiply(x, TSimd.Load(output));
        TVector s1 = TSimd.Multiply(x, TSimd.Load(output + width));
        TVector s2 = TSimd.Multiply(x, TSimd.Load(output + (2 * width)));
        TVector s3 = TSimd.Multiply(x, TSimd.Load(output + (3 * width)));
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + element;
            x = TSimd.Broadcast(*weights);
            s0 = TSimd.MultiplyAdd(x, TSimd.Load(value), s0);
            s1 = TSimd.MultiplyAdd(x, TSimd.Load(value + width), s1);
            s2 = TSimd.MultiplyAdd(x, TSimd.Load(value + (2 * width)), s2);
            s3 = TSimd.MultiplyAdd(x, TSimd.Load(value + (3 * width)), s3);
            weights += keyStride;
        }

        TSimd.Store(s0, output);
        TSimd.Store(s1, output + width);
        TSimd.Store(s2, output + (2 * width));
        TSimd.Store(s3, output + (3 * width));
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Accumulate1x1(float* weights, long keyStride, float factor, float** values, int element, int count, float* output)
    {
        TVector x = TSimd.Broadcast(factor);
        TVector s0 = TSimd.Multiply(x, TSimd.Load(output));
        for (int k = 0; k < count; k++)
        {
            float* value = values[k] + element;
            x = TSimd.Broadcast(*weights);
            s0 = TSimd.MultiplyAdd(x, TSimd.Load(value), s0);
            weights += keyStride;
        }

        TSimd.Store(s0, output);
    }
}
