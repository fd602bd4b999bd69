using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Runs sparse-attention experiments and emits one row as each run completes.</summary>
/// <remarks>
/// Runs are collected first, so that those that share work do it once. A run that is on disk already is returned, not repeated; an
/// interrupted one goes on where it stopped. Without parameters it runs the default comparison on the embedded model.
/// </remarks>
/// <example><code>Invoke-SparseAttentionRun Quest Niah -SequenceLength 2048 -Sparsity 0.9</code></example>
/// <example><code>New-SparseAttentionSweep -Sparsity 0.5, 0.8, 0.9 | Invoke-SparseAttentionRun | Get-SparsityPareto</code></example>
/// <example><code>Import-Csv grid.csv | Invoke-SparseAttentionRun -WhatIf</code></example>
[Cmdlet(VerbsLifecycle.Invoke, "SparseAttentionRun", DefaultParameterSetName = ParameterSets.Parameters, SupportsShouldProcess = true)]
[OutputType(typeof(SparseAttentionResult))]
public sealed class InvokeSparseAttentionRunCommand : SweepCmdlet
{
    private readonly List<RunSpecification> _specifications = [];

    /// <summary>Specifications.</summary>
    [Parameter(
        Mandatory = true,
        ParameterSetName = ParameterSets.Specification,
        ValueFromPipeline = true,
        HelpMessage = "Specifications, as New-SparseAttentionSweep emits them or as spec.json holds them.")]
    [RowTransformation(
        typeof(RunSpecification),
        nameof(RunSpecification.Model),
        nameof(RunSpecification.Method),
        nameof(RunSpecification.DecodeMethod),
        nameof(RunSpecification.Task),
        nameof(RunSpecification.SequenceLength),
        nameof(RunSpecification.MaximumOutputTokens))]
    [ValidateNotNull]
    public RunSpecification[] InputObject { get; set; } = [];

    /// <summary>Folder of results.</summary>
    [Parameter(HelpMessage = "Folder of results; without it SPARSEFRONTIER_RESULTS, else the folder results here.")]
    public string ResultPath { get; set; } = "";

    /// <summary>Sequences generated side by side at most.</summary>
    [Parameter(HelpMessage = "Sequences generated side by side at most; changes speed and memory, never results.")]
    [ValidateRange(1, 1024)]
    public int BatchSize { get; set; } = 8;

    /// <summary>Whether to repeat finished runs.</summary>
    [Parameter(HelpMessage = "Repeat runs that are finished.")]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == ParameterSets.Specification)
        {
            _specifications.AddRange(InputObject);
        }
        else
        {
            Run(() => new NewSweepOperation { Sweep = Sweep() }.Execute, item => _specifications.Add((RunSpecification)item));
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_specifications.Count > 0)
        {
            Run(() => new InvokeRunOperation
            {
                Specifications = _specifications,
                ResultPath = ResultPath.Length > 0 ? ResolveOutput(ResultPath) : DefaultResultPath(),
                Force = Force,
                BatchSize = BatchSize,
            }.Execute);
        }
    }
}
