using System.Runtime.CompilerServices;

namespace SparseFrontier.Tensors;

/// <summary>
/// A view of float32 vectors addressed by head and row: queries [heads, rows, dimension], keys, values or attention output. The strides are
/// in elements, so that the same kernels run on head-major storage (a KV cache) and on row-major storage (what a projection writes).
/// It does not own its memory.
/// </summary>
public readonly unsafe struct HeadTensor
{
    /// <summary>Describes memory that the caller owns.</summary>
    public HeadTensor(float* data, int heads, int rows, int dimension, long headStride, long rowStride)
    {
        Data = data;
        Heads = heads;
        Rows = rows;
        Dimension = dimension;
        HeadStride = headStride;
        RowStride = rowStride;
    }

    /// <summary>Element (0, 0, 0).</summary>
    public float* Data { get; }

    /// <summary>Number of heads.</summary>
    public int Heads { get; }

    /// <summary>Number of rows (tokens) of each head.</summary>
    public int Rows { get; }

    /// <summary>Elements of one vector.</summary>
    public int Dimension { get; }

    /// <summary>Elements from one head's row to the next head's same row.</summary>
    public long HeadStride { get; }

    /// <summary>Elements from one row to the next of the same head.</summary>
    public long RowStride { get; }

    /// <summary>The view [heads, rows, dimension] stored head by head.</summary>
    public static HeadTensor HeadMajor(float* data, int heads, int rows, int dimension) =>
        new(data, heads, rows, dimension, (long)rows * dimension, dimension);

    /// <summary>The view [heads, rows, dimension] of memory stored row by row, the heads side by side.</summary>
    public static HeadTensor RowMajor(float* data, int heads, int rows, int dimension) =>
        new(data, heads, rows, dimension, dimension, (long)heads * dimension);

    /// <summary>The view of consecutive heads.</summary>
    public HeadTensor Slice(int firstHead, int heads) => new(Row(firstHead, 0), heads, Rows, Dimension, HeadStride, RowStride);

    /// <summary>First element of a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(int head, int row) => Data + (head * HeadStride) + (row * RowStride);

    /// <summary>One vector.</summary>
    public ReadOnlySpan<float> RowSpan(int head, int row) => new(Row(head, row), Dimension);
}
