namespace SparseFrontier.Fuzz;

/// <summary>What a run over one reader came to.</summary>
internal sealed record FuzzTotals
{
    public required string Reader { get; init; }

    public required long Seed { get; init; }

    /// <summary>Inputs that were read.</summary>
    public long Cases { get; set; }

    /// <summary>Inputs that were refused with a documented error.</summary>
    public long Refused { get; set; }

    /// <summary>Ends that were told apart.</summary>
    public int Outcomes { get; set; }

    public double Seconds { get; set; }

    /// <summary>Longest time of a case, in milliseconds.</summary>
    public double SlowestMilliseconds { get; set; }

    /// <summary>Largest share of the allocation that a case may make.</summary>
    public double LargestAllocationShare { get; set; }

    public List<FuzzFinding> Findings { get; set; } = [];
}
