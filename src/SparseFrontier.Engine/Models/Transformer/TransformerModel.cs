using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>A loaded checkpoint: weights mapped as stored, one forward for every supported family. Thread-safe for reading.</summary>
public sealed class TransformerModel : IDisposable
{
    // Rows of one pass through the decoder; more rows go in several passes, so that scratch memory stays small.
    private const int MaximumStepRows = 64;

    private readonly byte[] _configurationBytes;
    private readonly Lazy<string> _contentHash;
    private readonly DataType _frequencyType;
    private readonly SequenceLimits _limits;
    private DecodeStep? _step;

    private TransformerModel(string directory, KernelSet kernels, bool roundFrequencies, DataType? cacheType)
    {
        Directory = directory;
        Kernels = kernels;
        Configuration = ModelConfiguration.Load(directory);
        _limits = new SequenceLimits(Name, Configuration);
        _configurationBytes = PlainFile.ReadAllBytes(Path.Combine(directory, "config.json"));
        _contentHash = new Lazy<string>(() => Weights!.ContentHash(_configurationBytes));
        Weights = new ModelWeights(directory, Configuration);
        _frequencyType = roundFrequencies ? DataType : DataType.F32;
        SlidingRotary = CreateRotary(Configuration.SlidingRotary);
        CacheType = cacheType ?? CacheTypeOf(DataType);
    }

    /// <summary>The checkpoint directory as given.</summary>
    public string Directory { get; }

    /// <summary>Name of the checkpoint: its directory's.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Directory)));

    /// <summary>The operations that it computes with.</summary>
    public KernelSet Kernels { get; }

    /// <summary>Shape and constants.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>Number of parameters.</summary>
    public long ParameterCount => Weights.ParameterCount;

    /// <summary>Type of the embedding as stored, which is that of the other matrices in every checkpoint not mixed on purpose.</summary>
    public DataType DataType => Weights.Embedding.DataType;

    /// <summary>
    /// Type of the keys and values that decoding reads: BF16 where the weights are, as in every engine that runs such checkpoints, else F32.
    /// F16 weights get F32, because binary16 overflows where keys are large, and BF16 has three bits less than such weights. A layer's keys and values are
    /// rounded as soon as they are made: methods choose from, and the prompt attends to, what decoding will read.
    /// </summary>
    public DataType CacheType { get; }

    /// <summary>Bytes of the weights as stored.</summary>
    public long SizeInBytes => Weights.SizeInBytes;

    /// <summary>
    /// SHA-256 over configuration, stop tokens and weights (names, types, shapes, bytes), lower-case hexadecimal; the same however the
    /// weights are spread over files. Computed once, when first asked for: all weights are read.
    /// </summary>
    public string ContentHash => _contentHash.Value;

    internal ModelWeights Weights { get; }

    internal RotaryEmbedding SlidingRotary { get; }

    /// <summary>What the host has left; tests say otherwise.</summary>
    internal Func<long> FreeBytes { get; set; } = HostMemory.FreeBytes;

    /// <summary>Loads a checkpoint directory in Hugging Face layout.</summary>
    /// <param name="directory">Holds config.json and safetensors.</param>
    /// <param name="kernels">Operations to compute with; null for the default.</param>
    /// <exception cref="SparseFrontierException">ModelNotFound, CheckpointUnreadable, CheckpointInvalid or ArchitectureUnsupported.</exception>
    public static TransformerModel Load(string directory, KernelSet? kernels = null) => Load(directory, kernels, roundFrequencies: false, cacheType: null);

    /// <summary>Loads a checkpoint, for <see cref="ModelVerification"/> with rotary frequencies rounded to the type of the weights, and with another type of cache.</summary>
    internal static TransformerModel Load(string directory, KernelSet? kernels, bool roundFrequencies, DataType? cacheType)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        return System.IO.Directory.Exists(directory)
            ? new TransformerModel(directory, kernels ?? KernelSets.Default, roundFrequencies, cacheType)
            : throw new SparseFrontierException(
                ErrorIds.ModelNotFound,
                $"There is no checkpoint directory '{directory}'. Give a directory that holds config.json and model.safetensors.",
                directory);
    }

    /// <summary>Reads a prompt: layer by layer, rows in chunks.</summary>
    /// <param name="tokens">Token ids, at least one.</param>
    /// <param name="request">Methods and options.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong; TokenizerInvalid: a token is not in the vocabulary; DeviceOutOfMemory; what the methods throw.</exception>
    public PromptState Prefill(ReadOnlySpan<int> tokens, PrefillRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Read(tokens, request, null, cancellationToken);
    }

    /// <summary>Logits at every position of a sequence under dense attention.</summary>
    /// <param name="tokens">Token ids, at least one.</param>
    /// <param name="yarnFactor">As in <see cref="PrefillRequest.YarnFactor"/>.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    /// <returns>[tokens, vocabulary].</returns>
    /// <exception cref="SparseFrontierException">As <see cref="Prefill"/>.</exception>
    public float[] ForwardLogits(ReadOnlySpan<int> tokens, double? yarnFactor = null, CancellationToken cancellationToken = default)
    {
        float[] logits = new float[checked(tokens.Length * Configuration.VocabularySize)];
        Read(tokens, new PrefillRequest { YarnFactor = yarnFactor }, logits, cancellationToken).Dispose();
        return logits;
    }

    /// <summary>
    /// Runs one token of each row through the model. Rows of different sequences are independent; several rows of one sequence are processed
    /// in order, each seeing those before it. Every row's result is the same whatever other rows are in the call. If it ends by an exception,
    /// every sequence is as it was before the pass of at most 64 rows that was interrupted.
    /// </summary>
    /// <param name="rows">Sequence and token of each row; the position is the sequence's next.</param>
    /// <param name="logits">[rows, vocabulary], written; empty if not wanted.</param>
    /// <param name="cancellationToken">Stops between matrices.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong; TokenizerInvalid: a token is not in the vocabulary.</exception>
    public unsafe void Step(ReadOnlySpan<StepRow> rows, Span<float> logits, CancellationToken cancellationToken = default)
    {
        if (!logits.IsEmpty && logits.Length != (long)rows.Length * Configuration.VocabularySize)
        {
            throw new ArgumentException($"Logits of {rows.Length} rows take {(long)rows.Length * Configuration.VocabularySize} elements, not {logits.Length}.", nameof(logits));
        }

        RequireRows(rows);
        DecodeStep step = Interlocked.Exchange(ref _step, null) is { } idle && idle.MaximumRows >= Math.Min(rows.Length, MaximumStepRows)
            ? idle
            : new DecodeStep(this, Math.Min(rows.Length, MaximumStepRows));
        try
        {
            fixed (float* pointer = logits)
            {
                for (int first = 0; first < rows.Length; first += step.MaximumRows)
                {
                    ReadOnlySpan<StepRow> pass = rows.Slice(first, Math.Min(step.MaximumRows, rows.Length - first));
                    step.Run(pass, logits.IsEmpty ? null : pointer + ((long)first * Configuration.VocabularySize), cancellationToken);
                }
            }
        }
        finally
        {
            Interlocked.Exchange(ref _step, step)?.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Interlocked.Exchange(ref _step, null)?.Dispose();
        Weights.Dispose();
    }

    /// <summary>Type of the cache of a model whose embedding has a type.</summary>
    internal static DataType CacheTypeOf(DataType embedding) => embedding == DataType.BF16 ? DataType.BF16 : DataType.F32;

    /// <summary>The rotary embedding of a configuration.</summary>
    internal RotaryEmbedding CreateRotary(RotaryConfiguration configuration) => new(configuration, Configuration.HeadDimension, _frequencyType);

    private PromptState Read(ReadOnlySpan<int> tokens, PrefillRequest request, float[]? allLogits, CancellationToken cancellationToken)
    {
        _limits.RequirePrompt(tokens, request);
        long needed = NeededBytes(tokens.Length, request);
        string what = FormattableString.Invariant($"A prompt of {tokens.Length} tokens needs at least {needed / 1048576.0:F0} MiB beside the weights.");
        const string Advice = "Use shorter prompts, a smaller model, or decode methods that evict (SnapKV, AdaSnapKV).";
        if (needed > FreeBytes())
        {
            // The system would rather end the process than refuse the memory.
            throw HostMemory.Exhausted(what, Advice, tokens.Length);
        }

        try
        {
            using var reader = new PromptReader(this, Weights, tokens, request, cancellationToken);
            return reader.Run(allLogits);
        }
        catch (OutOfMemoryException e)
        {
            throw HostMemory.Exhausted(what, Advice, tokens.Length, e);
        }
    }

    /// <summary>Bytes that a prompt takes for certain: the residual stream and one layer's queries, and the cache where something keeps all of it.</summary>
    private long NeededBytes(int length, PrefillRequest request)
    {
        bool keepsAll = request.DecodeConfigurations.Any(d => d.Method is not EvictionMethod);
        long cache = keepsAll ? 2L * Configuration.LayerCount * Configuration.KvHeads * Configuration.HeadDimension * length * CacheType.SizeInBytes() : 0;
        return cache + (2L * length * Configuration.HiddenSize * sizeof(float));
    }

    private void RequireRows(ReadOnlySpan<StepRow> rows)
    {
        foreach (StepRow row in rows)
        {
            if (row.Sequence.Model != this)
            {
                throw new ArgumentException("A sequence was started from another model.", nameof(rows));
            }

            _limits.RequireTokens([row.Token]);
            int more = 0;
            foreach (StepRow other in rows)
            {
                more += other.Sequence == row.Sequence ? 1 : 0;
            }

            _limits.RequireLength(row.Sequence.Length, more, row.Sequence.MaximumLength);
        }
    }
}
