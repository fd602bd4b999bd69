using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>Activation of a gated feed-forward layer.</summary>
public enum GateActivation
{
    /// <summary>x · sigmoid(x).</summary>
    Silu,

    /// <summary>0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).</summary>
    GeluTanh,
}

/// <summary>
/// The operations that models and methods are written in. <c>ReferenceKernels</c> computes them obviously, in double; <c>CpuKernels</c> computes
/// them fast. Every operation of a row gives the same bits whatever other rows are computed beside it.
/// </summary>
public abstract unsafe class KernelSet
{
    /// <summary>Name of the implementation, as <c>SPARSEFRONTIER_KERNEL</c> takes it.</summary>
    public abstract string Name { get; }

    /// <summary>Type that queries, keys and values are rounded to before they are used; F32 where they are used as they are.</summary>
    public virtual DataType ElementType => DataType.F32;

    /// <summary>Whether an operation runs on the kernels' own device; the others of a GPU's kernels run on the processor.</summary>
    /// <param name="operation">Name of the operation.</param>
    public virtual bool RunsOnDevice(string operation) => true;

    /// <summary>y = x Wᵀ + bias, for the many rows of a prompt and for the few of a decoding step; the weights are read once for few.</summary>
    /// <param name="input">[rows, weight.Columns].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="bias">[outputs] or null.</param>
    /// <param name="output">[rows, outputs]; must not overlap the input.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public abstract void MatMul(float* input, int rows, WeightMatrix weight, float* bias, float* output, CancellationToken cancellationToken);

    /// <summary>
    /// y += x Wᵀ. A product over a matrix's first columns (<see cref="WeightMatrix.Slice"/>), followed by one over the rest that adds to it, has the bits of one product
    /// over all of them.
    /// </summary>
    /// <param name="input">[rows, weight.Columns].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="output">[rows, outputs], added to; must not overlap the input.</param>
    /// <param name="cancellationToken">Stops between tiles; the output is then useless.</param>
    public abstract void MatMulAdd(float* input, int rows, WeightMatrix weight, float* output, CancellationToken cancellationToken);

    /// <summary>output = input / √(mean(input²) + epsilon) · weight, row by row; in place allowed.</summary>
    /// <param name="input">[rows, width].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="weight">[width], with Gemma's 1 already added.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="output">[rows, width].</param>
    public abstract void RmsNorm(float* input, int rows, int width, float* weight, float epsilon, float* output);

    /// <summary>Rotates each vector of each row in place (rotary position embedding, halves convention: element i pairs with i + d/2).</summary>
    /// <param name="vectors">[rows, heads, dimension] in row-major order.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="heads">Vectors in a row.</param>
    /// <param name="dimension">Elements of a vector.</param>
    /// <param name="cosines">[rows, dimension / 2].</param>
    /// <param name="sines">[rows, dimension / 2].</param>
    public abstract void Rotate(float* vectors, int rows, int heads, int dimension, float* cosines, float* sines);

    /// <summary>gate = activation(gate) · up, element by element.</summary>
    public abstract void Gate(float* gate, float* up, long count, GateActivation activation);

    /// <summary>target += source, element by element.</summary>
    public abstract void Add(float* target, float* source, long count);

    /// <summary>
    /// Softmax attention of every query row over the keys of its head's plan: output[h, r] = Σ softmax(scale · q·k) v. A row with no key gives 0.
    /// The rows may be the last of a longer prompt (a chunk of it): there are then more keys than rows.
    /// </summary>
    /// <param name="queries">[query heads, rows, dimension].</param>
    /// <param name="keys">[KV heads, keys, dimension]; the query rows are the last of them.</param>
    /// <param name="values">[KV heads, keys, dimension].</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="plans">One plan per query head, or one for all.</param>
    /// <param name="slidingWindow">0, or the number of latest keys (its own included) that a row may see.</param>
    /// <param name="output">[query heads, rows, dimension]; may be the queries.</param>
    /// <param name="logSumExp">[query heads, rows], written: ln Σ exp(scale · q·k) over the keys of a row, -∞ without any; or null.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <exception cref="ArgumentException">A plan is for other numbers of rows or keys.</exception>
    public abstract void PrefillAttention(
        HeadTensor queries,
        HeadTensor keys,
        HeadTensor values,
        float scale,
        IReadOnlyList<AttentionPlan> plans,
        int slidingWindow,
        HeadTensor output,
        float* logSumExp,
        CancellationToken cancellationToken);

    /// <summary>Softmax attention of one query per head over cached tokens.</summary>
    /// <param name="queries">[query heads, dimension].</param>
    /// <param name="queryHeads">Number of query heads; a multiple of the cache's KV heads.</param>
    /// <param name="cache">Keys and values.</param>
    /// <param name="selection">The tokens to attend to; null for all.</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="output">[query heads, dimension].</param>
    public abstract void DecodeAttention(float* queries, int queryHeads, LayerCache cache, DecodeSelection? selection, float scale, float* output);

    /// <summary>Softmax attention over tokens that are chosen list by list, each just before it is attended to, on whatever thread attends to it.</summary>
    /// <param name="queries">[query heads, dimension].</param>
    /// <param name="queryHeads">Number of query heads; a multiple of the lists.</param>
    /// <param name="cache">Keys and values.</param>
    /// <param name="selection">Holds the lists.</param>
    /// <param name="choose">Writes the list of an index; it may read the queries of the list's own query heads alone.</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="output">[query heads, dimension]; may be the queries.</param>
    internal virtual void DecodeAttention(
        float* queries, int queryHeads, LayerCache cache, DecodeSelection selection, Action<int> choose, float scale, float* output)
    {
        WorkerPool.For(selection.Lists.Length, choose);
        DecodeAttention(queries, queryHeads, cache, selection, scale, output);
    }

    /// <summary>
    /// Sums of the softmax attention of the last <paramref name="window"/> queries of one query head over all keys: by key (column sums)
    /// and by offset query - key (diagonal sums). The causal mask applies. A query whose scores are all -∞ attends to nothing.
    /// </summary>
    /// <param name="queries">[query heads, rows, dimension].</param>
    /// <param name="keys">[KV heads, rows, dimension].</param>
    /// <param name="queryHead">The query head.</param>
    /// <param name="window">Number of last queries, at most the rows.</param>
    /// <param name="scale">Usually 1/√dimension.</param>
    /// <param name="columnSums">[rows], written; or empty.</param>
    /// <param name="diagonalSums">[rows], written, index = query - key; or empty.</param>
    /// <param name="columnMaxima">[rows], written: the largest weight that any of the queries gives the key; or empty.</param>
    public abstract void LastWindowAttention(
        HeadTensor queries,
        HeadTensor keys,
        int queryHead,
        int window,
        float scale,
        Span<float> columnSums,
        Span<float> diagonalSums,
        Span<float> columnMaxima);

    /// <summary>Sums of the vectors of each block of consecutive rows of one head; the last block may have fewer rows.</summary>
    /// <param name="vectors">[heads, rows, dimension].</param>
    /// <param name="head">The head.</param>
    /// <param name="blockSize">Rows of a block.</param>
    /// <param name="sums">[blocks, dimension], written.</param>
    public abstract void SumBlocks(HeadTensor vectors, int head, int blockSize, float* sums);

    /// <summary>output = left · rightᵀ for small float32 matrices (block scores); runs on the calling thread.</summary>
    /// <param name="left">[rows, depth].</param>
    /// <param name="leftStride">Elements from one row to the next.</param>
    /// <param name="rows">Rows of the left matrix.</param>
    /// <param name="right">[columns, depth].</param>
    /// <param name="rightStride">Elements from one row to the next.</param>
    /// <param name="columns">Rows of the right matrix.</param>
    /// <param name="depth">Elements of a row.</param>
    /// <param name="output">[rows, columns], written.</param>
    public abstract void MatMulTransposed(float* left, long leftStride, int rows, float* right, long rightStride, int columns, int depth, float* output);

    /// <summary>Widens the bounds of a page so that they hold more keys: minima = min(minima, keys), maxima = max(maxima, keys), element by element.</summary>
    /// <param name="keys">[rows, dimension].</param>
    /// <param name="type">Type of keys and bounds: F32 or BF16.</param>
    /// <param name="rows">Number of keys.</param>
    /// <param name="dimension">Elements of a key.</param>
    /// <param name="bounds">[2, dimension]: minima and maxima, +∞ and -∞ for a page without keys.</param>
    public abstract void ExtendBounds(byte* keys, DataType type, int rows, int dimension, byte* bounds);

    /// <summary>
    /// Upper bounds of query · key over the keys of each page, summed over query heads: Σ_h Σ_d max(q_hd · minimum_d, q_hd · maximum_d); runs on
    /// the calling thread.
    /// </summary>
    /// <param name="queries">[heads, dimension].</param>
    /// <param name="heads">Number of query heads.</param>
    /// <param name="bounds">[pages, 2, dimension]: minima and maxima of each page.</param>
    /// <param name="type">Type of the bounds: F32 or BF16.</param>
    /// <param name="pages">Number of pages.</param>
    /// <param name="dimension">Elements of a query.</param>
    /// <param name="scores">[pages], written.</param>
    public abstract void PageScores(float* queries, int heads, byte* bounds, DataType type, int pages, int dimension, float* scores);

    /// <summary>Query-key pairs that <see cref="PrefillAttention"/> computes for a plan, tiles and padding included.</summary>
    public abstract long CountExecutedPairs(AttentionPlan plan, int slidingWindow);
}
