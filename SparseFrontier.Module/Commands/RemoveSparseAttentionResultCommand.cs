using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Removes stored runs with their samples.</summary>
/// <remarks>
/// It asks before each run, unless -Confirm:$false is given. A run that a process works on is refused (RunBusy). What is removed cannot be restored: export a
/// bundle first if the outputs may be needed again.
/// </remarks>
/// <example>
/// Says which runs would go.
/// <code>Get-SparseAttentionResult -Status Failed, Infeasible | Remove-SparseAttentionResult -WhatIf</code>
/// </example>
/// <example>
/// Says which runs have an id that begins so.
/// <code>Remove-SparseAttentionResult 0123* -WhatIf</code>
/// </example>
/// <example>
/// Removes all runs of a task in a scheduled job, and shows what went.
/// <code>Get-SparseAttentionResult -Task StoryRetrieval | Remove-SparseAttentionResult -Confirm:$false -PassThru | Format-Table RunId, Method, SampleCount</code>
/// </example>
[Cmdlet(VerbsCommon.Remove, "SparseAttentionResult", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(SparseAttentionResult))]
public sealed class RemoveSparseAttentionResultCommand : SparseFrontierCmdlet
{
    /// <summary>Ids of the runs. Rows of Get-SparseAttentionResult bind with their folders.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Ids of the runs; wildcards match.")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RunIdCompleter))]
    [SupportsWildcards]
    public string[] RunId { get; set; } = [];

    /// <summary>Folder of results that holds the runs, or the folder of the run itself.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [Alias("Path")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <summary>Emits the rows of the runs that were removed.</summary>
    [Parameter(HelpMessage = "Emit the rows of the runs that were removed.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(
        () => new RemoveResultOperation { RunId = RunId, ResultPath = ResultFolder(ResultPath) }.Execute,
        PassThru ? null : _ => { });
}
