using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Reference;

// Softmax attention: output = Σ_k w_k v_k, w_k = exp(s_k - max s) / Σ_j exp(s_j - max s), s_k = scale · q·k. Cost: 2 · dimension
// multiplications a pair.
public abstract unsafe partial class ReferenceKernels<TNumber>
{
    /// <inheritdoc/>
    public override void PrefillAttention(
        HeadTensor queries,
        HeadTensor keys,
        HeadTensor values,
        float scale,
        IReadOnlyList<AttentionPlan> plans,
        int slidingWindow,
        HeadTensor output,
        float* logSumExp,
        CancellationToken cancellationToken)
    {
        var rowKeys = new List<int>();
        for (int h = 0; h < queries.Heads; h++)
        {
            AttentionPlan plan = plans[plans.Count == 1 ? 0 : h];
            plan.RequireShape(queries, keys);
            int kvHead = h / (queries.Heads / keys.Heads);
            for (int row = 0; row < queries.Rows; row++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                rowKeys.Clear();
                for (int key = 0; key < keys.Rows; key++)
                {
                    if (ReferenceMask.Attends(plan, slidingWindow, row, key))
                    {
                        rowKeys.Add(key);
                    }
                }

                TNumber logarithm = Attend(
                    queries.Row(h, row),
                    rowKeys,
                    key => (nint)keys.Row(kvHead, key),
                    key => (nint)values.Row(kvHead, key),
                    scale,
                    keys.Dimension,
                    output.Row(h, row));
                if (logSumExp is not null)
                {
                    logSumExp[((long)h * queries.Rows) + row] = Narrow(logarithm);
                }
            }
        }
    }

    /// <inheritdoc/>
    public override void DecodeAttention(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output)
    {
        int dimension = cache.Prompt.Dimension;
        for (int h = 0; h < queryHeads; h++)
        {
            int kvHead = h / (queryHeads / cache.Prompt.Heads);
            KeyRange[] ranges = selection?.ForQueryHead(h, queryHeads) ?? [new KeyRange(0, cache.Length(kvHead))];
            int[] tokens = [.. ranges.SelectMany(r => Enumerable.Range(r.Start, r.Length))];
            float[] keys = [.. tokens.SelectMany(token => cache.ReadKey(kvHead, token))];
            float[] values = [.. tokens.SelectMany(token => cache.ReadValue(kvHead, token))];
            fixed (float* keyData = keys, valueData = values)
            {
                nint firstKey = (nint)keyData;
                nint firstValue = (nint)valueData;
                Attend(
                    queries + ((long)h * dimension),
                    [.. Enumerable.Range(0, tokens.Length)],
                    i => firstKey + (i * dimension * sizeof(float)),
                    i => firstValue + (i * dimension * sizeof(float)),
                    scale,
                    dimension,
                    output + ((long)h * dimension));
            }
        }
    }

    /// <inheritdoc/>
    public override void LastWindowAttention(
        HeadTensor queries,
        HeadTensor keys,
        int queryHead,
        int window,
        float scale,
        Span<float> columnSums,
        Span<float> diagonalSums,
        Span<float> columnMaxima)
    {
        int kvHead = queryHead / (queries.Heads / keys.Heads);
        int rows = queries.Rows;
        TNumber[] columns = new TNumber[rows];
        TNumber[] diagonals = new TNumber[rows];
        TNumber[] maxima = new TNumber[rows];
        for (int row = rows - window; row < rows; row++)
        {
            TNumber[] scores = [.. Enumerable.Range(0, row + 1).Select(key => Number(scale) * Dot(queries.Row(queryHead, row), keys.Row(kvHead, key), keys.Dimension))];
            if (Array.TrueForAll(scores, TNumber.IsNegativeInfinity))
            {
                continue;
            }

            TNumber[] weights = Softmax([.. Enumerable.Range(0, row + 1)], key => scores[key], out _);
            for (int key = 0; key <= row; key++)
            {
                columns[key] += weights[key];
                diagonals[row - key] += weights[key];
                maxima[key] = TNumber.Max(maxima[key], weights[key]);
            }
        }

        Write(columns, columnSums);
        Write(diagonals, diagonalSums);
        Write(maxima, columnMaxima);
    }

    /// <inheritdoc/>
    public override long CountExecutedPairs(AttentionPlan plan, int slidingWindow) => plan.CountPairs(slidingWindow);

    // Returns the logarithm of the sum of the exponentials. Addresses travel as nint because a pointer cannot be a type argument.
    private TNumber Attend(float* query, List<int> tokens, Func<int, nint> key, Func<int, nint> value, float scale, int dimension, float* output)
    {
        TNumber[] weights = Softmax(tokens, token => Number(scale) * Dot(query, (float*)key(token), dimension), out TNumber logarithm);
        TNumber[] sums = new TNumber[dimension];
        for (int t = 0; t < tokens.Count; t++)
        {
            float* v = (float*)value(tokens[t]);
            TNumber weight = StoreWeight(weights[t]);
            for (int d = 0; d < dimension; d++)
            {
                sums[d] += weight * Number(v[d]);
            }
        }

        for (int d = 0; d < dimension; d++)
        {
            output[d] = Narrow(sums[d]);
        }

        return logarithm;
    }

    private static TNumber[] Softmax(List<int> tokens, Func<int, TNumber> score, out TNumber logarithm)
    {
        TNumber[] weights = [.. tokens.Select(score)];
        TNumber maximum = weights.Length == 0 ? TNumber.Zero : weights.Max()!;
        TNumber sum = TNumber.Zero;
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = TNumber.Exp(weights[i] - maximum);
            sum += weights[i];
        }

        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] /= sum;
        }

        logarithm = maximum + TNumber.Log(sum);
        return weights;
    }

    private static void Write(TNumber[] source, Span<float> target)
    {
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = Narrow(source[i]);
        }
    }
}
