using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Advises a method and its budget for tasks and lengths: what is shown to lose less than a margin, and why; from your own results, or from a summary of the embedded models'.</summary>
/// <remarks>
/// For each phase it takes, of what non-inferiority shows to lose less than the margin on every task asked for, the fastest; where no speed is known, what leaves
/// out most. What is not shown is never advised: then it says dense attention, and how many samples would be needed, or that dense attention itself is not
/// clearly above chance, so that no loss could be seen. Between two lengths that were run it advises what is shown at both and says that it interpolates (IsInterpolated);
/// beyond them it advises nothing. With several lengths the budget comes as a schedule. The rows can be piped to Invoke-SparseAttentionRun. Where nothing is piped, the advice
/// is from the summary of measured results that comes with the module: of the embedded models only, and each row says so (Source). What it holds is in docs/analysis.md, as are
/// the statistics.
/// </remarks>
/// <example>
/// Advises what to use with the embedded model, from the summary that comes with the module.
/// <code>Get-SparsityRecommendation -Model frontier-3m -Task StoryMultiHop -SequenceLength 2048 -MaximumDrop 0.05</code>
/// </example>
/// <example>
/// Advises from your own results, and says why.
/// <code>Get-SparseAttentionResult ./lengths | Get-SparsityRecommendation -Task Niah -SequenceLength 1024 -MaximumDrop 0.2 | Format-List Method, DecodeMethod, ToleratedSparsity, LossHigh, Reason</code>
/// </example>
/// <example>
/// Predicts speed-ups from kernels measured on this device.
/// <code>$kernels = Measure-SparseKernel Quest -SequenceLength 1024, 2048 -Sparsity 0.3, 0.9 -IterationCount 1
/// Get-SparseAttentionResult ./lengths | Get-SparsityRecommendation -MaximumDrop 0.2 -KernelMeasurement $kernels</code>
/// </example>
/// <example>
/// Runs what is advised, with a budget that follows the length.
/// <code>Get-SparseAttentionResult ./lengths | Get-SparsityRecommendation -MaximumDrop 0.2 | Invoke-SparseAttentionRun -SampleCount 2</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparsityRecommendation")]
[OutputType(typeof(SparsityRecommendation))]
public sealed class GetSparsityRecommendationCommand : SparseFrontierCmdlet
{
    private readonly List<SparseAttentionResult> _results = [];

    /// <summary>Rows of results, dense runs of the same samples among them; their folders must be here.</summary>
    /// <value>The summary that comes with the module</value>
    [Parameter(Position = 0, ValueFromPipeline = true, HelpMessage = "Rows of results, dense runs among them.")]
    [RowTransformation(typeof(SparseAttentionResult), nameof(SparseAttentionResult.Method))]
    [ValidateNotNull]
    public SparseAttentionResult[] InputObject { get; set; } = [];

    /// <summary>Models to advise for.</summary>
    /// <value>All of the rows</value>
    [Parameter(HelpMessage = "Models to advise for; wildcards match.")]
    [ArgumentCompleter(typeof(ModelCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Model { get; set; } = [];

    /// <summary>Tasks, each of which must be shown to tolerate what is advised.</summary>
    /// <value>Those of the rows that were run at every length that counts</value>
    [Parameter(HelpMessage = "Tasks, each of which must tolerate what is advised; wildcards match.")]
    [ArgumentCompleter(typeof(TaskCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Task { get; set; } = [];

    /// <summary>Prompt lengths, in tokens.</summary>
    /// <value>All of the rows</value>
    [Parameter(HelpMessage = "Prompt lengths, in tokens.")]
    [NumberTransformation(typeof(int))]
    [Alias("Length")]
    [ValidateNotNull]
    public int[] SequenceLength { get; set; } = [];

    /// <summary>The mean loss of score that is accepted, above 0 and below 1: 0.05 for five points of a hundred.</summary>
    [Parameter(HelpMessage = "The mean loss of score that is accepted, 0.05 for five points of a hundred.")]
    public double MaximumDrop { get; set; } = 0.05;

    /// <summary>Takes the loss as a share of the dense score.</summary>
    [Parameter(HelpMessage = "The loss is a share of the dense score.")]
    public SwitchParameter Relative { get; set; }

    /// <summary>Confidence of what is shown at a length, over all methods, from 0.5 to below 1.</summary>
    [Parameter(HelpMessage = "Confidence of what is shown at a length, over all methods.")]
    public double ConfidenceLevel { get; set; } = 0.95;

    /// <summary>Rows of Measure-SparseKernel, or what 'kernels measure --json' wrote, to predict speed-ups from.</summary>
    /// <value>The seconds of the runs, of generation where they stepped alone (-BatchSize 1); of the shipped summary its kernels</value>
    [Parameter(HelpMessage = "Rows of Measure-SparseKernel to predict speed-ups from.")]
    [RowTransformation(typeof(SparseFrontier.KernelMeasurement), nameof(SparseFrontier.KernelMeasurement.Method), nameof(SparseFrontier.KernelMeasurement.Phase))]
    [ValidateNotNull]
    public KernelMeasurement[] KernelMeasurement { get; set; } = [];

    /// <summary>The device whose speed counts.</summary>
    /// <value>That of the rows; of the shipped summary cpu</value>
    [Parameter(HelpMessage = "The device whose speed counts: cpu or cuda:0.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    [ValidateNotNull]
    public string Device { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord() => _results.AddRange(InputObject);

    /// <inheritdoc/>
    protected override void EndProcessing() => Run(() => new RecommendOperation
    {
        Results = MyInvocation.ExpectingInput || MyInvocation.BoundParameters.ContainsKey(nameof(InputObject)) ? _results : null,
        Model = Model,
        Task = Task,
        SequenceLength = SequenceLength,
        MaximumDrop = MaximumDrop,
        Relative = Relative,
        ConfidenceLevel = ConfidenceLevel,
        Kernel = KernelMeasurement,
        Device = Device,
    }.Execute);
}
