using System.Buffers.Binary;
using System.Runtime.InteropServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Safetensors;

/// <summary>One tensor of a mapped safetensors file: its description, and its elements where they lie in the file. Valid until the file is disposed.</summary>
public sealed unsafe class SafetensorsTensor
{
    private readonly SafetensorsFile _file;
    private readonly long _offset;

    internal SafetensorsTensor(SafetensorsFile file, string name, DataType dataType, long[] shape, long count, long offset)
    {
        _file = file;
        _offset = offset;
        Name = name;
        DataType = dataType;
        Shape = shape;
        Count = count;
    }

    /// <summary>Name in the header.</summary>
    public string Name { get; }

    /// <summary>Type of the elements.</summary>
    public DataType DataType { get; }

    /// <summary>Extents, outermost first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Bytes of the elements.</summary>
    public long SizeInBytes => Count * DataType.SizeInBytes();

    /// <summary>Path of the file.</summary>
    public string FilePath => _file.Path;

    /// <summary>First element, little-endian, row-major, not necessarily aligned.</summary>
    public byte* Data => _file.Data + _offset;

    /// <summary>The shape as "[2, 3]".</summary>
    public string ShapeText => SafetensorsFile.Describe(Shape);

    /// <summary>The elements of an F32, F16, BF16 or F64 tensor as float32.</summary>
    /// <exception cref="SparseFrontierException">CheckpointInvalid: the elements are not floating-point, or too many for one array.</exception>
    public float[] ToSingles()
    {
        float[] values = new float[ArrayLength()];
        CopyTo(values);
        return values;
    }

    /// <summary>Converts the elements of an F32, F16, BF16 or F64 tensor.</summary>
    /// <param name="destination">Receives <see cref="Count"/> elements.</param>
    /// <exception cref="SparseFrontierException">CheckpointInvalid: the elements are not floating-point.</exception>
    public void CopyTo(Span<float> destination)
    {
        ReadOnlySpan<byte> bytes = Bytes();
        switch (DataType)
        {
            case DataType.F32:
                bytes.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case DataType.F16:
                for (int i = 0; i < (int)Count; i++)
                {
                    destination[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[(2 * i)..]);
                }

                break;
            case DataType.BF16:
                for (int i = 0; i < (int)Count; i++)
                {
                    destination[i] = BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]) << 16);
                }

                break;
            case DataType.F64:
                for (int i = 0; i < (int)Count; i++)
                {
                    destination[i] = (float)BinaryPrimitives.ReadDoubleLittleEndian(bytes[(8 * i)..]);
                }

                break;
            default:
                throw _file.Invalid(Name, $"has elements of type {DataType} where floating-point ones are needed.");
        }
    }

    /// <summary>The elements of an integer tensor.</summary>
    /// <exception cref="SparseFrontierException">CheckpointInvalid: the elements are not integers, or too many for one array.</exception>
    public long[] ToIntegers()
    {
        long[] values = new long[ArrayLength()];
        ReadOnlySpan<byte> bytes = Bytes();
        int size = DataType.SizeInBytes();
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> element = bytes.Slice(i * size, size);
            values[i] = DataType switch
            {
                DataType.I64 => BinaryPrimitives.ReadInt64LittleEndian(element),
                DataType.I32 => BinaryPrimitives.ReadInt32LittleEndian(element),
                DataType.I16 => BinaryPrimitives.ReadInt16LittleEndian(element),
                DataType.I8 => (sbyte)element[0],
                DataType.U8 or DataType.BOOL => element[0],
                _ => throw _file.Invalid(Name, $"has elements of type {DataType} where integers are needed."),
            };
        }

        return values;
    }

    /// <summary>Lets the system take back the memory of the elements' pages; they are read from the file again when next used.</summary>
    internal void ReleaseMemory() => _file.ReleaseMemory(_offset, SizeInBytes);

    private ReadOnlySpan<byte> Bytes()
    {
        ArrayLength();
        return new ReadOnlySpan<byte>(Data, (int)SizeInBytes);
    }

    private int ArrayLength() => SizeInBytes <= Array.MaxLength
        ? (int)Count
        : throw _file.Invalid(Name, $"with {Count} elements is too large to be copied; it must be used where it is mapped.");
}
