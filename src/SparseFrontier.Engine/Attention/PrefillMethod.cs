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
    public PrefillSelection Select(PromptLayer layer, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return Select(layer, parameters, 0, layer.Queries.Heads);
    }

    /// <summary>Chooses what some query heads of a layer attend to; each head's choice depends on its own queries and on its KV head alone.</summary>
    /// <param name="layer">The layer; of its queries, keys and values only those of the heads need be there.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="firstHead">First query head.</param>
    /// <param name="headCount">Number of query heads.</param>
    /// <exception cref="BudgetInfeasibleException">The budget does not hold what is always kept.</exception>
    public virtual PrefillSelection Select(PromptLayer layer, MethodParameters parameters, int firstHead, int headCount)
    {
        ArgumentNullException.ThrowIfNull(layer);
        RequireFeasible(layer.Shape, parameters);
        var heads = new HeadSelection[headCount];
        WorkerPool.For(headCount, head => heads[head] = SelectHead(layer, firstHead + head, parameters), layer.CancellationToken);
        return new PrefillSelection(heads);
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

    /// <summary>Chooses for one query head, dense where the schedule says so.</summary>
    private protected HeadSelection SelectHead(PromptLayer layer, int queryHead, MethodParameters parameters)
    {
        var place = new BudgetPlace(layer.Layer, queryHead / layer.GroupSize, layer.Length, BudgetPlace.Prompt);
        return At(parameters, place) is { } local ? ChooseHead(layer, queryHead, local) : HeadSelection.Dense(layer.Length);
    }
}

/// <summary>What a prefill method chose for one query head.</summary>
/// <param name="Plan">What its rows attend to.</param>
/// <param name="ForcedPairs">Pairs that are always kept.</param>
/// <param name="Lists">Gives the raw choice by name; called only where someone wants to see it, because it may be large.</param>
/// <param name="NominalSparsity">The reference's own figure, where it is measured.</param>
internal sealed record HeadSelection(
    AttentionPlan Plan,
    long ForcedPairs,
    Func<IReadOnlyDictionary<string, int[]>> Lists,
    double? NominalSparsity = null)
{
    public static HeadSelection Dense(int length) => new(AttentionPlan.Dense(length), 0, () => new Dictionary<string, int[]>(), 0);
}

/// <summary>What a prefill method chose for one layer.</summary>
public sealed class PrefillSelection
{
    private readonly HeadSelection[] _heads;

    /// <summary>The choices of all query heads.</summary>
    internal PrefillSelection(HeadSelection[] heads)
    {
        _heads = heads;
        Plans = Array.ConvertAll(heads, h => h.Plan);
        ForcedPairs = heads.Sum(h => h.ForcedPairs);
        NominalSparsity = Array.TrueForAll(heads, h => h.NominalSparsity.HasValue) ? Array.ConvertAll(heads, h => h.NominalSparsity!.Value) : [];
    }

    /// <summary>Dense attention of <paramref name="length"/> rows in all heads.</summary>
    internal PrefillSelection(int length)
    {
        _heads = [];
        Plans = [AttentionPlan.Dense(length)];
        NominalSparsity = [];
    }

    /// <summary>One plan per query head, or a single one that all heads share.</summary>
    public IReadOnlyList<AttentionPlan> Plans { get; }

    /// <summary>Query-key pairs, summed over query heads, that were kept because the method always keeps them (sinks, local windows).</summary>
    public long ForcedPairs { get; }

    /// <summary>The reference's own sparsity figure by query head, where it is measured from the selection; else empty.</summary>
    public IReadOnlyList<double> NominalSparsity { get; }

    /// <summary>The raw choice by name, [query heads, ...] as <c>attend</c> writes it: "verticals", "slashes", "blocks". Computed at each call.</summary>
    public IReadOnlyDictionary<string, int[][]> CreateLists()
    {
        IReadOnlyDictionary<string, int[]>[] lists = Array.ConvertAll(_heads, h => h.Lists());
        return lists.SelectMany(l => l.Keys).Distinct().ToDictionary(
            name => name,
            name => Array.ConvertAll(lists, l => l.GetValueOrDefault(name, [])));
    }

    /// <summary>Query-key pairs attended, summed over query heads, element-exact.</summary>
    /// <param name="queryHeads">Query heads of the layer.</param>
    public long CountPairs(int queryHeads) =>
        Plans.Count == 1 ? Plans[0].CountPairs() * queryHeads : Plans.Sum(p => p.CountPairs());
}
