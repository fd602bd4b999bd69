namespace SparseFrontier.Kernels;

/// <summary>
/// Which cached tokens one decode step of one layer attends to: per list ascending, disjoint ranges of token indices. There is one list per
/// KV head (its query heads share it) or one per query head.
/// </summary>
/// <param name="Lists">[KV heads] or [query heads] lists.</param>
public sealed record DecodeSelection(KeyRange[][] Lists)
{
    /// <summary>The ranges of a query head.</summary>
    public KeyRange[] ForQueryHead(int queryHead, int queryHeads) => Lists[queryHead * Lists.Length / queryHeads];
}
