using SparseFrontier.Attention;

namespace SparseFrontier.Analysis;

/// <summary>Floating-point operations of reading the prompts of a batch.</summary>
/// <param name="Projection">Query, key, value and output projections.</param>
/// <param name="Attention">Scores, softmax and weighted values.</param>
/// <param name="FeedForward">Feed-forward layers.</param>
/// <param name="Embedding">Embedding.</param>
/// <param name="Logits">Output projection.</param>
/// <param name="Index">Choosing what to attend to.</param>
public sealed record PrefillCost(double Projection, double Attention, double FeedForward, double Embedding, double Logits, double Index)
{
    /// <summary>The sum.</summary>
    public double Total => Projection + Attention + FeedForward + Embedding + Logits + Index;
}

/// <summary>What one decode step of a batch reads, in elements or bytes.</summary>
/// <param name="Weights">Weights, read once for the batch.</param>
/// <param name="KeyValue">Keys and values.</param>
/// <param name="Index">Data read to choose.</param>
public sealed record DecodeCost(double Weights, double KeyValue, double Index)
{
    /// <summary>The sum.</summary>
    public double Total => Weights + KeyValue + Index;
}

/// <summary>
/// The cost model: operations of the prefill and memory traffic of decode steps, in three readings. Printed: the equations of the paper's
/// appendix B as they stand. Figure: as its figures were made, which differs. Exact: this project's own, with causal attention counted as
/// such. docs/analysis.md has the formulas.
/// </summary>
public static class CostModel
{
    /// <summary>Operations of reading a batch of prompts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="batch">Prompts.</param>
    /// <param name="method">A prefill method.</param>
    /// <param name="parameters">Its parameters; only those that indexing depends on matter.</param>
    /// <param name="sparsity">Share of the causal pairs of global layers that is left out.</param>
    /// <param name="formula">Which reading.</param>
    public static PrefillCost Prefill(ModelShape model, int length, int batch, PrefillMethod method, MethodParameters parameters, double sparsity, CostFormula formula)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(parameters);
        double l = length;
        double d = model.HiddenSize;
        double density = 1 - sparsity;
        bool exact = formula == CostFormula.Exact;
        double queryWidth = formula == CostFormula.Printed ? d : model.QueryWidth;
        double layerProjection = 2 * l * d * ((2 * queryWidth) + (2 * model.KvWidth));
        double scoreCost = (4 * model.HeadDimension) + 3;
        double projection = 0;
        double attention = 0;
        foreach (int window in model.SlidingWindows)
        {
            double kept = window == 0 ? density : 1;
            projection += layerProjection * (formula == CostFormula.Figure ? kept : 1);
            attention += kept * model.QueryHeads * Pairs(l, window, exact) * scoreCost;
        }

        double width = formula == CostFormula.Printed ? d : model.HeadDimension;
        double index = IndexCost.PrefillOperations(model, l, method, parameters, sparsity, width, exact) * model.GlobalLayerCount;
        return new PrefillCost(
            batch * projection,
            batch * attention,
            batch * model.LayerCount * ((6 * l * d * model.IntermediateSize) + (2 * l * model.IntermediateSize)),
            exact ? 0 : batch * 2 * l * d,
            batch * 2 * (exact ? 1 : l) * d * model.VocabularySize,
            batch * index);
    }

    /// <summary>Operations, once per prompt batch, of evicting or of building page bounds.</summary>
    /// <param name="model">The model.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="batch">Prompts.</param>
    /// <param name="method">A decode method.</param>
    /// <param name="parameters">Its parameters.</param>
    public static double BuildOperations(ModelShape model, int length, int batch, DecodeMethod method, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(parameters);
        return batch * model.GlobalLayerCount * IndexCost.PrefillOperations(model, length, method, parameters, 0, model.HeadDimension, exact: true);
    }

    /// <summary>What one decode step of a batch reads: elements, or bytes in the exact reading.</summary>
    /// <param name="model">The model.</param>
    /// <param name="length">Cached tokens, the step's own included.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="method">A decode method.</param>
    /// <param name="parameters">Its parameters; only those that indexing depends on matter.</param>
    /// <param name="sparsity">Share of the cached tokens of global layers that is not attended.</param>
    /// <param name="formula">Which reading.</param>
    /// <param name="weightBytes">Bytes of a weight, for the exact reading.</param>
    /// <param name="cacheBytes">Bytes of an element of the cache and its index, for the exact reading.</param>
    public static DecodeCost Decode(
        ModelShape model, int length, int batch, DecodeMethod method, MethodParameters parameters, double sparsity, CostFormula formula, double weightBytes = 2, double cacheBytes = 2)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(parameters);
        double l = length;
        double d = model.HiddenSize;
        bool exact = formula == CostFormula.Exact;
        double tokens = 0;
        foreach (int window in model.SlidingWindows)
        {
            tokens += window == 0 ? (1 - sparsity) * l : Math.Min(l, window);
        }

        double keyValue = 2 * model.KvWidth * tokens;
        double width = formula == CostFormula.Printed ? d : model.HeadDimension;
        double index = IndexCost.DecodeElements(model, l, method, parameters, width, exact) * model.GlobalLayerCount;
        if (!exact)
        {
            double attention = formula == CostFormula.Printed ? 4 * d * d : (2 * d * model.QueryWidth) + (2 * d * model.KvWidth);
            double weights = (model.LayerCount * (attention + (3 * d * model.IntermediateSize))) + (d * (model.VocabularySize + 1.0));
            return new DecodeCost(weights, batch * keyValue, batch * index);
        }

        // Page lists of its own for every query head: what the heads of a group share is read once for each.
        bool apart = sparsity > 0 && method is PageMethod pages && pages.HasOwnPages(parameters);
        double read = apart
            ? keyValue + (((double)model.QueryHeads / model.KvHeads) - 1) * 2 * model.KvWidth * (1 - sparsity) * l * model.GlobalLayerCount
            : keyValue;
        double table = (double)model.VocabularySize * d;
        double parametersRead = model.ParameterCount - (model.TiedEmbeddings ? 0 : table) + (batch * d);
        return new DecodeCost(weightBytes * parametersRead, cacheBytes * batch * read, cacheBytes * batch * index);
    }

    /// <summary>Query-key pairs of one query head, summed over layers, that a prefill attends to.</summary>
    /// <param name="model">The model.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="sparsity">Share of the causal pairs of global layers that is left out.</param>
    public static double AttendedPairs(ModelShape model, int length, double sparsity)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.SlidingWindows.Sum(window => (window == 0 ? 1 - sparsity : 1) * Pairs(length, window, exact: true));
    }

    private static double Pairs(double length, int window, bool exact)
    {
        double seen = window == 0 ? length : Math.Min(length, window);
        return exact ? (seen * (seen + 1) / 2) + ((length - seen) * seen) : length * seen;
    }
}
