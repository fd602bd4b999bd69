using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>At every step the pages of the cache whose keys could have the largest product with the query.</summary>
public sealed class Quest : DecodeMethod
{
    internal const string PageSize = "PageSize";
    internal const string TokenBudget = "TokenBudget";
    internal const string SharePages = "SharePages";

    /// <inheritdoc/>
    public override string Name => "Quest";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("pages", "bound from each page's smallest and largest keys", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends to the pages whose upper bound of query · key is largest, and to the current page.";

    /// <summary>None.</summary>
    public override int QueriesNeeded(MethodParameters parameters) => 0;

    /// <inheritdoc/>
    public override string Source => "Quest, Tang et al. 2024, arXiv:2406.10774; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        new(PageSize, 16, 1, 4096, true, "Tokens of a page."),
        new(TokenBudget, 1024, 1, 1 << 24, true, "Tokens attended besides the current page; a multiple of PageSize."),
        new(SharePages, 1, 0, 1, true, "1: the query heads of a KV head share their pages; 0: each has its own."),
    ];

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

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return 1 - (parameters[TokenBudget] / shape.Length);
    }

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels)
    {
        ArgumentNullException.ThrowIfNull(caches);
        return new QuestSelector(this, parameters, caches, kernels);
    }

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
        return current <= pages ? 0 : 1 - (((double)pages * size) + shape.Length - ((double)current * size)) / shape.Length;
    }
}
