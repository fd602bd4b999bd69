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
    private readonly Dictionary<(int Stage, RotaryConfiguration Rotary), CudaAngles> _angles = [];
    private readonly Dictionary<int, CudaClock> _clocks = [];
    private readonly CudaPipeline _pipeline;

    private CudaModel(string directory, IReadOnlyList<CudaDevice> devices, ulong? randomSeed = null)
    {
        Directory = directory;
        Configuration = ModelConfiguration.Load(directory);
        RequireShape(Configuration);
        _limits = new SequenceLimits(Name, Configuration);
        _configurationBytes = PlainFile.ReadAllBytes(Path.Combine(directory, "config.json"));
        Stages = Divide(devices);
        Weights = randomSeed is { } seed ? CudaWeights.Random(directory, Configuration, Stages, seed) : new CudaWeights(directory, Configuration, Stages);
        _contentHash = new Lazy<string>(() => Weights.ContentHash(_configurationBytes));
        try
        {
            // Now, so that its memory is no sample's.
            _pipeline = new CudaPipeline(this);
        }
        catch
        {
            Weights.Dispose();
            throw;
        }
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
        if (!System.IO.Directory.Exists(directory))
        {
            throw new SparseFrontierException(
                ErrorIds.ModelNotFound,
                $"There is no checkpoint directory '{directory}'. Give a directory that holds config.json and model.safetensors.",
                directory);
        }

        try
        {
            return new CudaModel(directory, devices);
        }
        catch (CudaException e) when (e.ErrorId == ErrorIds.DeviceOutOfMemory)
        {
            MakeRoom(devices);
            throw;
        }
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

    /// <summary>As <see cref="TransformerModel.Step"/>. More rows than the GPU computes at once are several passes: where one fails, what those before it appended stays.</summary>
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

        Run(rows, logits, default, default, default, cancellationToken);
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

        Run(rows, default, next, default, default, cancellationToken);
        if (next.Contains(-1))
        {
            throw LogitMath.NotNumbers();
        }
    }

    /// <summary>Most rows of a call of <see cref="Compare"/>, and of what the GPU computes at once.</summary>
    internal int MostRows => CudaStep.MostRows(Configuration);

    /// <summary>As <see cref="Step"/>, but answers questions on the logits without bringing them to the host.</summary>
    /// <param name="rows">Sequence and token of each row, at most <see cref="MostRows"/>.</param>
    /// <param name="questions">[rows].</param>
    /// <param name="answers">[rows], written.</param>
    /// <param name="cancellationToken">Stops before the pass.</param>
    /// <exception cref="SparseFrontierException">As <see cref="Step"/>.</exception>
    internal void Compare(
        IReadOnlyList<(CudaSequence Sequence, int Token)> rows, ReadOnlySpan<LogitQuestion> questions, Span<LogitAnswer> answers, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows.Count, MostRows);
        Run(rows, default, default, questions, answers, cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pipeline.Dispose();
        foreach (IDisposable each in (IEnumerable<IDisposable>)[.. _angles.Values, .. _clocks.Values])
        {
            each.Dispose();
        }

        Weights.Dispose();
    }

    /// <summary>Angles of global layers under a YaRN factor, in a stage's memory.</summary>
    internal CudaAngles GlobalAngles(CudaStage stage, double? yarnFactor) => Angles(stage, Configuration.RotaryFor(yarnFactor));

    /// <summary>Angles of sliding layers; null where there are none.</summary>
    internal CudaAngles? SlidingAngles(CudaStage stage) =>
        Configuration.GlobalLayerCount < Configuration.LayerCount ? Angles(stage, Configuration.SlidingRotary) : null;

    /// <summary>What prompts are measured by on a stage.</summary>
    internal CudaClock Clock(CudaStage stage)
    {
        if (!_clocks.TryGetValue(stage.Index, out CudaClock? clock))
        {
            _clocks.Add(stage.Index, clock = new CudaClock(stage.Device));
        }

        return clock;
    }

    // After a call that found no memory: for another try, and for whatever else wants some.
    private static void MakeRoom(IReadOnlyList<CudaDevice> devices)
    {
        CudaMemory.FreeUnowned();
        foreach (CudaDevice device in devices)
        {
            device.GiveBack();
        }
    }

    private CudaAngles Angles(CudaStage stage, RotaryConfiguration rotary)
    {
        if (!_angles.TryGetValue((stage.Index, rotary), out CudaAngles? angles))
        {
            angles = new CudaAngles(stage.Device, new RotaryEmbedding(rotary, Configuration.HeadDimension), Configuration.HeadDimension);
            _angles.Add((stage.Index, rotary), angles);
        }

        return angles;
    }

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

    private void Run(
        IReadOnlyList<(CudaSequence Sequence, int Token)> rows,
        Span<float> logits,
        Span<int> next,
        ReadOnlySpan<LogitQuestion> questions,
        Span<LogitAnswer> answers,
        CancellationToken cancellationToken)
    {
        Require(rows);
        int most = MostRows;
        try
        {
            for (int first = 0; first < rows.Count; first += most)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = Math.Min(most, rows.Count - first);
                _pipeline.Run(
                    count == rows.Count ? rows : [.. rows.Skip(first).Take(count)],
                    logits.IsEmpty ? default : logits.Slice(first * Configuration.VocabularySize, count * Configuration.VocabularySize),
                    next.IsEmpty ? default : next.Slice(first, count),
                    questions,
                    answers);
            }
        }
        catch (CudaException e) when (e.ErrorId == ErrorIds.DeviceOutOfMemory)
        {
            MakeRoom(Devices);
            throw;
        }
    }

    private void Require(IReadOnlyList<(CudaSequence Sequence, int Token)> rows)
    {
        for (int i = 0; i < rows.Count; i++)
        {
            rows[i].Sequence.Pending = 0;
            _limits.RequireTokens([rows[i].Token]);
        }

        for (int i = 0; i < rows.Count; i++)
        {
            rows[i].Sequence.Pending++;
        }

        for (int i = 0; i < rows.Count; i++)
        {
            CudaSequence sequence = rows[i].Sequence;
            _limits.RequireLength(sequence.Length, sequence.Pending, sequence.MaximumLength);
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

        int[] prompt = tokens.ToArray();
        while (true)
        {
            try
            {
                using var reader = new CudaPromptReader(this, _pipeline, prompt, request, cancellationToken);
                return reader.Run(allLogits);
            }
            catch (CudaException e) when (e.ErrorId == ErrorIds.DeviceOutOfMemory)
            {
                MakeRoom(Devices);
                if (request.LayerObserver is not null || CudaPromptReader.Smaller(Configuration, prompt.Length, request) is not { } smaller)
                {
                    throw;
                }

                request = smaller;
            }
        }
    }
}
