using System.Collections.Concurrent;
using System.Globalization;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>The devices that runs can compute on.</summary>
internal static class Devices
{
    private const string Cpu = "cpu";
    private const string CudaPrefix = "cuda:";

    private static readonly ConcurrentDictionary<int, (EnergyCounter? Counter, string Description)> s_energy = [];

    /// <summary>The devices of this machine that can be used: the processor, and every GPU that nothing is missing for.</summary>
    public static IReadOnlyList<SparseAttentionDevice> All() =>
    [
        new SparseAttentionDevice
        {
            Name = Cpu,
            Kind = "Cpu",
            Description = HostInformation.ProcessorName,
            InstructionSet = KernelSets.InstructionSet,
            ProcessorCount = Environment.ProcessorCount,
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            EnergyCounter = EnergyCounter.OfProcessor.Description,
        },
        .. CudaStatus.Devices.Index().Where(d => CudaStatus.Missing(d.Index) is null).Select(d => new SparseAttentionDevice
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"{CudaPrefix}{d.Index}"),
            Kind = "Cuda",
            Description = d.Item.Name,
            InstructionSet = $"compute {d.Item.Capability}",
            ProcessorCount = d.Item.Multiprocessors,
            MemoryBytes = d.Item.MemoryBytes,
            EnergyCounter = Energy(d.Index).Description,
        }),
    ];

    /// <summary>What counts a device's energy; null where nothing does.</summary>
    public static EnergyCounter? EnergyOf(string device) => CudaOrdinal(device) is int ordinal ? Energy(ordinal).Counter : EnergyCounter.OfProcessor.Counter;

    private static (EnergyCounter? Counter, string Description) Energy(int ordinal) => s_energy.GetOrAdd(ordinal, CudaEnergy.Open);

    /// <summary>In words, what keeps each GPU, or all of them, from being used; nothing where all can be.</summary>
    public static IEnumerable<string> Missing() =>
        Enumerable.Range(0, Math.Max(1, CudaStatus.Devices.Count)).Select(ordinal => CudaStatus.Missing(ordinal)?.Message).OfType<string>().Distinct();

    /// <summary>Refuses a device that is not there.</summary>
    /// <exception cref="SparseFrontierException">DeviceNotFound; for GPUs CudaNotInstalled or DeviceUnsupported too, with what is missing.</exception>
    public static void Require(string device)
    {
        if (CudaOrdinal(device) is int ordinal)
        {
            if (CudaStatus.Missing(ordinal) is { } missing)
            {
                throw missing;
            }

            return;
        }

        if (!device.Equals(Cpu, StringComparison.OrdinalIgnoreCase))
        {
            throw new SparseFrontierException(
                ErrorIds.DeviceNotFound, $"There is no device '{device}'. {NameMatcher.Suggestion(device, [.. All().Select(d => d.Name)])}", device);
        }
    }

    /// <summary>The kernels that attention is computed with on a device.</summary>
    /// <param name="device">"cpu", "cuda" or "cuda:0".</param>
    /// <param name="type">Type that a GPU stores: BF16 or F16.</param>
    /// <exception cref="SparseFrontierException">As <see cref="Require"/>.</exception>
    public static KernelSet Kernels(string device, DataType type)
    {
        Require(device);
        return CudaOrdinal(device) is int ordinal ? new CudaKernels(CudaDevice.Get(ordinal), type) : KernelSets.Default;
    }

    /// <summary>The number of a GPU's name: 0 of "cuda" and "cuda:0"; null for other names.</summary>
    public static int? CudaOrdinal(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Equals("cuda", StringComparison.OrdinalIgnoreCase))
        {
            return 0;
        }

        return device.StartsWith(CudaPrefix, StringComparison.OrdinalIgnoreCase)
            && int.TryParse(device.AsSpan(CudaPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal)
            ? ordinal
            : null;
    }
}
