using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Runs one method on the queries, keys and values of one layer, outside any model.</summary>
public static unsafe class Attend
{
    /// <summary>
    /// Selects and attends. A prefill method, and one that evicts after a dense prefill, attends for all rows; one that selects at every
    /// step attends for the last row, with all keys in the cache.
    /// </summary>
    /// <exception cref="BudgetInfeasibleException">The budget does not hold what is always kept.</exception>
    public static AttendResult Run(AttentionMethod method, PromptLayer layer, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(layer);
        AttendResult result = method switch
        {
            PrefillMethod prefill => RunPrefill(layer, prefill.Select(layer, parameters)),
            DecodeMethod decode => RunDecode(decode, layer, parameters),
            _ => throw new ArgumentException("It is neither a prefill nor a decode method.", nameof(method)),
        };
        return !parameters.Schedule.IsUniform ? result with { NominalSparsity = [] }
            : method.NominalSparsity(layer.Shape, parameters) is double nominal ? result with { NominalSparsity = [nominal] }
            : result;
    }

    private static AttendResult RunPrefill(PromptLayer layer, PrefillSelection selection)
    {
        int heads = layer.Queries.Heads;
        return new AttendResult(
            PrefillOutput(layer, selection.Plans),
            [heads, layer.Length, layer.Queries.Dimension],
            [.. selection.CreateLists().Select(list => List(list.Key, list.Value, list.Key == "blocks" ? selection.Plans[0].TileCount : null))],
            1 - ((double)selection.CountPairs(heads) / (layer.Shape.CausalPairs * heads)))
        {
            NominalSparsity = selection.NominalSparsity,
        };
    }

    private static AttendResult RunDecode(DecodeMethod method, PromptLayer layer, MethodParameters parameters)
    {
        int kvHeads = layer.KvHeads;
        int length = layer.Length;
        KeptTokens? kept = method.Compress(layer, parameters);
        using LayerCache cache = Cache(layer);
        using StepSelector? selector = method.CreateStepSelector(parameters, [.. Enumerable.Repeat<LayerCache?>(null, layer.Layer), cache], layer.Kernels, layer.Seed);
        if (selector is not null)
        {
            return RunStep(layer, cache, selector);
        }

        // Eviction comes after a dense prefill.
        int[] flags = new int[kvHeads * length];
        for (int head = 0; head < kvHeads; head++)
        {
            foreach (int token in kept?.ByHead[head] ?? [.. Enumerable.Range(0, length)])
            {
                flags[(head * length) + token] = 1;
            }
        }

        return new AttendResult(
            PrefillOutput(layer, [AttentionPlan.Dense(length)]),
            [layer.Queries.Heads, length, layer.Queries.Dimension],
            [new SelectionTensor("kept", DataType.U8, [kvHeads, length], flags)],
            1 - (flags.Sum() / ((double)kvHeads * length)));
    }

    private static AttendResult RunStep(PromptLayer layer, LayerCache cache, StepSelector selector)
    {
        int heads = layer.Queries.Heads;
        int dimension = layer.Queries.Dimension;
        float[] queries = new float[heads * dimension];
        for (int head = 0; head < heads; head++)
        {
            layer.Queries.RowSpan(head, layer.Length - 1).CopyTo(queries.AsSpan(head * dimension));
        }

        float[] output = new float[heads * dimension];
        DecodeSelection selection;
        fixed (float* queryData = queries, outputData = output)
        {
            selection = selector.Select(layer.Layer, cache, queryData, heads, layer.Scale) ?? new DecodeSelection([[new KeyRange(0, layer.Length)]]);
            layer.Kernels.DecodeAttention(queryData, heads, cache, selection, layer.Scale, outputData);
        }

        KeyRange[][] ranges = [.. Enumerable.Range(0, heads).Select(head => selection.ForQueryHead(head, heads))];
        return new AttendResult(
            output,
            [heads, dimension],
            [List(selector.ListName, Array.ConvertAll(ranges, r => Units(r, selector.UnitSize)), null)],
            1 - (ranges.Sum(r => r.Sum(range => (double)range.Length)) / ((double)heads * layer.Length)));
    }

    private static int[] Units(KeyRange[] ranges, int unit) =>
        [.. ranges.SelectMany(r => Enumerable.Range(r.Start / unit, ((r.End + unit - 1) / unit) - (r.Start / unit)))];

    // [heads, width] or, given rows, [heads, rows, width]; heads with fewer elements than others are filled up with -1.
    private static SelectionTensor List(string name, int[][] lists, int? rows)
    {
        int width = lists.Max(l => l.Length);
        int[] values = new int[lists.Length * width];
        Array.Fill(values, -1);
        for (int head = 0; head < lists.Length; head++)
        {
            lists[head].CopyTo(values, head * width);
        }

        return new SelectionTensor(name, DataType.I32, rows is int r ? [lists.Length, r, width / r] : [lists.Length, width], values);
    }

    private static float[] PrefillOutput(PromptLayer layer, IReadOnlyList<AttentionPlan> plans)
    {
        float[] output = new float[(long)layer.Queries.Heads * layer.Length * layer.Queries.Dimension];
        fixed (float* data = output)
        {
            layer.Kernels.PrefillAttention(
                layer.Queries,
                layer.Keys,
                layer.Values,
                layer.Scale,
                plans,
                0,
                HeadTensor.HeadMajor(data, layer.Queries.Heads, layer.Length, layer.Queries.Dimension),
                null,
                layer.CancellationToken);
        }

        return output;
    }

    private static LayerCache Cache(PromptLayer layer)
    {
        var block = new KeyValueBlock(layer.KvHeads, layer.Length, layer.Keys.Dimension);
        for (int head = 0; head < layer.KvHeads; head++)
        {
            for (int row = 0; row < layer.Length; row++)
            {
                block.Write(head, row, layer.Keys.Row(head, row), layer.Values.Row(head, row));
            }
        }

        return new LayerCache(block, ownsPrompt: true);
    }
}

/// <summary>A selection as a tensor.</summary>
/// <param name="Name">"verticals", "slashes", "blocks", "kept", "pages" or "tokens".</param>
/// <param name="DataType">I32, or U8 for flags.</param>
/// <param name="Shape">Extents, outermost first.</param>
/// <param name="Values">Elements in row-major order; -1 fills rows that are shorter than others.</param>
public sealed record SelectionTensor(string Name, DataType DataType, int[] Shape, int[] Values);

/// <summary>What a method chose and computed on one layer.</summary>
/// <param name="Output">Attention output in row-major order.</param>
/// <param name="OutputShape">[query heads, length, dimension], or [query heads, dimension] for one step.</param>
/// <param name="Selection">The choice.</param>
/// <param name="Sparsity">Share of causal pairs, prompt tokens or cached tokens that was left out.</param>
public sealed record AttendResult(float[] Output, int[] OutputShape, IReadOnlyList<SelectionTensor> Selection, double Sparsity)
{
    /// <summary>The paper's own figure: by query head where it is measured from the selection, one where it is a formula, none for controls.</summary>
    public IReadOnlyList<double> NominalSparsity { get; init; } = [];
}
