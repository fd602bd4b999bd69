using SparseFrontier.Attention;

namespace SparseFrontier.Models.Transformer;

/// <summary>How a prompt is read.</summary>
public sealed record PrefillRequest
{
    /// <summary>The prefill method; dense by default.</summary>
    public PrefillMethod? Method { get; init; }

    /// <summary>Its parameters; its defaults where null.</summary>
    public MethodParameters? Parameters { get; init; }

    /// <summary>Decode configurations that will continue this prompt: all share this one prefill. Without any, no cache is kept.</summary>
    public IReadOnlyList<DecodeConfiguration> DecodeConfigurations { get; init; } = [];

    /// <summary>Tokens that are to follow the prompt; counted against the context length before any work is done.</summary>
    public int MaximumOutputTokens { get; init; }

    /// <summary>Called after each layer with the number of layers done.</summary>
    public Action<int>? LayerDone { get; init; }

    /// <summary>
    /// Observes each global layer's queries, keys and values before attention (calibration, traces); valid during the call only. Where they are stored as
    /// bfloat16, the whole layer's are widened to float32 for the call.
    /// </summary>
    public Action<PromptLayer>? LayerObserver { get; init; }

    /// <summary>Seed of the sample, for methods that draw random numbers.</summary>
    public long Seed { get; init; }

    /// <summary>YaRN factor that replaces the configuration's rotary scaling (<see cref="ModelConfiguration.YarnFactorFor"/>); null: as configured.</summary>
    public double? YarnFactor { get; init; }

    /// <summary>Rows computed at a time, rounded up to whole tiles of 64 for models with sliding windows; null: as memory suggests. It never changes a result.</summary>
    internal int? ChunkRows { get; init; }

    /// <summary>
    /// Bytes by which one layer's queries of the whole prompt may exceed its hidden states; beyond, the heads are run in groups whose queries
    /// fit into as many. It never changes a result.
    /// </summary>
    internal long QueryBytes { get; init; } = 128L << 20;

    /// <summary>Bytes for float32 copies of one layer's keys and values where they are stored as bfloat16, at least one KV head's. It never changes a result.</summary>
    internal long WidenedBytes { get; init; } = 64L << 20;

    /// <summary>Bytes for the keys and values that a chunk of a sliding-window layer sees; a window that needs more reads the layer as a global one. It never changes a result.</summary>
    internal long SlidingBytes { get; init; } = 64L << 20;

    /// <summary>Bytes of a table of rotary embeddings, a chunk's at least; it is computed chunk by chunk in every layer where the whole prompt's is larger. It never changes a result.</summary>
    internal long RotaryBytes { get; init; } = 4L << 20;

    /// <summary>Bytes for the lists of heads that a GPU selects for together, at least one query head's. It never changes a result.</summary>
    internal long ListBytes { get; init; } = 512L << 20;
}

/// <summary>A decode method with its parameters.</summary>
/// <param name="Method">The method.</param>
/// <param name="Parameters">Its parameters.</param>
public sealed record DecodeConfiguration(DecodeMethod Method, MethodParameters Parameters);
