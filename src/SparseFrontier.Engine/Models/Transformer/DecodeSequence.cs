using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;

namespace SparseFrontier.Models.Transformer;

/// <summary>A sequence being generated: its own cache tail and counters.</summary>
public sealed unsafe class DecodeSequence : IDisposable
{
    private readonly PromptState _prompt;
    private readonly PromptCache _promptCache;
    private readonly ModelConfiguration _configuration;
    private readonly CountingKernels _kernels;
    private readonly LayerCache[] _caches;
    private readonly StepSelector? _selector;
    private readonly DecodeStatistics _atStart;
    private DecodeCounters _counters;

    internal DecodeSequence(PromptState prompt, DecodeConfiguration configuration, PromptCache cache)
    {
        _prompt = prompt;
        _promptCache = cache;
        _configuration = prompt.Model.Configuration;
        _kernels = new CountingKernels(prompt.Model.Kernels);
        _caches = [.. cache.Blocks.Select(b => new LayerCache(b!, ownsPrompt: false))];
        _selector = configuration.Method.CreateStepSelector(
            configuration.Parameters,
            [.. _caches.Select((c, layer) => _configuration.IsGlobal(layer) ? c : null)],
            _kernels,
            prompt.Seed);
        int[] globalLayers = [.. Enumerable.Range(0, _configuration.LayerCount).Where(_configuration.IsGlobal)];
        _atStart = new DecodeStatistics
        {
            KeptPromptTokens = globalLayers.Sum(layer => _caches[layer].Prompt.Lengths.Sum(n => (long)n)),
            PromptTokens = (long)globalLayers.Length * _configuration.KvHeads * prompt.Length,
        };
        _counters.IndexSeconds = cache.EvictionSeconds;
    }

    /// <summary>Tokens appended since the prompt.</summary>
    public int GeneratedLength { get; private set; }

    /// <summary>Prompt tokens and tokens appended since; the position of the next token.</summary>
    public int Length => _prompt.Length + GeneratedLength;

    /// <summary>Tokens that the sequence may have.</summary>
    public int MaximumLength => _prompt.MaximumLength;

    /// <summary>What was attended and read so far, as a copy that later steps do not change.</summary>
    public DecodeStatistics Statistics => _atStart with
    {
        AttendedTokens = _counters.AttendedTokens,
        DenseTokens = _counters.DenseTokens,
        ForcedTokens = _counters.ForcedTokens,
        BytesRead = _counters.BytesRead,
        Operations = _counters.Operations,
        Steps = _counters.Steps,
        IndexSeconds = _counters.IndexSeconds,
        AttentionSeconds = _counters.AttentionSeconds,
        CacheBytes = _caches.Sum(c => c.SizeInBytes),
    };

    /// <summary>The counters; set back to an earlier copy after tokens that were not generated.</summary>
    internal DecodeCounters Counters
    {
        get => _counters;
        set => _counters = value;
    }

    /// <summary>Tokens that a step attended to so far, over heads and layers: what its time depends on most. Before the first step those of the whole prompt.</summary>
    internal long TokensPerStep => _counters.Steps > 0 ? _counters.AttendedTokens / _counters.Steps : _atStart.PromptTokens;

    internal TransformerModel Model => _prompt.Model;

    internal RotaryEmbedding Rotary => _prompt.Rotary;

    /// <summary>Forgets all but the first <paramref name="generatedLength"/> appended tokens (to score a gold answer after generating); the statistics stay.</summary>
    public void Truncate(int generatedLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(generatedLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(generatedLength, GeneratedLength);
        foreach (LayerCache cache in _caches)
        {
            cache.Truncate(generatedLength);
        }

        _selector?.Truncate(generatedLength);
        GeneratedLength = generatedLength;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _selector?.Dispose();
        foreach (LayerCache cache in _caches)
        {
            cache.Dispose();
        }
    }

    /// <summary>Counts tokens that have passed through all layers.</summary>
    /// <param name="tokens">Tokens.</param>
    /// <param name="operations">Operations of their products and gates.</param>
    internal void Advance(int tokens, double operations)
    {
        GeneratedLength += tokens;
        _counters.Steps += tokens;
        _counters.Operations += operations;
    }

    /// <summary>Forgets what an interrupted step left in some of the layers.</summary>
    internal void DropUnfinished() => Truncate(GeneratedLength);

    /// <summary>Appends one token's key and value to a layer's cache and attends to what the method selects.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="queries">[query heads, dimension].</param>
    /// <param name="keys">[KV heads, dimension].</param>
    /// <param name="values">[KV heads, dimension].</param>
    /// <param name="output">[query heads, dimension]; may be the queries.</param>
    internal void Attend(int layer, float* queries, float* keys, float* values, float* output)
    {
        LayerCache cache = _caches[layer];
        cache.Append(keys, values);
        long start = Stopwatch.GetTimestamp();
        long forced = _selector?.ForcedCount ?? 0;
        long indexBytes = _selector?.IndexBytesRead ?? 0;
        double indexOperations = _kernels.IndexOperations;
        bool global = _configuration.IsGlobal(layer);
        int queryHeads = _configuration.QueryHeads;
        float scale = _configuration.AttentionScale;
        TimeSpan choosing = default;
        DecodeSelection? selection;
        if (global && _selector is not null)
        {
            selection = _selector.Attend(layer, cache, queries, queryHeads, scale, _kernels, output, out choosing);
        }
        else
        {
            selection = global ? null : WindowSelection(layer, cache);
            _kernels.DecodeAttention(queries, queryHeads, cache, selection, scale, output);
        }

        _counters.IndexSeconds += choosing.TotalSeconds;
        _counters.AttentionSeconds += (Stopwatch.GetElapsedTime(start) - choosing).TotalSeconds;
        int lists = selection?.Lists.Length ?? cache.Prompt.Heads;
        long tokens = CountTokens(cache, selection, lists);
        long pairs = tokens * (_configuration.QueryHeads / lists);
        _counters.Operations += DecodeOperations.OfAttention(_configuration, pairs) + _kernels.IndexOperations - indexOperations;
        if (global)
        {
            Count(layer, cache, tokens, pairs, (_selector?.ForcedCount ?? 0) - forced, (_selector?.IndexBytesRead ?? 0) - indexBytes);
        }
    }

    // Of all lists; a loop, because it is done in each layer of each step.
    private static long CountTokens(LayerCache cache, DecodeSelection? selection, int lists)
    {
        long tokens = 0;
        for (int list = 0; list < lists; list++)
        {
            if (selection is null)
            {
                tokens += cache.Length(list);
                continue;
            }

            foreach (KeyRange range in selection.Lists[list])
            {
                tokens += range.Length;
            }
        }

        return tokens;
    }

    private void Count(int layer, LayerCache cache, long tokens, long pairs, long forced, long indexBytes)
    {
        long heads = _configuration.QueryHeads;
        long keptForced = _promptCache.ForcedTokens[layer];
        if (keptForced >= 0)
        {
            forced += (keptForced * (heads / cache.Prompt.Heads)) + (cache.GeneratedLength * heads);
        }

        _counters.AttendedTokens += pairs;
        _counters.DenseTokens += (_prompt.Length + cache.GeneratedLength) * heads;
        _counters.ForcedTokens += forced;
        _counters.BytesRead += (tokens * 2 * cache.Prompt.RowBytes) + indexBytes;
    }

    // A sliding layer's prompt block holds only the prompt's last tokens, so its window is counted from the end.
    private DecodeSelection? WindowSelection(int layer, LayerCache cache)
    {
        int length = cache.Length(0);
        int window = _configuration.SlidingWindows[layer];
        if (length <= window)
        {
            return null;
        }

        KeyRange[] list = [new KeyRange(length - window, length)];
        return new DecodeSelection([.. Enumerable.Repeat(list, _configuration.KvHeads)]);
    }
}

/// <summary>Sums over the steps of a sequence; see <see cref="DecodeStatistics"/>.</summary>
internal struct DecodeCounters
{
    public long AttendedTokens;
    public long DenseTokens;
    public long ForcedTokens;
    public long BytesRead;
    public double Operations;
    public int Steps;
    public double IndexSeconds;
    public double AttentionSeconds;
}
