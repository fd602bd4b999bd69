using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Which keys a method keeps for some query rows of one layer, head by head: what looking inside compares with dense attention.</summary>
internal abstract class KeptKeys
{
    /// <summary>Positions of the measured queries, ascending; a query sees the keys up to its own position.</summary>
    public abstract IReadOnlyList<int> Rows { get; }

    /// <summary>Marks the keys that a query head keeps for a measured row.</summary>
    /// <param name="queryHead">Query head.</param>
    /// <param name="index">Index into <see cref="Rows"/>.</param>
    /// <param name="kept">[position + 1], all false when called; written.</param>
    public abstract void Mark(int queryHead, int index, Span<bool> kept);

    /// <summary>Share of a query head's pairs that is left out, over all rows and not only the measured ones.</summary>
    public abstract double Sparsity(int queryHead);

    /// <summary>Pairs that the kernel computes for a query head, tiles included, over all pairs.</summary>
    public abstract double ExecutedDensity(int queryHead);
}

/// <summary>What a prefill method keeps for rows of a prompt.</summary>
internal sealed class PromptKeptKeys : KeptKeys
{
    private readonly PromptLayer _layer;
    private readonly IReadOnlyList<AttentionPlan> _plans;

    /// <summary>Lets a method choose.</summary>
    /// <exception cref="BudgetInfeasibleException">The budget does not hold what is always kept.</exception>
    public PromptKeptKeys(PrefillMethod method, MethodParameters parameters, PromptLayer prompt, IReadOnlyList<int> rows)
    {
        _layer = prompt;
        _plans = method.Select(prompt, parameters).Plans;
        Rows = rows;
    }

    public override IReadOnlyList<int> Rows { get; }

    public override void Mark(int queryHead, int index, Span<bool> kept)
    {
        AttentionPlan plan = Plan(queryHead);
        int row = Rows[index];
        int tile = row / plan.TileRows;
        for (int i = plan.RangeOffsets[tile]; i < plan.RangeOffsets[tile + 1]; i++)
        {
            KeyRange range = plan.Ranges[i];
            if (range.Start <= row)
            {
                kept[range.Start..Math.Min(range.End, row + 1)].Fill(true);
            }
        }

        foreach (int column in plan.Columns)
        {
            if (column > row)
            {
                break;
            }

            kept[column] = true;
        }
    }

    public override double Sparsity(int queryHead) => 1 - (Plan(queryHead).CountPairs() / (double)_layer.Shape.CausalPairs);

    public override double ExecutedDensity(int queryHead) => _layer.Kernels.CountExecutedPairs(Plan(queryHead), 0) / (double)_layer.Shape.CausalPairs;

    private AttentionPlan Plan(int queryHead) => _plans.Count == 1 ? _plans[0] : _plans[queryHead];
}

/// <summary>
/// What a decode method keeps at the steps after a prompt, whose queries, keys and values are known. Without any the last row of the prompt
/// is the step, with all keys in the cache.
/// </summary>
internal sealed unsafe class StepKeptKeys : KeptKeys
{
    private readonly KeyRange[][][] _ranges;
    private readonly long[] _attended;
    private readonly long[] _all;

    /// <summary>Evicts from the prompt's cache, then lets the method choose at every step up to the last measured one.</summary>
    /// <param name="method">The method.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="prompt">The prompt's rows.</param>
    /// <param name="whole">The prompt's and the steps' rows.</param>
    /// <param name="rows">Positions of the measured steps, ascending.</param>
    /// <param name="cacheType">Type of the cached keys and values.</param>
    /// <exception cref="BudgetInfeasibleException">The budget does not hold what is always kept.</exception>
    public StepKeptKeys(DecodeMethod method, MethodParameters parameters, PromptLayer prompt, PromptLayer whole, IReadOnlyList<int> rows, DataType cacheType)
    {
        int queryHeads = whole.Queries.Heads;
        Rows = rows;
        _ranges = new KeyRange[rows.Count][][];
        _attended = new long[queryHeads];
        _all = new long[queryHeads];
        KeptTokens? evicted = method.Compress(prompt, parameters);
        using LayerCache cache = CreateCache(prompt, evicted, cacheType);
        using StepSelector? selector = method.CreateStepSelector(
            parameters, [.. Enumerable.Repeat<LayerCache?>(null, prompt.Layer), cache], prompt.Kernels, prompt.Seed);
        bool lastRow = whole.Length == prompt.Length;
        int measured = 0;
        float[] queries = new float[queryHeads * whole.Queries.Dimension];
        for (int row = lastRow ? prompt.Length - 1 : prompt.Length; row <= rows[^1]; row++)
        {
            whole.CancellationToken.ThrowIfCancellationRequested();
            if (!lastRow)
            {
                Append(cache, whole, row);
            }

            for (int head = 0; head < queryHeads; head++)
            {
                whole.Queries.RowSpan(head, row).CopyTo(queries.AsSpan(head * whole.Queries.Dimension));
            }

            DecodeSelection? chosen;
            fixed (float* pointer = queries)
            {
                chosen = selector?.Select(prompt.Layer, cache, pointer, queryHeads, whole.Scale);
            }

            KeyRange[][] lists = [.. Enumerable.Range(0, queryHeads).Select(head =>
                chosen?.ForQueryHead(head, queryHeads) ?? [new KeyRange(0, cache.Length(head / whole.GroupSize))])];
            for (int head = 0; head < queryHeads; head++)
            {
                _attended[head] += lists[head].Sum(r => (long)r.Length);
                _all[head] += row + 1;
            }

            if (rows[measured] == row)
            {
                _ranges[measured++] = [.. lists.Select((list, head) => Positions(list, evicted?.ByHead[head / whole.GroupSize], prompt.Length))];
            }
        }
    }

    public override IReadOnlyList<int> Rows { get; }

    public override void Mark(int queryHead, int index, Span<bool> kept)
    {
        foreach (KeyRange range in _ranges[index][queryHead])
        {
            kept[range.Start..range.End].Fill(true);
        }
    }

    public override double Sparsity(int queryHead) => 1 - (_attended[queryHead] / (double)_all[queryHead]);

    public override double ExecutedDensity(int queryHead) => _attended[queryHead] / (double)_all[queryHead];

    // A cache holds what an eviction left, then the steps' tokens: back to positions of the sequence.
    private static KeyRange[] Positions(KeyRange[] list, int[]? kept, int promptLength)
    {
        if (kept is null)
        {
            return list;
        }

        var ranges = new List<KeyRange>();
        foreach (KeyRange range in list)
        {
            for (int token = range.Start; token < range.End; token++)
            {
                int position = token < kept.Length ? kept[token] : promptLength + token - kept.Length;
                if (ranges.Count > 0 && ranges[^1].End == position)
                {
                    ranges[^1] = new KeyRange(ranges[^1].Start, position + 1);
                }
                else
                {
                    ranges.Add(new KeyRange(position, position + 1));
                }
            }
        }

        return [.. ranges];
    }

    private static LayerCache CreateCache(PromptLayer prompt, KeptTokens? evicted, DataType type)
    {
        int heads = prompt.Keys.Heads;
        int[] lengths = [.. Enumerable.Range(0, heads).Select(head => evicted?.ByHead[head].Length ?? prompt.Length)];
        var block = new KeyValueBlock(lengths, prompt.Keys.Dimension, type);
        WorkerPool.For(heads, head =>
        {
            for (int i = 0; i < lengths[head]; i++)
            {
                int token = evicted?.ByHead[head][i] ?? i;
                block.Write(head, i, prompt.Keys.Row(head, token), prompt.Values.Row(head, token));
            }
        });
        return new LayerCache(block, ownsPrompt: true);
    }

    private static void Append(LayerCache cache, PromptLayer whole, int row)
    {
        int dimension = whole.Keys.Dimension;
        float[] rows = new float[2 * whole.Keys.Heads * dimension];
        for (int head = 0; head < whole.Keys.Heads; head++)
        {
            whole.Keys.RowSpan(head, row).CopyTo(rows.AsSpan(head * dimension));
            whole.Values.RowSpan(head, row).CopyTo(rows.AsSpan((whole.Keys.Heads + head) * dimension));
        }

        fixed (float* pointer = rows)
        {
            cache.Append(pointer, pointer + (rows.Length / 2));
        }
    }
}
