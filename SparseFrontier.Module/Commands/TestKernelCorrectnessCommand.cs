using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Compares the fast kernels with plain reference ones in double precision.</summary>
/// <remarks>A failed case is an object with Passed false, not an error; -Quiet gives one Boolean for gates.</remarks>
/// <example><code>Test-KernelCorrectness | Where-Object -not Passed</code></example>
/// <example><code>if (-not (Test-KernelCorrectness -Quiet)) { exit 1 }</code></example>
[Cmdlet(VerbsDiagnostic.Test, "KernelCorrectness")]
[OutputType(typeof(KernelCorrectnessResult))]
[OutputType(typeof(bool))]
public sealed class TestKernelCorrectnessCommand : SparseFrontierCmdlet
{
    /// <summary>Names of kernels; wildcards match.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of kernels; wildcards match.")]
    [SupportsWildcards]
    public string[] Kernel { get; set; } = [];

    /// <summary>Device to test.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Device to test: cpu or cuda:0.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    public string Device { get; set; } = "cpu";

    /// <summary>Seed of the random inputs.</summary>
    [Parameter(HelpMessage = "Seed of the random inputs.")]
    public long Seed { get; set; } = 1;

    /// <summary>Whether to emit one Boolean.</summary>
    [Parameter(HelpMessage = "Emit one Boolean: whether all cases passed.")]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() =>
        Run(() => new TestKernelCorrectnessOperation { Kernel = Kernel, Device = Device, Seed = Seed, Quiet = Quiet }.Execute);
}
