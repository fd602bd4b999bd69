using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Reads one prompt on a GPU, layer by layer, the rows of each layer in chunks: beside the cache only the residual stream and one layer's queries of the whole prompt are
/// kept, so that a method sees all queries and keys of a layer before it selects.
/// </summary>
internal sealed unsafe class CudaPromptReader : IDisposable
{
    // The branches of a chunk's rows: large enough chunks for the tensor cores, small against the card.
    private const long ChunkBytes = 640L << 20;

    private readonly CudaModel _model;
    private readonly CudaDevice _device;
    private readonly CudaStep _step;
    private readonly ModelConfiguration _configuration;
    private readonly PrefillRequest _request;
    private readonly CancellationToken _cancellationToken;
    private readonly int[] _tokens;
    private readonly int _chunkRows;
    private readonly CudaDecoder _decoder;
    private readonly CudaMemory _residual;
    private readonly CudaMemory _queryMemory;
    private readonly CudaMemory _keys;
    private readonly CudaMemory _values;
    private readonly (CudaMemory Cosines, CudaMemory Sines) _rotary;
    private readonly (CudaMemory Cosines, CudaMemory Sines)? _slidingRotary;
    private readonly CudaPrompt _prompt;
    private readonly PrefillCounters _counters = new();
    private readonly CudaClock _clock;

    /// <summary>Allocates memory.</summary>
    public CudaPromptReader(CudaModel model, CudaStep step, int[] tokens, PrefillRequest request, CancellationToken cancellationToken)
    {
        _model = model;
        _device = model.Device;
        _step = step;
        ModelConfiguration c = _configuration = model.Configuration;
        _request = request;
        _cancellationToken = cancellationToken;
        _tokens = tokens;
        _clock = new CudaClock(_device);
        RotaryEmbedding rotary = model.CreateRotary(c.RotaryFor(request.YarnFactor));
        _chunkRows = ChunkRows(c, tokens.Length, request.ChunkRows);
        RequireMemory();
        _prompt = new CudaPrompt(model, tokens.Length, request, rotary);
        long rows = CudaProducts.WrittenRows(tokens.Length) + _chunkRows;
        _decoder = new CudaDecoder(_device, model.Weights, c, _chunkRows);
        _residual = CudaMemory.Allocate(_device, rows * c.HiddenSize * sizeof(float));
        _queryMemory = CudaMemory.Allocate(_device, rows * c.QueryHeads * c.HeadDimension * 2);
        _keys = CudaMemory.Allocate(_device, (long)_chunkRows * c.KvHeads * c.HeadDimension * 2);
        _values = CudaMemory.Allocate(_device, (long)_chunkRows * c.KvHeads * c.HeadDimension * 2);
        _rotary = Upload(rotary);
        _slidingRotary = c.GlobalLayerCount < c.LayerCount ? Upload(model.SlidingRotary) : null;
    }

    private int Length => _tokens.Length;

    /// <summary>Runs all layers.</summary>
    /// <param name="allLogits">[length, vocabulary], written; or null.</param>
    public CudaPrompt Run(float[]? allLogits)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            using (var tokens = CudaMemory.From<int>(_device, _tokens))
            {
                _decoder.Embed(tokens.Address, Length, _residual.Address);
            }

            for (int layer = 0; layer < _configuration.LayerCount; layer++)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                ReadLayer(layer, _model.Weights.Layers[layer]);
                _device.Synchronize();
                _request.LayerDone?.Invoke(layer + 1);
            }

            if (allLogits is not null)
            {
                WriteLogits(allLogits);
            }

            _prompt.LastLogits = _step.Logits(_residual.Address + (ulong)((Length - 1L) * _configuration.HiddenSize * sizeof(float)));
            _clock.Read();
        }
        catch
        {
            _prompt.Dispose();
            throw;
        }

        double evictions = _prompt.Caches.Sum(c => c.EvictionSeconds);
        _prompt.Statistics = _counters.ToStatistics(Stopwatch.GetElapsedTime(start).TotalSeconds - evictions);
        return _prompt;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock.Dispose();
        _decoder.Dispose();
        _residual.Dispose();
        _queryMemory.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _rotary.Cosines.Dispose();
        _rotary.Sines.Dispose();
        _slidingRotary?.Cosines.Dispose();
        _slidingRotary?.Sines.Dispose();
    }

    /// <summary>Rows of a chunk: a multiple of what products write.</summary>
    internal static int ChunkRows(ModelConfiguration c, int length, int? asked)
    {
        long rowBytes = 2 * (c.HiddenSize + (2L * c.IntermediateSize) + (2L * c.KvHeads * c.HeadDimension));
        long rows = asked ?? Math.Min(length, ChunkBytes / rowBytes);
        return (int)Math.Max(1, (rows + CudaProducts.RowsUnit - 1) / CudaProducts.RowsUnit) * CudaProducts.RowsUnit;
    }

    /// <summary>Bytes that a prompt takes beside the weights: cache, residual stream, queries, branches of a chunk, angles.</summary>
    internal static long NeededBytes(ModelConfiguration c, int length, int chunkRows, int caches)
    {
        long rows = CudaAttention.RoundUp(length, CudaProducts.RowsUnit) + (long)chunkRows;
        long cache = 4L * c.LayerCount * c.KvHeads * c.HeadDimension * length * Math.Max(1, caches);
        long stream = rows * ((4L * c.HiddenSize) + (2L * c.QueryHeads * c.HeadDimension));
        long branches = 2L * chunkRows * (c.HiddenSize + (2L * c.IntermediateSize) + (2L * c.KvHeads * c.HeadDimension));
        return cache + stream + branches + (4L * length * c.HeadDimension);
    }

    private void RequireMemory()
    {
        // Configurations that keep everything share one cache; evicted ones are smaller.
        long needed = NeededBytes(_configuration, Length, _chunkRows, _request.DecodeConfigurations.Count > 0 ? 1 : 0);
        long free = _device.FreeBytes;
        if (needed > free)
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceOutOfMemory,
                FormattableString.Invariant(
                    $"A prompt of {Length} tokens needs {needed / 1048576.0:F0} MiB on {_device.Name} beside the weights, of which {free / 1048576.0:F0} MiB are free. ")
                + "Shorten the prompt, take a smaller model, or free the GPU's memory (nvidia-smi lists who holds it).",
                Length);
        }
    }

    private void ReadLayer(int layer, LayerWeights<CudaMatrix, CudaMemory> weights)
    {
        ModelConfiguration c = _configuration;
        CudaVectors keys = CudaVectors.Allocate(_device, _model.CacheType, c.KvHeads, Length, c.HeadDimension);
        CudaVectors values = CudaVectors.Allocate(_device, _model.CacheType, c.KvHeads, Length, c.HeadDimension);
        var block = new CudaKeyValues(keys, values);
        bool kept = false;
        try
        {
            (CudaMemory cosines, CudaMemory sines) = c.IsGlobal(layer) ? _rotary : _slidingRotary!.Value;
            foreach ((int first, int rows) in Chunks())
            {
                ulong angles = (ulong)((long)first * (c.HeadDimension / 2) * sizeof(float));
                _decoder.Project(
                    weights,
                    Residual(first),
                    rows,
                    (nint)(cosines.Address + angles),
                    (nint)(sines.Address + angles),
                    QueryRows(first),
                    (nint)_keys.Address,
                    (nint)_values.Address,
                    _cancellationToken);
                long count = (long)rows * c.KvHeads * c.HeadDimension;
                _device.Function("decoder.cu", "storeRows", ("TYPE", CudaVectors.TypeValue(_model.CacheType))).Launch(
                    (CudaDecoder.Blocks(count), 1, 1), 256, 0, _keys, _values, keys.Address, values.Address, count, c.KvHeads, c.HeadDimension, keys.Width, keys.HeadStride, first);
            }

            using var seen = new CudaPromptLayer(
                layer, CudaVectors.RowMajor(_model.CacheType, _queryMemory, c.QueryHeads, Length, c.HeadDimension), keys, values, c.AttentionScale, _request.Seed, _cancellationToken);
            kept = Keep(seen, block);
            Attend(seen);
            foreach ((int first, int rows) in Chunks())
            {
                _decoder.Finish(weights, QueryRows(first), Residual(first), rows, _cancellationToken);
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

    // Stores what the decode configurations need of a layer. Returns whether one keeps the block itself.
    private bool Keep(CudaPromptLayer seen, CudaKeyValues block)
    {
        int layer = seen.Layer;
        if (!_configuration.IsGlobal(layer))
        {
            int last = Math.Min(Length, _configuration.SlidingWindows[layer] - 1);
            if (_prompt.Caches.Count > 0)
            {
                CudaKeyValues tail = CudaEviction.Last(seen, last);
                foreach (CudaPromptCache cache in _prompt.Caches)
                {
                    cache.Blocks[layer] = tail;
                }
            }

            return false;
        }

        _request.LayerObserver?.Invoke(seen.OnHost());
        bool whole = false;
        for (int i = 0; i < _prompt.Caches.Count; i++)
        {
            PromptCacheOf(i);
        }

        return whole;

        void PromptCacheOf(int i)
        {
            CudaPromptCache cache = _prompt.Caches[i];
            DecodeConfiguration configuration = _request.DecodeConfigurations[i];
            long start = Stopwatch.GetTimestamp();
            (CudaKeyValues? kept, long forced) = CudaEviction.Compress(configuration.Method, configuration.Parameters, seen);
            if (kept is not null)
            {
                _device.Synchronize();
                cache.EvictionSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            cache.Blocks[layer] = kept ?? block;
            cache.ForcedTokens[layer] = kept is null ? -1 : forced;
            whole |= kept is null;
        }
    }

    // Attention, which writes over the queries.
    private void Attend(CudaPromptLayer seen)
    {
        if (!_configuration.IsGlobal(seen.Layer))
        {
            int window = _configuration.SlidingWindows[seen.Layer];
            _clock.Time(_counters.AddAttentionSeconds, () => CudaPrefill.Dense(seen.Queries, seen.Keys, seen.Values, seen.Scale, window));
            _counters.CountSliding(CudaPrefill.DensePairs(Length, window) * seen.Queries.Heads);
            return;
        }

        if (_request.Method is not { } method || method is DensePrefill)
        {
            long executed = 0;
            _clock.Time(_counters.AddAttentionSeconds, () => executed = CudaPrefill.Dense(seen.Queries, seen.Keys, seen.Values, seen.Scale, 0));
            long causal = (long)Length * (Length + 1) / 2 * seen.Queries.Heads;
            _counters.Add(causal, causal, 0, executed, []);
            return;
        }

        CudaPrefill.Sparse(method, _request.Parameters ?? method.CreateParameters(), seen, _counters, _clock);
    }

    private void WriteLogits(float[] logits)
    {
        int vocabulary = _configuration.VocabularySize;
        using var memory = CudaMemory.Allocate(_device, (long)CudaProducts.WrittenRows(_chunkRows) * vocabulary * sizeof(float));
        fixed (float* target = logits)
        {
            foreach ((int first, int rows) in Chunks())
            {
                _decoder.Logits(Residual(first), rows, (nint)memory.Address, _cancellationToken);
                memory.Download(target + ((long)first * vocabulary), (long)rows * vocabulary * sizeof(float));
            }
        }
    }

    private (CudaMemory Cosines, CudaMemory Sines) Upload(RotaryEmbedding rotary)
    {
        using RotaryTable table = rotary.CreateTable(Length);
        long bytes = (long)Length * (_configuration.HeadDimension / 2) * sizeof(float);
        var result = (CudaMemory.Allocate(_device, bytes), CudaMemory.Allocate(_device, bytes));
        result.Item1.Upload(table.Cosines(0), bytes);
        result.Item2.Upload(table.Sines(0), bytes);
        _device.Synchronize();
        return result;
    }

    private IEnumerable<(int First, int Rows)> Chunks()
    {
        for (int first = 0; first < Length; first += _chunkRows)
        {
            yield return (first, Math.Min(_chunkRows, Length - first));
        }
    }

    private nint Residual(int row) => (nint)(_residual.Address + (ulong)((long)row * _configuration.HiddenSize * sizeof(float)));

    private nint QueryRows(int row) => (nint)(_queryMemory.Address + (ulong)((long)row * _configuration.QueryHeads * _configuration.HeadDimension * 2));
}
