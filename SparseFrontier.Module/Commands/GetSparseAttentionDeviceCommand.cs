using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists the devices that runs can compute on.</summary>
/// <remarks>With -Verbose it says why a kind of device is missing.</remarks>
/// <example>
/// Lists all devices.
/// <code>Get-SparseAttentionDevice</code>
/// </example>
/// <example>
/// Says whether there is a GPU, and if not, why.
/// <code>Get-SparseAttentionDevice -Kind Cuda -Verbose</code>
/// </example>
/// <example>
/// Shows the processor's instruction set and memory.
/// <code>Get-SparseAttentionDevice cpu | Select-Object Description, InstructionSet, ProcessorCount, MemoryBytes</code>
/// </example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionDevice")]
[OutputType(typeof(SparseAttentionDevice))]
public sealed class GetSparseAttentionDeviceCommand : SparseFrontierCmdlet
{
    /// <summary>Names of devices, such as cpu or cuda:0.</summary>
    /// <value>All devices</value>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of devices such as cpu or cuda:0; wildcards match.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    [SupportsWildcards]
    [Alias("Device")]
    [ValidateNotNull]
    public string[] Name { get; set; } = [];

    /// <summary>Only devices of this kind.</summary>
    /// <value>Both kinds</value>
    [Parameter(HelpMessage = "Only devices of this kind: Cpu or Cuda.")]
    [ValidateSet("Cpu", "Cuda")]
    public string? Kind { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetDeviceOperation { Name = Name, Kind = Kind }.Execute);
}
