using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Lists devices as <see cref="SparseAttentionDevice"/>, and says what is missing for GPUs and what runs instead: a warning where only GPUs are asked for, else
/// information; where it was looked for is verbose.
/// </summary>
public sealed class GetDeviceOperation
{
    /// <summary>Names; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>"Cpu", "Cuda" or null for all.</summary>
    public string? Kind { get; init; }

    /// <summary>Emits the devices; a name that matches nothing is the error DeviceNotFound on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        bool cudaOnly = "Cuda".Equals(Kind, StringComparison.OrdinalIgnoreCase);
        if (Name.Count == 0 && (cudaOnly || Kind is null or ""))
        {
            foreach (string missing in Devices.Missing())
            {
                Action<string> tell = cudaOnly ? sink.Warning : sink.Information;
                tell(missing);
                sink.Verbose($"{missing} Looked for: {CudaStatus.Searched()}.");
            }
        }

        CatalogListing.Emit(
            [.. Devices.All().Where(d => Kind is null or "" || d.Kind.Equals(Kind, StringComparison.OrdinalIgnoreCase))],
            d => d.Name,
            Name,
            (_, _) => true,
            ErrorIds.DeviceNotFound,
            "device",
            d => d,
            sink,
            cancellationToken);
    }
}
