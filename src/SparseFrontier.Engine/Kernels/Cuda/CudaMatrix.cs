using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>A weight matrix [rows, columns] of a 16-bit type in device memory, row by row: y = x Wᵀ takes rows for output features.</summary>
internal sealed unsafe class CudaMatrix : IDisposable
{
    private const long PieceBytes = 256L << 20;

    /// <summary>Memory that is not yet written.</summary>
    public CudaMatrix(CudaDevice device, DataType type, int rows, int columns)
    {
        Type = type;
        Rows = rows;
        Columns = columns;
        Memory = CudaMemory.Allocate(device, (long)rows * columns * 2);
    }

    /// <summary>BF16 or F16.</summary>
    public DataType Type { get; }

    /// <summary>Output features.</summary>
    public int Rows { get; }

    /// <summary>Input features.</summary>
    public int Columns { get; }

    /// <summary>The elements.</summary>
    public CudaMemory Memory { get; }

    /// <summary>Copies elements of the matrix's own type, or of float32, which are rounded.</summary>
    public void Upload(byte* source, DataType sourceType)
    {
        long count = (long)Rows * Columns;
        if (sourceType == Type)
        {
            for (long first = 0; first < count * 2; first += PieceBytes)
            {
                Memory.Upload(source + first, Math.Min(PieceBytes, (count * 2) - first), first);
            }

            return;
        }

        if (sourceType != DataType.F32)
        {
            throw new ArgumentException($"Weights of {sourceType} do not become {Type}.", nameof(sourceType));
        }

        using var wide = CudaMemory.Allocate(Memory.Device, Math.Min(PieceBytes, count * 4));
        for (long first = 0; first < count; first += PieceBytes / 4)
        {
            long part = Math.Min(PieceBytes / 4, count - first);
            wide.Upload(source + (first * 4), part * 4);
            Memory.Device.Function("decoder.cu", "narrowElements", ("TYPE", CudaVectors.TypeValue(Type))).Launch(
                ((int)Math.Clamp((part + 255) / 256, 1, 4096), 1, 1), 256, 0, wide, Memory.Address + (ulong)(first * 2), part);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();
}
