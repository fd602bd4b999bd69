using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>At every step the pages of the cache whose keys could have the largest product with the query.</summary>
public sealed class Quest : PageMethod
{
    /// <inheritdoc/>
    public override string Name => "Quest";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("pages", "bound from each page's smallest and largest keys", "uniform", "full cache");

    /// <inheritdoc/>
    public override string Description => "Every step attends to the pages whose upper bound of query · key is largest, and to the current page.";

    /// <inheritdoc/>
    public override string Source => "Quest, Tang et al. 2024, arXiv:2406.10774; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return 1 - (parameters[TokenBudget] / shape.Length);
    }

    /// <inheritdoc/>
    public override StepSelector? CreateStepSelector(MethodParameters parameters, IReadOnlyList<LayerCache?> caches, KernelSet kernels, long seed)
    {
        ArgumentNullException.ThrowIfNull(caches);
        return new QuestSelector(this, parameters, caches, kernels);
    }
}
