using System.Management.Automation;
using SparseFrontier.Binding;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Operations;

namespace SparseFrontier.Shell;

/// <summary>What takes runs, as a grid or as ready-made specifications: they are collected, because those that share work are treated together.</summary>
public abstract class RunCmdlet : SweepCmdlet
{
    /// <summary>
    /// Specifications of runs, as New-SparseAttentionSweep emits them, as spec.json holds them, or as rows of a table with such columns.
    /// </summary>
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
        nameof(RunSpecification.MaximumOutputTokens),
        Within = "Specification",
        Without = nameof(SparseAttentionResult.PrefillSparsity))]
    [ValidateNotNull]
    public RunSpecification[] InputObject { get; set; } = [];

    /// <summary>The runs, collected from all records.</summary>
    private protected List<RunSpecification> Specifications { get; } = [];

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName == ParameterSets.Specification)
        {
            string device = MyInvocation.BoundParameters.ContainsKey(nameof(Device)) ? string.Join(',', Given(Device)) : "";
            Specifications.AddRange(device.Length > 0 ? InputObject.Select(s => s.On(device)) : InputObject);
        }
        else
        {
            Run(() => new NewSweepOperation { Sweep = Grid() }.Execute, item => Specifications.Add((RunSpecification)item));
        }
    }

    /// <summary>The grid of the set Parameters; cmdlets whose default is not the default comparison say another.</summary>
    private protected virtual SweepDefinition Grid() => Sweep();
}
