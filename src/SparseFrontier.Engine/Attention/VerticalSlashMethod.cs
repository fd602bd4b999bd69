using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>What VerticalSlash and FlexPrefill share: everything but how many verticals and slashes a head gets.</summary>
public abstract class VerticalSlashMethod : PrefillMethod
{
    private protected const string Window = "Window";
    private protected const string ForcedVerticals = "ForcedVerticals";
    private protected const string ForcedSlashes = "ForcedSlashes";

    private protected static readonly MethodParameter[] SharedParameters =
    [
        new(Window, 256, 1, 1 << 20, true, "Last queries of the prompt that importance is estimated from; all of them in a shorter prompt."),
        new(ForcedVerticals, 4, 0, 1 << 20, true, "First key columns that are always kept (attention sinks)."),
        new(ForcedSlashes, 64, 1, 1 << 20, true, "Smallest query-key offsets that are always kept (the local window)."),
    ];

    /// <inheritdoc/>
    public override bool NeedsCalibration => true;

    /// <summary>The mean sparsity that each budget would give on a layer: the attention of the last queries is computed and ranked once.</summary>
    /// <inheritdoc/>
    public override double[] MeasureSparsity(PromptLayer layer, MethodParameters parameters, IReadOnlyList<double> budgets)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(budgets);
        int heads = layer.Queries.Heads;
        long[][] pairs = new long[heads][];
        WorkerPool.For(
            heads,
            head =>
            {
                VerticalSlashRanking ranking = Rank(layer, head, parameters);
                var place = new BudgetPlace(layer.Layer, head / layer.GroupSize, layer.Length, BudgetPlace.Prompt);
                pairs[head] = new long[budgets.Count];
                for (int i = 0; i < budgets.Count; i++)
                {
                    layer.CancellationToken.ThrowIfCancellationRequested();
                    pairs[head][i] = At(WithBudget(parameters, budgets[i]), place) is { } local
                        ? Lower(ranking, local).Plan.Plan.CountPairs()
                        : layer.Shape.CausalPairs;
                }
            },
            layer.CancellationToken);
        double causal = (double)layer.Shape.CausalPairs * heads;
        return [.. Enumerable.Range(0, budgets.Count).Select(i => 1 - (pairs.Sum(p => p[i]) / causal))];
    }

    /// <summary>Pairs of one head that are always kept.</summary>
    internal static long CountForced(int length, MethodParameters parameters) => ForcedPlan(length, parameters).Plan.CountPairs();

    /// <summary>Key columns and offsets of a head in order of importance.</summary>
    private protected virtual VerticalSlashRanking Rank(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        VerticalSlashRanking.Create(layer, queryHead, parameters.Integer(Window));

    /// <summary>How many verticals and slashes a head gets, before clamping to the length and the forced sets.</summary>
    private protected abstract (int Verticals, int Slashes) Counts(VerticalSlashRanking ranking, MethodParameters parameters);

    /// <inheritdoc/>
    private protected override HeadSelection ChooseHead(PromptLayer layer, int queryHead, MethodParameters parameters)
    {
        (VerticalSlashPlan plan, int[] verticals, int[] slashes) =
            Lower(Rank(layer, queryHead, parameters), parameters);
        return new HeadSelection(
            plan.Plan,
            ForcedPlan(layer.Length, parameters).Plan.CountPairs(),
            () => new Dictionary<string, int[]> { ["verticals"] = verticals, ["slashes"] = slashes },
            plan.NominalSparsity);
    }

    /// <summary>What the forced verticals and slashes alone execute; every selection contains it.</summary>
    private protected static VerticalSlashPlan ForcedPlan(int length, MethodParameters parameters) => VerticalSlashPlan.Build(
        length,
        [.. Enumerable.Range(0, Math.Min(length, parameters.Integer(ForcedVerticals)))],
        [.. Enumerable.Range(0, Math.Min(length, parameters.Integer(ForcedSlashes)))]);

    private (VerticalSlashPlan Plan, int[] Verticals, int[] Slashes) Lower(VerticalSlashRanking ranking, MethodParameters parameters)
    {
        (int verticalCount, int slashCount) = Counts(ranking, parameters);
        int forcedVerticals = parameters.Integer(ForcedVerticals);
        int forcedSlashes = parameters.Integer(ForcedSlashes);
        int[] verticals = ranking.Verticals(Math.Max(verticalCount, forcedVerticals), forcedVerticals);
        int[] slashes = ranking.Slashes(Math.Max(slashCount, forcedSlashes), forcedSlashes);
        return (VerticalSlashPlan.Build(ranking.Length, verticals, slashes), verticals, slashes);
    }
}
