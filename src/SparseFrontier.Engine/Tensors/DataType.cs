namespace SparseFrontier.Tensors;

/// <summary>Storage type of tensor elements, named as safetensors headers name them.</summary>
public enum DataType
{
    /// <summary>IEEE binary32.</summary>
    F32,

    /// <summary>IEEE binary16.</summary>
    F16,

    /// <summary>The upper half of an IEEE binary32.</summary>
    BF16,

    /// <summary>IEEE binary64.</summary>
    F64,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    BOOL,
}

/// <summary>Facts about <see cref="DataType"/> values.</summary>
public static class DataTypeExtensions
{
    /// <summary>Bytes of one element.</summary>
    public static int SizeInBytes(this DataType type) => type switch
    {
        DataType.F64 or DataType.I64 => 8,
        DataType.F32 or DataType.I32 => 4,
        DataType.F16 or DataType.BF16 or DataType.I16 => 2,
        _ => 1,
    };

    /// <summary>The value rounded to F16 or BF16, to nearest and ties to even; unchanged for other types.</summary>
    public static float Round(this DataType type, float value)
    {
        if (type == DataType.F16)
        {
            return (float)(Half)value;
        }

        if (type != DataType.BF16 || !float.IsFinite(value))
        {
            return value;
        }

        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }
}
