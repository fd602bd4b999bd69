using System.Globalization;

namespace SparseFrontier.Attention;

/// <summary>The half of inference that a method makes sparse.</summary>
public enum AttentionPhase
{
    /// <summary>Reading the prompt.</summary>
    Prefill,

    /// <summary>Generating, after eviction from the prompt's cache or by selecting tokens at every step.</summary>
    Decode,
}

/// <summary>Where a method stands on the paper's four axes (section 2).</summary>
/// <param name="Unit">Unit of sparsification.</param>
/// <param name="ImportanceEstimation">How importance is estimated.</param>
/// <param name="BudgetAllocation">How the budget is spread over heads.</param>
/// <param name="CacheManagement">What happens to the KV cache.</param>
public sealed record MethodTaxonomy(string Unit, string ImportanceEstimation, string BudgetAllocation, string CacheManagement);

/// <summary>A solved budget.</summary>
/// <param name="Parameters">The parameters with the budget set.</param>
/// <param name="Sparsity">The sparsity that they give at the shape.</param>
public sealed record BudgetSolution(MethodParameters Parameters, double Sparsity);

/// <summary>A training-free attention method: selection, not execution. One file each, registered in <see cref="MethodRegistry"/>.</summary>
public abstract class AttentionMethod
{
    /// <summary>A sparsity that misses the request by no more than this counts as reached.</summary>
    public const double SparsityTolerance = 0.01;

    /// <summary>Name on the command line, in cmdlets and in result rows.</summary>
    public abstract string Name { get; }

    /// <summary>The half of inference it makes sparse.</summary>
    public abstract AttentionPhase Phase { get; }

    /// <summary>Its place on the paper's four axes.</summary>
    public abstract MethodTaxonomy Taxonomy { get; }

    /// <summary>One sentence on what is kept.</summary>
    public abstract string Description { get; }

    /// <summary>Paper and section.</summary>
    public abstract string Source { get; }

    /// <summary>Changes whenever the method's answers may change; part of a run's identity.</summary>
    public virtual int Version => 1;

    /// <summary>Names the code of a user's own method by its content; part of a run's identity. Null for the methods of this project.</summary>
    public virtual string? CodeHash => null;

    /// <summary>Whether it is a control, such as Random and OracleTopK, left out of tables unless asked for.</summary>
    public virtual bool IsControl => false;

    /// <summary>Its parameters with the reference's defaults.</summary>
    public abstract IReadOnlyList<MethodParameter> Parameters { get; }

    /// <summary>Name of the parameter that sets the budget; null for dense attention.</summary>
    public abstract string? BudgetParameter { get; }

    /// <summary>Every parameter that <see cref="WithBudget"/> sets: what must not be given together with a sparsity.</summary>
    public virtual IReadOnlyList<string> BudgetParameters => BudgetParameter is { } name ? [name] : [];

    /// <summary>Whether a budget's sparsity depends on the model and the data, so that it must be measured on calibration samples.</summary>
    public virtual bool NeedsCalibration => false;

    /// <summary>
    /// The sparsity that the parameters give at a shape, by the definition that rows use: the mean over the shape's layers and KV heads of
    /// 1 - attended / attendable pairs (prefill) or prompt-cache tokens (decode).
    /// </summary>
    /// <returns>Null where it depends on model and data (<see cref="NeedsCalibration"/>).</returns>
    public double? ExpectedSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Schedule.IsUniform || NeedsCalibration)
        {
            return UniformSparsity(shape, parameters);
        }

        double sum = 0;
        foreach (int layer in shape.Layers)
        {
            for (int head = 0; head < shape.KvHeads; head++)
            {
                MethodParameters? local = At(parameters, new BudgetPlace(layer, head, shape.Length, BudgetPlace.Prompt));
                sum += local is null ? 0 : UniformSparsity(shape, local)!.Value;
            }
        }

        return sum / (shape.Layers.Count * shape.KvHeads);
    }

    /// <summary>
    /// The parameters that come closest to a sparsity at a shape, and the sparsity they give there. Only for methods without
    /// <see cref="NeedsCalibration"/>.
    /// </summary>
    /// <exception cref="SparseFrontierException">SparsityOutOfRange: not from 0 to 1.</exception>
    /// <exception cref="BudgetInfeasibleException">What must be kept already exceeds the budget; the message names the feasible maximum.</exception>
    public BudgetSolution SolveBudget(double sparsity, PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        RequireSparsity(sparsity);
        if (NeedsCalibration)
        {
            throw new InvalidOperationException($"The sparsity of {Name} depends on model and data: it must be calibrated.");
        }

        if (BudgetParameter is null)
        {
            return sparsity <= SparsityTolerance ? new BudgetSolution(parameters, 0) : throw Infeasible(sparsity, 0, shape);
        }

        (double minimum, double maximum) = BudgetRange(shape, parameters);
        int unit = BudgetUnit(parameters);
        long low = (long)Math.Ceiling(minimum / unit);
        long high = Math.Max(low, (long)Math.Ceiling(maximum / unit));
        double most = Sparsity(low);
        if (most < sparsity - SparsityTolerance)
        {
            throw Infeasible(sparsity, most, shape);
        }

        // The largest budget at least as sparse as asked, or the next one if that is closer.
        long sparse = low;
        long dense = high + 1;
        while (dense - sparse > 1)
        {
            long middle = sparse + ((dense - sparse) / 2);
            (sparse, dense) = Sparsity(middle) >= sparsity ? (middle, dense) : (sparse, middle);
        }

        long best = dense <= high && Math.Abs(Sparsity(dense) - sparsity) <= Math.Abs(Sparsity(sparse) - sparsity) ? dense : sparse;
        return new BudgetSolution(WithBudget(parameters, best * unit), Sparsity(best));

        double Sparsity(long units) => ExpectedSparsity(shape, WithBudget(parameters, units * unit))!.Value;
    }

    /// <summary>Sets the budget: VerticalSlash sets both sizes, FlexPrefill floor or coverage.</summary>
    /// <param name="parameters">The other parameters.</param>
    /// <param name="budget">A value of the one-dimensional budget, larger keeps more.</param>
    public virtual MethodParameters WithBudget(MethodParameters parameters, double budget)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.With(BudgetParameter!, budget);
    }

    /// <summary>The budget that <see cref="WithBudget"/> would have set; null where its parameters have values that no one budget gives.</summary>
    /// <param name="parameters">Parameters.</param>
    public virtual double? BudgetOf(MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        double[] values = [.. BudgetParameters.Select(p => parameters[p]).Distinct()];
        return values.Length == 1 ? values[0] : null;
    }

    /// <summary>Smallest budget that holds what is always kept, and the smallest that keeps everything, at a shape.</summary>
    public virtual (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return (1, shape.Length);
    }

    /// <summary>Budgets are multiples of this.</summary>
    public virtual int BudgetUnit(MethodParameters parameters) => 1;

    /// <summary>
    /// The reference implementation's own sparsity formula (spec: nominal; may be negative), for <c>NominalSparsity</c>; null where it is
    /// measured rather than a formula.
    /// </summary>
    public virtual double? NominalSparsity(PromptShape shape, MethodParameters parameters) => null;

    /// <summary>Refuses a budget that does not hold what the method always keeps at this length.</summary>
    /// <exception cref="BudgetInfeasibleException">It does not.</exception>
    public virtual void RequireFeasible(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        if (BudgetParameter is null)
        {
            return;
        }

        double minimum = BudgetRange(shape, parameters).Minimum;
        double budget = parameters[BudgetParameter];
        if (budget < minimum)
        {
            double most = UniformSparsity(shape, WithBudget(parameters, minimum)) ?? 0;
            throw new BudgetInfeasibleException(
                FormattableString.Invariant($"{Name} at {shape.Length} tokens: {BudgetParameter} = {budget} cannot hold the {minimum} that is always kept. ")
                + FormattableString.Invariant($"Give at least {minimum} (sparsity {most:F4} at most), or make the forced set smaller."),
                most,
                budget);
        }
    }

    /// <summary>The parameters that hold at a place under the schedule; null where attention is dense.</summary>
    public MethodParameters? At(MethodParameters parameters, BudgetPlace place)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        double factor = parameters.Schedule.FactorAt(place);
        return factor == 1 || BudgetParameter is null ? parameters
            : double.IsPositiveInfinity(factor) ? null
            : ScaleBudget(parameters, factor, new PromptShape(place.Length, 1, 1));
    }

    /// <summary>The defaults, overridden by <paramref name="overrides"/>, checked.</summary>
    /// <exception cref="SparseFrontierException">MethodParameterInvalid: unknown name or value out of range; the message lists what there is.</exception>
    public MethodParameters CreateParameters(IEnumerable<KeyValuePair<string, double>>? overrides = null)
    {
        var values = Parameters.ToDictionary(p => p.Name, p => p.Default, StringComparer.OrdinalIgnoreCase);
        foreach ((string name, double value) in overrides ?? [])
        {
            MethodParameter parameter = Parameters.FirstOrDefault(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                ?? throw new SparseFrontierException(
                    ErrorIds.MethodParameterInvalid,
                    Parameters.Count == 0
                        ? $"{Name} has no parameters, but '{name}' was given."
                        : $"{Name} has no parameter '{name}'. It has: {string.Join(", ", Parameters.Select(p => p.Name))}.",
                    name);
            if (!double.IsFinite(value) || value < parameter.Minimum || value > parameter.Maximum || (parameter.IsInteger && value != Math.Floor(value)))
            {
                string kind = parameter.IsInteger ? "a whole number" : "a number";
                throw new SparseFrontierException(
                    ErrorIds.MethodParameterInvalid,
                    FormattableString.Invariant($"{Name}: {parameter.Name} = {value} is not {kind} from {parameter.Minimum} to {parameter.Maximum}."),
                    value);
            }

            values[parameter.Name] = value;
        }

        var parameters = new MethodParameters(values);
        Validate(parameters);
        return parameters;
    }

    /// <summary>
    /// The defaults, overridden by "Name=value;Name=value" as <see cref="MethodParameters.ToString"/> writes it; "Schedule=..." sets the
    /// budget schedule.
    /// </summary>
    /// <exception cref="SparseFrontierException">MethodParameterInvalid.</exception>
    public MethodParameters CreateParameters(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var overrides = new List<KeyValuePair<string, double>>();
        BudgetSchedule schedule = BudgetSchedule.Uniform;
        foreach (string pair in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] parts = pair.Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts.Length == 2 && parts[0].Equals("Schedule", StringComparison.OrdinalIgnoreCase))
            {
                schedule = BudgetSchedule.Parse(parts[1]);
            }
            else if (parts.Length == 2 && TryParse(parts[1], out double value))
            {
                overrides.Add(new(parts[0], value));
            }
            else
            {
                throw new SparseFrontierException(
                    ErrorIds.MethodParameterInvalid,
                    $"{Name}: '{pair}' is not Name=number. Separate several by ';', as in BlockSize=16;TopBlocks=64.",
                    pair);
            }
        }

        return CreateParameters(overrides).With(schedule);

        static bool TryParse(string text, out double value)
        {
            bool isSwitch = bool.TryParse(text, out bool on);
            value = on ? 1 : 0;
            return isSwitch || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        }
    }

    /// <summary>Refuses values that are each in range but do not go together.</summary>
    /// <exception cref="SparseFrontierException">MethodParameterInvalid.</exception>
    protected virtual void Validate(MethodParameters parameters)
    {
    }

    /// <summary>The sparsity of one layer and head under a uniform budget; null where it depends on model and data.</summary>
    protected virtual double? UniformSparsity(PromptShape shape, MethodParameters parameters) => null;

    /// <summary>The parameters with the budget multiplied by a factor, rounded to its unit and never below what is always kept.</summary>
    protected virtual MethodParameters ScaleBudget(MethodParameters parameters, double factor, PromptShape shape) =>
        WithBudget(parameters, Scaled(parameters[BudgetParameter!], factor, BudgetUnit(parameters), BudgetRange(shape, parameters).Minimum));

    /// <summary>A budget times a factor, a multiple of a unit and at least a minimum.</summary>
    private protected static double Scaled(double budget, double factor, int unit, double minimum) =>
        Math.Max(Math.Ceiling(minimum / unit), Math.Round(budget * factor / unit)) * unit;

    /// <summary>Refuses what is not from 0 to 1.</summary>
    /// <exception cref="SparseFrontierException">SparsityOutOfRange.</exception>
    internal static void RequireSparsity(double sparsity)
    {
        if (sparsity is not (>= 0 and <= 1))
        {
            throw new SparseFrontierException(
                ErrorIds.SparsityOutOfRange,
                FormattableString.Invariant($"Sparsity {sparsity} is not from 0 to 1: it is the share of query-key pairs that is left out, 0.9 for nine tenths."),
                sparsity);
        }
    }

    private BudgetInfeasibleException Infeasible(double sparsity, double most, PromptShape shape) => new(
        FormattableString.Invariant($"{Name} at {shape.Length} tokens reaches sparsity {most:F4} at most, because of what it always keeps; {sparsity} was asked for. ")
        + "Ask for less, use longer prompts, or make the forced set smaller.",
        most,
        sparsity);
}
