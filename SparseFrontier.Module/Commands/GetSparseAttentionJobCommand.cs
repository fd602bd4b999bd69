using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Gets the jobs that were submitted to Slurm, and how far they are.</summary>
/// <remarks>
/// Jobs are found in the folder of results, where Submit-SparseAttentionRun keeps scripts, runs and logs of each (property Path). What waits and
/// runs is asked of Slurm; how an element ended is kept in the folder, so that jobs are known after Slurm has forgotten them.
/// </remarks>
/// <example>
/// Lists the jobs whose results are in a folder.
/// <code>Get-SparseAttentionJob -ResultPath ./results</code>
/// </example>
/// <example>
/// Waits until no job waits or runs.
/// <code>while (Get-SparseAttentionJob | Where-Object State -in Pending, Running, Merging) { Start-Sleep 60 }</code>
/// </example>
/// <example>
/// Shows the ends of the logs of a job that failed.
/// <code>Get-SparseAttentionJob | Where-Object State -eq Failed | ForEach-Object { Get-ChildItem "$($_.Path)/logs" | Get-Content -Tail 5 }</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionJob")]
[OutputType(typeof(SparseAttentionJob))]
public sealed class GetSparseAttentionJobCommand : SparseFrontierCmdlet
{
    /// <summary>Ids of jobs.</summary>
    /// <value>All</value>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Ids of jobs; wildcards match.")]
    [Alias("JobId")]
    [ArgumentCompleter(typeof(JobIdCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Id { get; set; } = [];

    /// <summary>Folder of results that the jobs were submitted with.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetJobOperation
    {
        Id = Id ?? [],
        ResultPath = ResultFolder(ResultPath),
    }.Execute);
}
