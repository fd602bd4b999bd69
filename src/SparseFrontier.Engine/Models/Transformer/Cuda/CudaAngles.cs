using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Cosines and sines of a rotary embedding in a GPU's memory, [positions, 2, dimension / 2] float32: computed once for all prompts of a model, because for a small model
/// they would take as long as everything else that a prompt needs.
/// </summary>
/// <param name="device">The GPU.</param>
/// <param name="rotary">The embedding.</param>
/// <param name="dimension">Elements of a vector.</param>
internal sealed unsafe class CudaAngles(CudaDevice device, RotaryEmbedding rotary, int dimension) : IDisposable
{
    private const int PositionsOfPart = 256;

    private CudaMemory? _table;
    private int _positions;

    /// <summary>Elements from one position to the next.</summary>
    public int Stride => dimension;

    /// <summary>Address of a position's cosines, where so many positions are needed in all. It holds until more are asked for; work given before that still finds it.</summary>
    public ulong At(int position, int positions)
    {
        if (positions > _positions)
        {
            Grow(Math.Max(positions, _positions + (_positions / 2)));
        }

        return _table!.Address + ((ulong)position * (ulong)dimension * sizeof(float));
    }

    /// <inheritdoc/>
    public void Dispose() => _table?.Dispose();

    private void Grow(int positions)
    {
        using var angles = new NativeArray<float>((long)positions * dimension, zeroed: false);
        float* first = angles.Pointer;
        WorkerPool.For(
            (positions + PositionsOfPart - 1) / PositionsOfPart,
            part =>
            {
                for (int position = part * PositionsOfPart; position < Math.Min(positions, (part + 1) * PositionsOfPart); position++)
                {
                    float* cosines = first + ((long)position * dimension);
                    rotary.Fill(position, cosines, cosines + (dimension / 2));
                }
            },
            CancellationToken.None);
        CudaMemory table = CudaMemory.Allocate(device, angles.SizeInBytes);
        table.Upload(angles.Pointer, angles.SizeInBytes);
        device.Synchronize();
        _table?.Dispose();
        _table = table;
        _positions = positions;
    }
}
