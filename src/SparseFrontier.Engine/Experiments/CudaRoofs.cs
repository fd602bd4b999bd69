using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Models.Transformer.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>What a GPU can do at best, measured: a large product by cuBLASLt, a large copy.</summary>
internal sealed class CudaRoofs : IDisposable
{
    /// <summary>Bytes that <see cref="CopySeconds"/> reads and writes.</summary>
    public const double CopiedBytes = 2.0 * (512L << 20);

    /// <summary>Multiplications and additions of <see cref="ProductSeconds"/>.</summary>
    public const double ProductOperations = 2.0 * Width * Width * Width;

    private const int Width = 8192;

    private readonly CudaDevice _device;
    private readonly CudaClock _clock;
    private readonly CudaMatrix _weight;
    private readonly CudaMemory _input;
    private readonly CudaMemory _output;

    /// <summary>Allocates and draws.</summary>
    public CudaRoofs(CudaDevice device)
    {
        _device = device;
        _clock = new CudaClock(device);
        _weight = new CudaMatrix(device, DataType.BF16, Width, Width);
        _input = CudaMemory.Allocate(device, 512L << 20);
        _output = CudaMemory.Allocate(device, 512L << 20);
        Draw(_weight.Memory, 7);
        Draw(_input, 8);
    }

    /// <summary>Fills memory with independent uniform bfloat16 numbers of variance 1.</summary>
    public static void Draw(CudaMemory memory, ulong seed)
    {
        long count = memory.SizeInBytes / 2;
        memory.Device.Function("decoder.cu", "fillRandom", ("TYPE", 0)).Launch((CudaDecoder.Blocks(count), 1, 1), 256, 0, memory, count, seed << 40, 1.7320508f);
    }

    /// <summary>Seconds of a product of 8,192 rows with a matrix [8,192, 8,192].</summary>
    public double ProductSeconds() => Time(() => CudaProducts.Of(_device).Multiply(_input.Address, Width, _weight, _output.Address, single: false, add: false));

    /// <summary>Seconds of a copy within the device.</summary>
    public double CopySeconds() => Time(() => _output.CopyFrom(_input.Address, _input.SizeInBytes));

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock.Dispose();
        _weight.Dispose();
        _input.Dispose();
        _output.Dispose();
    }

    private double Time(Action work)
    {
        double seconds = 0;
        _clock.Time(s => seconds = s, work);
        _clock.Read();
        return seconds;
    }
}
