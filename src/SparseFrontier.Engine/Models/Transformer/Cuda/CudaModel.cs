using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// A checkpoint on one GPU: the same decoder as <see cref="TransformerModel"/>'s, over the device's operations, with selection, caches and attention there. One thread at
/// a time.
/// </summary>
public sealed class CudaModel : IDisposable
{
    private readonly byte[] _configurationBytes;
    private readonly Lazy<string> _contentHash;
    private readonly SequenceLimits _limits;
    private CudaStep? _step;

    private CudaModel(string directory, CudaDevice device, ulong? randomSeed = null)
    {
        Directory = directory;
        Device = device;
        Configuration = ModelConfiguration.Load(directory);
        RequireShape(Configuration);
        _limits = new SequenceLimits(Name, Configuration);
        _configurationBytes = File.ReadAllBytes(Path.Combine(directory, "config.json"));
        Weights = randomSeed is { } seed ? CudaWeights.Random(directory, Configuration, device, seed) : new CudaWeights(directory, Configuration, device);
        _contentHash = new Lazy<string>(() => Weights.ContentHash(_configurationBytes));
        SlidingRotary = CreateRotary(Configuration.SlidingRotary);
    }

    /// <summary>The checkpoint directory as given.</summary>
    public string Directory { get; }

    /// <summary>Name of the checkpoint: its directory's.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Directory)));

    /// <summary>The GPU.</summary>
    public CudaDevice Device { get; }

    /// <summary>Shape and constants.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>BF16, or F16 where the weights are: type of the products' operands and of the cache.</summary>
    public DataType CacheType => Weights.ElementType;

    /// <summary>As <see cref="TransformerModel.ContentHash"/>.</summary>
    public string ContentHash => _contentHash.Value;

    internal CudaWeights Weights { get; }

    internal RotaryEmbedding SlidingRotary { get; }

    /// <summary>Loads a checkpoint directory in Hugging Face layout.</summary>
    /// <param name="directory">Holds config.json and safetensors.</param>
    /// <param name="device">The GPU.</param>
    /// <exception cref="SparseFrontierException">ModelNotFound, CheckpointUnreadable, CheckpointInvalid, ArchitectureUnsupported; DeviceUnsupported: a head or layer width that is no
    /// multiple of 8, or heads of more than 256 elements; DeviceOutOfMemory.</exception>
    public static CudaModel Load(string directory, CudaDevice device)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(device);
        return System.IO.Directory.Exists(directory)
            ? new CudaModel(directory, device)
            : throw new SparseFrontierException(
                ErrorIds.ModelNotFound,
                $"There is no checkpoint directory '{directory}'. Give a directory that holds config.json and model.safetensors.",
                directory);
    }

    /// <summary>A model of a checkpoint's shape with weights drawn on the device, to measure with.</summary>
    internal static CudaModel CreateRandom(string directory, CudaDevice device, ulong seed) => new(directory, device, seed);

    /// <summary>Reads a prompt: layer by layer, rows in chunks.</summary>
    /// <param name="tokens">Token ids, at least one.</param>
    /// <param name="request">Methods and options. A method or schedule that has no selection on the device is selected for on the processor, within the measured seconds.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong; TokenizerInvalid: a token is not in the vocabulary; DeviceUnsupported: a decode method that selects at every step on the
    /// processor alone; DeviceOutOfMemory; what the methods throw.</exception>
    public CudaPrompt Prefill(ReadOnlySpan<int> tokens, PrefillRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Read(tokens, request, null, cancellationToken);
    }

    /// <summary>Logits at every position of a sequence under dense attention, [tokens, vocabulary].</summary>
    /// <exception cref="SparseFrontierException">As <see cref="Prefill"/>.</exception>
    public float[] ForwardLogits(ReadOnlySpan<int> tokens, CancellationToken cancellationToken = default)
    {
        float[] logits = new float[checked(tokens.Length * Configuration.VocabularySize)];
        Read(tokens, new PrefillRequest(), logits, cancellationToken).Dispose();
        return logits;
    }

    /// <summary>As <see cref="TransformerModel.Step"/>.</summary>
    /// <param name="rows">Sequence and token of each row.</param>
    /// <param name="logits">[rows, vocabulary], written; empty if not wanted.</param>
    /// <param name="cancellationToken">Stops between passes.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong; TokenizerInvalid; DeviceOutOfMemory.</exception>
    public void Step(IReadOnlyList<(CudaSequence Sequence, int Token)> rows, Span<float> logits, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        int vocabulary = Configuration.VocabularySize;
        if (!logits.IsEmpty && logits.Length != (long)rows.Count * vocabulary)
        {
            throw new ArgumentException($"Logits of {rows.Count} rows take {(long)rows.Count * vocabulary} elements, not {logits.Length}.", nameof(logits));
        }

        Run(rows, logits, default, cancellationToken);
    }

    /// <summary>As <see cref="Step"/>, but finds the token with the largest logit of each row, of equal ones the lowest, without bringing the logits to the host.</summary>
    /// <param name="rows">Sequence and token of each row.</param>
    /// <param name="next">[rows], written.</param>
    /// <param name="cancellationToken">Stops between passes.</param>
    /// <exception cref="SparseFrontierException">As <see cref="Step"/>; CheckpointInvalid: no logit of a row is a number.</exception>
    public void Choose(IReadOnlyList<(CudaSequence Sequence, int Token)> rows, Span<int> next, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (next.Length != rows.Count)
        {
            throw new ArgumentException($"Choices of {rows.Count} rows take as many elements, not {next.Length}.", nameof(next));
        }

        Run(rows, default, next, cancellationToken);
        if (next.Contains(-1))
        {
            throw LogitMath.NotNumbers();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step?.Dispose();
        Weights.Dispose();
    }

    internal RotaryEmbedding CreateRotary(RotaryConfiguration configuration) => new(configuration, Configuration.HeadDimension);

    private static void RequireShape(ModelConfiguration c)
    {
        CudaAttention.RequireDimension(c.HeadDimension);
        if (c.HeadDimension % 8 != 0 || c.HiddenSize % 8 != 0 || c.IntermediateSize % 8 != 0)
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceUnsupported,
                $"GPU kernels take widths that are multiples of 8; this model's are {c.HiddenSize} (hidden), {c.IntermediateSize} (feed-forward) and {c.HeadDimension} (head). Use the device cpu.",
                c.HiddenSize);
        }
    }

    private void Run(IReadOnlyList<(CudaSequence Sequence, int Token)> rows, Span<float> logits, Span<int> next, CancellationToken cancellationToken)
    {
        foreach (var sequence in rows.GroupBy(r => r.Sequence))
        {
            _limits.RequireTokens([.. sequence.Select(r => r.Token)]);
            _limits.RequireLength(sequence.Key.Length, sequence.Count(), sequence.Key.MaximumLength);
        }

        _step ??= new CudaStep(this);
        for (int first = 0; first < rows.Count; first += CudaStepProducts.MaximumRows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(CudaStepProducts.MaximumRows, rows.Count - first);
            _step.Run(
                [.. rows.Skip(first).Take(count)],
                logits.IsEmpty ? default : logits.Slice(first * Configuration.VocabularySize, count * Configuration.VocabularySize),
                next.IsEmpty ? default : next.Slice(first, count));
        }
    }

    private CudaPrompt Read(ReadOnlySpan<int> tokens, PrefillRequest request, float[]? allLogits, CancellationToken cancellationToken)
    {
        _limits.RequirePrompt(tokens, request);
        foreach (DecodeConfiguration configuration in request.DecodeConfigurations)
        {
            if (configuration.Method is not (DenseDecode or EvictionMethod or Quest))
            {
                throw new SparseFrontierException(
                    ErrorIds.DeviceUnsupported,
                    $"The decode method {configuration.Method.Name} selects tokens at every step on the processor alone. Use the device cpu; GPUs run Dense, Quest, SnapKV, AdaSnapKV and other evictions.",
                    configuration.Method.Name);
            }
        }

        _step ??= new CudaStep(this);
        using var reader = new CudaPromptReader(this, _step, tokens.ToArray(), request, cancellationToken);
        return reader.Run(allLogits);
    }
}
