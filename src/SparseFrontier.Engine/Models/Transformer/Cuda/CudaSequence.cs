using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>A sequence being generated on a GPU: its own tail of the cache and counters.</summary>
public sealed class CudaSequence : IDisposable
{
    private readonly CudaPrompt _prompt;
    private readonly CudaPromptCache _cache;
    private readonly ModelConfiguration _configuration;
    private readonly DecodeConfiguration _method;
    private readonly DecodeStatistics _atStart;
    private CudaMemory _tail;
    private CudaMemory? _tailBounds;
    private int _capacity;

    internal CudaSequence(CudaPrompt prompt, DecodeConfiguration method, CudaPromptCache cache)
    {
        _prompt = prompt;
        _cache = cache;
        _method = method;
        _configuration = prompt.Model.Configuration;
        _capacity = Math.Max(64, prompt.MaximumOutputTokens);
        PageSize = method.Method is Quest ? method.Parameters.Integer(Quest.PageSize) : 0;
        SharesPages = PageSize == 0 || method.Parameters.Flag(Quest.SharePages);
        _tail = CudaMemory.Allocate(prompt.Model.Device, TailBytes(_capacity));
        _tailBounds = PageSize == 0 ? null : CudaMemory.Allocate(prompt.Model.Device, BoundBytes(_capacity));
        int[] globalLayers = [.. Enumerable.Range(0, _configuration.LayerCount).Where(_configuration.IsGlobal)];
        _atStart = new DecodeStatistics
        {
            KeptPromptTokens = globalLayers.Sum(layer => cache.Blocks[layer]!.Lengths.Sum(n => (long)n)),
            PromptTokens = (long)globalLayers.Length * _configuration.KvHeads * prompt.Length,
        };
        Counters.IndexSeconds = cache.EvictionSeconds;
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
        AttendedTokens = Counters.AttendedTokens,
        DenseTokens = Counters.DenseTokens,
        ForcedTokens = Counters.ForcedTokens,
        BytesRead = Counters.BytesRead,
        Steps = Counters.Steps,
        IndexSeconds = Counters.IndexSeconds,
        AttentionSeconds = Counters.AttentionSeconds,
        CacheBytes = _cache.Blocks.Sum(b => (b!.Lengths.Sum(n => (long)n) + ((long)GeneratedLength * _configuration.KvHeads)) * 2 * RowBytes),
    };

    /// <summary>Tokens of a page; 0 where every step attends to the whole cache.</summary>
    internal int PageSize { get; }

    /// <summary>Whether the query heads of a KV head share their pages.</summary>
    internal bool SharesPages { get; }

    internal DecodeCounters Counters;

    internal RotaryEmbedding Rotary => _prompt.Rotary;

    private long RowBytes => _configuration.HeadDimension * 2L;

    private int PromptPages => _prompt.Length / PageSize;

    /// <summary>Forgets all but the first <paramref name="generatedLength"/> appended tokens (to score a gold answer after generating); the statistics stay.</summary>
    public void Truncate(int generatedLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(generatedLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(generatedLength, GeneratedLength);
        GeneratedLength = generatedLength;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tail.Dispose();
        _tailBounds?.Dispose();
    }

    /// <summary>Makes room for more tokens.</summary>
    internal void Reserve(int tokens)
    {
        if (GeneratedLength + tokens <= _capacity)
        {
            return;
        }

        int larger = Math.Max(GeneratedLength + tokens, 2 * _capacity);
        _tail = Grow(_tail, TailBytes(_capacity), TailBytes(larger), _configuration.LayerCount * 2 * _configuration.KvHeads);
        if (_tailBounds is not null)
        {
            _tailBounds = Grow(_tailBounds, BoundBytes(_capacity), BoundBytes(larger), _configuration.LayerCount * _configuration.KvHeads);
        }

        _capacity = larger;
    }

    /// <summary>Counts tokens that have passed through all layers.</summary>
    internal void Advance(int tokens)
    {
        GeneratedLength += tokens;
        Counters.Steps += tokens;
    }

    /// <summary>What the prompt keeps of a layer.</summary>
    internal CudaKeyValues Block(int layer) => _cache.Blocks[layer]!;

    /// <summary>Address of a generated token's key, or value, in a layer.</summary>
    internal ulong Tail(int layer, bool values, int head, int token) =>
        _tail.Address + (ulong)((((((((long)layer * 2) + (values ? 1 : 0)) * _configuration.KvHeads) + head) * _capacity) + token) * RowBytes);

    /// <summary>Elements from one head to the next in the tail.</summary>
    internal long TailHeadStride => (long)_capacity * _configuration.HeadDimension;

    /// <summary>One KV head at a step that has appended <paramref name="generated"/> tokens.</summary>
    internal PagedHead Paged(int layer, int head, int generated)
    {
        CudaKeyValues block = Block(layer);
        CudaVectors bounds = block.Bounds(PageSize);
        int split = block.Lengths[head];
        long pageBytes = 2 * RowBytes;
        long tailPages = BoundBytes(_capacity) / pageBytes / (_configuration.LayerCount * _configuration.KvHeads);
        var place = new BudgetPlace(layer, head, split, Math.Max(0, generated - 1));
        return new PagedHead(
            block.Key(head),
            Tail(layer, false, head, 0) - (ulong)(split * RowBytes),
            bounds.Address + (ulong)(head * bounds.HeadStride * 2),
            _tailBounds!.Address + (ulong)(((((long)layer * _configuration.KvHeads) + head) * tailPages) * pageBytes) - (ulong)(PromptPages * pageBytes),
            split,
            PromptPages,
            split + generated,
            _method.Method.At(_method.Parameters, place)?.Integer(Quest.TokenBudget) / PageSize ?? int.MaxValue);
    }

    /// <summary>Counts what a step attends to in a global layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="generated">Tokens appended, the step's own included.</param>
    internal void Count(int layer, int generated)
    {
        CudaKeyValues block = Block(layer);
        int kvHeads = _configuration.KvHeads;
        long group = _configuration.QueryHeads / kvHeads;
        long tokens = 0;
        long forced = 0;
        long indexBytes = 0;
        for (int head = 0; head < kvHeads; head++)
        {
            int length = block.Lengths[head] + generated;
            int attended = length;
            if (PageSize > 0)
            {
                int budget = Paged(layer, head, generated).Budget;
                int current = (length - 1) / PageSize;
                if (current > budget)
                {
                    attended = (budget * PageSize) + length - (current * PageSize);
                    forced += (length - ((long)current * PageSize)) * group;
                    indexBytes += 2L * current * RowBytes;
                }
            }

            tokens += attended;
        }

        long kept = _cache.ForcedTokens[layer];
        if (kept >= 0)
        {
            forced += (kept * group) + ((long)generated * _configuration.QueryHeads);
        }

        Counters.AttendedTokens += tokens * group;
        Counters.DenseTokens += ((long)_prompt.Length + generated) * _configuration.QueryHeads;
        Counters.ForcedTokens += forced;
        Counters.BytesRead += (tokens * (SharesPages ? 1 : group) * 2 * RowBytes) + indexBytes;
    }

    private long TailBytes(int capacity) => (long)_configuration.LayerCount * 2 * _configuration.KvHeads * capacity * RowBytes;

    // Pages that the prompt leaves unfinished and that follow it.
    private long BoundBytes(int capacity) =>
        (long)_configuration.LayerCount * _configuration.KvHeads * (((_prompt.Length + capacity) / PageSize) - PromptPages + 1) * 2 * RowBytes;

    private CudaMemory Grow(CudaMemory memory, long bytes, long largerBytes, int parts)
    {
        CudaMemory larger = CudaMemory.Allocate(_prompt.Model.Device, largerBytes);
        for (int part = 0; part < parts; part++)
        {
            larger.CopyFrom(memory.Address + (ulong)(bytes / parts * part), bytes / parts, largerBytes / parts * part);
        }

        memory.Dispose();
        return larger;
    }
}

/// <summary>As struct PagedHead of quest.cu.</summary>
internal readonly record struct PagedHead(ulong Keys, ulong TailKeys, ulong Bounds, ulong TailBounds, int Split, int PromptPages, int Length, int Budget);
