using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>
/// One decode step of one layer over caches of random keys and values in a GPU's memory, with each decode method beside a dense step. Caches rotate, so many that what a step
/// reads has left the level-2 cache before it is read again, as it has in a model of many layers; their launches are recorded, as a model's are.
/// </summary>
internal sealed class CudaDecodeMeasurement : IDisposable
{
    private const DataType Type = DataType.BF16;
    private const string Dense = "Dense";
    private const long MaximumBytes = 4L << 30;

    private readonly LayerShape _shape;
    private readonly CudaDevice _device;
    private readonly CancellationToken _cancellationToken;
    private readonly List<IDisposable> _owned = [];
    private readonly CudaMemory _queries;
    private readonly CudaMemory _output;
    private readonly CudaMemory _scratch;
    private readonly CudaKeyValues[] _caches;
    private readonly CudaVectors[] _keys;
    private readonly CudaVectors[] _values;
    private readonly CudaClock _clock;

    /// <summary>Draws the layer.</summary>
    public CudaDecodeMeasurement(LayerShape shape, CudaDevice device, long seed, double largestSparsity, CancellationToken cancellationToken)
    {
        CudaAttention.RequireDimension(shape.HeadDimension);
        _shape = shape;
        _device = device;
        _cancellationToken = cancellationToken;
        _clock = Own(new CudaClock(device));
        _queries = Own(CudaMemory.Allocate(device, (long)shape.Length * shape.QueryHeads * shape.HeadDimension * 2));
        _output = Own(CudaMemory.Allocate(device, (long)shape.QueryHeads * shape.HeadDimension * 2));
        CudaRoofs.Draw(_queries, (ulong)seed);
        double read = DenseBytes * (1 - Math.Min(largestSparsity, 0.99));
        int count = (int)Math.Clamp(3.0 * device.Properties.L2Bytes / read, 2, Math.Max(2, MaximumBytes / DenseBytes));
        _keys = [.. Enumerable.Range(0, count).Select(_ => CudaVectors.Allocate(device, Type, shape.KvHeads, shape.Length, shape.HeadDimension))];
        _values = [.. Enumerable.Range(0, count).Select(_ => CudaVectors.Allocate(device, Type, shape.KvHeads, shape.Length, shape.HeadDimension))];
        _caches = [.. _keys.Zip(_values, (k, v) => Own(new CudaKeyValues(k, v)))];
        for (int i = 0; i < count; i++)
        {
            CudaRoofs.Draw(_keys[i].Memory, (ulong)seed + 1 + (2 * (ulong)i));
            CudaRoofs.Draw(_values[i].Memory, (ulong)seed + 2 + (2 * (ulong)i));
        }

        // Any list of pages is no longer than the cache and its page unfinished; scores and lists of every query head.
        _scratch = Own(CudaMemory.Allocate(
            device, CudaAttention.DecodeScratchBytes(shape.HeadDimension, shape.QueryHeads, 2 * shape.Length) + (shape.QueryHeads * (1024L + (8L * shape.Length)))));
    }

    private long DenseBytes => 4L * _shape.Length * _shape.KvHeads * _shape.HeadDimension;

    /// <summary>Times a dense step and every method at every sparsity, all in turn, beside a large copy.</summary>
    /// <param name="methods">Methods; a dense step is always timed.</param>
    /// <param name="sparsities">Sparsities of the prompt's cache.</param>
    /// <param name="rounds">Samples of each time.</param>
    public IReadOnlyList<KernelMeasurement> Run(IReadOnlyList<DecodeMethod> methods, IReadOnlyList<double> sparsities, int rounds)
    {
        Contender dense = Whole(Dense, null, "", _caches);
        var contenders = new List<Contender> { dense };
        var rows = new List<Func<double, KernelMeasurement>> { roof => Row(dense, dense, roof) };
        foreach (DecodeMethod method in methods.Where(m => m.Name != Dense))
        {
            foreach (double sparsity in sparsities)
            {
                try
                {
                    if (method is not (Quest or EvictionMethod))
                    {
                        rows.Add(_ => _shape.Empty(AttentionPhase.Decode, method.Name, sparsity, $"{method.Name} selects at every step on the processor alone and is not timed on a GPU."));
                        continue;
                    }

                    Contender contender = Create(method, sparsity);
                    contenders.Add(contender);
                    rows.Add(roof => Row(contender, dense, roof));
                }
                catch (BudgetInfeasibleException e)
                {
                    rows.Add(_ => _shape.Empty(AttentionPhase.Decode, method.Name, sparsity, e.Message));
                }
            }
        }

        using var roofs = new CudaRoofs(_device);
        var copies = new List<double>();

        // Kernels are loaded when their launches are first given, unrecorded; the first round warms up.
        for (int round = 0; round <= rounds; round++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            double copy = roofs.CopySeconds();
            if (round > 0)
            {
                copies.Add(copy);
            }

            foreach (Contender contender in contenders)
            {
                double index = contender.Index is null ? 0 : Time(contender.Index);
                double total = Time(contender.Total);
                if (round > 0)
                {
                    contender.IndexSeconds.Add(index);
                    contender.TotalSeconds.Add(total);
                }
            }
        }

        double roof = CudaRoofs.CopiedBytes / CudaPrefillMeasurement.Median(copies);
        return [.. rows.Select(row => row(roof))];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _owned.Reverse();
        _owned.ForEach(o => o.Dispose());
    }

    private Contender Create(DecodeMethod method, double sparsity)
    {
        var shape = new PromptShape(_shape.Length, _shape.QueryHeads, _shape.KvHeads);
        MethodParameters parameters = method.SolveBudget(sparsity, shape, method.CreateParameters()).Parameters;
        if (method is Quest)
        {
            return Paged(method, sparsity, parameters);
        }

        CudaKeyValues[] kept = Array.ConvertAll([.. Enumerable.Range(0, _caches.Length)], i =>
        {
            using var layer = new CudaPromptLayer(
                0, CudaVectors.RowMajor(Type, _queries, _shape.QueryHeads, _shape.Length, _shape.HeadDimension), _keys[i], _values[i], _shape.Scale, 0, _cancellationToken);
            return CudaEviction.Compress(method, parameters, layer).Kept is { } block ? Own(block) : _caches[i];
        });
        return Whole(method.Name, sparsity, parameters.ToString(), kept);
    }

    private Contender Whole(string name, double? sparsity, string parameters, CudaKeyValues[] caches)
    {
        long tokens = caches[0].Lengths.Sum(n => (long)n);
        int longest = caches.Max(c => c.Lengths.Max());
        Action[] steps = Array.ConvertAll<CudaKeyValues, Action>(caches, cache =>
        {
            CudaCacheAddresses addresses = Addresses(cache);
            CudaMemory counts = Own(CudaMemory.From<int>(_device, cache.Lengths));
            var lists = new CudaTokenListView(_shape.KvHeads, longest, 0, counts.Address, 0, 0, 0);
            return () => Attend(addresses, lists, _scratch.Address);
        });
        double share = tokens / ((double)_shape.Length * _shape.KvHeads);
        return new Contender(name, sparsity, parameters, share, DenseBytes * share, null, Record(steps));
    }

    private Contender Paged(DecodeMethod method, double sparsity, MethodParameters parameters)
    {
        int size = parameters.Integer(Quest.PageSize);
        bool shares = parameters.Flag(Quest.SharePages);
        int budget = parameters.Integer(Quest.TokenBudget) / size;
        int queriesOfHead = _shape.QueryHeads / _shape.KvHeads;
        CudaStepGroup group = CudaStepShape.Of([new CudaStepRow(PageChoice.Bounds, size, shares, _shape.Length, 0, budget)], StepResult.None).Groups[0];
        ulong attention = _scratch.Address + (ulong)CudaStepPages.ScratchBytes(group, _shape.KvHeads, queriesOfHead);
        int last = (_shape.Length - 1) / size;
        int kept = budget >= last ? _shape.Length : (budget * size) + _shape.Length - (last * size);
        (Action Choose, Action Step)[] steps = Array.ConvertAll<CudaKeyValues, (Action Choose, Action Step)>(_caches, cache =>
        {
            CudaVectors bounds = cache.Bounds(size);
            PagedHead[] paged = [.. Enumerable.Range(0, _shape.KvHeads).Select(h => new PagedHead(
                cache.Key(h), cache.Key(h), bounds.Address + (ulong)(h * bounds.HeadStride * 2), 0, _shape.Length, (_shape.Length + size - 1) / size, _shape.Length, budget))];
            CudaMemory heads = Own(CudaMemory.From<PagedHead>(_device, paged));
            CudaCacheAddresses addresses = Addresses(cache);
            CudaTokenListView Choose() =>
                CudaStepPages.Choose(
                _device, Type, group, heads.Address, _shape.KvHeads, queriesOfHead, _shape.HeadDimension, _shape.Scale, _queries.Address, 0, _scratch.Address, 0);
            return ((Action)(() => Choose()), (Action)(() => Attend(addresses, Choose(), attention)));
        });
        double share = kept / (double)_shape.Length;
        double bytes = (DenseBytes * share * (shares ? 1 : queriesOfHead)) + (4.0 * _shape.KvHeads * last * _shape.HeadDimension);
        return new Contender(
            method.Name, sparsity, parameters.ToString(), share, bytes, Record(Array.ConvertAll(steps, s => s.Choose)), Record(Array.ConvertAll(steps, s => s.Step)));
    }

    private CudaCacheAddresses Addresses(CudaKeyValues cache)
    {
        CudaMemory keys = Own(CudaMemory.From<ulong>(_device, [.. Enumerable.Range(0, _shape.KvHeads).Select(cache.Key)]));
        CudaMemory values = Own(CudaMemory.From<ulong>(_device, [.. Enumerable.Range(0, _shape.KvHeads).Select(cache.Value)]));
        return new CudaCacheAddresses(keys.Address, values.Address, 0, 0, 0);
    }

    private void Attend(CudaCacheAddresses caches, CudaTokenListView lists, ulong scratch) => CudaAttention.Decode(
        _device,
        Type,
        _shape.HeadDimension,
        _queries.Address,
        _shape.QueryHeads,
        _shape.QueryHeads / _shape.KvHeads,
        caches,
        _shape.HeadDimension,
        _shape.Scale,
        lists,
        _output.Address,
        null,
        scratch,
        0);

    private CudaGraph Record(Action[] steps)
    {
        steps[0]();
        return Own(CudaGraph.Record(_device, () => Array.ForEach(steps, s => s())));
    }

    // One recording steps through all caches.
    private double Time(CudaGraph steps)
    {
        double seconds = 0;
        _clock.Time(s => seconds = s / _caches.Length, steps.Launch);
        _clock.Read();
        return seconds;
    }

    private T Own<T>(T thing)
        where T : IDisposable
    {
        _owned.Add(thing);
        return thing;
    }

    private KernelMeasurement Row(Contender contender, Contender dense, double roof)
    {
        double index = CudaPrefillMeasurement.Median(contender.IndexSeconds);
        double total = CudaPrefillMeasurement.Median(contender.TotalSeconds);
        return _shape.Empty(AttentionPhase.Decode, contender.Method, contender.Sparsity, null) with
        {
            DataType = Type.ToString(),
            Sparsity = 1 - contender.Share,
            Parameters = contender.Parameters,
            IndexMilliseconds = index * 1e3,
            AttentionMilliseconds = Math.Max(0, total - index) * 1e3,
            TotalMilliseconds = total * 1e3,
            Spread = CudaPrefillMeasurement.Spread(contender.TotalSeconds),
            SpeedUp = CudaPrefillMeasurement.Median(dense.TotalSeconds) / total,
            IdealSpeedUp = 1 / contender.Share,
            GigaBytesPerSecond = contender.Bytes / total / 1e9,
            RoofShare = contender.Bytes / total / roof,
            IterationCount = contender.TotalSeconds.Count,
        };
    }

    private sealed record Contender(string Method, double? Sparsity, string Parameters, double Share, double Bytes, CudaGraph? Index, CudaGraph Total)
    {
        public List<double> IndexSeconds { get; } = [];

        public List<double> TotalSeconds { get; } = [];
    }
}
