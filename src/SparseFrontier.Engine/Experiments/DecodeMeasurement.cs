using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>
/// One decode step of one layer over a cache of random keys and values in bfloat16, with each decode method beside a dense step. Caches rotate,
/// so many that what a step reads has left the processor's caches before it is read again, as it has in a model of many layers.
/// </summary>
internal sealed unsafe class DecodeMeasurement : IDisposable
{
    private const string Dense = "Dense";
    private const string Roof = "read";
    private const DataType CacheType = DataType.BF16;

    // Larger than the last-level cache of all but the largest processors.
    private const long RotatedBytes = 96L << 20;
    private const long MaximumBytes = 1L << 30;

    private readonly LayerShape _shape;
    private readonly KernelSet _kernels;
    private readonly long _seed;
    private readonly KeyValueBlock _block;
    private readonly NativeArray<float> _queries;
    private readonly NativeArray<float> _output;
    private readonly List<IDisposable> _owned = [];
    private int _next;

    /// <summary>Draws the layer.</summary>
    public DecodeMeasurement(LayerShape shape, KernelSet kernels, long seed, CancellationToken cancellationToken)
    {
        _shape = shape;
        _kernels = kernels;
        _seed = seed;
        using NativeArray<float> keys = shape.Draw(shape.KvHeads, "keys", seed, cancellationToken);
        using NativeArray<float> values = shape.Draw(shape.KvHeads, "values", seed, cancellationToken);
        _block = new KeyValueBlock(shape.KvHeads, shape.Length, shape.HeadDimension);
        for (int head = 0; head < shape.KvHeads; head++)
        {
            long first = (long)head * shape.Length * shape.HeadDimension;
            _block.Write(head, 0, keys.Pointer + first, values.Pointer + first, shape.Length);
        }

        _queries = shape.Draw(shape.QueryHeads, "queries", seed, cancellationToken);
        _output = new NativeArray<float>((long)shape.QueryHeads * shape.HeadDimension);
    }

    private long DenseBytes => 2L * _shape.Length * _shape.KvHeads * _shape.HeadDimension * CacheType.SizeInBytes();

    /// <summary>Times a dense step and every method at every sparsity, all in turn.</summary>
    /// <param name="methods">Methods; a dense step is always timed.</param>
    /// <param name="sparsities">Sparsities of the prompt's cache.</param>
    /// <param name="timer">How often and how long.</param>
    /// <param name="cancellationToken">Stops between samples.</param>
    public IReadOnlyList<KernelMeasurement> Run(
        IReadOnlyList<DecodeMethod> methods, IReadOnlyList<double> sparsities, InterleavedTimer timer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int count = (int)Math.Clamp(RotatedBytes / (DenseBytes * (1 - Math.Min(sparsities.Max(), 0.99))), 2, Math.Max(2, MaximumBytes / DenseBytes));
        LayerCache[] caches = Caches(count, null);
        var contenders = new List<Contender>
        {
            MachineRoofs.Read(Roof, NextHalf, DenseBytes / 2),
            new(Dense, () => Attend(caches[_next++ % count], null)) { Bytes = DenseBytes },
        };
        var rows = new List<Func<IReadOnlyDictionary<string, TimingResult>, KernelMeasurement>> { times => Row(Dense, null, 0, "", DenseBytes, times[Dense], null, times) };
        foreach (DecodeMethod method in methods.Where(m => m.Name != Dense))
        {
            foreach (double sparsity in sparsities)
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    Add(method, sparsity, caches, contenders, rows);
                }
                catch (BudgetInfeasibleException e)
                {
                    rows.Add(_ => _shape.Empty(AttentionPhase.Decode, method.Name, sparsity, e.Message));
                }
            }
        }

        var measured = timer.Run(contenders, Dense, Roof, cancellationToken).ToDictionary(t => t.Name);
        return [.. rows.Select(row => row(measured))];

        // Keys of a cache in one call, its values in the next.
        nint NextHalf()
        {
            KeyValueBlock block = caches[_next / 2 % count].Prompt;
            return (nint)(_next++ % 2 == 0 ? block.Key(0, 0) : block.Value(0, 0));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _owned.ForEach(o => o.Dispose());
        _block.Dispose();
        _queries.Dispose();
        _output.Dispose();
    }

    private void Add(
        DecodeMethod method,
        double sparsity,
        LayerCache[] caches,
        List<Contender> contenders,
        List<Func<IReadOnlyDictionary<string, TimingResult>, KernelMeasurement>> rows)
    {
        PromptLayer layer = Layer();
        MethodParameters parameters = method.SolveBudget(sparsity, layer.Shape, method.CreateParameters()).Parameters;
        string name = FormattableString.Invariant($"{method.Name} {sparsity}");
        long tokens = (long)_shape.Length * _shape.KvHeads;
        KeptTokens? kept = null;
        var counting = new CountingKernels(_kernels);
        PromptLayer counted = layer with { Kernels = counting };
        long allocated = AllocatedBytes.Of(() => kept = method.Compress(counted, parameters));
        if (kept is not null)
        {
            int[][] byHead = kept.ByHead;
            LayerCache[] compact = Caches(caches.Length, byHead);
            long left = byHead.Sum(h => (long)h.Length);
            long keptBytes = DenseBytes * left / tokens;
            contenders.Add(new Contender(name, () => Attend(compact[_next++ % compact.Length], null)) { Bytes = keptBytes });
            rows.Add(times => Row(method.Name, sparsity, 1 - ((double)left / tokens), parameters.ToString(), keptBytes + allocated, times[name], null, times) with { IndexOperations = counting.IndexOperations });
            return;
        }

        StepSelector[] selectors = Array.ConvertAll(caches, c => method.CreateStepSelector(parameters, [c], _kernels, layer.Seed)
            ?? throw new InvalidOperationException($"{method.Name} neither evicts nor selects."));
        _owned.AddRange(selectors);
        StepSelector any = selectors[0];
        long before = any.IndexBytesRead;
        DecodeSelection? selection = null;
        allocated += AllocatedBytes.Of(() => selection = Select(any, caches[0]));
        long indexBytes = any.IndexBytesRead - before;
        double share = selection is null ? 1 : selection.Lists.Average(list => list.Sum(r => (double)r.Length) / _shape.Length);
        contenders.Add(new Contender($"{name} index", () =>
        {
            int i = _next++ % caches.Length;
            Select(selectors[i], caches[i]);
        }));
        contenders.Add(new Contender(name, () =>
        {
            int i = _next++ % caches.Length;
            Attend(caches[i], Select(selectors[i], caches[i]));
        })
        {
            Bytes = (DenseBytes * share) + indexBytes,
        });
        rows.Add(times => Row(method.Name, sparsity, 1 - share, parameters.ToString(), DenseBytes + allocated, times[name], times[$"{name} index"], times));
    }

    private LayerCache[] Caches(int count, int[][]? tokens)
    {
        var caches = new LayerCache[count];
        for (int i = 0; i < count; i++)
        {
            caches[i] = new LayerCache(_block.Copy(CacheType, tokens), ownsPrompt: true);
            _owned.Add(caches[i]);
        }

        return caches;
    }

    private PromptLayer Layer() => new()
    {
        Layer = 0,
        Queries = HeadTensor.HeadMajor(_queries.Pointer, _shape.QueryHeads, _shape.Length, _shape.HeadDimension),
        Keys = _block.Keys,
        Values = _block.Values,
        Scale = _shape.Scale,
        Kernels = _kernels,
        Seed = _seed,
    };

    // The queries of the first token of each head serve as the step's: [query heads, dimension] from the start of the drawn numbers.
    private DecodeSelection? Select(StepSelector selector, LayerCache cache) => selector.Select(0, cache, _queries.Pointer, _shape.QueryHeads, _shape.Scale);

    private void Attend(LayerCache cache, DecodeSelection? selection) =>
        _kernels.DecodeAttention(_queries.Pointer, _shape.QueryHeads, cache, selection, _shape.Scale, _output.Pointer);

    private KernelMeasurement Row(
        string method, double? asked, double sparsity, string parameters, long memory, TimingResult total, TimingResult? index, IReadOnlyDictionary<string, TimingResult> times) =>
        _shape.Empty(AttentionPhase.Decode, method, asked, null) with
        {
            DataType = CacheType.ToString(),
            Sparsity = sparsity,
            Parameters = parameters,
            IndexMilliseconds = (index?.MedianSeconds ?? 0) * 1e3,
            AttentionMilliseconds = Math.Max(0, total.MedianSeconds - (index?.MedianSeconds ?? 0)) * 1e3,
            TotalMilliseconds = total.MedianSeconds * 1e3,
            Spread = total.Spread,
            SpeedUp = times[Dense].MedianSeconds / total.MedianSeconds,
            IdealSpeedUp = 1 / (1 - sparsity),
            GigaBytesPerSecond = total.GigaBytesPerSecond,
            RoofShare = total.ShareOfRoof,
            MemoryBytes = memory,
            IterationCount = total.Rounds,
        };
}
