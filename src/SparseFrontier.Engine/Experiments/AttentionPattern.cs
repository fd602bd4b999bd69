namespace SparseFrontier;

/// <summary>
/// What one query head of one layer attends to in one sample, and what a method keeps of it: dense attention and the method's choice are computed
/// from the same queries, keys and values, so that layers and methods can be compared. Flat, so that it survives JSON, CSV and remoting.
/// </summary>
public sealed record AttentionPattern
{
    /// <summary>Model.</summary>
    public string Model { get; init; } = "";

    /// <summary>Task of the sample.</summary>
    public string Task { get; init; } = "";

    /// <summary>Prompt length asked for.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Index of the sample.</summary>
    public int SampleIndex { get; init; }

    /// <summary>Seed of the samples.</summary>
    public long Seed { get; init; }

    /// <summary>Tokens that the method's prefill reads.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Layer, from 0.</summary>
    public int Layer { get; init; }

    /// <summary>Query head, from 0.</summary>
    public int Head { get; init; }

    /// <summary>KV head that the query head reads.</summary>
    public int KvHead { get; init; }

    /// <summary>"Prefill": queries of the prompt; "Decode": queries of the tokens after it.</summary>
    public string Phase { get; init; } = "";

    /// <summary>Method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Its parameters, budget included.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>Sparsity asked for; null where a budget was given or the method is dense.</summary>
    public double? RequestedSparsity { get; init; }

    /// <summary>Share of the head's pairs (prefill) or cached tokens over all steps (decode) that is left out, element-exact.</summary>
    public double Sparsity { get; init; }

    /// <summary>Pairs that the kernel computes, tiles included, over all causal pairs of the head.</summary>
    public double ExecutedDensity { get; init; }

    /// <summary>Attention that the kept keys hold, 0 to 1.</summary>
    public double CapturedMass { get; init; }

    /// <summary>Attention that as many keys would hold at best, the heaviest of each query.</summary>
    public double OracleMass { get; init; }

    /// <summary>CapturedMass / OracleMass: 1 where nothing better could have been kept.</summary>
    public double AttentionRecall { get; init; }

    /// <summary>1 - common keys / all keys of the kept set and the oracle's of the same size (Jaccard distance): 0 where they are the same.</summary>
    public double OracleDistance { get; init; }

    /// <summary>‖sparse - dense output‖ / ‖dense output‖ of the head.</summary>
    public double OutputError { get; init; }

    /// <summary>Share of dense attention on the first 4 tokens.</summary>
    public double FirstTokenMass { get; init; }

    /// <summary>Share of dense attention on the latest 64 tokens, the query's own among them.</summary>
    public double LocalMass { get; init; }

    /// <summary>Share of dense attention on the 64 heaviest columns: tokens that all queries attend to. The first tokens may be among them.</summary>
    public double VerticalMass { get; init; }

    /// <summary>Share of dense attention on the 64 heaviest diagonals: distances that all queries attend to. Local ones may be among them.</summary>
    public double SlashMass { get; init; }

    /// <summary>Keys that hold 95 % of a query's attention, the heaviest first; mean over queries.</summary>
    public double KeysFor95 { get; init; }

    /// <summary>These keys over all that a query sees; mean over queries.</summary>
    public double KeyShareFor95 { get; init; }

    /// <summary>Queries that were measured, spread evenly.</summary>
    public int QueryCount { get; init; }

    /// <summary>Queries that there are.</summary>
    public int QueryTotal { get; init; }

    /// <summary>The trace that was measured; null where a model was run.</summary>
    public string? Path { get; init; }

    /// <summary>"Quest, layer 3 head 1: sparsity 0.90, recall 0.97".</summary>
    public override string ToString() => FormattableString.Invariant($"{Method}, layer {Layer} head {Head}: sparsity {Sparsity:F2}, recall {AttentionRecall:F2}");
}
