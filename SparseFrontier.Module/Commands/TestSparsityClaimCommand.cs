using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Tests a claim such as 'Quest over SnapKV' on runs of the same samples.</summary>
/// <remarks>
/// 'A over B' claims that A scores more than B by more than the margin; 'A not below B' that it loses less than the margin. A side is a
/// method or a pair of them, with 'at' and a sparsity where not all are meant: 'VerticalSlash+Quest at 0.9 not below Dense'. Without 'at',
/// equal sparsities are compared. Sparsities are measured ones, to 0.01: a run that was asked for another than it left out is not taken for what it was asked,
/// and a warning says so. Where dense attention itself is not clearly above chance a loss could not be seen, and nothing is decided. There is one row for each task, model, length and pair of sparsities: Supported, Refuted, or Underpowered
/// with the number of samples needed. Verdicts are at the confidence level each; the claim for all rows together needs no
/// correction, the choice of one among many does. The statistics are in docs/analysis.md.
/// </remarks>
/// <example>
/// Tests a claim in every cell that both methods were run in.
/// <code>Get-SparseAttentionResult | Test-SparsityClaim 'Quest not below Dense' -Margin 0.05</code>
/// </example>
/// <example>
/// Tests it on one task, with a margin and a higher confidence.
/// <code>Get-SparseAttentionResult | Test-SparsityClaim 'Dense over Quest at 0.5' -Task Niah -Margin 0.02 -ConfidenceLevel 0.99 | Format-List</code>
/// </example>
/// <example>
/// Gives one Boolean for a job: whether the claim is supported in every cell.
/// <code>if (-not (Get-SparseAttentionResult | Test-SparsityClaim 'Quest at 0.5 not below Dense' -Margin 0.1 -Quiet)) { 'not shown' }</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Test, "SparsityClaim")]
[OutputType(typeof(SparsityClaim))]
[OutputType(typeof(bool))]
public sealed class TestSparsityClaimCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>The claim: METHOD [at SPARSITY] over METHOD [at SPARSITY], or METHOD not below METHOD.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "The claim, such as 'Quest over SnapKV' or 'Quest at 0.9 not below Dense'.")]
    [ArgumentCompleter(typeof(ClaimCompleter))]
    [ValidateNotNullOrEmpty]
    public string Claim { get; set; } = "";

    /// <summary>Rows of results, runs of both methods among them.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, HelpMessage = "Rows of results, runs of both methods among them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>Tasks to test the claim on.</summary>
    /// <value>All tasks</value>
    [Parameter(HelpMessage = "Tasks to test the claim on; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Task { get; set; } = [];

    /// <summary>The margin, a part of the score from 0 to below 1; above 0 for 'not below'.</summary>
    [Parameter(HelpMessage = "The margin, 0.02 for two points of a hundred.")]
    public double Margin { get; set; }

    /// <summary>Confidence of a verdict, one-sided, from 0.5 to below 1.</summary>
    [Parameter(HelpMessage = "Confidence of a verdict, one-sided.")]
    public double ConfidenceLevel { get; set; } = 0.95;

    /// <summary>Emits one Boolean instead of rows: whether the claim is supported in every cell.</summary>
    [Parameter(HelpMessage = "Emit one Boolean: whether the claim is supported in every cell.")]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => new TestClaimOperation
    {
        Claim = Claim,
        Results = _results,
        Task = Task,
        Margin = Margin,
        ConfidenceLevel = ConfidenceLevel,
        Quiet = Quiet,
    }.Execute);
}
