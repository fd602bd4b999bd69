using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Says what runs would cost: shared prefills, infeasible runs, tokens, operations, bytes, seconds, detectable differences.</summary>
/// <remarks>
/// <para>
/// It takes what Invoke-SparseAttentionRun takes and loads no model: budgets are solved, and operations and bytes are computed from the model's
/// configuration file, for prompts of the full length and outputs as long as allowed. What the folder of results holds already is not looked
/// up, but for the times of runs that were measured on this machine: from them comes PredictedSeconds, or, where they do not say it, PredictionMessage, why not.
/// </para>
/// <para>
/// A plan is a specification too: what is left after a filter can be piped into Invoke-SparseAttentionRun. All runs are collected first, since
/// runs that share a prefill are found among them all.
/// </para>
/// </remarks>
/// <example>
/// Shows what the default comparison would cost.
/// <code>Get-SparseAttentionPlan</code>
/// </example>
/// <example>
/// Adds up the operations of a grid, shared prefills counted once.
/// <code>Get-SparseAttentionPlan Quest, SnapKV -Sparsity 0.5, 0.9 | Measure-Object SharedPrefillOperations -Sum</code>
/// Both are decode methods, so that one dense prefill serves all four runs.
/// </example>
/// <example>
/// Shows which runs of a grid their length cannot hold, and what it could.
/// <code>Get-SparseAttentionPlan SnapKV -Sparsity 0.5, 0.99 | Where-Object -Not IsFeasible | Select-Object DecodeSparsity, MaximumFeasibleSparsity</code>
/// </example>
/// <example>
/// Runs what is feasible and reads little.
/// <code>New-SparseAttentionSweep Quest, SnapKV -Sparsity 0.5, 0.9 | Get-SparseAttentionPlan | Where-Object { $_.IsFeasible -and $_.BytesRead -lt 100gb } | Invoke-SparseAttentionRun</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionPlan", DefaultParameterSetName = ParameterSets.Parameters)]
[OutputType(typeof(SparseAttentionPlan))]
public sealed class GetSparseAttentionPlanCommand : RunCmdlet
{
    /// <summary>Folder of results whose measured times seconds are predicted from.</summary>
    /// <value>The folder that SPARSEFRONTIER_RESULTS names, else results in the current location</value>
    [Parameter(HelpMessage = "Folder of results whose measured times seconds are predicted from.")]
    [ArgumentCompleter(typeof(ResultPathCompleter))]
    public string ResultPath { get; set; } = "";

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (Specifications.Count > 0)
        {
            Run(() => new GetPlanOperation { Specifications = Specifications, ResultPath = ResultFolder(ResultPath) }.Execute);
        }
    }
}
