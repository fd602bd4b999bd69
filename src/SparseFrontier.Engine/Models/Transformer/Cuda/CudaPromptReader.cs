using System.Diagnostics;
using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Reads one prompt on a GPU, layer by layer, the rows of each layer in chunks: beside the cache only the residual stream and one layer's queries of the whole prompt are
/// kept, so that a method sees all queries and keys of a layer before it selects. Where the layers are spread over several GPUs, the residual stream goes from each to the
/// next.
/// </summary>
internal sealed unsafe class CudaPromptReader : IDisposable
{
    // The branches of a chunk's rows: large enough chunks for the tensor cores, small against the card.
    private const long ChunkBytes = 640L << 20;

    private const long SmallestListBytes = 16L << 20;

    /// <summary>Bytes that must be free beyond what a prompt needs: the pool takes memory in pieces of 32 MiB, and selections and their lists come on top.</summary>
    internal const long Reserve = 96L << 20;

    private readonly CudaModel _model;
    private readonly CudaPipeline _pipeline;
    private readonly ModelConfiguration _configuration;
    private readonly PrefillRequest _request;
    private readonly CancellationToken _cancellationToken;
    private readonly int[] _tokens;
    private readonly int _chunkRows;
    private readonly CudaPrompt _prompt;
    private readonly PrefillCounters _counters = new();
    private Memory _here;
    private CudaEvent? _before;

    /// <summary>Allocates memory; rows are in smaller chunks where the GPUs' free memory asks for it.</summary>
    /// <exception cref="SparseFrontierException">DeviceOutOfMemory: not even the smallest chunks find room.</exception>
    public CudaPromptReader(CudaModel model, CudaPipeline pipeline, int[] tokens, PrefillRequest request, CancellationToken cancellationToken)
    {
        _model = model;
        _pipeline = pipeline;
        ModelConfiguration c = _configuration = model.Configuration;
        _request = request;
        _cancellationToken = cancellationToken;
        _tokens = tokens;
        _chunkRows = FitChunks();
        _prompt = new CudaPrompt(model, tokens.Length, request);
        _here = new Memory(this, model.Stages[0]);
    }

    private int Length => _tokens.Length;

    /// <summary>Runs all layers.</summary>
    /// <param name="allLogits">[length, vocabulary], written; or null.</param>
    public CudaPrompt Run(float[]? allLogits)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            using (var tokens = CudaMemory.From<int>(_here.Device, _tokens))
            {
                _here.Decoder.Embed(tokens.Address, Length, _here.Residual.Address);
            }

            foreach (CudaStage stage in _model.Stages)
            {
                if (stage.First > 0)
                {
                    MoveTo(stage);
                }

                for (int layer = stage.First; layer < stage.End; layer++)
                {
                    _cancellationToken.ThrowIfCancellationRequested();
                    ReadLayer(layer, _model.Weights.Layers[layer]);
                    AwaitBefore(layer);
                }
            }

            if (allLogits is not null)
            {
                WriteLogits(allLogits);
            }

            _prompt.LastLogits = _pipeline.Logits(_here.Residual.Address + (ulong)((Length - 1L) * _configuration.HiddenSize * sizeof(float)));
            _here.Clock.Read();
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
        _before?.Dispose();
        _here.Dispose();
    }

    /// <summary>The same request with half the rows at a time and half the lists, for when an allocation failed all the same; null where they can't be smaller.</summary>
    /// <param name="c">The model.</param>
    /// <param name="length">Tokens of the prompt.</param>
    /// <param name="request">The request that did not fit.</param>
    internal static PrefillRequest? Smaller(ModelConfiguration c, int length, PrefillRequest request)
    {
        int rows = ChunkRows(c, length, request.ChunkRows);
        return rows <= CudaProducts.RowsUnit && request.ListBytes <= SmallestListBytes
            ? null
            : request with { ChunkRows = Math.Max(CudaProducts.RowsUnit, rows / 2), ListBytes = Math.Max(SmallestListBytes, request.ListBytes / 2) };
    }

    /// <summary>Rows of a chunk: a multiple of what products write.</summary>
    internal static int ChunkRows(ModelConfiguration c, int length, int? asked)
    {
        long rowBytes = 2 * (c.HiddenSize + (2L * c.IntermediateSize) + (2L * c.KvHeads * c.HeadDimension));
        long rows = asked ?? Math.Min(length, ChunkBytes / rowBytes);
        return (int)Math.Max(1, (rows + CudaProducts.RowsUnit - 1) / CudaProducts.RowsUnit) * CudaProducts.RowsUnit;
    }

    /// <summary>Bytes that a prompt takes on a GPU beside the weights: cache of its layers, residual stream, queries, branches of a chunk, angles.</summary>
    internal static long NeededBytes(ModelConfiguration c, int length, int chunkRows, int caches, int layers)
    {
        long rows = CudaAttention.RoundUp(length, CudaProducts.RowsUnit) + (long)chunkRows;
        long cache = 4L * layers * c.KvHeads * c.HeadDimension * length * Math.Max(1, caches);
        long stream = rows * ((4L * c.HiddenSize) + (2L * c.QueryHeads * c.HeadDimension));
        long branches = 2L * chunkRows * (c.HiddenSize + (2L * c.IntermediateSize) + (2L * c.KvHeads * c.HeadDimension));
        return cache + stream + branches + (4L * length * c.HeadDimension);
    }

    /// <summary>The largest chunk, halved until a prompt fits into free memory; at least <see cref="CudaProducts.RowsUnit"/> rows, whether they fit or not.</summary>
    /// <param name="rows">What is wanted.</param>
    /// <param name="free">Free bytes.</param>
    /// <param name="needed">Bytes that a prompt in chunks of so many rows needs.</param>
    internal static int FitChunks(int rows, long free, Func<int, long> needed)
    {
        while (rows > CudaProducts.RowsUnit && needed(rows) > free)
        {
            rows = CudaProducts.WrittenRows(rows / 2);
        }

        return rows;
    }

    private int FitChunks()
    {
        int rows = ChunkRows(_configuration, Length, _request.ChunkRows);
        foreach (CudaStage stage in _model.Stages)
        {
            if (stage.Device.Keeps(Needed(rows)))
            {
                continue;
            }

            long free = stage.Device.FreeBytes;
            rows = FitChunks(rows, free - Reserve, Needed);
            if (Needed(rows) + Reserve > free)
            {
                throw new SparseFrontierException(
                    ErrorIds.DeviceOutOfMemory,
                    FormattableString.Invariant(
                        $"A prompt of {Length} tokens needs {(Needed(rows) + Reserve) / 1048576.0:F0} MiB on {stage.Device.Name} beside the weights, read {rows} rows at a time, of which {free / 1048576.0:F0} MiB are free. ")
                    + "Shorten the prompt, take a smaller model, name several GPUs (cuda:all), or free the GPU's memory (nvidia-smi lists who holds it).",
                    Length);
            }

            // Configurations that keep everything share one cache; evicted ones are smaller.
            long Needed(int chunkRows) => NeededBytes(_configuration, Length, chunkRows, _request.DecodeConfigurations.Count > 0 ? 1 : 0, stage.Count);
        }

        return rows;
    }

    // The host gives one layer more while the device works on one: enough to keep it busy, and few enough to be stopped soon.
    private void AwaitBefore(int layer)
    {
        if (_request.LayerDone is { } done)
        {
            _here.Device.Synchronize();
            done(layer + 1);
            return;
        }

        CudaEvent end = CudaEvent.Record(_here.Device);
        using (CudaEvent? before = _before)
        {
            _before = end;
            before?.Await();
        }
    }

    private void MoveTo(CudaStage stage)
    {
        Memory before = _here;
        before.Clock.Read();
        var next = new Memory(this, stage);
        try
        {
            next.Residual.CopyFrom(before.Residual, (long)Length * _configuration.HiddenSize * sizeof(float));
            next.Device.Synchronize();
        }
        catch
        {
            next.Dispose();
            throw;
        }

        _here = next;
        before.Dispose();
    }

    private void ReadLayer(int layer, LayerWeights<CudaMatrix, CudaMemory> weights)
    {
        ModelConfiguration c = _configuration;
        CudaVectors keys = CudaVectors.Allocate(_here.Device, _model.CacheType, c.KvHeads, Length, c.HeadDimension);
        CudaVectors values = CudaVectors.Allocate(_here.Device, _model.CacheType, c.KvHeads, Length, c.HeadDimension);
        var block = new CudaKeyValues(keys, values);
        bool kept = false;
        try
        {
            ulong cosines = c.IsGlobal(layer) ? _here.Angles : _here.SlidingAngles;
            foreach ((int first, int rows) in Chunks())
            {
                ulong angles = cosines + (ulong)((long)first * c.HeadDimension * sizeof(float));
                _here.Decoder.Project(
                    weights,
                    Residual(first),
                    rows,
                    (nint)angles,
                    (nint)(angles + ((ulong)(c.HeadDimension / 2) * sizeof(float))),
                    QueryRows(first),
                    (nint)_here.Keys.Address,
                    (nint)_here.Values.Address,
                    _cancellationToken);
                long count = (long)rows * c.KvHeads * c.HeadDimension;
                _here.Device.Function("decoder.cu", "storeRows", ("TYPE", CudaVectors.TypeValue(_model.CacheType))).Launch(
                    (CudaDecoder.Blocks(count), 1, 1), 256, 0, _here.Keys, _here.Values, keys.Address, values.Address, count, c.KvHeads, c.HeadDimension, keys.Width, keys.HeadStride, first);
            }

            using var seen = new CudaPromptLayer(
                layer, CudaVectors.RowMajor(_model.CacheType, _here.Queries, c.QueryHeads, Length, c.HeadDimension), keys, values, c.AttentionScale, _request.Seed, _cancellationToken);
            kept = Keep(seen, block);
            Attend(seen);
            foreach ((int first, int rows) in Chunks())
            {
                _here.Decoder.Finish(weights, QueryRows(first), Residual(first), rows, _cancellationToken);
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
            CudaKept compressed = CudaKept.All;
            _here.Clock.Time(
                seconds => cache.EvictionSeconds += compressed.Kept is null ? 0 : seconds,
                () => compressed = CudaEviction.Compress(configuration.Method, configuration.Parameters, seen));
            cache.SelectedOnProcessor |= compressed.ChosenOnProcessor;
            cache.Blocks[layer] = compressed.Kept ?? block;
            cache.ForcedTokens[layer] = compressed.Kept is null ? -1 : compressed.Forced;
            whole |= compressed.Kept is null;
        }
    }

    // Attention, which writes over the queries.
    private void Attend(CudaPromptLayer seen)
    {
        if (!_configuration.IsGlobal(seen.Layer))
        {
            int window = _configuration.SlidingWindows[seen.Layer];
            _here.Clock.Time(_counters.AddSlidingSeconds, () => CudaPrefill.Dense(seen.Queries, seen.Keys, seen.Values, seen.Scale, window));
            _counters.CountSliding(CudaPrefill.DensePairs(Length, window) * seen.Queries.Heads);
            return;
        }

        if (_request.Method is not { } method || method is DensePrefill)
        {
            long executed = 0;
            _here.Clock.Time(_counters.AddAttentionSeconds, () => executed = CudaPrefill.Dense(seen.Queries, seen.Keys, seen.Values, seen.Scale, 0));
            long causal = (long)Length * (Length + 1) / 2 * seen.Queries.Heads;
            _counters.Add(causal, causal, 0, executed, []);
            return;
        }

        CudaPrefill.Sparse(method, _request.Parameters ?? method.CreateParameters(), seen, _request.ListBytes, _counters, _here.Clock);
    }

    private void WriteLogits(float[] logits)
    {
        int vocabulary = _configuration.VocabularySize;
        using var memory = CudaMemory.Allocate(_here.Device, (long)CudaProducts.WrittenRows(_chunkRows) * vocabulary * sizeof(float));
        fixed (float* target = logits)
        {
            foreach ((int first, int rows) in Chunks())
            {
                _here.Decoder.Logits(Residual(first), rows, (nint)memory.Address, _cancellationToken);
                memory.Download(target + ((long)first * vocabulary), (long)rows * vocabulary * sizeof(float));
            }
        }
    }

    private IEnumerable<(int First, int Rows)> Chunks()
    {
        for (int first = 0; first < Length; first += _chunkRows)
        {
            yield return (first, Math.Min(_chunkRows, Length - first));
        }
    }

    private nint Residual(int row) => (nint)(_here.Residual.Address + (ulong)((long)row * _configuration.HiddenSize * sizeof(float)));

    private nint QueryRows(int row) => (nint)(_here.Queries.Address + (ulong)((long)row * _configuration.QueryHeads * _configuration.HeadDimension * 2));

    /// <summary>What the prompt's rows take on the GPU that they are on.</summary>
    private sealed class Memory : IDisposable
    {
        public Memory(CudaPromptReader reader, CudaStage stage)
        {
            Device = stage.Device;
            ModelConfiguration c = reader._configuration;
            int chunkRows = reader._chunkRows;
            long rows = CudaProducts.WrittenRows(reader.Length) + chunkRows;
            Clock = reader._model.Clock(stage);
            Decoder = new CudaDecoder(Device, reader._model.Weights, c, chunkRows);
            Residual = CudaMemory.Allocate(Device, rows * c.HiddenSize * sizeof(float));
            Queries = CudaMemory.Allocate(Device, rows * c.QueryHeads * c.HeadDimension * 2);
            Keys = CudaMemory.Allocate(Device, (long)chunkRows * c.KvHeads * c.HeadDimension * 2);
            Values = CudaMemory.Allocate(Device, (long)chunkRows * c.KvHeads * c.HeadDimension * 2);
            int positions = reader.Length + reader._request.MaximumOutputTokens;
            Angles = reader._model.GlobalAngles(stage, reader._request.YarnFactor).At(0, positions);
            SlidingAngles = reader._model.SlidingAngles(stage)?.At(0, positions) ?? 0;
        }

        public CudaDevice Device { get; }

        /// <summary>The stage's, whose events serve one prompt after another.</summary>
        public CudaClock Clock { get; }

        public CudaDecoder Decoder { get; }

        public CudaMemory Residual { get; }

        public CudaMemory Queries { get; }

        public CudaMemory Keys { get; }

        public CudaMemory Values { get; }

        /// <summary>Address of the first position's cosines and sines, in global layers.</summary>
        public ulong Angles { get; }

        /// <summary>Likewise in sliding layers; 0 where there are none.</summary>
        public ulong SlidingAngles { get; }

        public void Dispose()
        {
            Clock.Forget();
            Decoder.Dispose();
            Residual.Dispose();
            Queries.Dispose();
            Keys.Dispose();
            Values.Dispose();
        }
    }
}
