using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels;

/// <summary>
/// A weight matrix [rows, columns] of the type that the checkpoint has (F32, F16 or BF16), rearranged once so that products read it from
/// beginning to end. A linear layer computes y = x Wᵀ: rows are output features, columns input features.
/// </summary>
/// <remarks>
/// Layout: panels of 64 rows; within a panel column after column, the panel's elements of one column side by side. The last panel may be
/// narrower: its width is rounded up to a multiple of 16, with zeros. All vector widths read this one layout.
/// </remarks>
public sealed unsafe class WeightMatrix : IDisposable
{
    /// <summary>Rows of a panel.</summary>
    internal const int PanelWidth = 64;

    // Lanes of the widest vector.
    private const int WidthMultiple = 16;

    // Columns that are rearranged at a time: a few lines of each of a panel's rows, so that they stay in the first-level cache.
    private const int BlockColumns = 64;

    private readonly NativeArray<byte> _memory;
    private readonly bool _ownsMemory;
    private readonly int _storedColumns;
    private readonly int _firstPanel;
    private readonly int _firstColumn;
    private readonly int _storedRows;

    /// <summary>Rearranges a row-major matrix.</summary>
    /// <param name="source">First element of the first row; not needed afterwards, need not be aligned.</param>
    /// <param name="dataType">F32, F16 or BF16.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="columns">Input features.</param>
    public WeightMatrix(void* source, DataType dataType, int rows, int columns)
        : this(source, dataType, rows, columns, columns)
    {
    }

    /// <summary>Rearranges a rectangle of a row-major matrix.</summary>
    /// <param name="source">First element of the rectangle; not needed afterwards, need not be aligned.</param>
    /// <param name="dataType">F32, F16 or BF16.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="columns">Input features.</param>
    /// <param name="sourceStride">Elements from one row of the source to the next.</param>
    public WeightMatrix(void* source, DataType dataType, int rows, int columns, long sourceStride)
    {
        if (dataType is not (DataType.F32 or DataType.F16 or DataType.BF16))
        {
            throw new ArgumentException($"Weights are F32, F16 or BF16, not {dataType}.", nameof(dataType));
        }

        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        DataType = dataType;
        Rows = rows;
        Columns = columns;
        _storedRows = rows;
        _storedColumns = columns;
        _ownsMemory = true;
        long storedRows = ((rows / PanelWidth) * (long)PanelWidth) + RoundUp(rows % PanelWidth);
        _memory = new NativeArray<byte>(storedRows * columns * dataType.SizeInBytes(), zeroed: false);
        WorkerPool.For(PanelCount, panel =>
        {
            if (dataType == DataType.F32)
            {
                Pack((uint*)source, sourceStride, panel, (uint*)Panel(panel));
            }
            else
            {
                Pack((ushort*)source, sourceStride, panel, (ushort*)Panel(panel));
            }
        });
    }

    private WeightMatrix(WeightMatrix whole, int firstRow, int rows, int firstColumn, int columns)
    {
        _memory = whole._memory;
        _storedRows = whole._storedRows;
        _storedColumns = whole._storedColumns;
        _firstPanel = whole._firstPanel + (firstRow / PanelWidth);
        _firstColumn = whole._firstColumn + firstColumn;
        DataType = whole.DataType;
        Rows = rows;
        Columns = columns;
    }

    /// <summary>F32, F16 or BF16.</summary>
    public DataType DataType { get; }

    /// <summary>Output features.</summary>
    public int Rows { get; }

    /// <summary>Input features.</summary>
    public int Columns { get; }

    /// <summary>Number of panels.</summary>
    internal int PanelCount => (Rows + PanelWidth - 1) / PanelWidth;

    /// <summary>One element, widened.</summary>
    public float this[int row, int column]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)column, (uint)Columns, nameof(column));
            int panel = row / PanelWidth;
            long index = ((long)column * StoredWidth(panel)) + (row % PanelWidth);
            return DataType switch
            {
                DataType.F32 => ((float*)Panel(panel))[index],
                DataType.F16 => (float)((Half*)Panel(panel))[index],
                _ => BFloat16.Widen(((ushort*)Panel(panel))[index]),
            };
        }
    }

    /// <summary>A rectangle of the matrix, without a copy; valid until the matrix is disposed.</summary>
    /// <param name="firstRow">A multiple of 64.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="firstColumn">First input feature.</param>
    /// <param name="columns">Input features.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is not inside the matrix, or begins within a panel of 64 rows.</exception>
    public WeightMatrix Slice(int firstRow, int rows, int firstColumn, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(firstColumn);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(firstRow % PanelWidth, 0, nameof(firstRow));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, Rows - firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, Columns - firstColumn);
        return new WeightMatrix(this, firstRow, rows, firstColumn, columns);
    }

    /// <summary>Frees the memory; a slice's belongs to the matrix that it is of.</summary>
    public void Dispose()
    {
        if (_ownsMemory)
        {
            _memory.Dispose();
        }
    }

    /// <summary>The first column's elements of a panel; those of column i follow i · <see cref="StoredWidth"/> elements later.</summary>
    internal byte* Panel(int panel)
    {
        long first = ((long)(_firstPanel + panel) * PanelWidth * _storedColumns) + ((long)_firstColumn * StoredWidth(panel));
        return _memory.Pointer + (first * DataType.SizeInBytes());
    }

    /// <summary>Elements that a panel has in each column, zeros included.</summary>
    internal int StoredWidth(int panel) => RoundUp(Math.Min(PanelWidth, _storedRows - ((_firstPanel + panel) * PanelWidth)));

    private static int RoundUp(int rows) => (rows + WidthMultiple - 1) / WidthMultiple * WidthMultiple;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pack<T>(T* source, long sourceStride, int panel, T* target)
        where T : unmanaged
    {
        int width = StoredWidth(panel);
        int rows = Math.Min(PanelWidth, Rows - (panel * PanelWidth));
        source += (long)panel * PanelWidth * sourceStride;
        for (int firstColumn = 0; firstColumn < Columns; firstColumn += BlockColumns)
        {
            int endColumn = Math.Min(Columns, firstColumn + BlockColumns);
            for (int row = 0; row < rows; row++)
            {
                T* from = source + (row * sourceStride);
                T* to = target + ((long)firstColumn * width) + row;
                for (int column = firstColumn; column < endColumn; column++)
                {
                    *to = from[column];
                    to += width;
                }
            }

            if (rows < width)
            {
                for (int column = firstColumn; column < endColumn; column++)
                {
                    new Span<T>(target + ((long)column * width) + rows, width - rows).Clear();
                }
            }
        }
    }
}
