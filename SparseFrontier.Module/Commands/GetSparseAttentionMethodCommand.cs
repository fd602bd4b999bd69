using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists the sparse-attention methods that runs can use.</summary>
/// <remarks>
/// A method of phase Prefill makes the reading of the prompt sparse, one of phase Decode the generation; a run takes one of each. A control
/// is no method to use but one to compare with.
/// </remarks>
/// <example>
/// Lists all methods.
/// <code>Get-SparseAttentionMethod</code>
/// </example>
/// <example>
/// Shows everything about one: parameters, taxonomy, source.
/// <code>Get-SparseAttentionMethod Quest | Format-List</code>
/// </example>
/// <example>
/// Places the decode methods in the taxonomy, controls among them.
/// <code>Get-SparseAttentionMethod -Phase Decode -IncludeControl | Format-Table Name, Unit, ImportanceEstimation, BudgetAllocation, CacheManagement</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionMethod")]
[OutputType(typeof(SparseAttentionMethod))]
public sealed class GetSparseAttentionMethodCommand : SparseFrontierCmdlet
{
    /// <summary>Names of methods. A control named without wildcards is always listed.</summary>
    /// <value>All methods but controls</value>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of methods; wildcards match.")]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    [Alias("Method")]
    [ValidateNotNull]
    public string[] Name { get; set; } = [];

    /// <summary>Only methods of this phase: those that make the reading of the prompt sparse, or those that make generation sparse.</summary>
    /// <value>Both phases</value>
    [Parameter(HelpMessage = "Only methods of this phase: Prefill or Decode.")]
    [ValidateSet("Prefill", "Decode")]
    public string? Phase { get; set; }

    /// <summary>Also lists the controls, such as Random and OracleTopK, which say what a method's choice is worth.</summary>
    [Parameter(HelpMessage = "Also list the controls, such as Random and OracleTopK.")]
    public SwitchParameter IncludeControl { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetMethodOperation { Name = Name, Phase = Phase, IncludeControl = IncludeControl }.Execute);
}
