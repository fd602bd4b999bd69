using SparseFrontier.Attention;

namespace SparseFrontier.Analysis;

/// <summary>
/// What it costs to choose. The paper prints the costs of VerticalSlash and Quest; the others are derived here from what the methods do, with
/// the paper's conventions: a multiplication and an addition are two operations, a softmax takes three for a score, a sort of n takes
/// n log2 n, and a reduction one for an element. docs/analysis.md derives each.
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
    public static double PrefillOperations(ModelShape model, double length, AttentionMethod method, MethodParameters parameters, double sparsity, double dotWidth)
    {
        double heads = model.QueryHeads;
        double kvHeads = model.KvHeads;
        double d = model.HeadDimension;
        switch (method.Name)
        {
            case "VerticalSlash":
                return heads * WindowChoice(length, Math.Min(length, parameters["Window"]), dotWidth, VerticalsAndSlashes(length, sparsity));
            case "FlexPrefill":
                // The coverage rule adds a prefix sum over the sorted columns and one over the sorted diagonals.
                return heads * (WindowChoice(length, Math.Min(length, parameters["Window"]), d, VerticalsAndSlashes(length, sparsity)) + (2 * length));
            case "BlockSparse":
                {
                    double blocks = Math.Ceiling(length / parameters["BlockSize"]);
                    double pairs = blocks * (blocks + 1) / 2;
                    return (heads * ((length * d) + (pairs * ((2 * d) + Log2(blocks))))) + (kvHeads * length * d);
                }

            case "SnapKV" or "AdaSnapKV" or "RandomAdaSnapKV":
                {
                    // Scores and softmax of the window, one addition or comparison a score, pooling, and the choice: by head, or over all heads.
                    double window = Math.Min(length, parameters["Window"]);
                    double candidates = method.Name == "SnapKV" ? length : kvHeads * length;
                    return (heads * window * length * ((2 * d) + 4)) + (kvHeads * length * (parameters["KernelSize"] + Log2(candidates)));
                }

            case "Quest":
                return 2 * kvHeads * length * d;
            case "OracleTopK" when method.Phase == AttentionPhase.Prefill:
                return heads * length * (length + 1) / 2 * ((2 * d) + Log2(length));
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

    // 2 d L q for the scores, 5 L q for softmax and the sums over columns and diagonals, two sorts, and the plan of 64-row tiles.
    private static double WindowChoice(double length, double window, double width, double chosen) =>
        (2 * width * length * window) + (5 * length * window) + (2 * length * Log2(length)) + (length / 64 * chosen);

    // Each of k verticals and k slashes covers half of the length on average; overlaps are ignored. The term is tiny.
    private static double VerticalsAndSlashes(double length, double sparsity) => (1 - sparsity) * length;

    private static double Log2(double value) => value > 1 ? Math.Log2(value) : 0;
}
