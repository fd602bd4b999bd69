using System.Management.Automation;
using SparseFrontier.Completion;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Shell;

namespace SparseFrontier.Commands;

/// <summary>Lists the devices that runs can compute on.</summary>
/// <remarks>With -Verbose it says why a kind of device is missing.</remarks>
/// <example><code>Get-SparseAttentionDevice</code></example>
/// <example><code>Get-SparseAttentionDevice -Kind Cuda -Verbose</code></example>
[Cmdlet(VerbsCommon.Get, "SparseAttentionDevice")]
[OutputType(typeof(SparseAttentionDevice))]
public sealed class GetSparseAttentionDeviceCommand : SparseFrontierCmdlet
{
    /// <summary>Names; wildcards match.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Names of devices such as cpu or cuda:0; wildcards match.")]
    [ArgumentCompleter(typeof(DeviceCompleter))]
    [SupportsWildcards]
    [Alias("Device")]
    public string[] Name { get; set; } = [];

    /// <summary>Only devices of one kind.</summary>
    [Parameter(HelpMessage = "Only devices of this kind: Cpu or Cuda.")]
    [ValidateSet("Cpu", "Cuda")]
    public string? Kind { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord() => Run(() => new GetDeviceOperation { Name = Name, Kind = Kind }.Execute);
}
