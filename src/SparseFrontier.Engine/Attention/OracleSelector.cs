using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Selects tokens by the exact softmax attention of the step's queries, summed over the query heads of a KV head.</summary>
internal sealed unsafe class OracleSelector(OracleTopKDecode method, MethodParameters parameters, KernelSet kernels) : StepSelector
{
    /// <inheritdoc/>
    public override string ListName => "tokens";

    /// <inheritdoc/>
    public override int UnitSize => 1;

    /// <inheritdoc/>
    public override DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale)
    {
        int kvHeads = cache.Prompt.Heads;
        int group = queryHeads / kvHeads;
        int[] budgets = new int[kvHeads];
        bool sparse = false;
        for (int head = 0; head < kvHeads; head++)
        {
            var place = new BudgetPlace(layer, head, cache.Prompt.Lengths[head], Math.Max(0, cache.GeneratedLength - 1));
            budgets[head] = method.At(parameters, place)?.Integer(OracleTopKDecode.TokenBudget) ?? int.MaxValue;
            sparse |= cache.Length(head) > budgets[head];
        }

        if (!sparse)
        {
            return null;
        }

        var lists = new KeyRange[kvHeads][];
        WorkerPool.For(kvHeads, head =>
        {
            int length = cache.Length(head);
            if (length <= budgets[head])
            {
                lists[head] = [new KeyRange(0, length)];
                return;
            }

            float[] mass = Mass(kernels, cache, head, queries + ((long)head * group * cache.Prompt.Dimension), group, scale);
            mass[length - 1] = float.PositiveInfinity;
            lists[head] = Ranges(TopK.Select(mass, budgets[head]));
        });
        for (int head = 0; head < kvHeads; head++)
        {
            if (cache.Length(head) > budgets[head])
            {
                ForcedCount += group;
                IndexBytesRead += (long)cache.Length(head) * cache.Prompt.RowBytes;
            }
        }

        return new DecodeSelection(lists);
    }

    /// <summary>Nothing is remembered between steps.</summary>
    public override void Truncate(int generatedLength)
    {
    }

    /// <summary>[length], softmax attention of some query heads to a KV head's cache, summed over the query heads.</summary>
    /// <param name="kernels">The operations to compute with.</param>
    /// <param name="cache">The layer's cache.</param>
    /// <param name="head">KV head.</param>
    /// <param name="queries">[group, dimension].</param>
    /// <param name="group">Query heads.</param>
    /// <param name="scale">Factor on query · key.</param>
    internal static float[] Mass(KernelSet kernels, LayerCache cache, int head, float* queries, int group, float scale)
    {
        int length = cache.Length(head);
        int dimension = cache.Prompt.Dimension;
        float[] mass = new float[length];
        float[] scores = new float[length];
        for (int i = 0; i < group; i++)
        {
            float* query = queries + ((long)i * dimension);
            fixed (float* output = scores)
            {
                Multiply(kernels, query, cache.Prompt, head, cache.Prompt.Lengths[head], output);
                Multiply(kernels, query, cache.Generated, head, cache.GeneratedLength, output + cache.Prompt.Lengths[head]);
            }

            float largest = scores.Max();
            double sum = 0;
            for (int token = 0; token < length; token++)
            {
                scores[token] = MathF.Exp(scale * (scores[token] - largest));
                sum += scores[token];
            }

            for (int token = 0; token < length; token++)
            {
                mass[token] += (float)(scores[token] / sum);
            }
        }

        return mass;
    }

    // Keys are widened some at a time, because the product is one of float32.
    private static void Multiply(KernelSet kernels, float* query, KeyValueBlock block, int head, int rows, float* output)
    {
        const int ChunkRows = 64;
        float[] widened = new float[ChunkRows * block.Dimension];
        fixed (float* keys = widened)
        {
            for (int row = 0; row < rows; row += ChunkRows)
            {
                int count = Math.Min(ChunkRows, rows - row);
                block.ReadKeys(head, row, count, keys);
                kernels.MatMulTransposed(query, block.Dimension, 1, keys, block.Dimension, count, block.Dimension, output + row);
            }
        }
    }

    private static KeyRange[] Ranges(int[] tokens)
    {
        var ranges = new List<KeyRange>();
        for (int i = 0; i < tokens.Length;)
        {
            int next = i + 1;
            while (next < tokens.Length && tokens[next] == tokens[next - 1] + 1)
            {
                next++;
            }

            ranges.Add(new KeyRange(tokens[i], tokens[next - 1] + 1));
            i = next;
        }

        return [.. ranges];
    }
}
