using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// Reads one prompt layer by layer, the rows of each layer in chunks: beside the cache only the residual stream and one layer's queries of
/// the whole prompt are kept, so that a method sees all queries and keys of a layer before it selects. <see cref="PrefillMemory"/> divides the rest.
/// </summary>
/// <remarks>
/// A layer's keys and values are stored in the cache's type at once. Where that is bfloat16, those of a few KV heads at a time are widened for methods and attention.
/// Where the query heads together are wider than the hidden states and the prompt is long, they are run in groups: the queries of a group are
/// made, attend, and are multiplied with their columns of the output projection, which is added up for the whole prompt. Memory is then twice the
/// hidden states and the group's queries, and every element has the same sum. Of a layer with a sliding window no more than a chunk and the window before it is held.
/// </remarks>
internal sealed unsafe class PromptReader : IDisposable
{
    private readonly TransformerModel _model;
    private readonly ModelConfiguration _configuration;
    private readonly PrefillRequest _request;
    private readonly CancellationToken _cancellationToken;
    private readonly int[] _tokens;
    private readonly int _length;
    private readonly PrefillMemory _memory;
    private readonly Forward _forward;
    private readonly RotaryTable _rotary;
    private readonly RotaryTable? _slidingRotary;
    private readonly NativeArray<float> _residual;
    private readonly NativeArray<float> _queries;
    private readonly NativeArray<float> _tailQueries;
    private readonly NativeArray<float> _projected;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private readonly WidenedHeads? _widening;
    private readonly SlidingKeys? _sliding;
    private readonly PromptState _state;
    private readonly PrefillCounters _counters = new();
    private readonly CountingKernels _kernels;
    private long _planBytes;
    private double _evictionOperations;

    /// <summary>Checks the request and allocates memory.</summary>
    public PromptReader(TransformerModel model, ModelWeights weights, ReadOnlySpan<int> tokens, PrefillRequest request, CancellationToken cancellationToken)
    {
        _model = model;
        _configuration = model.Configuration;
        _request = request;
        _cancellationToken = cancellationToken;
        _length = tokens.Length;
        RotaryEmbedding rotary = model.CreateRotary(_configuration.RotaryFor(request.YarnFactor));
        _state = new PromptState(model, _length, request, rotary);
        _memory = PrefillMemory.Divide(_configuration, model.CacheType, _length, request);
        _kernels = new CountingKernels(model.Kernels);
        _forward = new Forward(_kernels, weights, _configuration, _memory.ChunkRows);
        _rotary = rotary.CreateTable(_memory.RotaryRows);
        _slidingRotary = _configuration.GlobalLayerCount < _configuration.LayerCount ? model.SlidingRotary.CreateTable(_memory.RotaryRows) : null;
        _residual = new NativeArray<float>((long)_length * _configuration.HiddenSize);
        bool grouped = _memory.GroupHeads < _configuration.QueryHeads;
        int keyWidth = _configuration.KvHeads * _configuration.HeadDimension;
        _queries = new NativeArray<float>(_memory.QueryElements);
        _tailQueries = new NativeArray<float>(grouped ? (long)_memory.TailRows * _configuration.QueryHeads * _configuration.HeadDimension : 0);
        _projected = new NativeArray<float>(grouped ? (long)_length * _configuration.HiddenSize : 0);
        _keys = new NativeArray<float>((long)_memory.ChunkRows * keyWidth);
        _values = new NativeArray<float>((long)_memory.ChunkRows * keyWidth);
        _widening = _memory.WidenedBytes == 0 ? null : new WidenedHeads(_configuration.KvHeads, _length, _configuration.HeadDimension, _memory.WidenedBytes);
        _sliding = _memory.SlidingTokens == 0 ? null : new SlidingKeys(_configuration.KvHeads, _memory.SlidingTokens, _configuration.HeadDimension, model.CacheType);
        _tokens = tokens.ToArray();
    }

    /// <summary>Runs all layers.</summary>
    /// <param name="allLogits">[length, vocabulary], written; or null.</param>
    public PromptState Run(float[]? allLogits)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            WorkerPool.For(_length, row => _forward.Embed(_tokens[row], Residual(row)), _cancellationToken);
            for (int layer = 0; layer < _configuration.LayerCount; layer++)
            {
                ReadLayer(layer, _model.Weights.Layers[layer]);
                _request.LayerDone?.Invoke(layer + 1);
            }

            WriteLogits(allLogits);
        }
        catch
        {
            _state.Dispose();
            throw;
        }

        double evictions = _state.Caches.Sum(c => c.EvictionSeconds);
        double attention = _counters.ExecutedPairsAllLayers * ((4.0 * _configuration.HeadDimension) + 3);
        _state.Statistics = _counters.ToStatistics(Stopwatch.GetElapsedTime(start).TotalSeconds - evictions) with
        {
            Operations = _kernels.ProductOperations + _kernels.IndexOperations + attention - _evictionOperations,
        };
        return _state;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _forward.Dispose();
        _rotary.Dispose();
        _slidingRotary?.Dispose();
        _residual.Dispose();
        _queries.Dispose();
        _tailQueries.Dispose();
        _projected.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _widening?.Dispose();
        _sliding?.Dispose();
    }

    private void ReadLayer(int layer, LayerWeights<WeightMatrix, NativeArray<float>> weights)
    {
        ModelConfiguration c = _configuration;
        if (_memory.IsSliding[layer])
        {
            ReadSlidingLayer(layer, weights);
            return;
        }

        if (_memory.GroupHeads < c.QueryHeads)
        {
            ReadLayerInGroups(layer, weights);
            return;
        }

        var block = new KeyValueBlock(c.KvHeads, _length, c.HeadDimension, _model.CacheType);
        bool kept = false;
        try
        {
            RotaryTable rotary = c.IsGlobal(layer) ? _rotary : _slidingRotary!;
            foreach ((int first, int rows) in Chunks())
            {
                rotary.Require(first, rows);
                _forward.Project(weights, Residual(first), rows, rotary.Cosines(first), rotary.Sines(first), Queries(first), _keys.Pointer, _values.Pointer, _cancellationToken);
                Store(block, first, rows);
            }

            PromptLayer seen = See(layer, block, HeadTensor.RowMajor(_queries.Pointer, c.QueryHeads, _length, c.HeadDimension));
            kept = Keep(seen, block);
            Attend(seen, 0, c.QueryHeads);
            foreach ((int first, int rows) in Chunks())
            {
                _forward.Finish(weights, Queries(first), Residual(first), rows, _cancellationToken);
            }
        }
        finally
        {
            if (!kept)
            {
                block.Dispose();
            }
        }
    }

    private void ReadLayerInGroups(int layer, LayerWeights<WeightMatrix, NativeArray<float>> weights)
    {
        ModelConfiguration c = _configuration;
        var block = new KeyValueBlock(c.KvHeads, _length, c.HeadDimension, _model.CacheType);
        bool kept = false;
        try
        {
            RotaryTable rotary = c.IsGlobal(layer) ? _rotary : _slidingRotary!;
            foreach ((int first, int rows) in Chunks())
            {
                rotary.Require(first, rows);
                _forward.ProjectKeysAndValues(weights, Residual(first), rows, rotary.Cosines(first), rotary.Sines(first), _keys.Pointer, _values.Pointer, _cancellationToken);
                Store(block, first, rows);
            }

            kept = Keep(See(layer, block, MakeTailQueries(weights, rotary)), block);
            for (int head = 0; head < c.QueryHeads; head += _memory.GroupHeads)
            {
                int heads = Math.Min(_memory.GroupHeads, c.QueryHeads - head);
                foreach ((int first, int rows) in Chunks())
                {
                    rotary.Require(first, rows);
                    _forward.ProjectQueries(
                        weights, Residual(first), rows, rotary.Cosines(first), rotary.Sines(first), head, heads, GroupQueries(first, heads), _cancellationToken);
                }

                // The tensor of all heads, of which only the group's are there.
                long width = (long)heads * c.HeadDimension;
                float* firstHead = _queries.Pointer - ((long)head * c.HeadDimension);
                Attend(See(layer, block, new HeadTensor(firstHead, c.QueryHeads, _length, c.HeadDimension, c.HeadDimension, width)), head, heads);
                foreach ((int first, int rows) in Chunks())
                {
                    _forward.ProjectOutput(weights, GroupQueries(first, heads), rows, head, heads, Projected(first), _cancellationToken);
                }
            }

            foreach ((int first, int rows) in Chunks())
            {
                _forward.FinishProjected(weights, Projected(first), Residual(first), rows, _cancellationToken);
            }
        }
        finally
        {
            if (!kept)
            {
                block.Dispose();
            }
        }
    }

    // Chunk by chunk to the end of the layer: what a row attends to is the chunk's or just before it.
    private void ReadSlidingLayer(int layer, LayerWeights<WeightMatrix, NativeArray<float>> weights)
    {
        ModelConfiguration c = _configuration;
        SlidingKeys sliding = _sliding!;
        int window = c.SlidingWindows[layer];
        sliding.Clear();
        foreach ((int first, int rows) in Chunks())
        {
            _slidingRotary!.Require(first, rows);
            _forward.Project(
                weights, Residual(first), rows, _slidingRotary.Cosines(first), _slidingRotary.Sines(first), _queries.Pointer, _keys.Pointer, _values.Pointer, _cancellationToken);
            int before = sliding.Append(_keys.Pointer, _values.Pointer, rows, window - 1);
            HeadTensor queries = HeadTensor.RowMajor(_queries.Pointer, c.QueryHeads, rows, c.HeadDimension);
            AttentionPlan plan = WindowPlan(before, rows, window);
            _counters.TimeAttention(isGlobal: false, () => _kernels.PrefillAttention(
                queries, sliding.Keys, sliding.Values, c.AttentionScale, [plan], window, queries, null, _cancellationToken));
            _counters.CountSliding(plan.CountPairs(window) * c.QueryHeads);
            _counters.CountExecutedSliding(_kernels.CountExecutedPairs(plan, window) * c.QueryHeads);
            _forward.Finish(weights, _queries.Pointer, Residual(first), rows, _cancellationToken);
        }

        KeepWindow(layer, () => sliding.Last(Math.Min(_length, window - 1)));
    }

    // The tensor of all queries, of which only the last rows are there.
    private HeadTensor MakeTailQueries(LayerWeights<WeightMatrix, NativeArray<float>> weights, RotaryTable rotary)
    {
        ModelConfiguration c = _configuration;
        long width = (long)c.QueryHeads * c.HeadDimension;
        int start = _length - _memory.TailRows;
        for (int first = start; first < _length; first += _memory.ChunkRows)
        {
            int rows = Math.Min(_memory.ChunkRows, _length - first);
            rotary.Require(first, rows);
            _forward.ProjectQueries(
                weights,
                Residual(first),
                rows,
                rotary.Cosines(first),
                rotary.Sines(first),
                0,
                c.QueryHeads,
                _tailQueries.Pointer + ((first - start) * width),
                _cancellationToken);
        }

        return new HeadTensor(_tailQueries.Pointer - (start * width), c.QueryHeads, _length, c.HeadDimension, c.HeadDimension, width);
    }

    private PromptLayer See(int layer, KeyValueBlock block, HeadTensor queries)
    {
        HeadTensor none = HeadTensor.HeadMajor(null, block.Heads, _length, block.Dimension);
        _widening?.Block = block;

        return new PromptLayer
        {
            Layer = layer,
            Queries = queries,
            Keys = _widening is null ? block.Keys : none,
            Values = _widening is null ? block.Values : none,
            Widening = _widening,
            Scale = _configuration.AttentionScale,
            Kernels = _kernels,
            Seed = _request.Seed,
            CancellationToken = _cancellationToken,
        };
    }

    // Stores what the decode configurations need of a layer. Returns whether one keeps the block itself.
    private bool Keep(PromptLayer seen, KeyValueBlock block)
    {
        if (_configuration.IsGlobal(seen.Layer))
        {
            Observe(seen, block);
            return KeepBlocks(seen, block);
        }

        int kept = Math.Min(_length, _configuration.SlidingWindows[seen.Layer] - 1);
        int[] last = [.. Enumerable.Range(_length - kept, kept)];
        KeepWindow(seen.Layer, () => block.Copy(block.DataType, [.. Enumerable.Repeat(last, _configuration.KvHeads)]));
        return false;
    }

    // All decode configurations share what a sliding window can still see.
    private void KeepWindow(int layer, Func<KeyValueBlock> last)
    {
        if (_state.Caches.Count > 0)
        {
            KeyValueBlock kept = last();
            foreach (PromptCache cache in _state.Caches)
            {
                cache.Blocks[layer] = kept;
            }
        }
    }

    private void Observe(PromptLayer seen, KeyValueBlock block)
    {
        if (_request.LayerObserver is null || _widening is null)
        {
            _request.LayerObserver?.Invoke(seen);
            return;
        }

        using var all = new WidenedHeads(block.Heads, _length, block.Dimension, long.MaxValue) { Block = block };
        (HeadTensor keys, HeadTensor values) = all.Widen(0, block.Heads);
        _request.LayerObserver(seen with { Keys = keys, Values = values, Widening = null });
    }

    // Attention of some heads, which writes over their queries.
    private void Attend(PromptLayer seen, int firstHead, int heads)
    {
        if (!_configuration.IsGlobal(seen.Layer))
        {
            int window = _configuration.SlidingWindows[seen.Layer];
            AttentionPlan plan = WindowPlan(0, _length, window);
            AttendAll(seen, firstHead, heads, [plan], window);
            _counters.CountSliding(plan.CountPairs(window) * heads);
            _counters.CountExecutedSliding(_kernels.CountExecutedPairs(plan, window) * heads);
            return;
        }

        if (_request.Method is not { } method)
        {
            IReadOnlyList<AttentionPlan> dense = [AttentionPlan.Dense(_length)];
            AttendAll(seen, firstHead, heads, dense, 0);
            _counters.CountGlobal(_kernels, dense, null, heads, _length);
            return;
        }

        // As many heads at a time as their plans and keys find room: those of whole KV heads, or some of one. Until the size of a plan is known, it is
        // taken to be what plans of blocks of 16 can come to.
        MethodParameters parameters = _request.Parameters ?? method.CreateParameters();
        int end = firstHead + heads;
        for (int head = firstHead; head < end;)
        {
            int first = head;
            long planBytes = _planBytes == 0 ? (long)_length * _length / 256 : _planBytes;
            long room = Math.Max(1, _memory.SelectionBytes / (planBytes + PrefillMemory.EstimateBytes(_length)));
            int rest = seen.GroupSize - (head % seen.GroupSize);
            int count = (int)(room < rest || rest < seen.GroupSize ? Math.Min(room, rest) : Math.Min(room / rest, seen.KvHeadsAtOnce) * rest);
            count = Math.Min(count, end - head);
            PromptLayer part = WithHeads(seen, first, count);
            PrefillSelection selection = _counters.TimeIndex(() => method.Select(part, parameters, first, count));
            _planBytes = Math.Max(_planBytes, selection.Plans.Max(p => p.SizeInBytes));
            AttendHeads(part, first, count, selection.Plans, 0);
            _counters.CountGlobal(_kernels, selection.Plans, selection, count, _length);
            head += count;
        }
    }

    // All of some heads with one plan, as many at a time as their keys find room.
    private void AttendAll(PromptLayer seen, int firstHead, int heads, IReadOnlyList<AttentionPlan> plan, int window)
    {
        int step = seen.KvHeadsAtOnce * seen.GroupSize;
        for (int head = firstHead; head < firstHead + heads; head += step)
        {
            int count = Math.Min(step, firstHead + heads - head);
            AttendHeads(WithHeads(seen, head, count), head, count, plan, window);
        }
    }

    // The layer with the keys and values of the heads of one or more KV heads, or of some of those of one.
    private static PromptLayer WithHeads(PromptLayer seen, int firstHead, int count) =>
        seen.WithKvHeads(firstHead / seen.GroupSize, Math.Max(1, count / seen.GroupSize));

    private void AttendHeads(PromptLayer layer, int firstHead, int count, IReadOnlyList<AttentionPlan> plans, int window)
    {
        int firstKvHead = firstHead / layer.GroupSize;
        int kvHeads = Math.Max(1, count / layer.GroupSize);
        HeadTensor queries = layer.Queries.Slice(firstHead, count);
        _counters.TimeAttention(window == 0, () => _kernels.PrefillAttention(
            queries,
            layer.Keys.Slice(firstKvHead, kvHeads),
            layer.Values.Slice(firstKvHead, kvHeads),
            layer.Scale,
            plans,
            window,
            queries,
            null,
            _cancellationToken));
    }

    // Evicts for each decode configuration. What one keeps is copied, or, where all copies together would take more than the layer has, listed in the
    // block itself, so that a batch of the configurations reads every key and value from memory once. Those that keep everything share the block.
    // Returns whether the block is kept.
    private bool KeepBlocks(PromptLayer seen, KeyValueBlock block)
    {
        int layer = seen.Layer;
        var kept = new KeptTokens?[_state.Caches.Count];
        for (int i = 0; i < kept.Length; i++)
        {
            PromptCache cache = _state.Caches[i];
            DecodeConfiguration configuration = _request.DecodeConfigurations[i];
            long start = Stopwatch.GetTimestamp();
            double operations = _kernels.IndexOperations;
            kept[i] = configuration.Method.Compress(seen, configuration.Parameters);
            cache.EvictionSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            _evictionOperations += _kernels.IndexOperations - operations;
            cache.ForcedTokens[layer] = kept[i]?.ForcedCount ?? -1;
        }

        bool listed = kept.Sum(tokens => tokens?.ByHead.Sum(head => (long)head.Length) ?? 0) > (long)_length * block.Heads;
        if (listed)
        {
            _state.Listed.Add(block);
        }

        for (int i = 0; i < kept.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            PromptCache cache = _state.Caches[i];
            cache.Blocks[layer] = kept[i] is not { } tokens ? block : listed ? block.List(tokens.ByHead) : block.Copy(block.DataType, tokens.ByHead);
            cache.EvictionSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        return listed || Array.Exists(kept, tokens => tokens is null);
    }

    // Each tile's keys from its first row's window on, so that the kernel skips what no row of the tile sees. `before` keys are earlier than the rows.
    private static AttentionPlan WindowPlan(int before, int rows, int window)
    {
        const int TileRows = 64;
        int tiles = (rows + TileRows - 1) / TileRows;
        var ranges = new KeyRange[tiles];
        for (int tile = 0; tile < tiles; tile++)
        {
            ranges[tile] = new KeyRange(Math.Max(0, before + (tile * TileRows) - window + 1), before + Math.Min(rows, (tile + 1) * TileRows));
        }

        return new AttentionPlan(rows, TileRows, [.. Enumerable.Range(0, tiles + 1)], ranges, []) { FirstPosition = before };
    }

    private void Store(KeyValueBlock block, int first, int rows)
    {
        int dimension = _configuration.HeadDimension;
        int heads = _configuration.KvHeads;
        WorkerPool.For(heads, head =>
        {
            for (int row = 0; row < rows; row++)
            {
                long source = (((long)row * heads) + head) * dimension;
                block.Write(head, first + row, _keys.Pointer + source, _values.Pointer + source);
            }
        });
    }

    private void WriteLogits(float[]? allLogits)
    {
        int vocabulary = _configuration.VocabularySize;
        if (allLogits is not null)
        {
            fixed (float* logits = allLogits)
            {
                foreach ((int first, int rows) in Chunks())
                {
                    _forward.Logits(Residual(first), rows, logits + ((long)first * vocabulary), _cancellationToken);
                }
            }
        }

        float[] last = new float[vocabulary];
        fixed (float* logits = last)
        {
            _forward.Logits(Residual(_length - 1), 1, logits, _cancellationToken);
        }

        _state.LastLogits = last;
    }

    private IEnumerable<(int First, int Rows)> Chunks()
    {
        for (int first = 0; first < _length; first += _memory.ChunkRows)
        {
            yield return (first, Math.Min(_memory.ChunkRows, _length - first));
        }
    }

    private float* Residual(int row) => _residual.Pointer + ((long)row * _configuration.HiddenSize);

    private float* Queries(int row) => _queries.Pointer + ((long)row * _configuration.QueryHeads * _configuration.HeadDimension);

    private float* GroupQueries(int row, int heads) => _queries.Pointer + ((long)row * heads * _configuration.HeadDimension);

    private float* Projected(int row) => _projected.Pointer + ((long)row * _configuration.HiddenSize);
}
