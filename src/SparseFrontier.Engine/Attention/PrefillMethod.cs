using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>A method that makes the reading of the prompt sparse.</summary>
public abstract class PrefillMethod : AttentionMethod
{
    /// <inheritdoc/>
    public override AttentionPhase Phase => AttentionPhase.Prefill;

    /// <summary>Chooses what every query head of a layer attends to.</summary>
    /// <exception cref="BudgetInfeasibleException">The budget does not hold what is always kept.</exception>
    public virtual PrefillSelection Select(PromptLayer layer, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(layer);
        RequireFeasible(layer.Shape, parameters);
        var heads = new HeadSelection[layer.Queries.Heads];
        WorkerPool.For(heads.Length, head => heads[head] = SelectHead(layer, head, parameters), layer.CancellationToken);
        return PrefillSelection.Of(heads);
    }

    /// <summary>
    /// The sparsity, mean over query heads, that each of several budgets would give on a layer: what a calibration needs, one dense
    /// prefill serving all budgets.
    /// </summary>
    /// <param name="layer">Queries and keys of a calibration sample.</param>
    /// <param name="parameters">The other parameters.</param>
    /// <param name="budgets">Values for <see cref="AttentionMethod.WithBudget"/>.</param>
    /// <returns>[budgets], element-exact.</returns>
    public virtual double[] MeasureSparsity(PromptLayer layer, MethodParameters parameters, IReadOnlyList<double> budgets)
    {
        ArgumentNullException.ThrowIfNull(layer);
        double causal = (double)layer.Shape.CausalPairs * layer.Queries.Heads;
        return [.. budgets.Select(budget => 1 - (Select(layer, WithBudget(parameters, budget)).CountPairs(layer.Queries.Heads) / causal))];
    }

    /// <summary>Chooses for one query head with the parameters that hold there.</summary>
    private protected abstract HeadSelection ChooseHead(PromptLayer layer, int queryHead, MethodParameters parameters);

    private HeadSelection SelectHead(PromptLayer layer, int queryHead, MethodParameters parameters)
    {
        var place = new BudgetPlace(layer.Layer, queryHead / layer.GroupSize, layer.Length, BudgetPlace.Prompt);
        return At(parameters, place) is { } local ? ChooseHead(layer, queryHead, local) : HeadSelection.Dense(layer.Length);
    }
}

/// <summary>What a prefill method chose for one query head.</summary>
/// <param name="Plan">What its rows attend to.</param>
/// <param name="ForcedPairs">Pairs that are always kept.</param>
/// <param name="Lists">The raw choice by name.</param>
/// <param name="NominalSparsity">The reference's own figure, where it is measured.</param>
internal sealed record HeadSelection(AttentionPlan Plan, long ForcedPairs, IReadOnlyDictionary<string, int[]> Lists, double? NominalSparsity = null)
{
    public static HeadSelection Dense(int length) => new(AttentionPlan.Dense(length), 0, new Dictionary<string, int[]>(), 0);
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

    internal static PrefillSelection Of(HeadSelection[] heads) => new()
    {
        Plans = Array.ConvertAll(heads, h => h.Plan),
        ForcedPairs = heads.Sum(h => h.ForcedPairs),
        Lists = heads.SelectMany(h => h.Lists.Keys).Distinct().ToDictionary(
            name => name,
            name => Array.ConvertAll(heads, h => h.Lists.GetValueOrDefault(name, []))),
        NominalSparsity = Array.TrueForAll(heads, h => h.NominalSparsity.HasValue) ? Array.ConvertAll(heads, h => h.NominalSparsity!.Value) : [],
    };
}
