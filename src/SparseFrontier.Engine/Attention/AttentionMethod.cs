using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>The half of inference that a method makes sparse.</summary>
public enum AttentionPhase
{
    /// <summary>Reading the prompt.</summary>
    Prefill,

    /// <summary>Generating, after eviction from the prompt's cache or by selecting pages at every step.</summary>
    Decode,
}

/// <summary>Where a method stands on the paper's four axes (section 2).</summary>
/// <param name="Unit">Unit of sparsification.</param>
/// <param name="ImportanceEstimation">How importance is estimated.</param>
/// <param name="BudgetAllocation">How the budget is spread over heads.</param>
/// <param name="CacheManagement">What happens to the KV cache.</param>
public sealed record MethodTaxonomy(string Unit, string ImportanceEstimation, string BudgetAllocation, string CacheManagement);

/// <summary>Lengths and head counts that a budget depends on.</summary>
/// <param name="Length">Prompt tokens.</param>
/// <param name="QueryHeads">Query heads of a layer.</param>
/// <param name="KvHeads">KV heads of a layer.</param>
public sealed record PromptShape(int Length, int QueryHeads, int KvHeads);

/// <summary>What a method sees of one layer after the prompt's keys are known: everything after rotary embedding.</summary>
public sealed record PromptLayer
{
    /// <summary>Index of the layer.</summary>
    public required int Layer { get; init; }

    /// <summary>[query heads, length, dimension].</summary>
    public required HeadTensor Queries { get; init; }

    /// <summary>[KV heads, length, dimension].</summary>
    public required HeadTensor Keys { get; init; }

    /// <summary>[KV heads, length, dimension].</summary>
    public required HeadTensor Values { get; init; }

    /// <summary>Factor on query · key, usually 1/√dimension.</summary>
    public required float Scale { get; init; }

    /// <summary>The operations to compute with.</summary>
    public required KernelSet Kernels { get; init; }

    /// <summary>Seed of the sample, for methods that draw random numbers.</summary>
    public long Seed { get; init; }

    /// <summary>Stops the work.</summary>
    public CancellationToken CancellationToken { get; init; }

    /// <summary>Prompt tokens.</summary>
    public int Length => Queries.Rows;

    /// <summary>Query heads that share a KV head.</summary>
    public int GroupSize => Queries.Heads / Keys.Heads;

    /// <summary>The shape that budgets depend on.</summary>
    public PromptShape Shape => new(Length, Queries.Heads, Keys.Heads);
}

/// <summary>A training-free attention method: selection, not execution. One file each, registered in <see cref="MethodRegistry"/>.</summary>
public abstract class AttentionMethod
{
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

    /// <summary>Whether it is a control (WindowSink, Random, OracleTopK), left out of tables unless asked for.</summary>
    public virtual bool IsControl => false;

    /// <summary>Its parameters with the reference's defaults.</summary>
    public abstract IReadOnlyList<MethodParameter> Parameters { get; }

    /// <summary>Name of the parameter that sets the budget; null for dense attention.</summary>
    public abstract string? BudgetParameter { get; }

    /// <summary>Whether a budget's sparsity depends on the model and the data, so that it must be measured on calibration samples.</summary>
    public virtual bool NeedsCalibration => false;

    /// <summary>
    /// The parameters that come closest to a sparsity at a shape, and the sparsity they give there. Only for methods without
    /// <see cref="NeedsCalibration"/>.
    /// </summary>
    /// <exception cref="SparseFrontierException">BudgetInfeasible: what must be kept already exceeds the budget; the message names the feasible maximum.</exception>
    public abstract BudgetSolution SolveBudget(double sparsity, PromptShape shape, MethodParameters parameters);

    /// <summary>Sets the calibrated budget: VerticalSlash sets both sizes, FlexPrefill floor or coverage.</summary>
    /// <param name="parameters">The other parameters.</param>
    /// <param name="budget">A value of the one-dimensional budget, larger keeps more.</param>
    public virtual MethodParameters WithBudget(MethodParameters parameters, double budget) => parameters.With(BudgetParameter!, budget);

    /// <summary>Smallest and largest budget worth trying in a calibration at a shape.</summary>
    public virtual (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters) => (1, shape.Length);

    /// <summary>
    /// The reference implementation's own sparsity formula (spec: nominal; may be negative), for <c>NominalSparsity</c>; null where it is
    /// measured rather than a formula.
    /// </summary>
    public virtual double? NominalSparsity(PromptShape shape, MethodParameters parameters) => null;

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

        return new MethodParameters(values);
    }
}

/// <summary>A solved budget.</summary>
/// <param name="Parameters">The parameters with the budget set.</param>
/// <param name="Sparsity">The sparsity that they give at the shape.</param>
public sealed record BudgetSolution(MethodParameters Parameters, double Sparsity);

/// <summary>A method that makes the reading of the prompt sparse.</summary>
public abstract class PrefillMethod : AttentionMethod
{
    /// <inheritdoc/>
    public override AttentionPhase Phase => AttentionPhase.Prefill;

    /// <summary>Chooses what every query head of a layer attends to.</summary>
    public abstract PrefillSelection Select(PromptLayer layer, MethodParameters parameters);
}

/// <summary>What a prefill method chose for one layer.</summary>
public sealed class PrefillSelection
{
    /// <summary>One plan per query head, or a single one that all heads share.</summary>
    public required IReadOnlyList<AttentionPlan> Plans { get; init; }

    /// <summary>Query-key pairs, summed over query heads, that were kept because the method always keeps them (sinks, local windows).</summary>
    public long ForcedPairs { get; init; }

    /// <summary>The raw choice by name, [heads, ...] as <c>attend</c> writes it: "verticals", "slashes", "blocks".</summary>
    public IReadOnlyDictionary<string, int[][]> Lists { get; init; } = new Dictionary<string, int[][]>();

    /// <summary>The reference's own sparsity figure by query head, where it is measured from the selection; else empty.</summary>
    public double[] NominalSparsity { get; init; } = [];

    /// <summary>Query-key pairs attended, summed over query heads, element-exact.</summary>
    /// <param name="queryHeads">Query heads of the layer.</param>
    public long CountPairs(int queryHeads) =>
        Plans.Count == 1 ? Plans[0].CountPairs() * queryHeads : Plans.Sum(p => p.CountPairs());
}

/// <summary>A method that makes generation sparse: it evicts prompt tokens once, or selects tokens at every step.</summary>
public abstract class DecodeMethod : AttentionMethod
{
    /// <inheritdoc/>
    public override AttentionPhase Phase => AttentionPhase.Decode;

    /// <summary>Which prompt tokens each KV head keeps, ascending; null: all. Called once a layer.</summary>
    public virtual KeptTokens? Compress(PromptLayer layer, MethodParameters parameters) => null;

    /// <summary>Creates what selects tokens at every step for one sequence; null: every step attends to the whole cache.</summary>
    /// <param name="parameters">The parameters.</param>
    /// <param name="caches">The sequence's cache, layer by layer, holding the prompt; null for layers that the method does not touch.</param>
    public virtual StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches) => null;
}

/// <summary>Prompt tokens that an eviction keeps.</summary>
/// <param name="ByHead">[KV heads] ascending token indices.</param>
/// <param name="ForcedCount">How many of them, over all heads, are always kept.</param>
public sealed record KeptTokens(int[][] ByHead, long ForcedCount);

/// <summary>Selects cached tokens at every decode step of one sequence.</summary>
public abstract unsafe class StepSelector : IDisposable
{
    /// <summary>Tokens always kept, over all lists of all calls so far.</summary>
    public long ForcedCount { get; protected set; }

    /// <summary>Bytes of index data (page bounds) read so far.</summary>
    public long IndexBytesRead { get; protected set; }

    /// <summary>Chooses for one layer, after the step's key was appended to the cache.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="cache">The layer's cache; its last token is the step's own.</param>
    /// <param name="queries">[query heads, dimension], after rotary embedding.</param>
    /// <param name="queryHeads">Number of query heads.</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <returns>The tokens to attend to; null for all.</returns>
    public abstract DecodeSelection? Select(int layer, LayerCache cache, float* queries, int queryHeads, float scale);

    /// <summary>Forgets what it knows of tokens beyond the first <paramref name="generatedLength"/> generated ones.</summary>
    public abstract void Truncate(int generatedLength);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
