using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Runs sparse-attention experiments and emits one row as each run completes.</summary>
/// <remarks>
/// <para>
/// A run is one pair of methods on one task, with one model, length, sparsity and seed. Runs are collected first, so that those that share
/// work do it once: one dense prefill serves every decode method and budget. Without parameters the default comparison runs on the embedded
/// model.
/// </para>
/// <para>
/// A run that is on disk already is returned, not repeated. An interrupted one goes on where it stopped, and a larger -SampleCount computes
/// only the samples that are missing. Ctrl-C stops at once and loses at most the samples in flight.
/// </para>
/// <para>-WhatIf says what would run and what that would cost, without loading a model; Get-SparseAttentionPlan says the same as objects.</para>
/// </remarks>
/// <example>
/// Runs Quest on the needle task at one sparsity.
/// <code>Invoke-SparseAttentionRun Quest Niah -SequenceLength 2048 -Sparsity 0.9</code>
/// Quest is a decode method, so the prefill is dense and the sparsity is asked of decoding.
/// </example>
/// <example>
/// Makes a grid, runs it and finds the frontier.
/// <code>New-SparseAttentionSweep Dense, BlockSparse -Sparsity 0.5, 0.8 | Invoke-SparseAttentionRun | Get-SparsityPareto</code>
/// Results are kept in the folder results: the same line the next time only reads them.
/// </example>
/// <example>
/// Combines a prefill method, with a parameter of its own, and a decode method.
/// <code>Invoke-SparseAttentionRun @{ Name = 'VerticalSlash'; Window = 128 } Niah -DecodeMethod Quest -Sparsity 0.5 -DecodeSparsity 0.8</code>
/// </example>
/// <example>
/// Says what a grid kept in a spreadsheet would run.
/// <code>Import-Csv grid.csv | Invoke-SparseAttentionRun -WhatIf</code>
/// Columns are named like parameters; an empty cell is a parameter that is not given.
/// </example>
[Cmdlet(VerbsLifecycle.Invoke, "SparseAttentionRun", DefaultParameterSetName = ParameterSets.Parameters, SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionResult))]
public sealed class InvokeSparseAttentionRunCommand : RunCmdlet
{
    /// <summary>Folder of results. It is made where it is missing; what it holds already is returned or continued, not repeated.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <summary>Sequences generated side by side at most, 1 to 1024. It changes speed and memory, never results.</summary>
    [Parameter(HelpMessage = "Sequences generated side by side at most; changes speed and memory, never results.")]
    [ValidateRange(1, 1024)]
    public int BatchSize { get; set; } = 8;

    /// <summary>Repeats runs that are finished; their old files are set aside.</summary>
    [Parameter(HelpMessage = "Repeat runs that are finished.")]
    public SwitchParameter Force { get; set; }

    /// <summary>
    /// Seconds after which the runs stop as by Ctrl-C, with the error RunTimedOut. What is finished is kept, and the same command goes on from there: for jobs with a window of time.
    /// </summary>
    /// <value>No limit</value>
    [Parameter(HelpMessage = "Seconds after which the runs stop; what is finished is kept, and the same command goes on from there.")]
    [ValidateRange(1, 4000000)]
    public int? TimeoutSeconds { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Specifications.Count > 0)
        {
            var infeasible = new List<SparseAttentionResult>();
            Run(() => new InvokeRunOperation
            {
                Specifications = Specifications,
                ResultPath = ResultFolder(ResultPath),
                Force = Force,
                BatchSize = BatchSize,
                TimeoutSeconds = TimeoutSeconds,
            }.Execute, row => Emit((SparseAttentionResult)row, infeasible));

            // The row says why, but a table does not show it.
            if (infeasible.Count > 0)
            {
                WriteWarning(FormattableString.Invariant($"{infeasible.Count} of the runs {(infeasible.Count == 1 ? "is" : "are")} infeasible and computed nothing{(infeasible.Count == 1 ? "" : ", as their Message says; the first")}: {infeasible[0].Message}"));
            }
        }
    }

    private void Emit(SparseAttentionResult row, List<SparseAttentionResult> infeasible)
    {
        if (row.Status == RunStatus.Infeasible)
        {
            infeasible.Add(row);
        }

        WriteObject(row);
    }
}
