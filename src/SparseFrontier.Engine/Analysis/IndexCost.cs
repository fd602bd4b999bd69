using SparseFrontier.Attention;

namespace SparseFrontier.Analysis;

/// <summary>
/// What it costs to choose. The paper prints the costs of VerticalSlash and Quest; the others are derived here from what the methods do, with
/// the paper's conventions: a multiplication and an addition are two operations, a softmax takes three for a score, a sort of n takes
/// n log2 n, and a reduction one for an element. Where the paper prints nothing, what the kernels compute is counted: a test compares with their counters.
/// docs/analysis.md derives each.
/// </summary>
internal static class IndexCost
{
    /// <summary>Whether the paper prints the formula; the others are this project's own.</summary>
    public static bool IsPrinted(string method) => method is "VerticalSlash" or "Quest";

    /// <summary>Operations of choosing while one sequence's prompt is read, or of building what later steps choose by; one layer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="method">The method, of either phase.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="sparsity">The sparsity that a VerticalSlash plan of unknown sizes has.</param>
    /// <param name="dotWidth">Elements of a query-key product: the head's dimension, or the hidden size as the paper prints it.</param>
    /// <param name="exact">Whether VerticalSlash's last queries see no key after them, as executed; as printed they see all.</param>
    public static double PrefillOperations(ModelShape model, double length, AttentionMethod method, MethodParameters parameters, double sparsity, double dotWidth, bool exact)
    {
        double heads = model.QueryHeads;
        double kvHeads = model.KvHeads;
        double d = model.HeadDimension;
        switch (method.Name)
        {
            case "VerticalSlash":
                return heads * WindowChoice(length, Math.Min(length, parameters["Window"]), dotWidth, VerticalsAndSlashes(length, sparsity), exact);
            case "FlexPrefill":
                // The coverage rule adds a prefix sum over the sorted columns and one over the sorted diagonals.
                return heads * (WindowChoice(length, Math.Min(length, parameters["Window"]), d, VerticalsAndSlashes(length, sparsity), exact: true) + (2 * length));
            case "BlockSparse":
                {
                    // Means of queries and of keys for each query head, scores of the rows that do not keep everything, and four passes to choose among them.
                    double blocks = Math.Ceiling(length / parameters["BlockSize"]);
                    double kept = Math.Min(blocks, parameters["TopBlocks"]);
                    return heads * ((2 * length * d) + ((Causal(blocks) - Causal(kept)) * ((2 * d) + 4)));
                }

            case "SnapKV" or "AdaSnapKV" or "RandomAdaSnapKV":
                {
                    // Scores and softmax of the window, an addition and a comparison a score, pooling, and the choice: by head, or over all heads.
                    double window = Math.Min(length, parameters["Window"]);
                    double candidates = method.Name == "SnapKV" ? length : kvHeads * length;
                    return (heads * WindowPairs(length, window, exact: true) * ((2 * d) + 5)) + (kvHeads * length * (parameters["KernelSize"] + Log2(candidates)));
                }

            case "Quest":
                // Of complete pages.
                return 2 * kvHeads * Math.Floor(length / parameters["PageSize"]) * parameters["PageSize"] * d;
            case "OracleTopK" when method.Phase == AttentionPhase.Prefill:
                return heads * (Causal(length) - Causal(Math.Min(length, parameters["TopBlocks"] * parameters["BlockSize"]))) * ((2 * d) + 4);
            default:
                return 0;
        }
    }

    /// <summary>Elements of index read in one decode step of one sequence; one layer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="length">Cached tokens.</param>
    /// <param name="method">The decode method.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="width">Elements of a page bound: the head's dimension, or the hidden size as the paper prints it.</param>
    /// <param name="wholePages">Whether only complete pages are counted, as executed, instead of length / page size, as printed.</param>
    public static double DecodeElements(ModelShape model, double length, AttentionMethod method, MethodParameters parameters, double width, bool wholePages) => method.Name switch
    {
        "Quest" => model.KvHeads * 2 * width * (wholePages ? Math.Floor((length - 1) / parameters["PageSize"]) : length / parameters["PageSize"]),
        "OracleTopK" or "OraclePages" => model.KvHeads * length * model.HeadDimension,
        _ => 0,
    };

    // 2 d for each score, 5 for softmax and the sums over columns and diagonals, two sorts, and the plan of 64-row tiles.
    private static double WindowChoice(double length, double window, double width, double chosen, bool exact) =>
        (((2 * width) + 5) * WindowPairs(length, window, exact)) + (2 * length * Log2(length)) + (length / 64 * chosen);

    // Pairs of the last queries and all keys, or those that causality leaves.
    private static double WindowPairs(double length, double window, bool exact) => (length * window) - (exact ? Causal(window - 1) : 0);

    private static double Causal(double count) => count * (count + 1) / 2;

    // Each of k verticals and k slashes covers half of the length on average; overlaps are ignored. The term is tiny.
    private static double VerticalsAndSlashes(double length, double sparsity) => (1 - sparsity) * length;

    private static double Log2(double value) => value > 1 ? Math.Log2(value) : 0;
}
