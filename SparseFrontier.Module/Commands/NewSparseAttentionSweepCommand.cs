using System.Management.Automation;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Multiplies methods, tasks, models, lengths, sparsities and seeds out into specifications of runs.</summary>
/// <remarks>
/// Nothing is loaded or written: the specifications can be filtered, counted, saved and piped to Invoke-SparseAttentionRun. Without
/// parameters it gives the default comparison on the embedded model.
/// </remarks>
/// <example><code>New-SparseAttentionSweep Quest, SnapKV Niah -Sparsity 0.5, 0.9 | Invoke-SparseAttentionRun</code></example>
/// <example><code>New-SparseAttentionSweep -Preset Paper -Task Niah | Group-Object Method</code></example>
[Cmdlet(VerbsCommon.New, "SparseAttentionSweep", DefaultParameterSetName = ParameterSets.Parameters)]
[OutputType(typeof(RunSpecification))]
public sealed class NewSparseAttentionSweepCommand : SweepCmdlet
{
    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new NewSweepOperation { Sweep = Sweep() }.Execute);
}
