using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Safetensors;

/// <summary>Collects tensors and writes them as one safetensors file; the same tensors give the same bytes.</summary>
public sealed class SafetensorsWriter
{
    private readonly List<(string Name, DataType Type, long[] Shape, byte[] Bytes)> _tensors = [];
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>Adds an entry to the header's __metadata__.</summary>
    public void AddMetadata(string name, string value) => _metadata[name] = value;

    /// <summary>Adds an F32 tensor.</summary>
    /// <param name="name">Name, not used before.</param>
    /// <param name="shape">Extents, outermost first.</param>
    /// <param name="values">As many elements as the shape says, row-major.</param>
    public void Add(string name, ReadOnlySpan<long> shape, ReadOnlySpan<float> values) => Add(name, DataType.F32, shape, MemoryMarshal.AsBytes(values));

    /// <summary>Adds an I32 tensor.</summary>
    /// <inheritdoc cref="Add(string, ReadOnlySpan{long}, ReadOnlySpan{float})"/>
    public void Add(string name, ReadOnlySpan<long> shape, ReadOnlySpan<int> values) => Add(name, DataType.I32, shape, MemoryMarshal.AsBytes(values));

    /// <summary>Adds an I64 tensor.</summary>
    /// <inheritdoc cref="Add(string, ReadOnlySpan{long}, ReadOnlySpan{float})"/>
    public void Add(string name, ReadOnlySpan<long> shape, ReadOnlySpan<long> values) => Add(name, DataType.I64, shape, MemoryMarshal.AsBytes(values));

    /// <summary>Adds a U8 tensor.</summary>
    /// <inheritdoc cref="Add(string, ReadOnlySpan{long}, ReadOnlySpan{float})"/>
    public void Add(string name, ReadOnlySpan<long> shape, ReadOnlySpan<byte> values) => Add(name, DataType.U8, shape, values);

    /// <summary>Adds a tensor of any type.</summary>
    /// <param name="name">Name, not used before.</param>
    /// <param name="type">Type of the elements.</param>
    /// <param name="shape">Extents, outermost first.</param>
    /// <param name="bytes">The elements, little-endian, row-major.</param>
    /// <exception cref="ArgumentException">The name was used, or the bytes are not as many as the shape says.</exception>
    public void Add(string name, DataType type, ReadOnlySpan<long> shape, ReadOnlySpan<byte> bytes)
    {
        long count = 1;
        foreach (long extent in shape)
        {
            count = checked(count * extent);
        }

        if (bytes.Length != checked(count * type.SizeInBytes()))
        {
            throw new ArgumentException($"Tensor '{name}' with shape {SafetensorsFile.Describe(shape.ToArray())} of {type} has {bytes.Length} bytes.", nameof(bytes));
        }

        if (name == "__metadata__" || _tensors.Exists(t => t.Name == name))
        {
            throw new ArgumentException($"The name '{name}' is taken.", nameof(name));
        }

        _tensors.Add((name, type, shape.ToArray(), bytes.ToArray()));
    }

    /// <summary>Writes the file through a neighbouring temporary one, so that a reader never sees half of it.</summary>
    /// <param name="path">Replaced where it exists.</param>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public void Write(string path)
    {
        // Widest elements first, so that every tensor is aligned to its element.
        _tensors.Sort((a, b) => b.Type.SizeInBytes() != a.Type.SizeInBytes()
            ? b.Type.SizeInBytes().CompareTo(a.Type.SizeInBytes())
            : string.CompareOrdinal(a.Name, b.Name));
        byte[] header = Header();
        string temporary = path + ".tmp";
        try
        {
            using (FileStream stream = File.Create(temporary))
            {
                Span<byte> length = stackalloc byte[sizeof(ulong)];
                BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
                stream.Write(length);
                stream.Write(header);
                foreach ((_, _, _, byte[] bytes) in _tensors)
                {
                    stream.Write(bytes);
                }
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            if (File.Exists(temporary))
            {
                File.Delete(temporary);
            }

            throw new SparseFrontierException(ErrorIds.ResultWriteFailed, $"'{path}' cannot be written: {e.Message}", path, e);
        }
    }

    private byte[] Header()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string name, string value) in _metadata)
                {
                    json.WriteString(name, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach ((string name, DataType type, long[] shape, byte[] bytes) in _tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", type.ToString());
                json.WriteStartArray("shape");
                foreach (long extent in shape)
                {
                    json.WriteNumberValue(extent);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset += bytes.Length;
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        while (buffer.Length % 8 != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.ToArray();
    }
}
