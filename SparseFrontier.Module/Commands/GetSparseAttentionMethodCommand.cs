using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists the sparse-attention methods that runs can use.</summary>
/// <remarks>A method of phase Prefill makes the reading of the prompt sparse, one of phase Decode the generation; a run takes one of each.</remarks>
/// <example><code>Get-SparseAttentionMethod</code></example>
/// <example><code>Get-SparseAttentionMethod Quest | Format-List</code></example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionMethod")]
[OutputType(typeof(SparseAttentionMethod))]
public sealed class GetSparseAttentionMethodCommand : SparseFrontierCmdlet
{
    /// <summary>Names; wildcards match.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of methods; wildcards match.")]
    [ArgumentCompleter(typeof(MethodCompleter))]
    [SupportsWildcards]
    [Alias("Method")]
    public string[] Name { get; set; } = [];

    /// <summary>Only methods of one phase.</summary>
    [Parameter(HelpMessage = "Only methods of this phase: Prefill or Decode.")]
    [ValidateSet("Prefill", "Decode")]
    public string? Phase { get; set; }

    /// <summary>Whether to list controls too.</summary>
    [Parameter(HelpMessage = "Also list the controls WindowSink, Random and OracleTopK.")]
    public SwitchParameter IncludeControl { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetMethodOperation { Name = Name, Phase = Phase, IncludeControl = IncludeControl }.Execute);
}
