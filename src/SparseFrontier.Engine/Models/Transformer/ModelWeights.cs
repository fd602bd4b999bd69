using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SparseFrontier.Kernels;
using SparseFrontier.Models.Safetensors;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>The weights of a checkpoint in host memory: matrices rearranged for products in the type that they are stored in, norms and biases as float32.</summary>
internal sealed class ModelWeights : ModelWeights<WeightMatrix, NativeArray<float>>
{
    /// <summary>Maps the weights of a directory.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid.</exception>
    public ModelWeights(string directory, ModelConfiguration configuration)
        : base(directory, configuration, new HostWeightLoader())
    {
    }

    private sealed unsafe class HostWeightLoader : WeightLoader<WeightMatrix, NativeArray<float>>
    {
        public override WeightMatrix Matrix(SafetensorsTensor tensor, int rows, int columns) => new(tensor.Data, tensor.DataType, rows, columns);

        public override NativeArray<float> Vector(ReadOnlySpan<float> values)
        {
            var copy = new NativeArray<float>(values.Length);
            values.CopyTo(copy.Span);
            return copy;
        }
    }
}

/// <summary>Puts weights into a device's memory.</summary>
/// <typeparam name="TMatrix">How the device holds a matrix.</typeparam>
/// <typeparam name="TVector">How the device holds a vector.</typeparam>
internal abstract class WeightLoader<TMatrix, TVector>
{
    /// <summary>What follows is of this layer, or, after the last layer, of the output.</summary>
    public virtual void BeginLayer(int layer)
    {
    }

    /// <summary>A copy of a tensor [rows, columns]; the tensor's pages may be given back afterwards.</summary>
    public abstract TMatrix Matrix(SafetensorsTensor tensor, int rows, int columns);

    /// <summary>A copy of float32 elements.</summary>
    public abstract TVector Vector(ReadOnlySpan<float> values);
}

/// <summary>The weights of a checkpoint, found by name and checked against its configuration, in the memory of a device; the embedding stays mapped too.</summary>
/// <typeparam name="TMatrix">How the device holds a matrix.</typeparam>
/// <typeparam name="TVector">How the device holds a vector.</typeparam>
internal class ModelWeights<TMatrix, TVector> : IDisposable
    where TMatrix : class, IDisposable
    where TVector : class, IDisposable
{
    // Plain decoders; Gemma 3's text decoder in the older, the newer and the nested conditional-generation layout.
    private static readonly string[] s_prefixes = ["model.", "language_model.model.", "model.language_model.", "model.language_model.model."];
    private static readonly string[] s_outputNames = ["lm_head.weight", "language_model.lm_head.weight"];

    private readonly SafetensorsCheckpoint _checkpoint;
    private readonly WeightLoader<TMatrix, TVector> _loader;
    private readonly ModelConfiguration _configuration;
    private readonly List<IDisposable> _copies = [];
    private readonly SortedDictionary<string, SafetensorsTensor> _used = new(StringComparer.Ordinal);
    private readonly string _prefix;

    /// <summary>Loads the weights of a directory.</summary>
    /// <exception cref="SparseFrontierException">CheckpointUnreadable or CheckpointInvalid; what the loader throws.</exception>
    public ModelWeights(string directory, ModelConfiguration configuration, WeightLoader<TMatrix, TVector> loader)
    {
        _configuration = configuration;
        _loader = loader;
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
    public IReadOnlyList<LayerWeights<TMatrix, TVector>> Layers { get; }

    /// <summary>[hidden].</summary>
    public TVector FinalNorm { get; }

    /// <summary>[vocabulary, hidden]; the embedding's elements where tied, which then only look-ups read from the file.</summary>
    public TMatrix Output { get; }

    /// <summary>Elements of all weights that the model uses, the embedding once.</summary>
    public long ParameterCount => _used.Values.Sum(t => t.Count);

    /// <summary>Bytes of all weights that the model uses.</summary>
    public long SizeInBytes => _used.Values.Sum(t => t.SizeInBytes);

    /// <summary>SHA-256 over configuration, stop tokens and weights, lower-case hexadecimal.</summary>
    /// <param name="configuration">Bytes of config.json.</param>
    public string ContentHash(byte[] configuration)
    {
        string stops = string.Join(',', _configuration.StopTokens.Select(t => t.ToString(CultureInfo.InvariantCulture)));
        byte[] message = [.. SHA256.HashData(configuration), .. SHA256.HashData(Encoding.ASCII.GetBytes(stops)), .. Hash(CancellationToken.None)];
        return Convert.ToHexStringLower(SHA256.HashData(message));
    }

    /// <summary>SHA-256 over the used tensors' names, types, shapes and bytes, whatever files they are spread over.</summary>
    public unsafe byte[] Hash(CancellationToken cancellationToken)
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
    public virtual void Dispose()
    {
        GC.SuppressFinalize(this);
        _copies.ForEach(c => c.Dispose());
        _checkpoint.Dispose();
    }

    private LayerWeights<TMatrix, TVector> ReadLayer(int index)
    {
        _loader.BeginLayer(index);
        ModelConfiguration c = _configuration;
        string prefix = string.Create(CultureInfo.InvariantCulture, $"{_prefix}layers.{index}.");
        int queries = c.QueryHeads * c.HeadDimension;
        int keys = c.KvHeads * c.HeadDimension;
        return new LayerWeights<TMatrix, TVector>
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

    private Linear<TMatrix, TVector> Linear(string name, int outputs, int inputs, bool bias) =>
        new(Matrix(name + ".weight", outputs, inputs), bias ? Vector(name + ".bias", outputs) : null);

    private TMatrix Matrix(string name, int rows, int columns)
    {
        SafetensorsTensor tensor = Find(name, rows, columns);
        TMatrix matrix = _loader.Matrix(tensor, rows, columns);
        _copies.Add(matrix);
        tensor.ReleaseMemory();
        return matrix;
    }

    private TVector Norm(string name, int width)
    {
        float[] norm = Find(name, width).ToSingles();
        if (_configuration.IsGemma)
        {
            foreach (ref float weight in norm.AsSpan())
            {
                weight += 1;
            }
        }

        return Keep(norm);
    }

    private TVector Vector(string name, int width) => Keep(Find(name, width).ToSingles());

    private TVector Keep(float[] values)
    {
        TVector vector = _loader.Vector(values);
        _copies.Add(vector);
        return vector;
    }

    private SafetensorsTensor Find(string name, params ReadOnlySpan<long> shape)
    {
        if (!_checkpoint.Tensors.TryGetValue(name, out SafetensorsTensor? tensor))
        {
            throw Invalid(name, $"is missing; config.json ({_configuration.Family}, {Counted.Of(_configuration.LayerCount, "layer")}) asks for it");
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
            throw Invalid(unknown, $"is no weight of the architecture that config.json describes ({_configuration.Family}, {Counted.Of(_configuration.LayerCount, "layer")})");
        }
    }

    private SparseFrontierException Invalid(string tensor, string cause) =>
        new(ErrorIds.CheckpointInvalid, $"In the checkpoint '{_checkpoint.Directory}', tensor '{tensor}' {cause}.", _checkpoint.Directory);
}
