using SparseFrontier.Analysis;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Computes what methods cost on models and emits one <see cref="SparseAttentionCost"/> a model, formula, length, batch, method and sparsity.</summary>
public sealed class GetCostOperation
{
    /// <summary>The sparsity that costs are computed at where none is named.</summary>
    public const double DefaultSparsity = 0.9;

    /// <summary>Checkpoint directories, config.json files, names of embedded models or of published shapes. Empty: the default model.</summary>
    public IReadOnlyList<string> Model { get; init; } = [];

    /// <summary>Methods of either phase, "Quest" or "Quest;PageSize=32"; wildcards match all but controls.</summary>
    public IReadOnlyList<string> Method { get; init; } = ["*"];

    /// <summary>Prompt tokens.</summary>
    public IReadOnlyList<int> SequenceLength { get; init; } = [32768];

    /// <summary>Sparsities. Empty: what the parameters of a method give where its name carries some, else <see cref="DefaultSparsity"/>.</summary>
    public IReadOnlyList<double> Sparsity { get; init; } = [];

    /// <summary>Sequences of a batch.</summary>
    public IReadOnlyList<int> BatchSize { get; init; } = [1];

    /// <summary>Readings of the formulas.</summary>
    public IReadOnlyList<CostFormula> Formula { get; init; } = [CostFormula.Exact];

    /// <summary>Bytes of a weight, in the exact reading of decode steps.</summary>
    public double WeightBytes { get; init; } = 2;

    /// <summary>Bytes of an element of the cache, in the exact reading of decode steps.</summary>
    public double CacheBytes { get; init; } = 2;

    /// <summary>Emits the costs; a budget that a length cannot hold is an error on the sink, and the others go on.</summary>
    /// <exception cref="SparseFrontierException">MethodNotFound, MethodParameterInvalid, ParameterInvalid, SequenceLengthInvalid.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        Require();
        IReadOnlyList<(AttentionMethod Method, MethodParameters Parameters, bool Given)> methods = Methods();
        foreach (string name in Model.DefaultIfEmpty(""))
        {
            ModelShape model;
            try
            {
                model = ModelShapes.Resolve(name);
            }
            catch (SparseFrontierException e)
            {
                sink.Error(e);
                continue;
            }

            foreach (CostFormula formula in Formula)
            {
                foreach (int length in SequenceLength)
                {
                    foreach (int batch in BatchSize)
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        foreach (var (method, parameters, given) in methods)
                        {
                            Emit(sink, new Request(model, formula, length, batch, method, parameters, given));
                        }
                    }
                }
            }
        }
    }

    private sealed record Request(ModelShape Model, CostFormula Formula, int Length, int Batch, AttentionMethod Method, MethodParameters Parameters, bool Given);

    private void Emit(IPipelineSink sink, Request request)
    {
        IEnumerable<double?> levels = request.Method.BudgetParameter is null ? [0]
            : Sparsity.Count > 0 ? Sparsity.Select(s => (double?)s)
            : [request.Given ? null : DefaultSparsity];
        foreach (double? level in levels)
        {
            try
            {
                sink.Object(Cost(request, level));
            }
            catch (SparseFrontierException e) when (e.ErrorId is ErrorIds.BudgetInfeasible or ErrorIds.SparsityOutOfRange)
            {
                sink.Error(e);
            }
        }
    }

    private SparseAttentionCost Cost(Request request, double? level)
    {
        (MethodParameters parameters, double sparsity) = Solve(request, level);
        return request.Method is PrefillMethod prefill ? Prefill(request, prefill, parameters, sparsity) : Decode(request, (DecodeMethod)request.Method, parameters, sparsity);
    }

    private static (MethodParameters Parameters, double Sparsity) Solve(Request request, double? level)
    {
        AttentionMethod method = request.Method;
        var shape = new PromptShape(request.Length, request.Model.QueryHeads, request.Model.KvHeads) { Layers = request.Model.GlobalLayers };
        if (level is not { } sparsity)
        {
            method.RequireFeasible(shape, request.Parameters);
            return (request.Parameters, method.ExpectedSparsity(shape, request.Parameters) ?? throw new SparseFrontierException(
                ErrorIds.ParameterInvalid,
                $"What {method.Name} leaves out depends on model and data, so its cost needs a sparsity: give one, or a measured one.",
                method.Name));
        }

        if (sparsity is not (>= 0 and < 1))
        {
            throw new SparseFrontierException(
                ErrorIds.SparsityOutOfRange, FormattableString.Invariant($"Sparsity {sparsity} is not from 0 to below 1: it is the share that is left out, 0.9 for nine tenths."), sparsity);
        }

        return (method.NeedsCalibration || method.BudgetParameter is null ? request.Parameters : method.SolveBudget(sparsity, shape, request.Parameters).Parameters, sparsity);
    }

    private static SparseAttentionCost Prefill(Request request, PrefillMethod method, MethodParameters parameters, double sparsity)
    {
        PrefillCost cost = CostModel.Prefill(request.Model, request.Length, request.Batch, method, parameters, sparsity, request.Formula);
        PrefillMethod dense = MethodRegistry.FindPrefill("Dense");
        PrefillCost before = CostModel.Prefill(request.Model, request.Length, request.Batch, dense, dense.CreateParameters(), 0, request.Formula);
        return new SparseAttentionCost
        {
            Model = request.Model.Name,
            Phase = nameof(AttentionPhase.Prefill),
            Formula = request.Formula,
            Unit = "FLOP",
            SequenceLength = request.Length,
            BatchSize = request.Batch,
            Method = method.Name,
            Sparsity = sparsity,
            Parameters = Text(request, parameters),
            Total = cost.Total,
            DenseTotal = before.Total,
            Speedup = before.Total / cost.Total,
            SpeedupWithoutIndex = before.Total / (cost.Total - cost.Index),
            AttentionShare = (before.Projection + before.Attention) / before.Total,
            IndexShare = cost.Index / cost.Total,
            Projection = cost.Projection,
            Attention = cost.Attention,
            FeedForward = cost.FeedForward,
            Embedding = cost.Embedding,
            Logits = cost.Logits,
            Index = cost.Index,
            IndexSource = Source(method, cost.Index),
        };
    }

    private SparseAttentionCost Decode(Request request, DecodeMethod method, MethodParameters parameters, double sparsity)
    {
        DecodeCost cost = CostModel.Decode(request.Model, request.Length, request.Batch, method, parameters, sparsity, request.Formula, WeightBytes, CacheBytes);
        DecodeMethod dense = MethodRegistry.FindDecode("Dense");
        DecodeCost before = CostModel.Decode(request.Model, request.Length, request.Batch, dense, dense.CreateParameters(), 0, request.Formula, WeightBytes, CacheBytes);
        double build = CostModel.BuildOperations(request.Model, request.Length, request.Batch, method, parameters);
        return new SparseAttentionCost
        {
            Model = request.Model.Name,
            Phase = nameof(AttentionPhase.Decode),
            Formula = request.Formula,
            Unit = request.Formula == CostFormula.Exact ? "byte" : "element",
            SequenceLength = request.Length,
            BatchSize = request.Batch,
            Method = method.Name,
            Sparsity = sparsity,
            Parameters = Text(request, parameters),
            Total = cost.Total,
            DenseTotal = before.Total,
            Speedup = before.Total / cost.Total,
            SpeedupWithoutIndex = before.Total / (cost.Total - cost.Index),
            AttentionShare = before.KeyValue / before.Total,
            IndexShare = cost.Index / cost.Total,
            Weights = cost.Weights,
            KeyValue = cost.KeyValue,
            Index = cost.Index,
            BuildFlops = build,
            IndexSource = Source(method, cost.Index + build),
        };
    }

    private static string Source(AttentionMethod method, double index) => index == 0 ? "" : IndexCost.IsPrinted(method.Name) ? "paper" : "own";

    // The budget of a calibrated method is not what the cost was computed from.
    private static string Text(Request request, MethodParameters parameters) => request.Method.NeedsCalibration && !request.Given
        ? FormattableString.Invariant($"Window={parameters["Window"]}")
        : parameters.ToString();

    private List<(AttentionMethod Method, MethodParameters Parameters, bool Given)> Methods()
    {
        var methods = new List<(AttentionMethod, MethodParameters, bool)>();
        foreach (string text in Method)
        {
            int end = text.IndexOf(';', StringComparison.Ordinal);
            string name = (end < 0 ? text : text[..end]).Trim();
            IReadOnlyList<AttentionMethod> matches = MethodRegistry.Match(name);
            if (matches.Count == 0 && !NameMatcher.IsPattern(name))
            {
                throw MethodLookup.NotFound(name, MethodRegistry.All);
            }

            methods.AddRange(matches.Select(m => (m, m.CreateParameters(end < 0 ? "" : text[(end + 1)..]), end >= 0)));
        }

        return methods;
    }

    private void Require()
    {
        if (SequenceLength.FirstOrDefault(l => l < 1, 1) is var length and < 1)
        {
            throw new SparseFrontierException(ErrorIds.SequenceLengthInvalid, $"{length} is no length: it is a number of tokens, 1 or more.", length);
        }

        if (BatchSize.FirstOrDefault(b => b < 1, 1) is var batch and < 1)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"{batch} is no batch size: it is a number of sequences, 1 or more.", batch);
        }

        if (!(WeightBytes > 0 && CacheBytes > 0 && double.IsFinite(WeightBytes + CacheBytes)))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, "Bytes of a weight and of an element of the cache are numbers above 0, such as 2 for 16 bits or 0.5 for 4.", WeightBytes);
        }
    }
}
