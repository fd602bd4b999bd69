using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Compares runs with a baseline, sample by sample, and tells regressions from chance.</summary>
/// <remarks>
/// Each run of the baseline is compared with the run of the same task, length, seed, protocol, model, methods, sparsities and parameters. Verdicts
/// hold over all rows together (Holm). Where samples are not here, means and standard errors are compared instead. With -FailOn a failed
/// comparison is the error ComparisonFailed after the last row, which ends a job that runs with $ErrorActionPreference = 'Stop'. The
/// statistics are in docs/analysis.md.
/// </remarks>
/// <example>
/// Compares tonight's runs with those of a release.
/// <code>Get-SparseAttentionResult ./nightly | Compare-SparseAttentionResult (Get-SparseAttentionResult ./baseline)</code>
/// </example>
/// <example>
/// Fails where a loss of more than two points of a hundred is shown, or a run is missing.
/// <code>Get-SparseAttentionResult ./nightly | Compare-SparseAttentionResult (Get-SparseAttentionResult ./baseline) -MaximumDrop 0.02 -FailOn Regression</code>
/// </example>
/// <example>
/// Compares sparse runs with the dense ones of the same models.
/// <code>Get-SparseAttentionResult -Method Quest | Compare-SparseAttentionResult (Get-SparseAttentionResult -Method Dense -DecodeMethod Dense) -Property Model</code>
/// </example>
[Cmdlet(VerbsData.Compare, "SparseAttentionResult")]
[OutputType(typeof(ResultDifference))]
public sealed class CompareSparseAttentionResultCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _candidate = [];

    /// <summary>Rows of the baseline.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "Rows of the baseline.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] ReferenceObject { get; set; } = [];

    /// <summary>Rows to compare with the baseline.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, HelpMessage = "Rows to compare with the baseline.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] DifferenceObject { get; set; } = [];

    /// <summary>Columns that a run and its baseline have in common, besides task, length, seed and protocol.</summary>
    /// <value>Model, methods, requested sparsities, budget schedule, and parameters other than the budget</value>
    [Parameter(HelpMessage = "Columns that a run and its baseline have in common, besides task, length, seed and protocol.")]
    [ArgumentCompleter(typeof(ColumnCompleter))]
    [ValidateNotNull]
    public string[] Property { get; set; } = [];

    /// <summary>The mean loss of score that is accepted, from 0 to below 1: 0.02 for two points of a hundred.</summary>
    [Parameter(HelpMessage = "The mean loss of score that is accepted, 0.02 for two points of a hundred.")]
    public double MaximumDrop { get; set; }

    /// <summary>Confidence of the verdicts over all rows together, one-sided, from 0.5 to below 1.</summary>
    [Parameter(HelpMessage = "Confidence of the verdicts over all rows together, one-sided.")]
    public double ConfidenceLevel { get; set; } = 0.95;

    /// <summary>
    /// What makes the comparison fail. Regression: a run is shown to lose more than the margin. Doubt: a run is not shown to lose less. Change: any
    /// score or output differs. A missing run fails all three. Never: nothing does.
    /// </summary>
    [Parameter(HelpMessage = "What makes the comparison fail: a shown Regression, a Doubt, any Change, or nothing (Never).")]
    public ComparisonGate FailOn { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _candidate.AddRange(DifferenceObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => new CompareResultOperation
    {
        Baseline = ReferenceObject,
        Candidate = _candidate,
        Property = Property,
        MaximumDrop = MaximumDrop,
        ConfidenceLevel = ConfidenceLevel,
        FailOn = FailOn,
    }.Execute);
}
