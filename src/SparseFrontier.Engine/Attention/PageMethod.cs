namespace SparseFrontier.Attention;

/// <summary>
/// Methods that attend at every step to some pages of the cache and to the current one: Quest, its controls and users' own. They differ in how
/// they score a page. A cache that the budget covers is attended to whole.
/// </summary>
public abstract class PageMethod : DecodeMethod
{
    internal const string PageSize = "PageSize";
    internal const string TokenBudget = "TokenBudget";
    internal const string SharePages = "SharePages";

    private protected static readonly MethodParameter[] SizeParameters =
    [
        new(PageSize, 16, 1, 4096, true, "Tokens of a page."),
        new(TokenBudget, 1024, 1, 1 << 24, true, "Tokens attended besides the current page; a multiple of PageSize."),
    ];

    private static readonly MethodParameter[] s_parameters =
        [.. SizeParameters, new(SharePages, 1, 0, 1, true, "1: the query heads of a KV head share their pages; 0: each has its own.")];

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters => s_parameters;

    /// <summary>None.</summary>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override string? BudgetParameter => TokenBudget;

    /// <inheritdoc/>
    public override int BudgetUnit(MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Integer(PageSize);
    }

    /// <inheritdoc/>
    public override (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return (parameters.Integer(PageSize), shape.Length);
    }

    /// <summary>Whether the query heads of a KV head have pages of their own.</summary>
    internal bool HasOwnPages(MethodParameters parameters) => Parameters.Any(p => p.Name == SharePages) && !parameters.Flag(SharePages);

    /// <inheritdoc/>
    protected override void Validate(MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Integer(TokenBudget) % parameters.Integer(PageSize) != 0)
        {
            throw new SparseFrontierException(
                ErrorIds.MethodParameterInvalid,
                $"{Name}: TokenBudget = {parameters.Integer(TokenBudget)} is not a multiple of PageSize = {parameters.Integer(PageSize)}.",
                parameters[TokenBudget]);
        }
    }

    /// <summary>Of the prompt's cache: the budget's pages and the last page, as at the first step.</summary>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        int size = parameters.Integer(PageSize);
        int pages = parameters.Integer(TokenBudget) / size;
        int current = (shape.Length - 1) / size;
        return current <= pages ? 0 : 1 - ((((double)pages * size) + shape.Length - ((double)current * size)) / shape.Length);
    }
}
