using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>
/// The decoder over rows of tokens, all but attention itself: which operations follow each other, written once for every family and every device, for
/// prefill and for decode (a GPU's steps fuse them: <see cref="Cuda.CudaStepDecoder"/>). A device adds the operations, over addresses in its own memory and over types of its own;
/// a row's result does not depend on the rows beside it.
/// </summary>
/// <remarks>
/// The residual stream is float32 everywhere. What lies between two additions to it (the branch) is float32 on a processor and of the weights' 16-bit type on
/// a GPU.
/// </remarks>
/// <typeparam name="TMatrix">How the device holds a matrix.</typeparam>
/// <typeparam name="TVector">How the device holds a vector.</typeparam>
internal abstract class Decoder<TMatrix, TVector> : IDisposable
    where TMatrix : class, IDisposable
    where TVector : class, IDisposable
{
    private readonly ModelWeights<TMatrix, TVector> _weights;

    protected Decoder(ModelWeights<TMatrix, TVector> weights, ModelConfiguration configuration, int maximumRows)
    {
        _weights = weights;
        Configuration = configuration;
        MaximumRows = maximumRows;

        // Hugging Face multiplies Gemma's embeddings by a factor rounded to the type of the weights.
        EmbeddingScale = configuration.IsGemma ? weights.Embedding.DataType.Round(MathF.Sqrt(configuration.HiddenSize)) : 1;
    }

    /// <summary>Most rows of a call.</summary>
    public int MaximumRows { get; }

    /// <summary>Shape and constants.</summary>
    protected ModelConfiguration Configuration { get; }

    /// <summary>Factor on embeddings.</summary>
    protected float EmbeddingScale { get; }

    /// <summary>Branch scratch [rows, hidden].</summary>
    protected abstract nint Normalized { get; }

    /// <summary>Branch scratch [rows, intermediate].</summary>
    protected abstract nint Gated { get; }

    /// <summary>Branch scratch [rows, intermediate].</summary>
    protected abstract nint Upward { get; }

    /// <summary>Queries, keys and values of rows: norm, projections, norms by head, rotation.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="residual">[rows, hidden] float32.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cosines">[rows, dimension / 2] float32.</param>
    /// <param name="sines">[rows, dimension / 2] float32.</param>
    /// <param name="queries">[rows, query heads, dimension], written.</param>
    /// <param name="keys">[rows, KV heads, dimension], written.</param>
    /// <param name="values">[rows, KV heads, dimension], written.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Project(
        LayerWeights<TMatrix, TVector> layer,
        nint residual,
        int rows,
        nint cosines,
        nint sines,
        nint queries,
        nint keys,
        nint values,
        CancellationToken cancellationToken)
    {
        Normalize(residual, rows, layer.AttentionNorm, Normalized);
        Multiply(Normalized, rows, layer.Query, queries, cancellationToken);
        FinishQueries(layer, rows, Configuration.QueryHeads, cosines, sines, queries);
        MakeKeysAndValues(layer, rows, cosines, sines, keys, values, cancellationToken);
    }

    /// <summary>What follows attention in a layer: output projection, feed-forward, each added to the residual.</summary>
    /// <param name="layer">The layer's weights.</param>
    /// <param name="attention">[rows, query heads, dimension].</param>
    /// <param name="residual">[rows, hidden] float32, changed.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="cancellationToken">Stops between tiles.</param>
    public void Finish(LayerWeights<TMatrix, TVector> layer, nint attention, nint residual, int rows, CancellationToken cancellationToken)
    {
        AddProduct(attention, rows, layer.Output, layer.AttentionOutputNorm, residual, cancellationToken);
        FeedForward(layer, residual, rows, cancellationToken);
    }

    /// <summary>Logits of rows, [rows, vocabulary] float32.</summary>
    public void Logits(nint residual, int rows, nint logits, CancellationToken cancellationToken)
    {
        Normalize(residual, rows, _weights.FinalNorm, Normalized);
        MultiplyLogits(Normalized, rows, _weights.Output, logits, cancellationToken);
    }

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Keys and values of normalised rows.</summary>
    protected void MakeKeysAndValues(LayerWeights<TMatrix, TVector> layer, int rows, nint cosines, nint sines, nint keys, nint values, CancellationToken cancellationToken)
    {
        Multiply(Normalized, rows, layer.Key, keys, cancellationToken);
        Multiply(Normalized, rows, layer.Value, values, cancellationToken);
        if (layer.KeyNorm is not null)
        {
            NormalizeHeads(keys, rows * Configuration.KvHeads, layer.KeyNorm);
        }

        Rotate(keys, rows, Configuration.KvHeads, cosines, sines);
    }

    /// <summary>Norms by head and rotation of projected queries.</summary>
    protected void FinishQueries(LayerWeights<TMatrix, TVector> layer, int rows, int heads, nint cosines, nint sines, nint queries)
    {
        if (layer.QueryNorm is not null)
        {
            NormalizeHeads(queries, rows * heads, layer.QueryNorm);
        }

        Rotate(queries, rows, heads, cosines, sines);
    }

    /// <summary>The feed-forward layer, added to the residual.</summary>
    protected void FeedForward(LayerWeights<TMatrix, TVector> layer, nint residual, int rows, CancellationToken cancellationToken)
    {
        Normalize(residual, rows, layer.FeedForwardNorm, Normalized);
        Multiply(Normalized, rows, layer.Gate, Gated, cancellationToken);
        Multiply(Normalized, rows, layer.Up, Upward, cancellationToken);
        Gate(Gated, Upward, rows);
        AddProduct(Gated, rows, layer.Down, layer.FeedForwardOutputNorm, residual, cancellationToken);
    }

    /// <summary>Branch = norm of the residual.</summary>
    protected abstract void Normalize(nint residual, int rows, TVector weight, nint output);

    /// <summary>Norm of each of so many vectors of the head dimension, in place.</summary>
    protected abstract void NormalizeHeads(nint vectors, int count, TVector weight);

    /// <summary>Rotary embedding of [rows, heads, dimension], in place.</summary>
    protected abstract void Rotate(nint vectors, int rows, int heads, nint cosines, nint sines);

    /// <summary>gate = activation(gate) · up over [rows, intermediate].</summary>
    protected abstract void Gate(nint gate, nint up, int rows);

    /// <summary>output = input Wᵀ + bias, from branch to branch.</summary>
    protected abstract void Multiply(nint input, int rows, Linear<TMatrix, TVector> linear, nint output, CancellationToken cancellationToken);

    /// <summary>residual += norm(input Wᵀ + bias), without the norm where there is none; may write over <see cref="Normalized"/>.</summary>
    protected abstract void AddProduct(nint input, int rows, Linear<TMatrix, TVector> linear, TVector? norm, nint residual, CancellationToken cancellationToken);

    /// <summary>logits = input Wᵀ in float32.</summary>
    protected abstract void MultiplyLogits(nint input, int rows, TMatrix weight, nint logits, CancellationToken cancellationToken);
}
