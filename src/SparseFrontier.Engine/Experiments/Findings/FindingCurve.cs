using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Findings;

/// <summary>Where runs are asked the same questions, whatever their model.</summary>
/// <param name="Task">Task.</param>
/// <param name="Length">Prompt tokens.</param>
/// <param name="Seed">Seed.</param>
/// <param name="Protocol">How it is asked (<see cref="Analysis.Protocol"/>).</param>
/// <param name="IsCompressedBefore">Whether caches are compressed before the question is known.</param>
/// <param name="Questions">Equal where the questions are, however long an answer may be: how they are put (<see cref="Analysis.Protocol.Questions"/>), and the gold of the first, because models with other tokenizers are asked others.</param>
internal sealed record FindingCell(string Task, int Length, long Seed, string Protocol, bool IsCompressedBefore, string Questions);

/// <summary>A run of a curve.</summary>
/// <param name="Sparsity">Measured sparsity.</param>
/// <param name="Scores">Scores by index; NaN where a sample is missing.</param>
/// <param name="Row">The row.</param>
internal sealed record FindingLevel(double Sparsity, double[] Scores, SparseAttentionResult Row);

/// <summary>The scores of one method, model and cell by rising sparsity, dense attention at 0.</summary>
/// <param name="Model">Model.</param>
/// <param name="Cell">Cell.</param>
/// <param name="Method">Method.</param>
/// <param name="IsPrefill">Whether it is the prefill method of that name.</param>
/// <param name="Variant">Parameters that an ablation changed; empty: none.</param>
/// <param name="Dense">The dense run.</param>
/// <param name="Levels">Runs that count, by rising sparsity.</param>
internal sealed record FindingCurve(string Model, FindingCell Cell, string Method, bool IsPrefill, string Variant, FindingLevel Dense, FindingLevel[] Levels)
{
    /// <summary>A sparsity this near to a measured one counts as measured, as in curves of effects.</summary>
    private const double Near = 0.011;

    /// <summary>Runs further apart than from 0 to 0.5, measured, say nothing of what lies between: what was run at high levels alone loses in no straight line up to them.</summary>
    public const double WidestStep = 0.52;

    /// <summary>Whether the method is a control.</summary>
    public bool IsControl { get; } = IsControlMethod(Method, IsPrefill);

    /// <summary>Whether a method is a control; one that is not known here is none.</summary>
    public static bool IsControlMethod(string method, bool isPrefill) => (isPrefill ? (AttentionMethod?)MethodLookup.Prefill(method) : MethodLookup.Decode(method))?.IsControl ?? false;

    /// <summary>Whether a sparsity was measured.</summary>
    public bool Measures(double sparsity) => Levels.Any(l => Math.Abs(l.Sparsity - sparsity) <= Near);

    /// <summary>The score of each sample at a sparsity: as measured, or linear between the measured ones, as the paper does; null beyond the largest, and between two that are too far apart. Scores stay between 0 and 1.</summary>
    public double[]? At(double sparsity)
    {
        FindingLevel before = Dense;
        foreach (FindingLevel level in Levels)
        {
            if (Math.Abs(level.Sparsity - sparsity) <= Near)
            {
                return level.Scores;
            }

            if (sparsity < level.Sparsity)
            {
                if (level.Sparsity - before.Sparsity > WidestStep)
                {
                    return null;
                }

                double share = (sparsity - before.Sparsity) / (level.Sparsity - before.Sparsity);
                return [.. before.Scores.Zip(level.Scores, (a, b) => a + (share * (b - a)))];
            }

            before = level;
        }

        return null;
    }

    /// <summary>The mean dense score.</summary>
    public double DenseMean => Dense.Scores.Where(s => !double.IsNaN(s)).Average();
}
