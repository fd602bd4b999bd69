using System.Globalization;
using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>Says when the dense run of a cell scores so low that the sparse ones have next to nothing to lose: the model does not do the task as it was asked.</summary>
internal static class DenseAdvice
{
    /// <summary>Scores whose interval ends below this say nothing about sparsity.</summary>
    private const double Low = 0.5;

    /// <summary>What to tell the user about the rows of one cell; null where dense attention does the task, or was not run.</summary>
    public static string? Create(IReadOnlyCollection<SparseAttentionResult> rows)
    {
        SparseAttentionResult? dense = rows.FirstOrDefault(r => MethodRegistry.IsDense(r.Method) && MethodRegistry.IsDense(r.DecodeMethod));
        return dense is not { Score: { } score, ScoreHigh: < Low } || rows.Count < 2
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Dense attention scores {score:F2} on {dense.Task} at {dense.SequenceLength} tokens: {dense.Model} does not do the task as asked here, so that these runs say little about sparsity. ")
                + (dense.ShortInstructions ? "Try " : "Try -ShortInstructions (--short-instructions), ")
                + "easier task parameters (Get-SparseAttentionTask lists them), another length or another model.";
    }
}
