using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>A method whose choices are looked at, with the budget that the sparsity asked for comes to.</summary>
/// <param name="method">The method.</param>
/// <param name="given">Its parameters as given.</param>
/// <param name="sparsity">Sparsity asked for; null where the parameters hold a budget.</param>
internal sealed class InspectedMethod(AttentionMethod method, MethodParameters given, double? sparsity)
{
    // The sparsity of a budget, found on the sample itself.
    private double[] _budgets = [];
    private double[] _sums = [];
    private int _layers;

    /// <summary>The method.</summary>
    public AttentionMethod Method => method;

    /// <summary>Sparsity asked for.</summary>
    public double? RequestedSparsity => sparsity;

    /// <summary>Its parameters, budget included; null until it is known.</summary>
    public MethodParameters? Parameters { get; private set; }

    /// <summary>Whether the budget has to be found on the sample: there is no closed form, and no calibration.</summary>
    public bool NeedsSample => Parameters is null && method.NeedsCalibration && sparsity is not null;

    /// <summary>The sparse methods of a pair, or the dense prefill where neither is sparse.</summary>
    private static IEnumerable<InspectedMethod> Of(PlannedMethods methods)
    {
        if (methods.Prefill.BudgetParameter is not null || methods.Decode.BudgetParameter is null)
        {
            yield return new InspectedMethod(methods.Prefill, methods.PrefillParameters, methods.Sparsity);
        }

        if (methods.Decode.BudgetParameter is not null)
        {
            yield return new InspectedMethod(methods.Decode, methods.DecodeParameters, methods.DecodeSparsity);
        }
    }

    /// <summary>A method with its parameters as given.</summary>
    public static InspectedMethod Given(AttentionMethod method, MethodParameters parameters) => new(method, parameters, null) { Parameters = parameters };

    /// <summary>The parameters that reach a sparsity on a layer.</summary>
    /// <exception cref="BudgetInfeasibleException">None do.</exception>
    public static MethodParameters SolveOnLayer(AttentionMethod method, MethodParameters given, double sparsity, PromptLayer layer)
    {
        var inspected = new InspectedMethod(method, given, sparsity);
        inspected.SolveBudget(layer.Shape, null);
        if (inspected.NeedsSample)
        {
            inspected.Observe(layer);
            inspected.SolveFromSample();
        }

        return inspected.Parameters!;
    }

    /// <summary>The distinct methods of some runs, with the budgets that need no look at the sample. What is infeasible is an error on the sink.</summary>
    /// <param name="runs">Runs of one cell.</param>
    /// <param name="shape">The prompt's shape.</param>
    /// <param name="engine">Their model.</param>
    /// <param name="resultPath">Folder of results, whose calibrations are used.</param>
    /// <param name="sink">Gets errors.</param>
    public static List<InspectedMethod> Solve(IReadOnlyList<PlannedRun> runs, PromptShape shape, SampleEngine engine, string resultPath, IPipelineSink sink)
    {
        string store = new ResultStore(resultPath).Path;
        return Distinct(runs.Select(r => (r.Methods, Calibration: (Func<StoredCalibration?>)(() => FindCalibration(r, engine, store)))), shape, sink);
    }

    /// <summary>The distinct methods of some pairs, with the budgets that need no look at the sample. What is infeasible is an error on the sink.</summary>
    public static List<InspectedMethod> Solve(IEnumerable<PlannedMethods> pairs, PromptShape shape, IPipelineSink sink) =>
        Distinct(pairs.Select(p => (p, Calibration: (Func<StoredCalibration?>)(() => null))), shape, sink);

    /// <summary>Finds the budgets that are missing on the sample itself. What is infeasible is an error on the sink, and left out.</summary>
    /// <param name="methods">The methods.</param>
    /// <param name="sink">Gets errors, and what was decided.</param>
    /// <param name="read">Shows the sample's layers.</param>
    public static void FindOnSample(List<InspectedMethod> methods, IPipelineSink sink, Action<Action<PromptLayer>> read)
    {
        List<InspectedMethod> missing = methods.FindAll(m => m.NeedsSample);
        read(layer => missing.ForEach(m => m.Observe(layer)));
        foreach (InspectedMethod method in missing)
        {
            try
            {
                method.SolveFromSample();
                sink.Verbose(FormattableString.Invariant($"{method.Method.Name} at sparsity {method.RequestedSparsity}: no calibration in the folder of results, budget found on the sample: {method.Parameters}."));
            }
            catch (BudgetInfeasibleException e)
            {
                methods.Remove(method);
                sink.Error(e);
            }
        }
    }

    private static List<InspectedMethod> Distinct(
        IEnumerable<(PlannedMethods Methods, Func<StoredCalibration?> Calibration)> pairs, PromptShape shape, IPipelineSink sink)
    {
        var found = new List<InspectedMethod>();
        var seen = new HashSet<string>();
        foreach ((PlannedMethods pair, Func<StoredCalibration?> calibration) in pairs)
        {
            foreach (InspectedMethod method in Of(pair).Where(m => seen.Add(m.Key)))
            {
                try
                {
                    method.SolveBudget(shape, method.NeedsSample ? calibration() : null);
                    found.Add(method);
                }
                catch (BudgetInfeasibleException e)
                {
                    sink.Error(e);
                }
            }
        }

        return found;
    }

    private static StoredCalibration? FindCalibration(PlannedRun run, SampleEngine engine, string store)
    {
        string hash = RunIdentity.Hash(Calibration.Key(run, engine.Identity, RunIdentity.HashData(run.TaskOptions.DataPath)));
        return Calibration.Read(Calibration.FilePath(store, hash), hash);
    }

    private string Key => FormattableString.Invariant($"{method.Phase} {method.Name} {given} {sparsity}");

    /// <summary>Solves the budget where that needs no data.</summary>
    /// <param name="shape">The prompt's shape.</param>
    /// <param name="calibration">A budget that was calibrated before; null for none.</param>
    /// <exception cref="BudgetInfeasibleException">The length cannot hold it.</exception>
    private void SolveBudget(PromptShape shape, StoredCalibration? calibration)
    {
        if (sparsity is null || method.BudgetParameter is null)
        {
            Parameters = given;
        }
        else if (!method.NeedsCalibration)
        {
            Parameters = method.SolveBudget(sparsity.Value, shape, given).Parameters;
        }
        else if (calibration is not null)
        {
            Parameters = method.WithBudget(given, calibration.Budget);
        }
        else
        {
            (double minimum, double maximum) = method.BudgetRange(shape, given);
            _budgets = BudgetCurve.Grid(minimum, maximum);
            _sums = new double[_budgets.Length];
            return;
        }

        method.RequireFeasible(shape, Parameters);
    }

    /// <summary>Measures what budgets come to on a layer of the sample.</summary>
    private void Observe(PromptLayer prompt)
    {
        double[] sparsities = ((PrefillMethod)method).MeasureSparsity(prompt, given, _budgets);
        for (int i = 0; i < _sums.Length; i++)
        {
            _sums[i] += sparsities[i];
        }

        _layers++;
    }

    /// <summary>Solves the budget from the layers seen.</summary>
    /// <exception cref="BudgetInfeasibleException">Even the smallest budget keeps more.</exception>
    private void SolveFromSample()
    {
        var curve = new BudgetCurve(_budgets, [.. _sums.Select(s => s / Math.Max(1, _layers))]);
        if (sparsity > curve.Sparsities[0] + AttentionMethod.SparsityTolerance)
        {
            throw new BudgetInfeasibleException(
                FormattableString.Invariant($"{method.Name}: a sparsity of {sparsity} cannot be reached on this sample, because what is always kept leaves {curve.Sparsities[0]:F4} at most. ")
                + "Ask for less, or make the forced set smaller.",
                curve.Sparsities[0],
                sparsity);
        }

        Parameters = method.WithBudget(given, curve.Invert(sparsity!.Value));
    }
}
