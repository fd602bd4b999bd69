using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>A sequence being generated on a GPU: its own tail of the cache and counters.</summary>
public sealed class CudaSequence : IDisposable
{
    private readonly CudaPrompt _prompt;
    private readonly CudaPromptCache _cache;
    private readonly ModelConfiguration _configuration;
    private readonly DecodeConfiguration _method;
    private readonly DecodeStatistics _atStart;
    private readonly int _uniformBudget;

    // Tokens that the prompt keeps of a head at most.
    private readonly int _longestGlobal;
    private readonly int _longestSliding;

    // By stage.
    private readonly CudaMemory?[] _tables;
    private CudaMemory[] _tails;
    private CudaMemory[] _tailBounds;
    private int _capacity;

    internal CudaSequence(CudaPrompt prompt, DecodeConfiguration method, CudaPromptCache cache)
    {
        _prompt = prompt;
        _cache = cache;
        _method = method;
        _configuration = prompt.Model.Configuration;
        _capacity = Math.Max(64, prompt.MaximumOutputTokens);
        Choice = CudaStepPages.ChoiceOf(method.Method) ?? throw new ArgumentException($"{method.Method.Name} does not choose on the device.", nameof(method));
        PageSize = Choice == PageChoice.None ? 0 : method.Method is PageMethod ? method.Parameters.Integer(PageMethod.PageSize) : 1;
        SharesPages = method.Method is not PageMethod paged || !paged.HasOwnPages(method.Parameters);
        IReadOnlyList<CudaStage> stages = prompt.Model.Stages;
        _tables = new CudaMemory?[stages.Count];
        (_tails, _tailBounds) = Allocate(_capacity);
        _uniformBudget = PageSize == 0 ? int.MaxValue : Pages(method.Parameters);
        for (int layer = 0; layer < _configuration.LayerCount; layer++)
        {
            int longest = cache.Blocks[layer]!.Lengths.Max();
            if (_configuration.IsGlobal(layer))
            {
                _longestGlobal = Math.Max(_longestGlobal, longest);
            }
            else
            {
                _longestSliding = Math.Max(_longestSliding, longest);
            }
        }

        int[] globalLayers = [.. Enumerable.Range(0, _configuration.LayerCount).Where(_configuration.IsGlobal)];
        _atStart = new DecodeStatistics
        {
            KeptPromptTokens = globalLayers.Sum(layer => cache.Blocks[layer]!.Lengths.Sum(n => (long)n)),
            PromptTokens = (long)globalLayers.Length * _configuration.KvHeads * prompt.Length,
            SelectedOnProcessor = cache.SelectedOnProcessor,
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
        Operations = Counters.Operations,
        Steps = Counters.Steps,
        IndexSeconds = Counters.IndexSeconds,
        AttentionSeconds = Counters.AttentionSeconds,
        CacheBytes = _cache.Blocks.Sum(b => (b!.Lengths.Sum(n => (long)n) + ((long)GeneratedLength * _configuration.KvHeads)) * 2 * RowBytes),
    };

    /// <summary>By what pages are chosen at every step.</summary>
    internal PageChoice Choice { get; }

    /// <summary>Tokens of a page; 0 where every step attends to the whole cache.</summary>
    internal int PageSize { get; }

    /// <summary>Whether the query heads of a KV head share their pages.</summary>
    internal bool SharesPages { get; }

    /// <summary>Whole pages of the prompt.</summary>
    internal int PromptPages => PageSize == 0 ? 0 : _prompt.Length / PageSize;

    internal DecodeCounters Counters;

    /// <summary>Rows of the step that is being arranged.</summary>
    internal int Pending { get; set; }

    private long RowBytes => _configuration.HeadDimension * 2L;

    // Whether a table serves every step.
    private bool HasFixedBudgets => PageSize == 0 || _method.Parameters.Schedule.IsUniform;

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
        Array.ForEach(_tails, t => t.Dispose());
        Array.ForEach(_tailBounds, b => b.Dispose());
        ForgetTables();
    }

    /// <summary>Makes room for more tokens, on all stages or on none.</summary>
    internal void Reserve(int tokens)
    {
        if (GeneratedLength + tokens <= _capacity)
        {
            return;
        }

        int larger = Math.Max(GeneratedLength + tokens, 2 * _capacity);
        (CudaMemory[] tails, CudaMemory[] tailBounds) = Allocate(larger);
        foreach (CudaStage stage in _prompt.Model.Stages)
        {
            Copy(_tails[stage.Index], tails[stage.Index], stage.Count * TailBytes(_capacity), stage.Count * 2 * _configuration.KvHeads);
            if (tailBounds.Length > 0)
            {
                Copy(_tailBounds[stage.Index], tailBounds[stage.Index], stage.Count * BoundBytes(_capacity), stage.Count * _configuration.KvHeads);
            }
        }

        Array.ForEach([.. _tails, .. _tailBounds], m => m.Dispose());
        (_tails, _tailBounds, _capacity) = (tails, tailBounds, larger);
        ForgetTables();
    }

    /// <summary>Counts tokens that have passed through all layers.</summary>
    internal void Advance(int tokens)
    {
        GeneratedLength += tokens;
        Counters.Steps += tokens;
    }

    /// <summary>Address of a stage's struct CacheHead [layers, KV heads]; 0 where budgets depend on the step, which then needs a table of its own.</summary>
    internal ulong Table(CudaStage stage)
    {
        if (!HasFixedBudgets)
        {
            return 0;
        }

        _tables[stage.Index] ??= CudaMemory.From<CacheHead>(stage.Device, Heads(stage, 1));
        return _tables[stage.Index]!.Address;
    }

    /// <summary>A stage's [layers, KV heads] at a step that has appended so many tokens.</summary>
    internal CacheHead[] Heads(CudaStage stage, int appended)
    {
        var heads = new CacheHead[stage.Count * _configuration.KvHeads];
        for (int i = 0; i < heads.Length; i++)
        {
            (int layer, int head) = (stage.First + (i / _configuration.KvHeads), i % _configuration.KvHeads);
            CudaKeyValues block = Block(layer);
            bool paged = PageSize > 0 && _configuration.IsGlobal(layer);
            CudaVectors? bounds = paged && Choice == PageChoice.Bounds ? block.Bounds(PageSize) : null;
            heads[i] = new CacheHead(
                block.Key(head),
                block.Value(head),
                Tail(stage, layer, false, head),
                Tail(stage, layer, true, head),
                bounds is null ? 0 : bounds.Address + (ulong)(head * bounds.HeadStride * 2),
                bounds is null ? 0 : TailBounds(stage, layer, head),
                block.Lengths[head],
                paged ? Budget(layer, head, appended) : 0);
        }

        return heads;
    }

    /// <summary>Addresses of cosines and sines of global and of sliding layers, from the first appended token on, for at least so many, in a stage's memory.</summary>
    internal (ulong Global, ulong Sliding) Angles(CudaStage stage, int appended) => _prompt.Angles(stage, appended);

    /// <summary>Writes the states of RandomSource that a step's lists are drawn by, [layers of the stage][statesOfLayer], of which the row's begin at <paramref name="first"/>.</summary>
    internal void WriteDraws(CudaStage stage, Span<RandomState> states, int statesOfLayer, int first, int appended)
    {
        int lists = SharesPages ? _configuration.KvHeads : _configuration.QueryHeads;
        for (int layer = 0; layer < stage.Count; layer++)
        {
            for (int list = 0; _configuration.IsGlobal(stage.First + layer) && list < lists; list++)
            {
                states[(layer * statesOfLayer) + first + list] = RandomPages.Numbers(_prompt.Seed, stage.First + layer, list, appended).State;
            }
        }
    }

    /// <summary>What a step's shape depends on when it has appended so many tokens.</summary>
    internal CudaStepRow RowAt(int appended)
    {
        int sliding = _configuration.GlobalLayerCount < _configuration.LayerCount ? _longestSliding + appended : 0;
        return new CudaStepRow(Choice, PageSize, SharesPages, _longestGlobal + appended, sliding, LargestBudget(appended), appended > GeneratedLength + 1);
    }

    /// <summary>Counts what a step attends to.</summary>
    /// <param name="appended">Tokens appended, the step's own included.</param>
    internal void Count(int appended)
    {
        Counters.Operations += DecodeOperations.OfToken(_configuration);
        for (int layer = 0; layer < _configuration.LayerCount; layer++)
        {
            if (_configuration.IsGlobal(layer))
            {
                Count(layer, appended);
                continue;
            }

            int attended = Math.Min(_prompt.Length + appended, _configuration.SlidingWindows[layer]);
            Counters.Operations += DecodeOperations.OfAttention(_configuration, (double)attended * _configuration.QueryHeads);
        }
    }

    private void Count(int layer, int generated)
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
                int budget = Budget(layer, head, generated);
                int current = (length - 1) / PageSize;
                if (current > budget)
                {
                    attended = (budget * PageSize) + length - (current * PageSize);
                    forced += (Choice == PageChoice.Latest ? attended : length - ((long)current * PageSize)) * group;
                    Counters.Operations += Choice switch
                    {
                        PageChoice.Bounds => DecodeOperations.OfPageScores(_configuration, (double)current * group),
                        PageChoice.Attention => DecodeOperations.OfScores(_configuration, (double)length * group),
                        _ => 0,
                    };
                    indexBytes += RowBytes * Choice switch { PageChoice.Bounds => 2L * current, PageChoice.Attention => length, _ => 0 };
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
        Counters.Operations += DecodeOperations.OfAttention(_configuration, (double)tokens * group) + (Choice == PageChoice.Bounds ? DecodeOperations.OfBounds(_configuration) : 0);
        Counters.DenseTokens += ((long)_prompt.Length + generated) * _configuration.QueryHeads;
        Counters.ForcedTokens += forced;
        Counters.BytesRead += (tokens * (SharesPages ? 1 : group) * 2 * RowBytes) + indexBytes;
    }

    private CudaKeyValues Block(int layer) => _cache.Blocks[layer]!;

    // Address of the first appended token's key, or value.
    private ulong Tail(CudaStage stage, int layer, bool values, int head) =>
        _tails[stage.Index].Address + (ulong)(((((layer - stage.First) * 2L) + (values ? 1 : 0)) * _configuration.KvHeads + head) * _capacity * RowBytes);

    // Address of a head's bounds, moved back by the prompt's whole pages.
    private ulong TailBounds(CudaStage stage, int layer, int head)
    {
        long bytes = BoundBytes(_capacity) / _configuration.KvHeads;
        return _tailBounds[stage.Index].Address + (ulong)((((layer - stage.First) * (long)_configuration.KvHeads) + head) * bytes) - (ulong)(PromptPages * 2 * RowBytes);
    }

    private void ForgetTables()
    {
        Array.ForEach(_tables, t => t?.Dispose());
        Array.Clear(_tables);
    }

    private int LargestBudget(int appended)
    {
        if (HasFixedBudgets)
        {
            return _uniformBudget;
        }

        int largest = 0;
        for (int layer = 0; layer < _configuration.LayerCount; layer++)
        {
            for (int head = 0; _configuration.IsGlobal(layer) && head < _configuration.KvHeads; head++)
            {
                largest = Math.Max(largest, Budget(layer, head, appended));
            }
        }

        return largest;
    }

    private int Budget(int layer, int head, int appended) =>
        _method.Parameters.Schedule.IsUniform
            ? _uniformBudget
            : _method.Method.At(_method.Parameters, new BudgetPlace(layer, head, Block(layer).Lengths[head], appended - 1)) is { } local ? Pages(local) : int.MaxValue;

    // What is kept beside the current page. OracleTopK's budget contains the step's own token.
    private int Pages(MethodParameters parameters) =>
        _method.Method is PageMethod ? parameters.Integer(PageMethod.TokenBudget) / PageSize : parameters.Integer(OracleTopKDecode.TokenBudget) - 1;

    // Of a layer.
    private long TailBytes(int capacity) => 2L * _configuration.KvHeads * capacity * RowBytes;

    // Of a layer: pages that the prompt leaves unfinished and that follow it.
    private long BoundBytes(int capacity) =>
        (long)_configuration.KvHeads * (((_prompt.Length + capacity) / PageSize) - PromptPages + 1) * 2 * RowBytes;

    // Tails, and bounds where they are kept, of every stage; all of them or none.
    private (CudaMemory[] Tails, CudaMemory[] Bounds) Allocate(int capacity)
    {
        IReadOnlyList<CudaStage> stages = _prompt.Model.Stages;
        var memories = new List<CudaMemory>();
        try
        {
            foreach (CudaStage stage in stages)
            {
                memories.Add(CudaMemory.Allocate(stage.Device, stage.Count * TailBytes(capacity)));
            }

            foreach (CudaStage stage in Choice == PageChoice.Bounds ? stages : [])
            {
                memories.Add(CudaMemory.Allocate(stage.Device, stage.Count * BoundBytes(capacity)));
            }
        }
        catch
        {
            memories.ForEach(m => m.Dispose());
            throw;
        }

        return ([.. memories.Take(stages.Count)], [.. memories.Skip(stages.Count)]);
    }

    // Parts of one size lie further apart in the larger memory.
    private static void Copy(CudaMemory memory, CudaMemory larger, long bytes, int parts)
    {
        for (int part = 0; part < parts; part++)
        {
            larger.CopyFrom(memory.Address + (ulong)(bytes / parts * part), bytes / parts, larger.SizeInBytes / parts * part);
        }
    }
}
