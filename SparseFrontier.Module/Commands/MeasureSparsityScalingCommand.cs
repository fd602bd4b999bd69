using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Fits the score of each method to model size, prompt length and compression, and shows how well the largest of each is predicted from the others.</summary>
/// <remarks>
/// Two forms are fitted: the logit of the score, or the score itself, as a sum of an intercept, an offset for each task and slopes in the natural
/// logarithms of parameters, tokens and compression, 1 / (1 - sparsity). The paper prints coefficients without naming its link; the logit is what
/// they allow, so both are fitted and each row says whether its form predicts better. Then, for each axis with three values or more, the largest
/// value is held out and predicted. An axis with one value is left out of the law. Intervals are of a jackknife over cells of a model, length and
/// task. Each coefficient needs three runs; with fewer nothing is fitted. The formulas are in docs/analysis.md.
/// </remarks>
/// <example>
/// Fits each method that was run at several sparsities.
/// <code>Get-SparseAttentionResult ./lengths | Measure-SparsityScaling</code>
/// </example>
/// <example>
/// Shows how well the longest prompts are predicted from the shorter ones.
/// <code>Get-SparseAttentionResult ./lengths | Measure-SparsityScaling | Where-Object HeldOut -EQ Length | Format-Table Form, Task, MeanError, RankCorrelation</code>
/// </example>
/// <example>
/// Shows the slope in the logarithm of compression with its interval.
/// <code>Get-SparseAttentionResult ./lengths | Measure-SparsityScaling | Where-Object HeldOut -EQ None | Format-Table Form, CompressionSlope, CompressionSlopeLow, CompressionSlopeHigh</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Measure, "SparsityScaling")]
[OutputType(typeof(SparsityScaling))]
public sealed class MeasureSparsityScalingCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results, dense runs among them: they are the points of compression 1.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, dense runs among them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => new MeasureScalingOperation { Results = _results }.Execute);
}
