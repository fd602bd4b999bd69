using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cuda;

/// <summary>
/// Vectors [heads, rows, width] of a 16-bit type in device memory, head by head, or a view of such memory in another order; the width is the dimension rounded
/// up to 8, filled with zeros.
/// </summary>
internal sealed unsafe class CudaVectors : IDisposable
{
    private const int Threads = 256;
    private readonly bool _isView;

    private CudaVectors(CudaDevice device, DataType type, int heads, int rows, int dimension)
    {
        Device = device;
        Type = type;
        Heads = heads;
        Rows = rows;
        Dimension = dimension;
        Width = (dimension + 7) / 8 * 8;
        HeadStride = (long)rows * Width;
        RowStride = Width;
        Memory = CudaMemory.Allocate(device, (long)heads * rows * Width * 2);
        Address = Memory.Address;
    }

    private CudaVectors(CudaDevice device, DataType type, int heads, int rows, int dimension, ulong address, long headStride, long rowStride, CudaMemory memory)
    {
        Device = device;
        Type = type;
        Heads = heads;
        Rows = rows;
        Dimension = dimension;
        Width = (dimension + 7) / 8 * 8;
        HeadStride = headStride;
        RowStride = rowStride;
        Memory = memory;
        Address = address;
        _isView = true;
    }

    /// <summary>The device that they lie on.</summary>
    public CudaDevice Device { get; }

    /// <summary>BF16 or F16.</summary>
    public DataType Type { get; }

    /// <summary>Number of heads.</summary>
    public int Heads { get; }

    /// <summary>Rows of a head.</summary>
    public int Rows { get; }

    /// <summary>Elements of a vector that count.</summary>
    public int Dimension { get; }

    /// <summary>Elements of a vector in memory.</summary>
    public int Width { get; }

    /// <summary>Elements from one row to the next.</summary>
    public long RowStride { get; }

    /// <summary>Elements from one head to the next.</summary>
    public long HeadStride { get; }

    /// <summary>The memory, of which a view is a part.</summary>
    public CudaMemory Memory { get; }

    /// <summary>Of the first head's first vector.</summary>
    public ulong Address { get; }

    /// <summary>The definition of the type that sources are specialised by.</summary>
    public (string Name, int Value) TypeDefinition => ("TYPE", TypeValue(Type));

    /// <summary>Vectors that are not yet written.</summary>
    public static CudaVectors Allocate(CudaDevice device, DataType type, int heads, int rows, int dimension) => new(device, type, heads, rows, dimension);

    /// <summary>A view of memory that another owns, row by row with the heads side by side; the dimension is a multiple of 8.</summary>
    public static CudaVectors RowMajor(DataType type, CudaMemory memory, int heads, int rows, int dimension) =>
        new(memory.Device, type, heads, rows, dimension, memory.Address, dimension, (long)heads * dimension, memory);

    /// <summary>A view of some heads.</summary>
    public CudaVectors Slice(int firstHead, int heads) =>
        new(Device, Type, heads, Rows, Dimension, Address + (ulong)(firstHead * HeadStride * 2), HeadStride, RowStride, Memory);

    /// <summary>A rounded copy of vectors in host memory.</summary>
    public static CudaVectors From(CudaDevice device, DataType type, HeadTensor source)
    {
        var vectors = new CudaVectors(device, type, source.Heads, source.Rows, source.Dimension);
        using var packed = new NativeArray<float>((long)source.Heads * source.Rows * source.Dimension);
        long bytes = source.Dimension * sizeof(float);
        for (int head = 0; head < source.Heads; head++)
        {
            for (int row = 0; row < source.Rows; row++)
            {
                Buffer.MemoryCopy(source.Row(head, row), packed.Pointer + ((((long)head * source.Rows) + row) * source.Dimension), bytes, bytes);
            }
        }

        using var wide = CudaMemory.Allocate(device, packed.SizeInBytes);
        wide.Upload(packed.Pointer, packed.SizeInBytes);
        long rows = (long)source.Heads * source.Rows;
        device.Function("convert.cu", "narrow", vectors.TypeDefinition).Launch(
            (Blocks(rows * vectors.Width), 1, 1), Threads, 0, wide, vectors.Memory, rows, source.Dimension, vectors.Width);
        return vectors;
    }

    /// <summary>Copies to host memory as float32 and waits.</summary>
    public void CopyTo(HeadTensor target)
    {
        long rows = (long)Heads * Rows;
        using var wide = CudaMemory.Allocate(Device, rows * Dimension * sizeof(float));
        Device.Function("convert.cu", "expand", TypeDefinition).Launch((Blocks(rows * Dimension), 1, 1), Threads, 0, Memory, wide, rows, Dimension, Width);
        using var packed = new NativeArray<float>(rows * Dimension);
        wide.Download(packed.Pointer, packed.SizeInBytes);
        long bytes = Dimension * sizeof(float);
        for (int head = 0; head < Heads; head++)
        {
            for (int row = 0; row < Rows; row++)
            {
                Buffer.MemoryCopy(packed.Pointer + ((((long)head * Rows) + row) * Dimension), target.Row(head, row), bytes, bytes);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isView)
        {
            Memory.Dispose();
        }
    }

    /// <summary>How sources call a type.</summary>
    public static int TypeValue(DataType type) => type == DataType.BF16 ? 0 : 1;

    private static int Blocks(long elements) => (int)Math.Clamp((elements + Threads - 1) / Threads, 1, 4096);
}
