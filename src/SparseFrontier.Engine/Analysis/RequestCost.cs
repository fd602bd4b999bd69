using SparseFrontier.Attention;

namespace SparseFrontier.Analysis;

/// <summary>What a request costs by the exact cost model, from a row's measured sparsities. One request's share of a batch.</summary>
/// <param name="Model">Sizes of the row's model.</param>
/// <param name="BatchSize">Sequences that share the reading of weights in decode.</param>
/// <param name="OutputTokenCount">Output tokens of a request, for cumulative reads.</param>
public sealed record RequestCost(ModelShape Model, int BatchSize, int OutputTokenCount)
{
    // 16 bits, as checkpoints are published.
    private const double ElementBytes = 2;

    // Query rows of a tile of a prefill kernel, which reads what the tile attends to once a KV head.
    private const int TileRows = 64;

    /// <summary>Names of the costs.</summary>
    public static IReadOnlyList<string> Names { get; } = [PrefillFlopsName, DecodeBytesName, MemoryReadsName];

    /// <summary>Operations of the prefill, with choosing.</summary>
    public const string PrefillFlopsName = "PrefillFlops";

    /// <summary>Bytes of weights, keys, values and index that a decode step right after the prompt reads, a sequence.</summary>
    public const string DecodeBytesName = "DecodeBytes";

    /// <summary>Bytes read over the prefill and all decode steps, a sequence: one cost for both phases.</summary>
    public const string MemoryReadsName = "MemoryReads";

    /// <summary>A cost of a row by name; null if the row lacks what it needs.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound.</exception>
    public double? Of(SparseAttentionResult row, string name)
    {
        ArgumentNullException.ThrowIfNull(row);
        if (RowSparsity.Prefill(row) is not { } prefillSparsity || (row.CacheSparsity ?? RowSparsity.Decode(row)) is not { } decodeSparsity)
        {
            return null;
        }

        int length = (int)Math.Round(row.PromptTokens ?? row.SequenceLength);
        PrefillMethod prefill = MethodRegistry.FindPrefill(Name(row.Method));
        DecodeMethod decode = MethodRegistry.FindDecode(Name(row.DecodeMethod));
        MethodParameters prefillParameters = Parameters(prefill, row.Parameters);
        MethodParameters decodeParameters = Parameters(decode, row.DecodeParameters);
        return name switch
        {
            PrefillFlopsName => CostModel.Prefill(Model, length, 1, prefill, prefillParameters, prefillSparsity, CostFormula.Exact).Total
                + CostModel.BuildOperations(Model, length, 1, decode, decodeParameters),
            DecodeBytesName => Step(length, decode, decodeParameters, decodeSparsity),
            _ => PrefillReads(length, prefill, decode, prefillSparsity)
                + Enumerable.Range(1, OutputTokenCount).Sum(t => Step(length + t, decode, decodeParameters, SparsityAt(length, t, decode, decodeSparsity))),
        };
    }

    private double Step(int length, DecodeMethod method, MethodParameters parameters, double sparsity)
    {
        DecodeCost cost = CostModel.Decode(Model, length, BatchSize, method, parameters, sparsity, CostFormula.Exact, ElementBytes, ElementBytes);
        return cost.Total / BatchSize;
    }

    // Weights once; keys and values once for each tile that attends to them; to choose, the keys once more.
    private double PrefillReads(int length, PrefillMethod prefill, DecodeMethod decode, double sparsity)
    {
        double weights = CostModel.Decode(Model, 1, 1, MethodRegistry.FindDecode("Dense"), MethodRegistry.FindDecode("Dense").CreateParameters(), 0, CostFormula.Exact, ElementBytes, ElementBytes).Weights;
        double pairs = CostModel.AttendedPairs(Model, length, sparsity);
        int choosing = (prefill.BudgetParameter is null ? 0 : 1) + (decode.BudgetParameter is null ? 0 : 1);
        return weights + (ElementBytes * Model.KvWidth * ((2 * pairs / TileRows) + ((double)choosing * length * Model.GlobalLayerCount)));
    }

    // What is generated is kept by evictions and by dense attention; a page budget stays what it is.
    private static double SparsityAt(int length, int step, DecodeMethod method, double sparsity)
    {
        double kept = ((1 - sparsity) * length) + (sparsity > 0 && method is not EvictionMethod ? 0 : step);
        return 1 - (kept / (length + step));
    }

    private static string Name(string method) => method.Length == 0 ? "Dense" : method;

    private static MethodParameters Parameters(AttentionMethod method, string text)
    {
        try
        {
            return method.CreateParameters(text);
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.MethodParameterInvalid)
        {
            // Written by another version: what indexing depends on is then taken as usual.
            return method.CreateParameters();
        }
    }
}
