using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>
/// One layer of random queries, keys and values on which prefill methods are timed beside dense attention. The values are independent normal
/// numbers, so that what a method keeps is scattered as widely as can be: the hardest case for a kernel.
/// </summary>
internal sealed unsafe class PrefillMeasurement : IDisposable
{
    private const string Dense = "Dense";
    private const string Roof = "multiply-add";

    private readonly LayerShape _shape;
    private readonly KernelSet _kernels;
    private readonly NativeArray<float> _queries;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private readonly NativeArray<float> _output;
    private readonly PromptLayer _layer;

    /// <summary>Draws the layer.</summary>
    public PrefillMeasurement(LayerShape shape, KernelSet kernels, long seed, CancellationToken cancellationToken)
    {
        _shape = shape;
        _kernels = kernels;
        _queries = shape.Draw(shape.QueryHeads, "queries", seed, cancellationToken);
        _keys = shape.Draw(shape.KvHeads, "keys", seed, cancellationToken);
        _values = shape.Draw(shape.KvHeads, "values", seed, cancellationToken);
        _output = new NativeArray<float>(_queries.Length);
        _layer = new PromptLayer
        {
            Layer = 0,
            Queries = HeadTensor.HeadMajor(_queries.Pointer, shape.QueryHeads, shape.Length, shape.HeadDimension),
            Keys = HeadTensor.HeadMajor(_keys.Pointer, shape.KvHeads, shape.Length, shape.HeadDimension),
            Values = HeadTensor.HeadMajor(_values.Pointer, shape.KvHeads, shape.Length, shape.HeadDimension),
            Scale = shape.Scale,
            Kernels = kernels,
            Seed = seed,
            CancellationToken = cancellationToken,
        };
    }

    /// <summary>Times dense attention and every method at every sparsity, all in turn.</summary>
    /// <param name="methods">Methods; dense attention is always timed.</param>
    /// <param name="sparsities">Sparsities.</param>
    /// <param name="timer">How often and how long.</param>
    /// <param name="cancellationToken">Stops between samples.</param>
    public IReadOnlyList<KernelMeasurement> Run(
        IReadOnlyList<PrefillMethod> methods, IReadOnlyList<double> sparsities, InterleavedTimer timer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        AttentionPlan[] dense = [AttentionPlan.Dense(_shape.Length)];
        var contenders = new List<Contender> { MachineRoofs.MultiplyAdd(Roof), Attention(Dense, dense) };
        var rows = new List<Func<IReadOnlyDictionary<string, TimingResult>, KernelMeasurement>>
        {
            times => Row(Dense, null, "", dense, 0, times[Dense], null, times),
        };
        foreach (PrefillMethod method in methods.Where(m => m.Name != Dense))
        {
            foreach (double sparsity in sparsities)
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    MethodParameters parameters = Solve(method, sparsity);
                    string name = FormattableString.Invariant($"{method.Name} {sparsity}");
                    PrefillSelection selection = null!;
                    var counting = new CountingKernels(_kernels);
                    PromptLayer counted = _layer with { Kernels = counting };
                    long allocated = AllocatedBytes.Of(() => selection = method.Select(counted, parameters));
                    contenders.Add(new Contender($"{name} index", () => method.Select(_layer, parameters)));
                    contenders.Add(Attention(name, selection.Plans));
                    rows.Add(times => Row(method.Name, sparsity, parameters.ToString(), selection.Plans, allocated, times[name], times[$"{name} index"], times) with { IndexOperations = counting.IndexOperations });
                }
                catch (BudgetInfeasibleException e)
                {
                    rows.Add(_ => _shape.Empty(AttentionPhase.Prefill, method.Name, sparsity, e.Message));
                }
            }
        }

        var measured = timer.Run(contenders, Dense, Roof, cancellationToken).ToDictionary(t => t.Name);
        return [.. rows.Select(row => row(measured))];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queries.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _output.Dispose();
    }

    private Contender Attention(string name, IReadOnlyList<AttentionPlan> plans)
    {
        HeadTensor output = HeadTensor.HeadMajor(_output.Pointer, _shape.QueryHeads, _shape.Length, _shape.HeadDimension);
        return new Contender(name, () => _kernels.PrefillAttention(_layer.Queries, _layer.Keys, _layer.Values, _shape.Scale, plans, 0, output, null, _layer.CancellationToken))
        {
            // Two products of 2 · dimension operations a pair.
            Operations = 4.0 * _shape.HeadDimension * ExecutedPairs(plans),
        };
    }

    private double ExecutedPairs(IReadOnlyList<AttentionPlan> plans) =>
        plans.Sum(p => (double)_kernels.CountExecutedPairs(p, 0)) * _shape.QueryHeads / plans.Count;

    // Methods without a closed form get the budget that gives the sparsity on this very layer.
    private MethodParameters Solve(PrefillMethod method, double sparsity)
    {
        MethodParameters parameters = method.CreateParameters();
        if (!method.NeedsCalibration)
        {
            MethodParameters solved = method.SolveBudget(sparsity, _layer.Shape, parameters).Parameters;
            method.RequireFeasible(_layer.Shape, solved);
            return solved;
        }

        (double minimum, double maximum) = method.BudgetRange(_layer.Shape, parameters);
        BudgetCurve coarse = Measure(minimum, maximum);
        double most = coarse.Sparsities[0];
        if (sparsity > most + AttentionMethod.SparsityTolerance)
        {
            throw new BudgetInfeasibleException(
                FormattableString.Invariant($"{method.Name} at {_shape.Length} tokens reaches sparsity {most:F4} at most, because of what it always keeps."),
                most,
                sparsity);
        }

        double near = coarse.Invert(sparsity);
        return method.WithBudget(parameters, Measure(Math.Max(minimum, near * 0.9), near * 1.1).Invert(sparsity));

        BudgetCurve Measure(double from, double to)
        {
            double[] budgets = BudgetCurve.Grid(from, to);
            return new BudgetCurve(budgets, method.MeasureSparsity(_layer, parameters, budgets));
        }
    }

    private KernelMeasurement Row(
        string method,
        double? asked,
        string parameters,
        IReadOnlyList<AttentionPlan> plans,
        long allocated,
        TimingResult attention,
        TimingResult? index,
        IReadOnlyDictionary<string, TimingResult> times)
    {
        double causal = (double)_layer.Shape.CausalPairs * _shape.QueryHeads;
        double density = plans.Sum(p => (double)p.CountPairs()) * _shape.QueryHeads / plans.Count / causal;
        double total = attention.MedianSeconds + (index?.MedianSeconds ?? 0);
        return _shape.Empty(AttentionPhase.Prefill, method, asked, null) with
        {
            DataType = nameof(DataType.F32),
            Sparsity = 1 - density,
            ExecutedDensity = ExecutedPairs(plans) / causal,
            Parameters = parameters,
            IndexMilliseconds = (index?.MedianSeconds ?? 0) * 1e3,
            AttentionMilliseconds = attention.MedianSeconds * 1e3,
            TotalMilliseconds = total * 1e3,
            Spread = attention.Spread,
            SpeedUp = times[Dense].MedianSeconds / total,
            IdealSpeedUp = 1 / density,
            GigaOperationsPerSecond = attention.GigaOperationsPerSecond,
            RoofShare = attention.ShareOfRoof,
            MemoryBytes = _queries.SizeInBytes + _keys.SizeInBytes + _values.SizeInBytes + allocated,
            IterationCount = attention.Rounds,
        };
    }
}
