namespace SparseFrontier.Experiments.Operations;

/// <summary>Lists devices as <see cref="SparseAttentionDevice"/>.</summary>
public sealed class GetDeviceOperation
{
    /// <summary>Names; wildcards match. Empty: all.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>"Cpu", "Cuda" or null for all.</summary>
    public string? Kind { get; init; }

    /// <summary>Emits the devices; a name that matches nothing is the error DeviceNotFound on the sink.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
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
