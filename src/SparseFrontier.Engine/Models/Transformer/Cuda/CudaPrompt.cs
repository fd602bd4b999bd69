namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>A prompt that was read on a GPU: its last logits, its cache, its statistics. Dispose after the sequences started from it.</summary>
public sealed class CudaPrompt : IDisposable
{
    private readonly IReadOnlyList<DecodeConfiguration> _configurations;
    private readonly CudaPromptCache[] _caches;
    private readonly CudaAngles[] _angles;
    private readonly CudaAngles?[] _slidingAngles;

    internal CudaPrompt(CudaModel model, int length, PrefillRequest request)
    {
        Model = model;
        Length = length;
        _angles = [.. model.Stages.Select(s => model.GlobalAngles(s, request.YarnFactor))];
        _slidingAngles = [.. model.Stages.Select(model.SlidingAngles)];
        MaximumLength = model.Configuration.MaximumLength(request.YarnFactor);
        MaximumOutputTokens = request.MaximumOutputTokens;
        Seed = request.Seed;
        _configurations = request.DecodeConfigurations;
        _caches = [.. _configurations.Select(_ => new CudaPromptCache(model.Configuration.LayerCount))];
    }

    /// <summary>Logits of the prompt's last token, [vocabulary].</summary>
    public float[] LastLogits { get; internal set; } = [];

    /// <summary>Prompt tokens.</summary>
    public int Length { get; }

    /// <summary>What was attended, and how long it took.</summary>
    public PrefillStatistics Statistics { get; internal set; } = new();

    /// <summary>Bytes of keys and values held for all decode configurations together.</summary>
    public long CacheBytes => Blocks().Sum(b => b.SizeInBytes);

    internal CudaModel Model { get; }

    internal int MaximumLength { get; }

    internal int MaximumOutputTokens { get; }

    internal long Seed { get; }

    internal IReadOnlyList<CudaPromptCache> Caches => _caches;

    /// <summary>Starts a sequence that continues the prompt under one of the request's decode configurations.</summary>
    /// <param name="configuration">Index into <see cref="PrefillRequest.DecodeConfigurations"/>.</param>
    public CudaSequence StartSequence(int configuration) => new(this, _configurations[configuration], _caches[configuration]);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CudaKeyValues block in Blocks())
        {
            block.Dispose();
        }
    }

    /// <summary>
    /// Addresses of cosines and sines, [tokens, 2, dimension / 2] float32, of at least so many tokens after the prompt, in a stage's memory: of global layers, and of sliding
    /// ones, 0 where there are none. They hold until more are asked for.
    /// </summary>
    internal (ulong Global, ulong Sliding) Angles(CudaStage stage, int tokens) =>
        (_angles[stage.Index].At(Length, Length + tokens), _slidingAngles[stage.Index]?.At(Length, Length + tokens) ?? 0);

    private IEnumerable<CudaKeyValues> Blocks() => _caches.SelectMany(c => c.Blocks).OfType<CudaKeyValues>().Distinct();
}

/// <summary>What one decode configuration keeps of a prompt. Blocks may be shared with other configurations; the prompt owns them.</summary>
internal sealed class CudaPromptCache(int layers)
{
    /// <summary>By layer.</summary>
    public CudaKeyValues?[] Blocks { get; } = new CudaKeyValues?[layers];

    /// <summary>By layer: tokens of the block that the method always keeps, summed over KV heads; -1 where nothing was evicted.</summary>
    public long[] ForcedTokens { get; } = [.. Enumerable.Repeat(-1L, layers)];

    /// <summary>Whether an eviction was chosen on the processor.</summary>
    public bool SelectedOnProcessor { get; set; }

    /// <summary>Seconds that the evictions took.</summary>
    public double EvictionSeconds { get; set; }
}
