using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>
/// Methods that evict tokens from the prompt's cache once, after the prompt was read: SnapKV, AdaSnapKV and their controls. They differ in
/// how they score a token. Generated tokens are never evicted.
/// </summary>
public abstract class EvictionMethod : DecodeMethod
{
    private protected const string Capacity = "Capacity";
    private const string LocalWindow = "LocalWindow";
    private const string PrefixTokens = "PrefixTokens";

    private protected static readonly MethodParameter[] SharedParameters =
    [
        new(Capacity, 1024, 1, 1 << 24, true, "Prompt tokens kept by each KV head, forced ones included."),
        new(LocalWindow, 128, 0, 1 << 24, true, "Last prompt tokens that are always kept."),
        new(PrefixTokens, 4, 0, 1 << 24, true, "First prompt tokens that are always kept (attention sinks)."),
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<MethodParameter> Parameters => SharedParameters;

    /// <inheritdoc/>
    public override string? BudgetParameter => Capacity;

    /// <inheritdoc/>
    public override (double Minimum, double Maximum) BudgetRange(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        return (Math.Max(1, Forced(shape.Length, parameters)), shape.Length);
    }

    /// <inheritdoc/>
    public override KeptTokens? Compress(PromptLayer layer, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(layer);
        RequireFeasible(layer.Shape, parameters);
        int heads = layer.KvHeads;
        int[] capacities = new int[heads];
        for (int head = 0; head < heads; head++)
        {
            MethodParameters? local = At(parameters, new BudgetPlace(layer.Layer, head, layer.Length, BudgetPlace.Prompt));
            capacities[head] = Math.Min(layer.Length, local?.Integer(Capacity) ?? layer.Length);
        }

        if (Array.TrueForAll(capacities, c => c == layer.Length))
        {
            return null;
        }

        float[][] scores = ScoreTokens(layer, parameters);
        foreach (float[] headScores in scores)
        {
            Force(headScores, parameters);
        }

        int[][] kept = Keep(scores, capacities, parameters);
        return new KeptTokens(kept, CountForced(kept, layer.Length, parameters));
    }

    /// <inheritdoc/>
    protected override double? UniformSparsity(PromptShape shape, MethodParameters parameters)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(parameters);
        return 1 - (Math.Min(parameters[Capacity], shape.Length) / shape.Length);
    }

    /// <summary>Importance of each prompt token for each KV head, [KV heads][length]; the caller's own.</summary>
    internal abstract float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters);

    /// <summary>Chooses by the scores, in which forced tokens are infinite; [KV heads] ascending.</summary>
    private protected virtual int[][] Keep(float[][] scores, int[] capacities, MethodParameters parameters)
    {
        int[][] kept = new int[scores.Length][];
        WorkerPool.For(kept.Length, head => kept[head] = TopK.Select(scores[head], capacities[head]));
        return kept;
    }

    /// <summary>Makes the scores of the forced tokens infinite.</summary>
    private protected static void Force(Span<float> scores, MethodParameters parameters)
    {
        scores[..Math.Min(scores.Length, parameters.Integer(PrefixTokens))].Fill(float.PositiveInfinity);
        scores[Math.Max(0, scores.Length - parameters.Integer(LocalWindow))..].Fill(float.PositiveInfinity);
    }

    /// <summary>A random score for each prompt token of a KV head, by the sample's seed.</summary>
    private protected float[] DrawScores(PromptLayer layer, int head)
    {
        var random = new RandomSource($"attention/{Name}/decode", layer.Seed, layer.Layer, head);
        float[] scores = new float[layer.Length];
        foreach (ref float score in scores.AsSpan())
        {
            score = (float)random.NextDouble();
        }

        return scores;
    }

    /// <summary>How many of the kept tokens, over all heads, count as forced.</summary>
    private protected virtual long CountForced(int[][] kept, int length, MethodParameters parameters) =>
        kept.Count(tokens => tokens.Length < length) * (long)Forced(length, parameters);

    /// <summary>The share of what is kept of a prompt that is always kept; null of parameters that are not this method's.</summary>
    /// <param name="parameters">As rows have them.</param>
    /// <param name="length">Prompt tokens.</param>
    /// <param name="sparsity">Share of the prompt's cache that is not kept.</param>
    internal double? ForcedShare(string parameters, double length, double sparsity)
    {
        try
        {
            return Math.Min(1, Forced((int)Math.Round(length), CreateParameters(parameters)) / Math.Max(1, length * (1 - sparsity)));
        }
        catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.MethodParameterInvalid)
        {
            return null;
        }
    }

    /// <summary>Number of tokens that a KV head always keeps.</summary>
    private protected static int Forced(int length, MethodParameters parameters) =>
        (int)Math.Min(length, parameters[LocalWindow] + parameters[PrefixTokens]);
}
