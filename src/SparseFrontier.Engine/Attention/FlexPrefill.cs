namespace SparseFrontier.Attention;

/// <summary>As many key columns and diagonals in each head as cover a share of its attention, but never fewer than a floor.</summary>
public sealed class FlexPrefill : VerticalSlashMethod
{
    /// <summary>The floor that the paper gives to every solved coverage.</summary>
    private const int PaperFloor = 512;

    private const string Alpha = "Alpha";
    private const string MinimumBudget = "MinimumBudget";

    /// <inheritdoc/>
    public override string Name => "FlexPrefill";

    /// <summary>2: a schedule multiplies the one budget of <see cref="BudgetOf"/>, where 1 multiplied floor and coverage each.</summary>
    public override int Version => 2;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("verticals and slashes", "attention of the last queries", "threshold with a floor", "not applicable");

    /// <inheritdoc/>
    public override string Description =>
        "Every query head keeps as many key columns and diagonals as cover a share Alpha of the attention of the prompt's last queries.";

    /// <inheritdoc/>
    public override string Source => "FlexPrefill, Lai et al. 2025, arXiv:2502.20766; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        new(Alpha, 0.65, 0, 1, false, "Share of the attention mass that the kept columns, and the kept diagonals, cover; 1 keeps all."),
        new(MinimumBudget, 512, 1, 1 << 20, true, "Fewest columns and fewest diagonals of a head."),
        .. SharedParameters.Select(p => p.Name == Window ? p with { Default = 512 } : p),
    ];

    /// <summary>
    /// Alpha, but see <see cref="WithBudget"/>: the budget is one number b. Up to 512 it is the floor, with Alpha 0 (the threshold switched
    /// off, as the paper does where the threshold cannot reach); above, Alpha = (b - 512) / 512 with the paper's floor of 512.
    /// </summary>
    public override string? BudgetParameter => Alpha;

    /// <inheritdoc/>
    public override IReadOnlyList<string> BudgetParameters => [Alpha, MinimumBudget];

    /// <inheritdoc/>
    public override MethodParameters WithBudget(MethodParameters parameters, double budget)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return budget <= PaperFloor
            ? parameters.With(Alpha, 0).With(MinimumBudget, Math.Max(1, Math.Round(budget)))
            : parameters.With(Alpha, Math.Min(1, (budget - PaperFloor) / PaperFloor)).With(MinimumBudget, PaperFloor);
    }

    /// <summary>The number b of <see cref="BudgetParameter"/>; null for a floor and a coverage that no b gives, which a schedule multiplies each.</summary>
    public override double? BudgetOf(MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        double floor = parameters[MinimumBudget];
        double alpha = parameters[Alpha];
        return alpha == 0 && floor <= PaperFloor ? floor : floor == PaperFloor ? PaperFloor * (1 + alpha) : null;
    }

    /// <inheritdoc/>
    public override (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return (Math.Min(PaperFloor, Math.Max(parameters[ForcedVerticals], parameters[ForcedSlashes])), 2 * PaperFloor);
    }

    /// <summary>Every value is feasible: a floor below the forced sets has no effect.</summary>
    public override void RequireFeasible(PromptShape shape, MethodParameters parameters)
    {
    }

    /// <inheritdoc/>
    protected override MethodParameters ScaleBudget(MethodParameters parameters, double factor, PromptShape shape)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return BudgetOf(parameters) is { } budget
            ? WithBudget(parameters, budget * factor)
            : parameters.With(Alpha, Math.Min(1, parameters[Alpha] * factor)).With(MinimumBudget, Scaled(parameters[MinimumBudget], factor, 1, 1));
    }

    /// <inheritdoc/>
    private protected override (int Verticals, int Slashes) Counts(VerticalSlashRanking ranking, MethodParameters parameters)
    {
        int floor = parameters.Integer(MinimumBudget);
        return (
            Math.Max(floor, ranking.VerticalsCovering(parameters[Alpha])),
            Math.Max(floor, ranking.SlashesCovering(parameters[Alpha])));
    }
}
