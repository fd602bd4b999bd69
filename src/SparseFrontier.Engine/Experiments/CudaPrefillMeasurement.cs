using SparseFrontier.Attention;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>
/// One layer of random queries, keys and values in a GPU's memory on which prefill methods are timed beside dense attention, as a model's prefill calls them. The values
/// are independent uniform numbers of variance 1, so that what a method keeps is scattered as widely as can be.
/// </summary>
internal sealed class CudaPrefillMeasurement : IDisposable
{
    private const DataType Type = DataType.BF16;
    private const string Dense = "Dense";

    private readonly LayerShape _shape;
    private readonly CudaDevice _device;
    private readonly long _seed;
    private readonly CudaMemory _drawnQueries;
    private readonly CudaMemory _queries;
    private readonly CudaVectors _keys;
    private readonly CudaVectors _values;
    private readonly CudaClock _clock;
    private readonly CancellationToken _cancellationToken;

    /// <summary>Draws the layer.</summary>
    public CudaPrefillMeasurement(LayerShape shape, CudaDevice device, long seed, CancellationToken cancellationToken)
    {
        CudaAttention.RequireDimension(shape.HeadDimension);
        _shape = shape;
        _device = device;
        _seed = seed;
        _cancellationToken = cancellationToken;
        _clock = new CudaClock(device);
        long bytes = (long)shape.Length * shape.QueryHeads * shape.HeadDimension * 2;
        _drawnQueries = CudaMemory.Allocate(device, bytes);
        _queries = CudaMemory.Allocate(device, bytes);
        _keys = CudaVectors.Allocate(device, Type, shape.KvHeads, shape.Length, shape.HeadDimension);
        _values = CudaVectors.Allocate(device, Type, shape.KvHeads, shape.Length, shape.HeadDimension);
        CudaRoofs.Draw(_drawnQueries, (ulong)seed);
        CudaRoofs.Draw(_keys.Memory, (ulong)seed + 1);
        CudaRoofs.Draw(_values.Memory, (ulong)seed + 2);
    }

    /// <summary>Times dense attention and every method at every sparsity, all in turn, beside a large product.</summary>
    /// <param name="methods">Methods; dense attention is always timed.</param>
    /// <param name="sparsities">Sparsities.</param>
    /// <param name="rounds">Samples of each time.</param>
    public IReadOnlyList<KernelMeasurement> Run(IReadOnlyList<PrefillMethod> methods, IReadOnlyList<double> sparsities, int rounds)
    {
        var contenders = new List<Contender> { new(Dense, null, "", Attend(null, null)) };
        var rows = new List<Func<double?, KernelMeasurement>> { roof => Row(contenders[0], contenders[0], roof) };
        foreach (PrefillMethod method in methods.Where(m => m.Name != Dense))
        {
            foreach (double sparsity in sparsities)
            {
                try
                {
                    MethodParameters parameters = Solve(method, sparsity);
                    var contender = new Contender(method.Name, sparsity, parameters.ToString(), Attend(method, parameters));
                    contenders.Add(contender);
                    rows.Add(roof => Row(contender, contenders[0], roof));
                }
                catch (BudgetInfeasibleException e)
                {
                    rows.Add(_ => _shape.Empty(AttentionPhase.Prefill, method.Name, sparsity, e.Message));
                }
            }
        }

        using CudaRoofs? roofs = CudaLibraries.HasProducts ? new CudaRoofs(_device) : null;
        var products = new List<double>();

        // The first round loads kernels.
        for (int round = 0; round <= rounds; round++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            if (roofs?.ProductSeconds() is { } seconds && round > 0)
            {
                products.Add(seconds);
            }

            foreach (Contender contender in contenders)
            {
                PrefillStatistics statistics = contender.Run();
                if (round > 0)
                {
                    contender.Add(statistics);
                }
            }
        }

        double? operations = roofs is null ? null : CudaRoofs.ProductOperations / Median(products);
        return [.. rows.Select(row => row(operations))];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock.Dispose();
        _drawnQueries.Dispose();
        _queries.Dispose();
        _keys.Dispose();
        _values.Dispose();
    }

    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Half the distance between the quartiles, over the median.</summary>
    internal static double Spread(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[^(1 + (sorted.Length / 4))] - sorted[sorted.Length / 4]) / 2 / Median(sorted);
    }

    private Func<PrefillStatistics> Attend(PrefillMethod? method, MethodParameters? parameters) => () =>
    {
        // Attention writes over the queries.
        _queries.CopyFrom(_drawnQueries.Address, _queries.SizeInBytes);
        var counters = new PrefillCounters();
        using var layer = new CudaPromptLayer(
            0, CudaVectors.RowMajor(Type, _queries, _shape.QueryHeads, _shape.Length, _shape.HeadDimension), _keys, _values, _shape.Scale, _seed, _cancellationToken);
        if (method is null)
        {
            long executed = 0;
            _clock.Time(counters.AddAttentionSeconds, () => executed = CudaPrefill.Dense(layer.Queries, _keys, _values, _shape.Scale, 0));
            long causal = layer.Shape.CausalPairs * _shape.QueryHeads;
            counters.Add(causal, causal, 0, executed, []);
        }
        else
        {
            CudaPrefill.Sparse(method, parameters!, layer, new PrefillRequest().ListBytes, counters, _clock);
        }

        _clock.Read();
        return counters.ToStatistics(0);
    };

    // Methods without a closed form get the budget that gives the sparsity on this very layer.
    private MethodParameters Solve(PrefillMethod method, double sparsity)
    {
        var shape = new PromptShape(_shape.Length, _shape.QueryHeads, _shape.KvHeads);
        MethodParameters parameters = method.CreateParameters();
        if (!method.NeedsCalibration)
        {
            MethodParameters solved = method.SolveBudget(sparsity, shape, parameters).Parameters;
            method.RequireFeasible(shape, solved);
            return solved;
        }

        (double minimum, double maximum) = method.BudgetRange(shape, parameters);
        BudgetCurve coarse = Measure(minimum, maximum);
        double most = coarse.Sparsities[0];
        if (sparsity > most + AttentionMethod.SparsityTolerance)
        {
            throw new BudgetInfeasibleException(
                FormattableString.Invariant($"{method.Name} at {_shape.Length} tokens reaches sparsity {most:F4} at most, because of what it always keeps."), most, sparsity);
        }

        double near = coarse.Invert(sparsity);
        return method.WithBudget(parameters, Measure(Math.Max(minimum, near * 0.9), near * 1.1).Invert(sparsity));

        BudgetCurve Measure(double from, double to)
        {
            double[] budgets = BudgetCurve.Grid(from, to);
            return new BudgetCurve(budgets, Array.ConvertAll(budgets, b => 1 - Density(Attend(method, method.WithBudget(parameters, b))())));
        }
    }

    private static double Density(PrefillStatistics s) => s.AttendedPairs / (double)s.CausalPairs;

    private KernelMeasurement Row(Contender contender, Contender dense, double? roof)
    {
        PrefillStatistics s = contender.Last;
        double attention = Median(contender.Attention);
        double total = Median(contender.Index.Zip(contender.Attention, (i, a) => i + a));
        double operations = 4.0 * _shape.HeadDimension * s.ExecutedPairs / attention;
        return _shape.Empty(AttentionPhase.Prefill, contender.Method, contender.Sparsity, null) with
        {
            DataType = Type.ToString(),
            Sparsity = 1 - Density(s),
            ExecutedDensity = s.ExecutedPairs / (double)s.CausalPairs,
            Parameters = contender.Parameters,
            IndexMilliseconds = Median(contender.Index) * 1e3,
            AttentionMilliseconds = attention * 1e3,
            TotalMilliseconds = total * 1e3,
            Spread = Spread(contender.Attention),
            SpeedUp = Median(dense.Attention) / total,
            IdealSpeedUp = 1 / Density(s),
            GigaOperationsPerSecond = operations / 1e9,
            RoofShare = operations / roof,
            IterationCount = contender.Attention.Count,
        };
    }

    private sealed class Contender(string method, double? sparsity, string parameters, Func<PrefillStatistics> run)
    {
        public string Method => method;

        public double? Sparsity => sparsity;

        public string Parameters => parameters;

        public List<double> Index { get; } = [];

        public List<double> Attention { get; } = [];

        public PrefillStatistics Last { get; private set; } = new();

        public PrefillStatistics Run() => run();

        public void Add(PrefillStatistics statistics)
        {
            Last = statistics;
            Index.Add(statistics.IndexSeconds);
            Attention.Add(statistics.AttentionSeconds);
        }
    }
}
