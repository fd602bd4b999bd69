namespace SparseFrontier;

/// <summary>A device that runs can compute on, as <c>Get-SparseAttentionDevice</c> and <c>sparsefrontier devices</c> show it.</summary>
public sealed class SparseAttentionDevice
{
    /// <summary>Name to give to -Device: "cpu" or "cuda:0".</summary>
    public string Name { get; init; } = "";

    /// <summary>"Cpu" or "Cuda".</summary>
    public string Kind { get; init; } = "";

    /// <summary>What the maker calls it.</summary>
    public string Description { get; init; } = "";

    /// <summary>Widest vector instruction set in use; of a GPU its compute capability.</summary>
    public string InstructionSet { get; init; } = "";

    /// <summary>Logical processors; of a GPU its multiprocessors.</summary>
    public int ProcessorCount { get; init; }

    /// <summary>Bytes of memory that the process may use; of a GPU all of its memory.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>What counts the device's energy, "RAPL" or "NVML", for the joules of rows; "none: ..." and why where nothing does.</summary>
    public string EnergyCounter { get; init; } = "";

    /// <inheritdoc/>
    public override string ToString() => Name;
}
