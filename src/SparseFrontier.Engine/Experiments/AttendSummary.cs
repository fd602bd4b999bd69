namespace SparseFrontier;

/// <summary>What a method chose on the queries, keys and values of one layer.</summary>
public sealed record AttendSummary
{
    /// <summary>Method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Its parameters, budget included.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int Length { get; init; }

    /// <summary>Layer of the model that the file is of; 0 where it does not say.</summary>
    public int Layer { get; init; }

    /// <summary>Sparsity asked for; null where a budget was given.</summary>
    public double? RequestedSparsity { get; init; }

    /// <summary>Share of pairs or cached tokens that was left out, element-exact.</summary>
    public double Sparsity { get; init; }

    /// <summary>The paper's own figure, mean over query heads; null for controls.</summary>
    public double? NominalSparsity { get; init; }

    /// <summary>The file that was read.</summary>
    public string Path { get; init; } = "";

    /// <summary>The file that was written; empty where none was.</summary>
    public string Output { get; init; } = "";
}
