using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Safetensors;

/// <summary>
/// A safetensors file, mapped into memory: eight bytes with the header's length, a JSON header, the tensors' bytes. Every header field is
/// checked before any tensor is touched, as the reference implementation does: the tensors cover the rest of the file without hole or overlap.
/// </summary>
public sealed unsafe partial class SafetensorsFile : IDisposable
{
    // The reference implementation's own limit.
    private const long MaximumHeaderLength = 100_000_000;

    private static readonly JsonDocumentOptions s_headerOptions = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    private readonly MemoryMappedFile? _mapping;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _start;
    private readonly long _dataOffset;
    private bool _disposed;

    private SafetensorsFile(string path)
    {
        Path = path;
        try
        {
            if (PlainFile.IsEmpty(path))
            {
                throw Invalid(null, "has 0 bytes and so no header; the download may have been cut off.");
            }

            using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            long length = RandomAccess.GetLength(handle);
            (Tensors, Metadata, _dataOffset) = ReadHeader(handle, length);
            _mapping = MemoryMappedFile.CreateFromFile(
                new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0),
                null,
                0,
                MemoryMappedFileAccess.Read,
                HandleInheritability.None,
                leaveOpen: false);
            _view = _mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
            if (_view.Capacity < length)
            {
                throw Invalid(null, "became shorter while it was read.");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            Release();
            throw new SparseFrontierException(ErrorIds.CheckpointUnreadable, $"'{path}' cannot be read: {e.Message}", path, e);
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>Path as given.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsTensor> Tensors { get; }

    /// <summary>The header's free text entries.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    internal byte* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _start + _dataOffset;
        }
    }

    /// <summary>Maps a file and checks its header.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid; the message names file, tensor and cause.</exception>
    public static SafetensorsFile Open(string path) => new(path);

    /// <summary>A tensor that must exist.</summary>
    /// <exception cref="SparseFrontierException">CheckpointInvalid: there is none of this name.</exception>
    public SafetensorsTensor Tensor(string name) => Tensors.TryGetValue(name, out SafetensorsTensor? tensor)
        ? tensor
        : throw Invalid(name, "is missing.");

    /// <inheritdoc/>
    public void Dispose() => Release();

    internal static string Describe(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";

    internal SparseFrontierException Invalid(string? tensor, string cause, Exception? inner = null) => new(
        ErrorIds.CheckpointInvalid,
        tensor is null ? $"The safetensors file '{Path}' {cause}" : $"In the safetensors file '{Path}', tensor '{Shorten(tensor)}' {cause}",
        Path,
        inner);

    private static string Shorten(string name) => name.Length <= 200 ? name : name[..200] + "...";

    private static void ReadFully(SafeFileHandle handle, Span<byte> buffer, long offset)
    {
        while (buffer.Length > 0)
        {
            int read = RandomAccess.Read(handle, buffer, offset);
            if (read == 0)
            {
                throw new EndOfStreamException("the file became shorter while it was read.");
            }

            buffer = buffer[read..];
            offset += read;
        }
    }

    private (IReadOnlyDictionary<string, SafetensorsTensor> Tensors, IReadOnlyDictionary<string, string> Metadata, long DataOffset) ReadHeader(
        SafeFileHandle handle,
        long length)
    {
        if (length < sizeof(ulong))
        {
            throw Invalid(null, $"has {Counted.Of(length, "byte")} and so no header; the download may have been cut off.");
        }

        Span<byte> prefix = stackalloc byte[sizeof(ulong)];
        ReadFully(handle, prefix, 0);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (prefix.SequenceEqual("version "u8))
        {
            throw Invalid(null, "is a Git LFS pointer, not the weights; fetch them with 'git lfs pull'.");
        }

        if (headerLength > MaximumHeaderLength || (long)headerLength > length - sizeof(ulong))
        {
            throw Invalid(null, $"says that its header has {headerLength} bytes, but the file has {length} (and a header at most {MaximumHeaderLength}); it is cut off or not a safetensors file.");
        }

        byte[] json = new byte[headerLength];
        ReadFully(handle, json, sizeof(ulong));
        long dataOffset = sizeof(ulong) + (long)headerLength;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, s_headerOptions);
            (var tensors, var metadata) = ReadEntries(document.RootElement, length - dataOffset);
            return (tensors, metadata, dataOffset);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: text that is no valid Unicode.
            throw Invalid(null, $"has a header that is no well-formed JSON: {e.Message}", e);
        }
    }

    private (Dictionary<string, SafetensorsTensor> Tensors, Dictionary<string, string> Metadata) ReadEntries(JsonElement root, long dataLength)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(null, "has a header that is no JSON object.");
        }

        var tensors = new Dictionary<string, SafetensorsTensor>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var extents = new List<(long Begin, long End, string Name)>();
        foreach (JsonProperty entry in root.EnumerateObject())
        {
            if (entry.NameEquals("__metadata__"u8))
            {
                ReadMetadata(entry.Value, metadata);
                continue;
            }

            (SafetensorsTensor tensor, long begin) = ReadTensor(entry, dataLength);
            if (!tensors.TryAdd(tensor.Name, tensor))
            {
                throw Invalid(tensor.Name, "is described twice.");
            }

            extents.Add((begin, begin + tensor.SizeInBytes, tensor.Name));
        }

        extents.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        long end = 0;
        foreach ((long begin, long next, string name) in extents)
        {
            if (begin != end)
            {
                throw Invalid(name, begin < end ? $"begins at byte {begin}, inside the tensor before it, which ends at {end}." : $"begins at byte {begin}, but the tensor before it ends at {end}: bytes in between belong to none.");
            }

            end = next;
        }

        return end == dataLength
            ? (tensors, metadata)
            : throw Invalid(null, $"holds {dataLength} bytes of data, but its tensors end at {end}.");
    }

    private void ReadMetadata(JsonElement value, Dictionary<string, string> metadata)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(null, "has a __metadata__ that is no JSON object.");
        }

        foreach (JsonProperty item in value.EnumerateObject())
        {
            metadata[item.Name] = item.Value.ValueKind == JsonValueKind.String
                ? item.Value.GetString()!
                : throw Invalid(null, $"has the __metadata__ entry '{Shorten(item.Name)}', which is no text.");
        }
    }

    private (SafetensorsTensor Tensor, long Begin) ReadTensor(JsonProperty entry, long dataLength)
    {
        string name = entry.Name;
        if (entry.Value.ValueKind != JsonValueKind.Object)
        {
            throw Invalid(name, "is described by something other than a JSON object.");
        }

        if (!entry.Value.TryGetProperty("dtype"u8, out JsonElement typeName) || typeName.ValueKind != JsonValueKind.String)
        {
            throw Invalid(name, "has no dtype.");
        }

        string typeText = typeName.GetString()!;
        if (!Array.Exists(Enum.GetNames<DataType>(), n => n == typeText))
        {
            throw Invalid(name, $"has dtype '{Shorten(typeText)}'; read are {string.Join(", ", Enum.GetNames<DataType>())}.");
        }

        DataType type = Enum.Parse<DataType>(typeText);
        long[] shape = ReadIntegers(entry, "shape", null);
        long[] offsets = ReadIntegers(entry, "data_offsets", 2);
        if (offsets[0] > offsets[1] || offsets[1] > dataLength)
        {
            throw Invalid(name, $"has data_offsets {Describe(offsets)} outside the file's {dataLength} bytes of data.");
        }

        long count = 1;
        try
        {
            foreach (long extent in shape)
            {
                count = checked(count * extent);
            }

            if (checked(count * type.SizeInBytes()) != offsets[1] - offsets[0])
            {
                throw Invalid(name, $"has shape {Describe(shape)} of {type}, which takes {count * type.SizeInBytes()} bytes, but data_offsets {Describe(offsets)} span {offsets[1] - offsets[0]}.");
            }
        }
        catch (OverflowException e)
        {
            throw Invalid(name, $"has the impossible shape {Describe(shape)}.", e);
        }

        return (new SafetensorsTensor(this, name, type, shape, count, offsets[0]), offsets[0]);
    }

    private long[] ReadIntegers(JsonProperty entry, string field, int? expected)
    {
        if (!entry.Value.TryGetProperty(field, out JsonElement list) || list.ValueKind != JsonValueKind.Array)
        {
            throw Invalid(entry.Name, $"has no {field}.");
        }

        long[] values = new long[list.GetArrayLength()];
        if (expected is not null && values.Length != expected)
        {
            throw Invalid(entry.Name, $"has {values.Length} {field} instead of {expected}.");
        }

        int index = 0;
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out values[index]) || values[index] < 0)
            {
                throw Invalid(entry.Name, $"has a {field} that is not a list of whole numbers from 0.");
            }

            index++;
        }

        return values;
    }

    /// <summary>Lets the system take back the memory of whole pages of the data; they are read from the file again when next used.</summary>
    internal void ReleaseMemory(long offset, long length)
    {
        const int MadviseDontNeed = 4;
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        // Pages that another tensor shares stay. That the system refuses only costs memory.
        nint first = ((nint)(Data + offset) + Environment.SystemPageSize - 1) & ~(nint)(Environment.SystemPageSize - 1);
        nint end = (nint)(Data + offset + length) & ~(nint)(Environment.SystemPageSize - 1);
        if (end > first)
        {
            _ = Advise(first, (nuint)(end - first), MadviseDontNeed);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint address, nuint length, int advice);

    private void Release()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_start is not null)
        {
            _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        }

        _view?.Dispose();
        _mapping?.Dispose();
    }
}
