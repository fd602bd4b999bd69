using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// A checkpoint on one GPU, or with its layers spread over several: the same decoder as <see cref="TransformerModel"/>'s, over the device's operations, with selection, caches
/// and attention where a layer's weights are. One thread at a time.
/// </summary>
public sealed class CudaModel : IDisposable
{
    private readonly byte[] _configurationBytes;
    private readonly Lazy<string> _contentHash;
    private readonly SequenceLimits _limits;
    private CudaPipeline? _pipeline;

    private CudaModel(string directory, IReadOnlyList<CudaDevice> devices, ulong? randomSeed = null)
    {
        Directory = directory;
        Configuration = ModelConfiguration.Load(directory);
        RequireShape(Configuration);
        _limits = new SequenceLimits(Name, Configuration);
        _configurationBytes = File.ReadAllBytes(Path.Combine(directory, "config.json"));
        Stages = Divide(devices);
        Weights = randomSeed is { } seed ? CudaWeights.Random(directory, Configuration, Stages, seed) : new CudaWeights(directory, Configuration, Stages);
        _contentHash = new Lazy<string>(() => Weights.ContentHash(_configurationBytes));
        SlidingRotary = CreateRotary(Configuration.SlidingRotary);
    }

    /// <summary>The checkpoint directory as given.</summary>
    public string Directory { get; }

    /// <summary>Name of the checkpoint: its directory's.</summary>
    public string Name => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Directory)));

    /// <summary>The GPU; the first of several.</summary>
    public CudaDevice Device => Stages[0].Device;

    /// <summary>The GPUs, in the order of the layers.</summary>
    public IReadOnlyList<CudaDevice> Devices => [.. Stages.Select(s => s.Device)];

    /// <summary>Shape and constants.</summary>
    public ModelConfiguration Configuration { get; }

    /// <summary>BF16, or F16 where the weights are: type of the products' operands and of the cache.</summary>
    public DataType CacheType => Weights.ElementType;

    /// <summary>As <see cref="TransformerModel.ContentHash"/>.</summary>
    public string ContentHash => _contentHash.Value;

    internal IReadOnlyList<CudaStage> Stages { get; }

    internal CudaWeights Weights { get; }

    internal RotaryEmbedding SlidingRotary { get; }

    /// <summary>Loads a checkpoint directory in Hugging Face layout.</summary>
    /// <param name="directory">Holds config.json and safetensors.</param>
    /// <param name="device">The GPU.</param>
    /// <exception cref="SparseFrontierException">ModelNotFound, CheckpointUnreadable, CheckpointInvalid, ArchitectureUnsupported; DeviceUnsupported: a head or layer width that is no
    /// multiple of 8, or heads of more than 256 elements; DeviceOutOfMemory.</exception>
    public static CudaModel Load(string directory, CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return Load(directory, [device]);
    }

    /// <summary>Loads a checkpoint directory, its layers spread over GPUs by their free memory: a model that does not fit one. Results are those of one GPU of the same kind.</summary>
    /// <param name="directory">Holds config.json and safetensors.</param>
    /// <param name="devices">The GPUs, in the order of the layers.</param>
    /// <exception cref="SparseFrontierException">As the other overload.</exception>
    public static CudaModel Load(string directory, IReadOnlyList<CudaDevice> devices)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(devices);
        return System.IO.Directory.Exists(directory)
            ? new CudaModel(directory, devices)
            : throw new SparseFrontierException(
                ErrorIds.ModelNotFound,
                $"There is no checkpoint directory '{directory}'. Give a directory that holds config.json and model.safetensors.",
                directory);
    }

    /// <summary>A model of a checkpoint's shape with weights drawn on the device, to measure with.</summary>
    internal static CudaModel CreateRandom(string directory, IReadOnlyList<CudaDevice> devices, ulong seed) => new(directory, devices, seed);

    /// <summary>Reads a prompt: layer by layer, rows in chunks, which are smaller where memory is short; that changes no bit of a result.</summary>
    /// <param name="tokens">Token ids, at least one.</param>
    /// <param name="request">Methods and options. A method or schedule that has no selection on the device is selected for on the processor, within the measured seconds.</param>
    /// <param name="cancellationToken">Stops between layers.</param>
    /// <exception cref="SparseFrontierException">SequenceTooLong; TokenizerInvalid: a token is not in the vocabulary; DeviceUnsupported: a decode method of the user's own that selects at every
    /// step; DeviceOutOfMemory; what the methods throw.</exception>
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
        _pipeline?.Dispose();
        Weights.Dispose();
    }

    internal RotaryEmbedding CreateRotary(RotaryConfiguration configuration) => new(configuration, Configuration.HeadDimension);

    private CudaStage[] Divide(IReadOnlyList<CudaDevice> devices)
    {
        if (devices.Count == 1)
        {
            return [new CudaStage(0, devices[0], 0, Configuration.LayerCount, true)];
        }

        long[] free = [.. devices.Select(d => LayerPlacement.Usable(d.FreeBytes))];
        int[] ends = LayerPlacement.Divide(Configuration, 0, free) ?? throw new SparseFrontierException(
            ErrorIds.DeviceOutOfMemory,
            FormattableString.Invariant(
                $"The {Configuration.LayerCount} layers of '{Name}' do not fit into the {free.Sum() / (double)(1L << 30):F1} GiB that are free on {string.Join(", ", devices.Select(d => d.Name))}. Name more GPUs, at most one a layer, or take a smaller model."),
            Name);
        for (int i = 1; i < devices.Count; i++)
        {
            CudaDevice.Connect(devices[i - 1], devices[i]);
        }

        return [.. devices.Select((device, i) => new CudaStage(i, device, i == 0 ? 0 : ends[i - 1], ends[i], i == devices.Count - 1))];
    }

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

        _pipeline ??= new CudaPipeline(this);
        for (int first = 0; first < rows.Count; first += CudaStepProducts.MaximumRows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(CudaStepProducts.MaximumRows, rows.Count - first);
            _pipeline.Run(
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
            if (CudaStepPages.ChoiceOf(configuration.Method) is null)
            {
                throw new SparseFrontierException(
                    ErrorIds.DeviceUnsupported,
                    $"The decode method {configuration.Method.Name} is code of the user's own that selects at every step, which runs on the processor alone. Use the device cpu.",
                    configuration.Method.Name);
            }
        }

        _pipeline ??= new CudaPipeline(this);
        int[] prompt = tokens.ToArray();
        while (true)
        {
            try
            {
                using var reader = new CudaPromptReader(this, _pipeline, prompt, request, cancellationToken);
                return reader.Run(allLogits);
            }
            catch (CudaException e) when (
                e.ErrorId == ErrorIds.DeviceOutOfMemory && request.LayerObserver is null && CudaPromptReader.Smaller(Configuration, prompt.Length, request) is not null)
            {
                request = CudaPromptReader.Smaller(Configuration, prompt.Length, request)!;
            }

            // What the failed attempt held is freed by finalizers where it was not yet owned by anything.
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
