using System.Globalization;
using SparseFrontier.Attention;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Experiments;

/// <summary>
/// Queries, keys and values of one layer in a safetensors file: <c>q</c> [query heads, length, dimension], <c>k</c> and <c>v</c> [KV heads, length,
/// dimension], and optionally <c>next_q</c>, <c>next_k</c>, <c>next_v</c> of the tokens that follow the prompt. Where the file was exported from a run,
/// its metadata say of which, and what a method needs besides to choose as the run did.
/// </summary>
internal sealed unsafe class AttentionTrace : IDisposable
{
    private readonly NativeArray<float> _queries;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private readonly int _queryHeads;
    private readonly int _kvHeads;
    private readonly int _rows;
    private readonly int _dimension;
    private readonly IReadOnlyDictionary<string, string> _metadata;

    private AttentionTrace(SafetensorsFile file)
    {
        Path = file.Path;
        _metadata = file.Metadata;
        bool continues = file.Tensors.ContainsKey("next_q");
        (_queries, _queryHeads, Length, _rows, _dimension) = Read(file, "q", continues);
        (_keys, _kvHeads, int keyLength, int keyRows, int keyDimension) = Read(file, "k", continues);
        (_values, int valueHeads, int valueLength, int valueRows, int valueDimension) = Read(file, "v", continues);
        ElementType = file.Tensor("q").DataType;
        if (_kvHeads != valueHeads || _queryHeads % _kvHeads != 0 || Length != keyLength || Length != valueLength || _rows != keyRows || _rows != valueRows
            || _dimension != keyDimension || _dimension != valueDimension)
        {
            Dispose();
            throw Invalid(
                Path,
                $"q {file.Tensor("q").ShapeText}, k {file.Tensor("k").ShapeText} and v {file.Tensor("v").ShapeText} do not go together. "
                + "Needed are [query heads, length, dimension] and twice [KV heads, length, dimension], the query heads a multiple of the KV heads.");
        }
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Rows of the prompt.</summary>
    public int Length { get; }

    /// <summary>Type of the stored queries.</summary>
    public DataType ElementType { get; }

    /// <summary>What rows measured on the trace have in common.</summary>
    public AttentionPattern Sample => new()
    {
        Model = Text("model"),
        Task = Text("task"),
        SequenceLength = (int)(Number("sequence_length") ?? Length),
        SampleIndex = (int)(Number("sample") ?? 0),
        Seed = Number("seed") ?? 0,
        PromptTokens = Length,
        Path = Path,
    };

    /// <summary>Type of the cache that the run's decode methods chose from.</summary>
    public DataType CacheType => Text("cache_type") == nameof(DataType.BF16) ? DataType.BF16 : DataType.F32;

    /// <summary>Opens a trace.</summary>
    /// <exception cref="SparseFrontierException">FileNotFound, CheckpointUnreadable, CheckpointInvalid or ParameterInvalid.</exception>
    public static AttentionTrace Open(string path)
    {
        if (!File.Exists(path))
        {
            throw new SparseFrontierException(
                ErrorIds.FileNotFound,
                Directory.Exists(path) ? $"'{path}' is a folder; name the files in it that hold q, k and v: '{System.IO.Path.Combine(path, "*.safetensors")}'." : $"There is no file '{path}' to read q, k and v from.",
                path);
        }

        using SafetensorsFile file = SafetensorsFile.Open(path);
        return new AttentionTrace(file);
    }

    /// <summary>The layer, with the rows of what follows the prompt if there are any. Valid until this is disposed.</summary>
    /// <param name="kernels">The operations to compute with.</param>
    /// <param name="scale">Factor on query · key; null: the file's, else 1/√dimension.</param>
    /// <param name="seed">Seed of random methods; null: the file's, else 43.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public PromptLayer Layer(KernelSet kernels, double? scale, long? seed, CancellationToken cancellationToken) => new()
    {
        Layer = (int)(Number("layer") ?? 0),
        Queries = HeadTensor.HeadMajor(_queries.Pointer, _queryHeads, _rows, _dimension),
        Keys = HeadTensor.HeadMajor(_keys.Pointer, _kvHeads, _rows, _dimension),
        Values = HeadTensor.HeadMajor(_values.Pointer, _kvHeads, _rows, _dimension),
        Scale = (float)(scale ?? Real("scale") ?? (1 / Math.Sqrt(_dimension))),
        Kernels = kernels,
        Seed = seed ?? Number("sample_seed") ?? 43,
        CancellationToken = cancellationToken,
    };

    /// <summary>Writes some heads of a layer.</summary>
    /// <param name="path">File to write.</param>
    /// <param name="whole">Rows of the prompt, and of what follows it.</param>
    /// <param name="length">Rows of the prompt.</param>
    /// <param name="kvHeads">KV heads to write, with the query heads that read them.</param>
    /// <param name="metadata">What the file says of itself.</param>
    /// <exception cref="SparseFrontierException">ResultWriteFailed.</exception>
    public static void Write(string path, PromptLayer whole, int length, IReadOnlyList<int> kvHeads, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        int[] queryHeads = [.. kvHeads.SelectMany(h => Enumerable.Range(h * whole.GroupSize, whole.GroupSize))];
        var writer = new SafetensorsWriter();
        Add("q", whole.Queries, queryHeads);
        Add("k", whole.Keys, kvHeads);
        Add("v", whole.Values, kvHeads);
        foreach ((string name, string value) in metadata)
        {
            writer.AddMetadata(name, value);
        }

        writer.AddMetadata("layer", whole.Layer.ToString(CultureInfo.InvariantCulture));
        writer.AddMetadata("scale", whole.Scale.ToString("R", CultureInfo.InvariantCulture));
        writer.AddMetadata("sample_seed", whole.Seed.ToString(CultureInfo.InvariantCulture));
        writer.AddMetadata("kv_heads", string.Join(',', kvHeads));
        writer.Write(path);

        void Add(string name, HeadTensor tensor, IReadOnlyList<int> heads)
        {
            writer.Add(name, [heads.Count, length, tensor.Dimension], Rows(tensor, heads, 0, length));
            if (tensor.Rows > length)
            {
                writer.Add($"next_{name}", [heads.Count, tensor.Rows - length, tensor.Dimension], Rows(tensor, heads, length, tensor.Rows));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queries.Dispose();
        _keys?.Dispose();
        _values?.Dispose();
    }

    private static float[] Rows(HeadTensor tensor, IReadOnlyList<int> heads, int first, int end)
    {
        float[] rows = new float[checked((long)heads.Count * (end - first) * tensor.Dimension)];
        for (int h = 0; h < heads.Count; h++)
        {
            for (int row = first; row < end; row++)
            {
                tensor.RowSpan(heads[h], row).CopyTo(rows.AsSpan(((h * (end - first)) + row - first) * tensor.Dimension));
            }
        }

        return rows;
    }

    // The prompt's rows of a tensor, and after them, head by head, those of what follows.
    private static (NativeArray<float> Data, int Heads, int Length, int Rows, int Dimension) Read(SafetensorsFile file, string name, bool continues)
    {
        (SafetensorsTensor prompt, int heads, int length, int dimension) = Shape(file, name);
        int more = 0;
        SafetensorsTensor? next = null;
        if (continues)
        {
            (next, int nextHeads, more, int nextDimension) = Shape(file, $"next_{name}");
            if (nextHeads != heads || nextDimension != dimension)
            {
                throw Invalid(file.Path, $"next_{name} {next.ShapeText} does not go with {name} {prompt.ShapeText}: heads and dimension must be the same.");
            }
        }

        var data = new NativeArray<float>((long)heads * (length + more) * dimension);
        if (next is null)
        {
            prompt.CopyTo(data.Span);
            return (data, heads, length, length, dimension);
        }

        float[] first = prompt.ToSingles();
        float[] second = next.ToSingles();
        for (int head = 0; head < heads; head++)
        {
            float* target = data.Pointer + ((long)head * (length + more) * dimension);
            first.AsSpan(head * length * dimension, length * dimension).CopyTo(new Span<float>(target, length * dimension));
            second.AsSpan(head * more * dimension, more * dimension).CopyTo(new Span<float>(target + ((long)length * dimension), more * dimension));
        }

        return (data, heads, length, length + more, dimension);
    }

    private static (SafetensorsTensor Tensor, int Heads, int Rows, int Dimension) Shape(SafetensorsFile file, string name)
    {
        SafetensorsTensor tensor = file.Tensor(name);
        return tensor.Shape.Count != 3 || tensor.Shape.Any(extent => extent is < 1 or > int.MaxValue)
            ? throw Invalid(file.Path, $"{name} is {tensor.ShapeText}, but [heads, length, dimension] is needed, none of them 0.")
            : (tensor, (int)tensor.Shape[0], (int)tensor.Shape[1], (int)tensor.Shape[2]);
    }

    private static SparseFrontierException Invalid(string path, string what) => new(ErrorIds.ParameterInvalid, $"'{path}': {what}", path);

    private string Text(string name) => _metadata.TryGetValue(name, out string? value) ? value : "";

    private long? Number(string name) => Text(name) is not { Length: > 0 } text ? null
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            && (name is "seed" or "sample_seed" || value is >= 0 and <= 1 << 24) ? value
        : throw Invalid(Path, $"the metadata say {name} '{text}', which is no such number.");

    private double? Real(string name) => Text(name) is not { Length: > 0 } text ? null
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) && value > 0 ? value
        : throw Invalid(Path, $"the metadata say {name} '{text}', which is no positive number.");
}
