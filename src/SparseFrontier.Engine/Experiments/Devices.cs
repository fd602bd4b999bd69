using System.Collections.Concurrent;
using System.Globalization;
using SparseFrontier.Kernels;
using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Kernels.Measurement;
using SparseFrontier.Models.Transformer;
using SparseFrontier.Models.Transformer.Cuda;
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

    /// <summary>The devices that samples of a run are spread over (<see cref="DeviceList"/>), all of which are there.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid; as <see cref="Require"/>.</exception>
    public static IReadOnlyList<string> RequireList(string devices)
    {
        IReadOnlyList<string> list = DeviceList.Parse(devices, Gpus);
        foreach (string name in list.SelectMany(DeviceList.Members))
        {
            Require(name);
        }

        return list;

        static IReadOnlyList<string> Gpus()
        {
            string[] usable = [.. All().Where(d => d.Kind == "Cuda").Select(d => d.Name)];
            return usable.Length > 0 ? usable : throw CudaStatus.Missing(0)!;
        }
    }

    /// <summary>The devices that samples are spread over when a model with its longest prompt does not fit one of them: GPUs joined, as few as hold it.</summary>
    /// <param name="devices">Devices of a run.</param>
    /// <param name="model">The model.</param>
    /// <param name="length">Tokens of the longest prompt.</param>
    /// <exception cref="SparseFrontierException">DeviceOutOfMemory: all together do not.</exception>
    public static IReadOnlyList<string> Join(IReadOnlyList<string> devices, ModelConfiguration model, int length)
    {
        // Who joins GPUs by hand has decided.
        if (devices.Count == 1 || devices.Any(d => CudaOrdinal(d) is null))
        {
            return devices;
        }

        int count = LayerPlacement.CountFor(model, length, [.. devices.Select(d => CudaStatus.Devices[CudaOrdinal(d)!.Value].MemoryBytes)]);
        return [.. devices.Chunk(count).Where(g => g.Length == count).Select(DeviceList.Join)];
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
