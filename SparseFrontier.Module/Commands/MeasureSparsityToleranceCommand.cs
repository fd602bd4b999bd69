using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Finds the largest sparsity at which each method is shown to lose less than a margin against dense attention.</summary>
/// <remarks>
/// A sparsity is tolerated if the one-sided bound of the paired loss is below the margin there and at every lower tested sparsity. What the
/// samples do not show is not claimed: then the row says how many would be needed. Rows must come from runs whose folders are here, because
/// samples are compared one by one; -Criterion Paper takes rows alone. The statistics are in docs/analysis.md.
/// </remarks>
/// <example>
/// Finds how far each method can go and lose at most five points of a hundred.
/// <code>Get-SparseAttentionResult | Measure-SparsityTolerance -MaximumDrop 0.05</code>
/// </example>
/// <example>
/// Takes a tenth of the dense score as the margin, and of each method the task that tolerates least.
/// <code>Get-SparseAttentionResult | Measure-SparsityTolerance -Relative -MaximumDrop 0.1 -WorstTask | Sort-Object ToleratedSparsity -Descending</code>
/// </example>
/// <example>
/// Applies the rule of the paper's first version, which takes what is not significant as tolerated.
/// <code>Get-SparseAttentionResult | Measure-SparsityTolerance -Criterion Paper</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Measure, "SparsityTolerance")]
[OutputType(typeof(SparsityTolerance))]
public sealed class MeasureSparsityToleranceCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results, dense runs of the same cells among them; their folders must be here unless the criterion is the paper's.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, dense runs among them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>The mean loss of score that is accepted, above 0 and below 1: 0.05 for five points of a hundred.</summary>
    [Parameter(HelpMessage = "The mean loss of score that is accepted, 0.05 for five points of a hundred.")]
    public double MaximumDrop { get; set; } = 0.05;

    /// <summary>Takes the loss as a share of the dense score.</summary>
    [Parameter(HelpMessage = "The loss is a share of the dense score.")]
    public SwitchParameter Relative { get; set; }

    /// <summary>Confidence of a claim, one-sided, from 0.5 to below 1.</summary>
    [Parameter(HelpMessage = "Confidence of a claim, one-sided.")]
    public double ConfidenceLevel { get; set; } = 0.95;

    /// <summary>What counts as tolerated. NonInferiority: the loss is shown to be below the margin. Paper: the loss is not significant, as in the paper's first version.</summary>
    [Parameter(HelpMessage = "NonInferiority: the loss is shown to be below the margin. Paper: the loss is not significant, as in the paper's first version.")]
    public ToleranceCriterion Criterion { get; set; }

    /// <summary>Over what the chance of any false claim is controlled: the methods of one model, task and length (Cell), everything given (All), or each method alone (None).</summary>
    [Parameter(HelpMessage = "Over what the chance of any false claim is controlled: the methods of one model, task and length (Cell), everything (All), or nothing (None).")]
    public ToleranceCorrection Correction { get; set; }

    /// <summary>Emits only the worst task of each method, model and length.</summary>
    [Parameter(HelpMessage = "Emit only the worst task of each method, model and length.")]
    public SwitchParameter WorstTask { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => new MeasureToleranceOperation
    {
        Results = _results,
        MaximumDrop = MaximumDrop,
        Relative = Relative,
        ConfidenceLevel = ConfidenceLevel,
        Criterion = Criterion,
        Correction = Correction,
        WorstTask = WorstTask,
    }.Execute);
}
