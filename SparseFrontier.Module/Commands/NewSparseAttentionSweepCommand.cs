using System.Management.Automation;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Multiplies methods, tasks, models, lengths, sparsities and seeds out into specifications of runs.</summary>
/// <remarks>
/// <para>
/// Nothing is loaded or written: the specifications can be filtered, counted, saved and piped to Invoke-SparseAttentionRun. Without
/// parameters it gives the default comparison on the embedded model.
/// </para>
/// <para>Every parameter also binds by property name, so that a row of a table is a grid, most often of one run.</para>
/// </remarks>
/// <example>
/// Makes eight specifications.
/// <code>New-SparseAttentionSweep Quest, SnapKV Niah, CommonWords -SequenceLength 4kb -Sparsity 0.5, 0.9</code>
/// </example>
/// <example>
/// Counts the runs of the paper's own grid, by method.
/// <code>New-SparseAttentionSweep -Preset Paper -Task Niah | Group-Object Method -NoElement</code>
/// </example>
/// <example>
/// Keeps a grid in a file, and reads it back.
/// <code>
/// New-SparseAttentionSweep Quest -Sparsity 0.5, 0.9 | ConvertTo-Json -AsArray | Set-Content sweep.json
/// Get-Content sweep.json -Raw | ConvertFrom-Json | Invoke-SparseAttentionRun -WhatIf
/// </code>
/// </example>
[Cmdlet(VerbsCommon.New, "SparseAttentionSweep", DefaultParameterSetName = ParameterSets.Parameters)]
[OutputType(typeof(RunSpecification))]
public sealed class NewSparseAttentionSweepCommand : SweepCmdlet
{
    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new NewSweepOperation { Sweep = Sweep() }.Execute);
}
