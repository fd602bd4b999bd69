using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Cancels jobs that were submitted to Slurm.</summary>
/// <remarks>
/// Elements that run stop at once and lose at most the samples in flight. What is finished stays, the job that merges still runs, and the same
/// grid submitted or run again goes on from there.
/// </remarks>
/// <example>
/// Cancels a job.
/// <code>Stop-SparseAttentionJob 4711</code>
/// </example>
/// <example>
/// Cancels all jobs that wait or run.
/// <code>Get-SparseAttentionJob | Where-Object State -in Pending, Running | Stop-SparseAttentionJob</code>
/// </example>
/// <example>
/// Says what would be cancelled.
/// <code>Stop-SparseAttentionJob * -WhatIf</code>
/// </example>
[Cmdlet(VerbsLifecycle.Stop, "SparseAttentionJob", SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionJob))]
public sealed class StopSparseAttentionJobCommand : SparseFrontierCmdlet
{
    /// <summary>Ids of jobs.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Ids of jobs; wildcards match.")]
    [Alias("JobId")]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    [SupportsWildcards]
    public string[] Id { get; set; } = [];

    /// <summary>Folder of results that the jobs were submitted with.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <summary>Emits the jobs as they stand then.</summary>
    [Parameter(HelpMessage = "Emit the jobs as they stand then.")]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(
        () => new StopJobOperation
        {
            Id = Id,
            ResultPath = ResultFolder(ResultPath),
        }.Execute,
        PassThru ? null : _ => { });
}
