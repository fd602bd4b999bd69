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
}
