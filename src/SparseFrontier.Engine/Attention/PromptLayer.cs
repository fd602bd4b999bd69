using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Lengths and head counts that a budget depends on.</summary>
/// <param name="Length">Prompt tokens.</param>
/// <param name="QueryHeads">Query heads of a layer.</param>
/// <param name="KvHeads">KV heads of a layer.</param>
public sealed record PromptShape(int Length, int QueryHeads, int KvHeads)
{
    /// <summary>
    /// The layers that a sparsity is the mean of, by index: a model's global-attention layers. They matter only to a budget schedule that
    /// is not uniform.
    /// </summary>
    public IReadOnlyList<int> Layers { get; init; } = [0];

    /// <summary>Causal query-key pairs of one head.</summary>
    public long CausalPairs => (long)Length * (Length + 1) / 2;
}

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
