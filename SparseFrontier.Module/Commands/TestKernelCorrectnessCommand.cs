using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Compares the fast kernels with plain reference ones in double precision.</summary>
/// <remarks>A failed case is an object with Passed false, not an error; a name or a pattern of no kernel is an error, because nothing was tested. -Quiet gives one Boolean for gates. Test-SparseKernel is an alias, beside Measure-SparseKernel.</remarks>
/// <example>
/// Lists the cases of the matrix kernels.
/// <code>Test-KernelCorrectness Mat*</code>
/// </example>
/// <example>
/// Shows which attention kernels failed.
/// <code>Test-KernelCorrectness *Attention* | Where-Object -Not Passed | Format-List</code>
/// Nothing is shown where every case passed.
/// </example>
/// <example>
/// Stops a job where a kernel is wrong.
/// <code>if (-not (Test-KernelCorrectness -Quiet)) { exit 1 }</code>
/// </example>
[Cmdlet(VerbsDiagnostic.Test, "KernelCorrectness")]
[Alias("Test-SparseKernel")]
[OutputType(typeof(KernelCorrectnessResult))]
[OutputType(typeof(bool))]
public sealed class TestKernelCorrectnessCommand : SparseFrontierCmdlet
{
    /// <summary>Names of kernels.</summary>
    /// <value>All kernels</value>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of kernels; wildcards match.")]
    [ArgumentCompleter(typeof(KernelCompleter))]
    [SupportsWildcards]
    [ValidateNotNull]
    public string[] Kernel { get; set; } = [];

    /// <summary>Device to test, as Get-SparseAttentionDevice lists it.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Device to test: cpu or cuda:0.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    [ValidateNotNull]
    public string Device { get; set; } = "cpu";

    /// <summary>Seed of the random inputs: the same seed tests the same numbers.</summary>
    [Parameter(HelpMessage = "Seed of the random inputs.")]
    public long Seed { get; set; } = 1;

    /// <summary>Emits one Boolean instead of objects: whether all cases passed.</summary>
    [Parameter(HelpMessage = "Emit one Boolean: whether all cases passed.")]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() =>
        Run(() => new TestKernelCorrectnessOperation { Kernel = Kernel, Device = Device, Seed = Seed, Quiet = Quiet }.Execute);
}
