using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Submits sparse-attention experiments to Slurm as a job array.</summary>
/// <remarks>
/// <para>
/// It takes what Invoke-SparseAttentionRun takes. The runs of one model, task, length and seed are one element of the array, or several such
/// sets with -RunsPerTask, so that they share prompts and a model is loaded once. Elements write into the folder of results, which the nodes
/// must share; a job after the array completes what the attempts hold together. Nodes need no PowerShell, only the published command line
/// (-WorkerPath).
/// </para>
/// <para>
/// An element that reaches its time limit is requeued and goes on where it stopped; so is one whose node fails. What is finished is never
/// computed again, and where Slurm runs an element twice, equal samples count once and different ones are the error ResultRowInvalid.
/// </para>
/// <para>-WhatIf shows the script and what the runs would cost. docs/scale.md says more.</para>
/// </remarks>
/// <example>
/// Submits a grid, eight elements at a time with eight processors each.
/// <code>New-SparseAttentionSweep Dense, Quest -Sparsity 0.5, 0.9 -Device cpu | Submit-SparseAttentionRun -Partition long -CpuCount 8 -TimeLimit 04:00:00 -MaximumConcurrency 8</code>
/// </example>
/// <example>
/// Shows the script that would be submitted.
/// <code>Submit-SparseAttentionRun Quest -Sparsity 0.9 -WorkerPath (Get-Process -Id $PID).Path -WhatIf</code>
/// </example>
/// <example>
/// Submits what a spreadsheet lists, with an option that only this cluster has.
/// <code>Import-Csv grid.csv | Submit-SparseAttentionRun -ResultPath ./results -SchedulerOption --qos=long</code>
/// </example>
[Cmdlet(VerbsLifecycle.Submit, "SparseAttentionRun", DefaultParameterSetName = ParameterSets.Parameters, SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionJob))]
public sealed class SubmitSparseAttentionRunCommand : RunCmdlet
{
    /// <summary>Folder of results, on a file system that the nodes share.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder of results that the nodes share; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <summary>The command line's program, or the folder that it was published to, on a file system that the nodes share.</summary>
    /// <value>What SPARSEFRONTIER_WORKER names</value>
    [Parameter(HelpMessage = "The published command line, where the nodes find it; without it SPARSEFRONTIER_WORKER.")]
    [ValidateNotNull]
    public string WorkerPath { get; set; } = "";

    /// <summary>Name of the job: letters, digits, dots, dashes and underscores.</summary>
    [Parameter(HelpMessage = "Name of the job.")]
    [ValidateNotNull]
    public string Name { get; set; } = "sparsefrontier";

    /// <summary>Partitions to run in, with commas between.</summary>
    /// <value>Slurm's default</value>
    [Parameter(HelpMessage = "Partitions, with commas between; without it Slurm's default.")]
    [ValidateNotNull]
    public string Partition { get; set; } = "";

    /// <summary>Account to charge.</summary>
    /// <value>Slurm's default</value>
    [Parameter(HelpMessage = "Account; without it Slurm's default.")]
    [ValidateNotNull]
    public string Account { get; set; } = "";

    /// <summary>Processors of an element.</summary>
    /// <value>Slurm's default</value>
    [Parameter(HelpMessage = "Processors of an element; without it Slurm's default.")]
    [ValidateRange(1, 4096)]
    public int? CpuCount { get; set; }

    /// <summary>GPUs of an element. The runs must name the device: -Device cuda:0 is the first of those that Slurm gives.</summary>
    /// <value>0</value>
    [Parameter(HelpMessage = "GPUs of an element.")]
    [ValidateRange(0, 64)]
    public int? GpuCount { get; set; }

    /// <summary>Time of an element, such as 04:00:00 or 1.12:00:00. Before it is up the element stops; it is requeued and goes on.</summary>
    /// <value>Slurm's default, without requeueing</value>
    [Parameter(HelpMessage = "Time of an element, after which it is requeued and goes on.")]
    public TimeSpan? TimeLimit { get; set; }

    /// <summary>Elements that run at the same time at most.</summary>
    /// <value>As many as Slurm starts</value>
    [Parameter(HelpMessage = "Elements that run at the same time at most.")]
    [ValidateRange(1, int.MaxValue)]
    public int? MaximumConcurrency { get; set; }

    /// <summary>Runs of an element at least. The runs of one model, task, length and seed stay together in any case; these sets are joined, within a model.</summary>
    [Parameter(HelpMessage = "Runs of an element at least; all runs of one model, task, length and seed stay together in any case.")]
    [ValidateRange(1, int.MaxValue)]
    public int RunsPerTask { get; set; } = 1;

    /// <summary>Further long options of sbatch, such as --qos=long.</summary>
    [Parameter(HelpMessage = "Further long options of sbatch, such as --qos=long.")]
    [ValidateNotNull]
    public string[] SchedulerOption { get; set; } = [];

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Specifications.Count > 0)
        {
            Run(() => new SubmitRunOperation
            {
                Specifications = Specifications,
                ResultPath = ResultFolder(ResultPath),
                WorkerPath = WorkerPath.Length > 0 ? ResolveOutput(WorkerPath) : "",
                Name = Name,
                Partition = Partition,
                Account = Account,
                CpuCount = CpuCount ?? 0,
                GpuCount = GpuCount ?? 0,
                TimeLimit = TimeLimit,
                MaximumConcurrency = MaximumConcurrency ?? 0,
                RunsPerTask = RunsPerTask,
                SchedulerOptions = SchedulerOption ?? [],
            }.Execute);
        }
    }
}
