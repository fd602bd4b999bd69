using SparseFrontier.Kernels;

namespace SparseFrontier.Attention;

/// <summary>SnapKV with one budget for all KV heads of a layer: heads that need more get more, above a floor.</summary>
public class AdaSnapKV : EvictionMethod
{
    private const string MinimumHeadRatio = "MinimumHeadRatio";

    /// <inheritdoc/>
    public override string Name => "AdaSnapKV";

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("tokens", "largest attention of the last queries, smoothed", "adaptive over the heads of a layer", "eviction");

    /// <inheritdoc/>
    public override string Description => "As SnapKV, but the KV heads of a layer share one budget by importance, each above a floor.";

    /// <inheritdoc/>
    public override string Source => "Ada-KV, Feng et al. 2024, arXiv:2407.11550; variant of The Sparse Frontier, arXiv:2504.17768, section 3";

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters { get; } =
    [
        .. SharedParameters,
        .. SnapKVScores.Parameters,
        new(MinimumHeadRatio, 0.2, 0, 1, false, "Share of Capacity that each KV head keeps by its own ranking before heads compete."),
    ];

    /// <inheritdoc/>
    public override double? NominalSparsity(PromptShape shape, MethodParameters parameters) => UniformSparsity(shape, parameters);

    /// <inheritdoc/>
    protected override void Validate(MethodParameters parameters) => SnapKVScores.Validate(Name, parameters);

    /// <summary>The observation window.</summary>
    public override int QueriesNeeded(MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Integer(SnapKVScores.Window);
    }

    /// <summary>Maximum over the group's query heads and over the window, pooled.</summary>
    internal override float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters) =>
        SnapKVScores.Create(layer, parameters, (observed, size) => observed.AverageMaxima(size));

    /// <summary>
    /// Each head's best up to its floor; what is left of the layer's budget goes to the best of all heads. A budget schedule that makes a head
    /// dense takes it out of the competition; a factor on a head scales its floor and what it adds to the shared budget.
    /// </summary>
    private protected override int[][] Keep(float[][] scores, int[] capacities, MethodParameters parameters)
    {
        int length = scores[0].Length;
        bool[] kept = new bool[scores.Length * length];
        float[] rest = new float[kept.Length];
        int left = capacities.Sum();
        for (int head = 0; head < scores.Length; head++)
        {
            if (capacities[head] == length)
            {
                kept.AsSpan(head * length, length).Fill(true);
                rest.AsSpan(head * length, length).Fill(float.NegativeInfinity);
                left -= length;
                continue;
            }

            int floor = Math.Max((int)Math.Floor(parameters[MinimumHeadRatio] * capacities[head]), Forced(length, parameters));
            scores[head].CopyTo(rest, head * length);
            foreach (int token in TopK.Select(scores[head], floor))
            {
                kept[(head * length) + token] = true;
                rest[(head * length) + token] = float.NegativeInfinity;
            }

            left -= floor;
        }

        foreach (int index in TopK.Select(rest, left))
        {
            kept[index] = true;
        }

        int[][] tokens = new int[scores.Length][];
        for (int head = 0; head < scores.Length; head++)
        {
            Span<bool> flags = kept.AsSpan(head * length, length);
            tokens[head] = new int[flags.Count(true)];
            int filled = 0;
            for (int token = 0; token < length; token++)
            {
                if (flags[token])
                {
                    tokens[head][filled++] = token;
                }
            }
        }

        return tokens;
    }
}
