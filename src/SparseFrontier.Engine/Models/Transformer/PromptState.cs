using SparseFrontier.Kernels;

namespace SparseFrontier.Models.Transformer;

/// <summary>A prompt that was read: its last logits, its cache, its statistics. Dispose after the sequences started from it.</summary>
public sealed class PromptState : IDisposable
{
    private readonly IReadOnlyList<DecodeConfiguration> _configurations;
    private readonly PromptCache[] _caches;
    private bool _disposed;

    internal PromptState(TransformerModel model, int length, PrefillRequest request, RotaryEmbedding rotary)
    {
        Model = model;
        Length = length;
        Rotary = rotary;
        Seed = request.Seed;
        MaximumLength = model.Configuration.MaximumLength(request.YarnFactor);
        _configurations = request.DecodeConfigurations;
        _caches = [.. _configurations.Select(_ => new PromptCache(model.Configuration.LayerCount))];
    }

    /// <summary>Logits of the prompt's last token, [vocabulary].</summary>
    public float[] LastLogits { get; internal set; } = [];

    /// <summary>Prompt tokens.</summary>
    public int Length { get; }

    /// <summary>What was attended, and how long it took.</summary>
    public PrefillStatistics Statistics { get; internal set; } = new();

    /// <summary>Bytes of keys and values held for all decode configurations together.</summary>
    public long CacheBytes => _caches.SelectMany(c => c.Blocks).Concat(Listed).Where(b => b is not null).Distinct().Sum(b => b!.SizeInBytes);

    internal TransformerModel Model { get; }

    internal RotaryEmbedding Rotary { get; }

    internal int MaximumLength { get; }

    internal long Seed { get; }

    internal IReadOnlyList<PromptCache> Caches => _caches;

    /// <summary>Blocks whose tokens are listed by those of the caches; the prompt owns them, too.</summary>
    internal List<KeyValueBlock> Listed { get; } = [];

    /// <summary>Starts a sequence that continues the prompt under one of the request's decode configurations.</summary>
    /// <param name="configuration">Index into <see cref="PrefillRequest.DecodeConfigurations"/>.</param>
    public DecodeSequence StartSequence(int configuration)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new DecodeSequence(this, _configurations[configuration], _caches[configuration]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        foreach (KeyValueBlock? block in _caches.SelectMany(c => c.Blocks).Concat(Listed))
        {
            block?.Dispose();
        }
    }
}

/// <summary>What one decode configuration keeps of a prompt. Blocks may be shared with other configurations; the prompt owns them.</summary>
internal sealed class PromptCache(int layers)
{
    /// <summary>By layer.</summary>
    public KeyValueBlock?[] Blocks { get; } = new KeyValueBlock?[layers];

    /// <summary>By layer: tokens of the block that the method always keeps, summed over KV heads; -1 where nothing was evicted.</summary>
    public long[] ForcedTokens { get; } = [.. Enumerable.Repeat(-1L, layers)];

    /// <summary>Seconds that the evictions took.</summary>
    public double EvictionSeconds { get; set; }
}
