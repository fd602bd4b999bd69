namespace SparseFrontier.Tasks;

/// <summary>Which parts of a sample come from material that no training sample has: the values of the tasks' parameter of this name.</summary>
[Flags]
internal enum HeldOut
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Words: what is named, asked for and answered.</summary>
    Words = 1,

    /// <summary>The template: the sentences that state the facts.</summary>
    Template = 2,
}
