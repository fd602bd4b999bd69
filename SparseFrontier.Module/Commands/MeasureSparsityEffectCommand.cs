using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Measures how the error of each method changes with the length of the prompt or the size of the model.</summary>
/// <remarks>
/// Scores are means over the tasks and seeds that were run at every length or size, dense runs among them. Between measured sparsities they are
/// interpolated linearly, as the paper does, and the row says so; nothing is extrapolated. For a target error the share and the tokens of
/// the prompt that must be kept are interpolated too, and over lengths fitted by a power law: an exponent of 0 is a fixed budget, of 1 a fixed
/// share. Where samples are here, errors have intervals from resampling them. The formulas are in docs/analysis.md.
/// </remarks>
/// <example>
/// Shows the relative error of each method at each length that was run.
/// <code>Get-SparseAttentionResult ./lengths | Measure-SparsityEffect</code>
/// </example>
/// <example>
/// Shows how many tokens a method must keep at each length to lose a fifth of the dense score.
/// <code>Get-SparseAttentionResult ./lengths | Measure-SparsityEffect -TargetError 0.2 | Format-List SequenceLength, NeededTokens, Exponent, ExponentLow, ExponentHigh</code>
/// </example>
/// <example>
/// Takes the curves at two sparsities, the second between those that were run.
/// <code>Get-SparseAttentionResult ./lengths | Measure-SparsityEffect -By Length -Sparsity 0.5, 0.25</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Measure, "SparsityEffect")]
[OutputType(typeof(SparsityEffect))]
public sealed class MeasureSparsityEffectCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results, dense runs of the same cells among them.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, dense runs among them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>What the error is looked at against. Length: prompt tokens, for each model. Size: the model's parameters, at each length.</summary>
    [Parameter(HelpMessage = "What the error is looked at against: Length or Size.")]
    public EffectAxis By { get; set; }

    /// <summary>Sparsities of the curves, above 0 and below 1.</summary>
    /// <value>Those that were run</value>
    [Parameter(HelpMessage = "Sparsities of the curves.")]
    [NumberTransformation(typeof(double))]
    [ValidateNotNull]
    public double[] Sparsity { get; set; } = [];

    /// <summary>The relative error that the needed budget is for, above 0 and below 1: 0.1 for a tenth of the dense score.</summary>
    [Parameter(HelpMessage = "The relative error that the needed budget is for.")]
    public double TargetError { get; set; } = 0.1;

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => new MeasureEffectOperation
    {
        Results = _results,
        By = By,
        Sparsity = Sparsity,
        TargetError = TargetError,
    }.Execute);
}
