namespace SparseFrontier.Models.Transformer;

/// <summary>
/// Floating-point operations of steps by the conventions of <see cref="Kernels.CountingKernels"/>, for devices whose kernels are not counted: what a step executes follows from the shapes and from what it
/// attends to. On a processor the same are counted, and a test holds the two together.
/// </summary>
internal static class DecodeOperations
{
    /// <summary>Products with weights and gates of one token, its logits included.</summary>
    public static double OfToken(ModelConfiguration configuration)
    {
        double hidden = configuration.HiddenSize;
        double queries = (double)configuration.QueryHeads * configuration.HeadDimension;
        double keys = (double)configuration.KvHeads * configuration.HeadDimension;
        double layer = (2 * hidden * ((2 * queries) + (2 * keys) + (3.0 * configuration.IntermediateSize))) + (2.0 * configuration.IntermediateSize);
        return (configuration.LayerCount * layer) + (2 * hidden * configuration.VocabularySize);
    }

    /// <summary>Attention of query heads to cached tokens.</summary>
    /// <param name="configuration">Shape.</param>
    /// <param name="pairs">Attended tokens, summed over query heads.</param>
    public static double OfAttention(ModelConfiguration configuration, double pairs) => pairs * ((4.0 * configuration.HeadDimension) + 3);

    /// <summary>Choosing pages by their bounds: two products, their maximum and the sum, for each element of each bound.</summary>
    /// <param name="configuration">Shape.</param>
    /// <param name="pages">Pages that are scored, summed over query heads.</param>
    public static double OfPageScores(ModelConfiguration configuration, double pages) => 4.0 * pages * configuration.HeadDimension;

    /// <summary>Keeping bounds of appended keys, in one layer.</summary>
    /// <param name="configuration">Shape.</param>
    public static double OfBounds(ModelConfiguration configuration) => 2.0 * configuration.KvHeads * configuration.HeadDimension;

    /// <summary>Products of queries with all keys, to choose by attention itself.</summary>
    /// <param name="configuration">Shape.</param>
    /// <param name="pairs">Cached tokens, summed over query heads.</param>
    public static double OfScores(ModelConfiguration configuration, double pairs) => 2.0 * pairs * configuration.HeadDimension;
}
