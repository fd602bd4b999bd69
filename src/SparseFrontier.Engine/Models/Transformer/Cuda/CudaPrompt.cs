using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>A prompt that was read on a GPU: its last logits, its cache, its statistics. Dispose after the sequences started from it.</summary>
public sealed class CudaPrompt : IDisposable
{
    private readonly IReadOnlyList<DecodeConfiguration> _configurations;
    private readonly CudaPromptCache[] _caches;
    private readonly RotaryEmbedding _rotary;
    private readonly CudaMemory?[] _angles;
    private readonly CudaMemory?[] _slidingAngles;
    private int _angleCount;

    internal CudaPrompt(CudaModel model, int length, PrefillRequest request, RotaryEmbedding rotary)
    {
        Model = model;
        Length = length;
        _rotary = rotary;
        _angles = new CudaMemory?[model.Stages.Count];
        _slidingAngles = new CudaMemory?[model.Stages.Count];
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

        Array.ForEach(_angles, a => a?.Dispose());
        Array.ForEach(_slidingAngles, a => a?.Dispose());
    }

    /// <summary>
    /// Addresses of cosines and sines, [tokens, 2, dimension / 2] float32, of at least so many tokens after the prompt, in a stage's memory: of global layers, and of sliding
    /// ones, 0 where there are none. They hold until more are asked for.
    /// </summary>
    internal (ulong Global, ulong Sliding) Angles(CudaStage stage, int tokens)
    {
        if (tokens > _angleCount)
        {
            _angleCount = Math.Max(tokens, Math.Max(64, 2 * _angleCount));
            foreach (CudaStage each in Model.Stages)
            {
                _angles[each.Index]?.Dispose();
                _angles[each.Index] = Upload(_rotary, each.Device);
                if (Model.Configuration.GlobalLayerCount < Model.Configuration.LayerCount)
                {
                    _slidingAngles[each.Index]?.Dispose();
                    _slidingAngles[each.Index] = Upload(Model.SlidingRotary, each.Device);
                }
            }
        }

        return (_angles[stage.Index]!.Address, _slidingAngles[stage.Index]?.Address ?? 0);
    }

    private unsafe CudaMemory Upload(RotaryEmbedding rotary, CudaDevice device)
    {
        int half = Model.Configuration.HeadDimension / 2;
        float[] angles = new float[2L * half * _angleCount];
        fixed (float* first = angles)
        {
            for (int i = 0; i < _angleCount; i++)
            {
                float* cosines = first + (2L * half * i);
                rotary.Fill(Length + i, cosines, cosines + half);
            }
        }

        return CudaMemory.From<float>(device, angles);
    }

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
