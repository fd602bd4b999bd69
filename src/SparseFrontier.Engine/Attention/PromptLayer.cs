using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Lengths and head counts that a budget depends on.</summary>
/// <param name="Length">Prompt tokens.</param>
/// <param name="QueryHeads">Query heads of a layer.</param>
/// <param name="KvHeads">KV heads of a layer.</param>
public sealed record PromptShape(int Length, int QueryHeads, int KvHeads)
{
    /// <summary>
    /// The layers that a sparsity is the mean of, by index: a model's global-attention layers. They matter only to a budget schedule that
    /// is not uniform.
    /// </summary>
    public IReadOnlyList<int> Layers { get; init; } = [0];

    /// <summary>Causal query-key pairs of one head.</summary>
    public long CausalPairs => (long)Length * (Length + 1) / 2;
}

/// <summary>What a method sees of one layer after the prompt's keys are known: everything after rotary embedding.</summary>
public sealed record PromptLayer
{
    private readonly HeadTensor _keys;
    private readonly HeadTensor _values;

    /// <summary>Index of the layer.</summary>
    public required int Layer { get; init; }

    /// <summary>[query heads, length, dimension].</summary>
    public required HeadTensor Queries { get; init; }

    /// <summary>[KV heads, length, dimension]; where only some heads are chosen for, only their KV heads are there.</summary>
    /// <exception cref="InvalidOperationException">They are stored as bfloat16: see <see cref="ForKvHeads"/>.</exception>
    public required HeadTensor Keys
    {
        get => RequireWidened(_keys);
        init => _keys = value;
    }

    /// <summary>[KV heads, length, dimension], as the keys.</summary>
    /// <exception cref="InvalidOperationException">They are stored as bfloat16: see <see cref="ForKvHeads"/>.</exception>
    public required HeadTensor Values
    {
        get => RequireWidened(_values);
        init => _values = value;
    }

    /// <summary>Factor on query · key, usually 1/√dimension.</summary>
    public required float Scale { get; init; }

    /// <summary>The operations to compute with.</summary>
    public required KernelSet Kernels { get; init; }

    /// <summary>Seed of the sample, for methods that draw random numbers.</summary>
    public long Seed { get; init; }

    /// <summary>Stops the work.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Prompt tokens.</summary>
    public int Length => Queries.Rows;

    /// <summary>Number of KV heads.</summary>
    public int KvHeads => _keys.Heads;

    /// <summary>Query heads that share a KV head.</summary>
    public int GroupSize => Queries.Heads / KvHeads;

    /// <summary>The shape that budgets depend on.</summary>
    public PromptShape Shape => new(Length, Queries.Heads, KvHeads);

    /// <summary>Widens keys and values that are stored as bfloat16; null where they are float32.</summary>
    internal WidenedHeads? Widening { get; init; }

    /// <summary>How many KV heads <see cref="WithKvHeads"/> has room for.</summary>
    internal int KvHeadsAtOnce => Widening?.HeadsAtOnce ?? KvHeads;

    /// <summary>
    /// Calls <paramref name="body"/> for ranges of KV heads, ascending, until each was there once: with the layer, of whose keys and values those of the range
    /// can be read during the call, the first head and the number of heads. Keys and values that are stored as bfloat16 are widened for it, and so few at a time that
    /// a whole layer in float32 is never held.
    /// </summary>
    public void ForKvHeads(Action<PromptLayer, int, int> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        for (int first = 0; first < KvHeads; first += KvHeadsAtOnce)
        {
            int count = Math.Min(KvHeadsAtOnce, KvHeads - first);
            body(WithKvHeads(first, count), first, count);
        }
    }

    /// <summary>The layer with keys and values of some KV heads in float32, until the next call.</summary>
    /// <param name="first">First KV head.</param>
    /// <param name="count">Number of KV heads.</param>
    internal PromptLayer WithKvHeads(int first, int count)
    {
        if (Widening is null)
        {
            return this;
        }

        (HeadTensor keys, HeadTensor values) = Widening.Widen(first, count);
        return this with { Keys = keys, Values = values, Widening = null };
    }

    private HeadTensor RequireWidened(HeadTensor tensor) => Widening is null
        ? tensor
        : throw new InvalidOperationException("The keys and values of this layer are stored as bfloat16: read them in ForKvHeads, which widens some heads at a time.");
}
