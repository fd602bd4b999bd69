namespace SparseFrontier;

/// <summary>
/// Time of one attention layer with one method at one length: what choosing costs, what attending costs, and what both together save against
/// dense attention timed in the same run. Flat, so that it survives JSON, CSV and remoting.
/// </summary>
public sealed record KernelMeasurement
{
    /// <summary>"Prefill" or "Decode".</summary>
    public string Phase { get; init; } = "";

    /// <summary>Method; "Dense" is what the others are compared with.</summary>
    public string Method { get; init; } = "";

    /// <summary>Type of keys and values: "F32" in prefill on a processor, "BF16" in a decode cache and on a GPU.</summary>
    public string DataType { get; init; } = "";

    /// <summary>Device that computed.</summary>
    public string Device { get; init; } = "";

    /// <summary>Prompt tokens.</summary>
    public int SequenceLength { get; init; }

    /// <summary>Query heads of the layer.</summary>
    public int QueryHeads { get; init; }

    /// <summary>KV heads of the layer.</summary>
    public int KvHeads { get; init; }

    /// <summary>Elements of a head's vector.</summary>
    public int HeadDimension { get; init; }

    /// <summary>Sparsity asked for; null for dense attention.</summary>
    public double? RequestedSparsity { get; init; }

    /// <summary>Share of the pairs (prefill) or of the cached tokens (decode) that was left out, element-exact.</summary>
    public double? Sparsity { get; init; }

    /// <summary>Pairs that the kernel computed, tiles and padding included, over all causal pairs; prefill only.</summary>
    public double? ExecutedDensity { get; init; }

    /// <summary>Parameters of the method, budget included.</summary>
    public string Parameters { get; init; } = "";

    /// <summary>
    /// Floating-point operations of choosing once, as the kernels counted them: of a prompt or of evicting from its cache. Null on a GPU, and for
    /// methods that choose at every step.
    /// </summary>
    public double? IndexOperations { get; init; }

    /// <summary>Median time of choosing.</summary>
    public double? IndexMilliseconds { get; init; }

    /// <summary>Median time of attending.</summary>
    public double? AttentionMilliseconds { get; init; }

    /// <summary>Both together.</summary>
    public double? TotalMilliseconds { get; init; }

    /// <summary>Half the distance between the quartiles of the attention time, over its median.</summary>
    public double? Spread { get; init; }

    /// <summary>Time of dense attention over the total time: above 1 the method pays.</summary>
    public double? SpeedUp { get; init; }

    /// <summary>1 / (1 - sparsity): what leaving the pairs out could gain at best.</summary>
    public double? IdealSpeedUp { get; init; }

    /// <summary>Multiply-adds executed, counted as two operations, in 10^9 a second of attention time; prefill only.</summary>
    public double? GigaOperationsPerSecond { get; init; }

    /// <summary>Bytes of keys, values and page bounds read, in 10^9 a second of total time; decode only.</summary>
    public double? GigaBytesPerSecond { get; init; }

    /// <summary>
    /// Speed over the device's peak measured in the same run: multiply-adds from registers (prefill) or reading memory (decode) on a processor; a large product of cuBLASLt,
    /// null without it, or a large copy on a GPU.
    /// </summary>
    public double? RoofShare { get; init; }

    /// <summary>
    /// Bytes that one layer takes: its queries, keys and values (prefill) or what is cached (decode), and what the first choice of the method allocated, garbage
    /// included.
    /// </summary>
    public long? MemoryBytes { get; init; }

    /// <summary>
    /// Length from which on the method is faster than dense attention, between the measured lengths by interpolation; the shortest length where
    /// it pays at all of them, null where it does not pay at the longest.
    /// </summary>
    public int? CrossoverLength { get; init; }

    /// <summary>Samples of each time.</summary>
    public int IterationCount { get; init; }

    /// <summary>Why nothing was measured.</summary>
    public string? Message { get; init; }

    /// <inheritdoc/>
    public override string ToString() =>
        FormattableString.Invariant($"{Phase} {Method}@{SequenceLength} sparsity {Sparsity:F2}: {TotalMilliseconds:F2} ms, {SpeedUp:F2}x");
}
