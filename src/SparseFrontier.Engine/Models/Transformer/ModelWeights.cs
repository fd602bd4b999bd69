using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// The weights of a checkpoint, found by name and checked against its configuration. Matrices are rearranged for products in the type that
/// they are stored in, the embedding is read where it is mapped, norms and biases are copied as float32.
/// </summary>
internal sealed unsafe class ModelWeights : IDisposable
{
    // Plain decoders; Gemma 3's text decoder in the older, the newer and the nested conditional-generation layout.
    private static readonly string[] s_prefixes = ["model.", "language_model.model.", "model.language_model.", "model.language_model.model."];
    private static readonly string[] s_outputNames = ["lm_head.weight", "language_model.lm_head.weight"];

    private readonly SafetensorsCheckpoint _checkpoint;
    private readonly ModelConfiguration _configuration;
    private readonly List<IDisposable> _copies = [];
    private readonly SortedDictionary<string, SafetensorsTensor> _used = new(StringComparer.Ordinal);
    private readonly string _prefix;

    /// <summary>Maps the weights of a directory.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid.</exception>
    public ModelWeights(string directory, ModelConfiguration configuration)
    {
        _configuration = configuration;
        _checkpoint = SafetensorsCheckpoint.Open(directory);
        try
        {
            _prefix = s_prefixes.FirstOrDefault(p => _checkpoint.Tensors.ContainsKey(p + "embed_tokens.weight"))
                ?? throw Invalid("embed_tokens.weight", $"is missing (looked for under {string.Join(", ", s_prefixes)})");
            Embedding = new EmbeddingTable(Find(_prefix + "embed_tokens.weight", configuration.VocabularySize, configuration.HiddenSize));
            Layers = [.. Enumerable.Range(0, configuration.LayerCount).Select(ReadLayer)];
            FinalNorm = Norm(_prefix + "norm.weight", configuration.HiddenSize);
            Output = Matrix(
                configuration.TiedEmbeddings ? _prefix + "embed_tokens.weight" : s_outputNames.FirstOrDefault(_checkpoint.Tensors.ContainsKey) ?? s_outputNames[0],
                configuration.VocabularySize,
                configuration.HiddenSize);
            RefuseUnknownTensors();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>[vocabulary, hidden].</summary>
    public EmbeddingTable Embedding { get; }

    /// <summary>Layer by layer.</summary>
    public IReadOnlyList<LayerWeights> Layers { get; }

    /// <summary>[hidden].</summary>
    public NativeArray<float> FinalNorm { get; }

    /// <summary>[vocabulary, hidden]; the embedding's elements where tied, which then only look-ups read from the file.</summary>
    public WeightMatrix Output { get; }

    /// <summary>Elements of all weights that the model uses, the embedding once.</summary>
    public long ParameterCount => _used.Values.Sum(t => t.Count);

    /// <summary>Bytes of all weights that the model uses.</summary>
    public long SizeInBytes => _used.Values.Sum(t => t.SizeInBytes);

    /// <summary>SHA-256 over the used tensors' names, types, shapes and bytes, whatever files they are spread over.</summary>
    public byte[] Hash(CancellationToken cancellationToken)
    {
        SafetensorsTensor[] tensors = [.. _used.Values];
        byte[][] parts = new byte[tensors.Length][];
        WorkerPool.For(
            tensors.Length,
            i =>
            {
                SafetensorsTensor tensor = tensors[i];
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                hash.AppendData(Encoding.UTF8.GetBytes($"{tensor.Name[_prefix.Length..]}\n{tensor.DataType}\n{tensor.ShapeText}\n"));
                for (long offset = 0; offset < tensor.SizeInBytes; offset += 1 << 26)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    hash.AppendData(new ReadOnlySpan<byte>(tensor.Data + offset, (int)Math.Min(1 << 26, tensor.SizeInBytes - offset)));
                }

                parts[i] = hash.GetHashAndReset();
                tensor.ReleaseMemory();
            },
            cancellationToken);
        return SHA256.HashData([.. parts.SelectMany(p => p)]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _copies.ForEach(c => c.Dispose());
        _checkpoint.Dispose();
    }

    private LayerWeights ReadLayer(int index)
    {
        ModelConfiguration c = _configuration;
        string prefix = string.Create(CultureInfo.InvariantCulture, $"{_prefix}layers.{index}.");
        int queries = c.QueryHeads * c.HeadDimension;
        int keys = c.KvHeads * c.HeadDimension;
        return new LayerWeights
        {
            AttentionNorm = Norm(prefix + "input_layernorm.weight", c.HiddenSize),
            Query = Linear(prefix + "self_attn.q_proj", queries, c.HiddenSize, c.QueryKeyValueBias),
            Key = Linear(prefix + "self_attn.k_proj", keys, c.HiddenSize, c.QueryKeyValueBias),
            Value = Linear(prefix + "self_attn.v_proj", keys, c.HiddenSize, c.QueryKeyValueBias),
            Output = Linear(prefix + "self_attn.o_proj", c.HiddenSize, queries, c.AttentionOutputBias),
            QueryNorm = c.QueryKeyNorms ? Norm(prefix + "self_attn.q_norm.weight", c.HeadDimension) : null,
            KeyNorm = c.QueryKeyNorms ? Norm(prefix + "self_attn.k_norm.weight", c.HeadDimension) : null,
            AttentionOutputNorm = c.IsGemma ? Norm(prefix + "post_attention_layernorm.weight", c.HiddenSize) : null,
            FeedForwardNorm = Norm(prefix + (c.IsGemma ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight"), c.HiddenSize),
            Gate = Linear(prefix + "mlp.gate_proj", c.IntermediateSize, c.HiddenSize, c.FeedForwardBias),
            Up = Linear(prefix + "mlp.up_proj", c.IntermediateSize, c.HiddenSize, c.FeedForwardBias),
            Down = Linear(prefix + "mlp.down_proj", c.HiddenSize, c.IntermediateSize, c.FeedForwardBias),
            FeedForwardOutputNorm = c.IsGemma ? Norm(prefix + "post_feedforward_layernorm.weight", c.HiddenSize) : null,
        };
    }

    private Linear Linear(string name, int outputs, int inputs, bool bias) =>
        new(Matrix(name + ".weight", outputs, inputs), bias ? Vector(name + ".bias", outputs) : null);

    private WeightMatrix Matrix(string name, int rows, int columns)
    {
        SafetensorsTensor tensor = Find(name, rows, columns);
        var matrix = new WeightMatrix(tensor.Data, tensor.DataType, rows, columns);
        _copies.Add(matrix);
        tensor.ReleaseMemory();
        return matrix;
    }

    private NativeArray<float> Norm(string name, int width)
    {
        NativeArray<float> norm = Vector(name, width);
        if (_configuration.IsGemma)
        {
            foreach (ref float weight in norm.Span)
            {
                weight += 1;
            }
        }

        return norm;
    }

    private NativeArray<float> Vector(string name, int width)
    {
        var copy = new NativeArray<float>(width);
        _copies.Add(copy);
        Find(name, width).CopyTo(copy.Span);
        return copy;
    }

    private SafetensorsTensor Find(string name, params ReadOnlySpan<long> shape)
    {
        if (!_checkpoint.Tensors.TryGetValue(name, out SafetensorsTensor? tensor))
        {
            throw Invalid(name, $"is missing; config.json ({_configuration.Family}, {_configuration.LayerCount} layers) asks for it");
        }

        if (!shape.SequenceEqual([.. tensor.Shape]))
        {
            throw Invalid(name, $"has shape {tensor.ShapeText} in '{tensor.FilePath}', but config.json asks for {SafetensorsFile.Describe(shape.ToArray())}");
        }

        if (tensor.DataType is not (DataType.F32 or DataType.F16 or DataType.BF16))
        {
            throw Invalid(name, $"has elements of type {tensor.DataType} in '{tensor.FilePath}'; weights are read as F32, F16 or BF16");
        }

        _used[name] = tensor;
        return tensor;
    }

    // A weight of the decoder that is not used means another architecture under a known name; its logits would be silently wrong.
    private void RefuseUnknownTensors()
    {
        string? unknown = _checkpoint.Tensors.Keys.Order(StringComparer.Ordinal).FirstOrDefault(name =>
            name.StartsWith(_prefix + "layers.", StringComparison.Ordinal)
            && !_used.ContainsKey(name)
            && !name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal));
        if (unknown is not null)
        {
            throw Invalid(unknown, $"is no weight of the architecture that config.json describes ({_configuration.Family}, {_configuration.LayerCount} layers)");
        }
    }

    private SparseFrontierException Invalid(string tensor, string cause) =>
        new(ErrorIds.CheckpointInvalid, $"In the checkpoint '{_checkpoint.Directory}', tensor '{tensor}' {cause}.", _checkpoint.Directory);
}
