using System.Diagnostics;
using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>A method that makes generation sparse: it evicts prompt tokens once, or selects tokens at every step.</summary>
public abstract class DecodeMethod : AttentionMethod
{
    /// <inheritdoc/>
    public override AttentionPhase Phase => AttentionPhase.Decode;

    /// <summary>
    /// How many of the prompt's last queries <see cref="Compress"/> looks at, all by default. Where it is fewer, a long prompt takes less memory, and
    /// the layer's earlier queries are not there to be read.
    /// </summary>
    public virtual int QueriesNeeded(MethodParameters parameters) => int.MaxValue;

    /// <summary>Which prompt tokens each KV head keeps, ascending; null: all. Called once a layer, whose keys are read in <see cref="PromptLayer.ForKvHeads"/>.</summary>
    /// <exception cref="BudgetInfeasibleException">The budget does not hold what is always kept.</exception>
    public virtual KeptTokens? Compress(PromptLayer layer, MethodParameters parameters) => null;

    /// <summary>Creates what selects tokens at every step for one sequence; null: every step attends to the whole cache.</summary>
    /// <param name="parameters">The parameters.</param>
    /// <param name="caches">The sequence's cache, layer by layer, holding the prompt; null for layers that the method does not touch.</param>
    /// <param name="kernels">The operations to compute with.</param>
    /// <param name="seed">Seed of the sample, for methods that draw random numbers.</param>
    public virtual StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed) => null;
}

/// <summary>Prompt tokens that an eviction keeps.</summary>
/// <param name="ByHead">[KV heads] ascending token indices.</param>
/// <param name="ForcedCount">How many of them, summed over KV heads, are always kept.</param>
public sealed record KeptTokens(int[][] ByHead, long ForcedCount);

/// <summary>Selects cached tokens at every decode step of one sequence. Not thread-safe.</summary>
public abstract unsafe class StepSelector : IDisposable
{
    /// <summary>What it selects: "pages" or "tokens".</summary>
    public abstract string ListName { get; }

    /// <summary>Tokens of what it selects.</summary>
    public abstract int UnitSize { get; }

    /// <summary>Tokens attended only because the method always keeps them, summed over query heads and all calls so far.</summary>
    public long ForcedCount { get; protected set; }

    /// <summary>Bytes of index data (page bounds, or keys read to choose) read so far.</summary>
    public long IndexBytesRead { get; protected set; }

    /// <summary>Chooses for one layer, after the step's key was appended to the cache.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="cache">The layer's cache; its last token is the step's own.</param>
    /// <param name="queries">[query heads, dimension], after rotary embedding.</param>
    /// <param name="queryHeads">Number of query heads.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <returns>The tokens to attend to; null for all.</returns>
    public abstract DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale);

    /// <summary>Chooses for one layer as <see cref="Select"/> does, and attends to what it chose.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="cache">The layer's cache; its last token is the step's own.</param>
    /// <param name="queries">[query heads, dimension], after rotary embedding.</param>
    /// <param name="queryHeads">Number of query heads.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="kernels">The operations to attend with.</param>
    /// <param name="output">[query heads, dimension]; may be the queries.</param>
    /// <param name="choosing">How much of the time was spent on choosing.</param>
    /// <returns>The tokens attended to; null for all.</returns>
    internal virtual DecodeSelection? Attend(
        int layer, LayerCache cache, float* queries, int queryHeads, float scale, KernelSet kernels, float* output, out TimeSpan choosing)
    {
        long start = Stopwatch.GetTimestamp();
        DecodeSelection? selection = Select(layer, cache, queries, queryHeads, scale);
        choosing = Stopwatch.GetElapsedTime(start);
        kernels.DecodeAttention(queries, queryHeads, cache, selection, scale, output);
        return selection;
    }

    /// <summary>Forgets what it knows of tokens beyond the first <paramref name="generatedLength"/> generated ones.</summary>
    public abstract void Truncate(int generatedLength);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
