namespace SparseFrontier.Attention;

/// <summary>The same number of key columns and of diagonals in every head, chosen by the last queries' attention.</summary>
public class VerticalSlash : VerticalSlashMethod
{
    private const string VerticalSize = "VerticalSize";
    private const string SlashSize = "SlashSize";

    /// <inheritdoc/>
    public override string Name => "VerticalSlash";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("verticals and slashes", "attention of the last queries", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => "Every query head keeps the key columns and diagonals that the prompt's last queries attend to most.";

    /// <inheritdoc/>
    public override string Source => "MInference, Jiang et al. 2024, arXiv:2407.02490; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        new(VerticalSize, 512, 1, 1 << 20, true, "Key columns kept by each query head, forced ones included."),
        new(SlashSize, 512, 1, 1 << 20, true, "Diagonals kept by each query head, forced ones included; each is executed 64 keys wide."),
        .. SharedParameters,
    ];

    /// <summary>VerticalSize; the budget sets SlashSize to the same value, as the paper does.</summary>
    public override string? BudgetParameter => VerticalSize;

    /// <inheritdoc/>
    public override IReadOnlyList<string> BudgetParameters => [VerticalSize, SlashSize];

    /// <inheritdoc/>
    public override MethodParameters WithBudget(MethodParameters parameters, double budget)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.With(VerticalSize, Math.Round(budget)).With(SlashSize, Math.Round(budget));
    }

    /// <inheritdoc/>
    public override (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return (Math.Min(shape.Length, Math.Max(1, Math.Max(parameters.Integer(ForcedVerticals), parameters.Integer(ForcedSlashes)))), shape.Length);
    }

    /// <inheritdoc/>
    public override void RequireFeasible(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        int forcedVerticals = Math.Min(shape.Length, parameters.Integer(ForcedVerticals));
        int forcedSlashes = Math.Min(shape.Length, parameters.Integer(ForcedSlashes));
        if (parameters.Integer(VerticalSize) < forcedVerticals || parameters.Integer(SlashSize) < forcedSlashes)
        {
            double most = 1 - ((double)ForcedPlan(shape.Length, parameters).Plan.CountPairs() / shape.CausalPairs);
            throw new BudgetInfeasibleException(
                $"{Name} at {shape.Length} tokens: {Counted.Of(parameters.Integer(VerticalSize), "vertical")} and {Counted.Of(parameters.Integer(SlashSize), "slash", "slashes")} cannot hold "
                + $"the {forcedVerticals} and {forcedSlashes} that are always kept. Give at least those "
                + FormattableString.Invariant($"(sparsity {most:F4} at most), or lower {ForcedVerticals} and {ForcedSlashes}."),
                most,
                parameters.Integer(VerticalSize));
        }
    }

    /// <inheritdoc/>
    protected override MethodParameters ScaleBudget(MethodParameters parameters, double factor, PromptShape shape)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters
            .With(VerticalSize, Scaled(parameters[VerticalSize], factor, 1, Math.Max(1, parameters[ForcedVerticals])))
            .With(SlashSize, Scaled(parameters[SlashSize], factor, 1, parameters[ForcedSlashes]));
    }

    /// <inheritdoc/>
    private protected override (int Verticals, int Slashes) Counts(VerticalSlashRanking ranking, MethodParameters parameters) =>
        (parameters.Integer(VerticalSize), parameters.Integer(SlashSize));
}
