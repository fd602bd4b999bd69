using SparseFrontier.Attention;
using SparseFrontier.Kernels;

namespace SparseFrontier.Models.Transformer;

/// <summary>A loaded checkpoint: weights mapped as stored, one forward for every supported family. Thread-safe for reading.</summary>
public sealed class TransformerModel : IDisposable
{
    /// <summary>Loads a checkpoint directory in Hugging Face layout.</summary>
    /// <param name="directory">Holds config.json and safetensors.</param>
    /// <param name="kernels">Operations to compute with; null for the default.</param>
    /// <exception cref="SparseFrontierException">ModelNotFound, CheckpointUnreadable, CheckpointInvalid or ArchitectureUnsupported.</exception>
    public static TransformerModel Load(string directory, KernelSet? kernels = null) => throw new NotImplementedException();

    /// <summary>Shape and constants.</summary>
    public ModelConfiguration Configuration => throw new NotImplementedException();

    /// <summary>Number of parameters.</summary>
    public long ParameterCount => throw new NotImplementedException();

    /// <summary>SHA-256 over configuration and weights (names, types, shapes, bytes), lower-case hexadecimal; cached beside nothing: computed once a process.</summary>
    public string ContentHash => throw new NotImplementedException();

    /// <summary>Reads a prompt: layer by layer, rows in chunks (design: memory).</summary>
    /// <param name="tokens">Token ids.</param>
    /// <param name="request">Methods and options.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong.</exception>
    public PromptState Prefill(ReadOnlySpan<int> tokens, PrefillRequest request, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary>
    /// Runs one token of each row through the model. Rows of different sequences are independent; several rows of one sequence are processed
    /// in order, each seeing those before it. Every row's result is the same whatever other rows are in the call.
    /// </summary>
    /// <param name="rows">Sequence and token of each row; the position is the sequence's next.</param>
    /// <param name="logits">[rows, vocabulary], written; empty if not wanted.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    public void Step(ReadOnlySpan<StepRow> rows, Span<float> logits, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>One token of one sequence.</summary>
/// <param name="Sequence">The sequence that it continues.</param>
/// <param name="Token">Token id.</param>
public readonly record struct StepRow(DecodeSequence Sequence, int Token);

/// <summary>How a prompt is read.</summary>
public sealed record PrefillRequest
{
    /// <summary>The prefill method; dense by default.</summary>
    public PrefillMethod? Method { get; init; }

    /// <summary>Its parameters.</summary>
    public MethodParameters? Parameters { get; init; }

    /// <summary>Decode configurations that will continue this prompt: all share this one prefill.</summary>
    public IReadOnlyList<DecodeConfiguration> DecodeConfigurations { get; init; } = [];

    /// <summary>Layers that stay dense under every method of the request, prefill and decode.</summary>
    public IReadOnlyList<int> DenseLayers { get; init; } = [];

    /// <summary>Called after each layer with the number of layers done.</summary>
    public Action<int>? LayerDone { get; init; }

    /// <summary>Observes each global layer's queries, keys and values before attention (calibration, traces).</summary>
    public Action<PromptLayer>? LayerObserver { get; init; }

    /// <summary>Seed of the sample, for methods that draw random numbers.</summary>
    public long Seed { get; init; }

    /// <summary>YaRN factor that replaces the configuration's rotary scaling; null: as configured.</summary>
    public double? YarnFactor { get; init; }
}

/// <summary>A decode method with its parameters.</summary>
/// <param name="Method">The method.</param>
/// <param name="Parameters">Its parameters.</param>
public sealed record DecodeConfiguration(DecodeMethod Method, MethodParameters Parameters);

/// <summary>A prompt that was read: its last logits, its cache, its statistics. Dispose after the sequences started from it.</summary>
public sealed class PromptState : IDisposable
{
    /// <summary>Logits of the prompt's last token, [vocabulary].</summary>
    public float[] LastLogits => throw new NotImplementedException();

    /// <summary>Prompt tokens.</summary>
    public int Length => throw new NotImplementedException();

    /// <summary>What was attended, and how long it took.</summary>
    public PrefillStatistics Statistics => throw new NotImplementedException();

    /// <summary>Starts a sequence that continues the prompt under one of the request's decode configurations.</summary>
    /// <param name="configuration">Index into <see cref="PrefillRequest.DecodeConfigurations"/>.</param>
    public DecodeSequence StartSequence(int configuration) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>A sequence being generated: its own cache tail and counters.</summary>
public sealed class DecodeSequence : IDisposable
{
    /// <summary>Tokens appended since the prompt.</summary>
    public int GeneratedLength => throw new NotImplementedException();

    /// <summary>What was attended and read so far.</summary>
    public DecodeStatistics Statistics => throw new NotImplementedException();

    /// <summary>Forgets all but the first <paramref name="generatedLength"/> appended tokens (to score a gold answer after generating); the statistics stay.</summary>
    public void Truncate(int generatedLength) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>Counters of one prefill, over global-attention layers unless said otherwise.</summary>
public sealed record PrefillStatistics
{
    /// <summary>Query-key pairs attended, summed over layers and query heads, element-exact.</summary>
    public long AttendedPairs { get; init; }

    /// <summary>Pairs that dense causal attention would attend.</summary>
    public long CausalPairs { get; init; }

    /// <summary>Attended pairs that the method always keeps.</summary>
    public long ForcedPairs { get; init; }

    /// <summary>Attended pairs of the whole model, sliding-window layers included.</summary>
    public long AttendedPairsAllLayers { get; init; }

    /// <summary>Dense pairs of the whole model, sliding-window layers included.</summary>
    public long CausalPairsAllLayers { get; init; }

    /// <summary>Pairs that the kernels computed, tiles and padding included.</summary>
    public long ExecutedPairs { get; init; }

    /// <summary>The reference's own figure, mean over heads and layers; null where it is not measured.</summary>
    public double? NominalSparsity { get; init; }

    /// <summary>Seconds spent selecting (prefill method and evictions).</summary>
    public double IndexSeconds { get; init; }

    /// <summary>Seconds spent in attention.</summary>
    public double AttentionSeconds { get; init; }

    /// <summary>Seconds in all.</summary>
    public double TotalSeconds { get; init; }
}

/// <summary>Counters of one sequence's steps, over global-attention layers.</summary>
public sealed record DecodeStatistics
{
    /// <summary>Cached tokens attended, summed over steps, layers and query heads.</summary>
    public long AttendedTokens { get; init; }

    /// <summary>Tokens that a dense decode would attend.</summary>
    public long DenseTokens { get; init; }

    /// <summary>Attended tokens that the method always keeps.</summary>
    public long ForcedTokens { get; init; }

    /// <summary>Share of the prompt cache kept after prefill, summed over layers and KV heads: kept tokens.</summary>
    public long KeptPromptTokens { get; init; }

    /// <summary>Prompt tokens over layers and KV heads before eviction.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Bytes of keys, values and index data read.</summary>
    public long BytesRead { get; init; }

    /// <summary>Bytes of cache that this sequence needs at its end (shared prompt included).</summary>
    public long CacheBytes { get; init; }

    /// <summary>Steps.</summary>
    public int Steps { get; init; }

    /// <summary>Seconds spent selecting.</summary>
    public double IndexSeconds { get; init; }

    /// <summary>Seconds spent in attention.</summary>
    public double AttentionSeconds { get; init; }
}
