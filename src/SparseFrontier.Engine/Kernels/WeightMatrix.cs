using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// A weight matrix [rows, columns] in row-major order, as the checkpoint stores it (F32, F16 or BF16); the memory belongs to the mapped file.
/// A linear layer computes y = x Wᵀ: rows are output features, columns input features.
/// </summary>
public sealed unsafe class WeightMatrix
{
    /// <summary>Describes memory that outlives the matrix.</summary>
    public WeightMatrix(void* data, DataType dataType, int rows, int columns)
    {
        if (dataType is not (DataType.F32 or DataType.F16 or DataType.BF16))
        {
            throw new ArgumentException($"Weights are F32, F16 or BF16, not {dataType}.", nameof(dataType));
        }

        Data = data;
        DataType = dataType;
        Rows = rows;
        Columns = columns;
    }

    /// <summary>First element.</summary>
    public void* Data { get; }

    /// <summary>F32, F16 or BF16.</summary>
    public DataType DataType { get; }

    /// <summary>Output features.</summary>
    public int Rows { get; }

    /// <summary>Input features.</summary>
    public int Columns { get; }
}
