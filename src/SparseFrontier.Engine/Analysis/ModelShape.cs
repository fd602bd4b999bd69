using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Analysis;

/// <summary>What the cost of a model depends on: the sizes that its config.json names.</summary>
public sealed record ModelShape
{
    /// <summary>Name of the model.</summary>
    public required string Name { get; init; }

    /// <summary>By layer: 0 for global attention, else the sliding window in tokens.</summary>
    public required IReadOnlyList<int> SlidingWindows { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward layer.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Query heads of a layer.</summary>
    public required int QueryHeads { get; init; }

    /// <summary>KV heads of a layer.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Elements of one query, key or value.</summary>
    public required int HeadDimension { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Whether the embedding is also the output projection.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Whether query, key and value projections have a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether queries and keys are normalised by head.</summary>
    public bool QueryKeyNorms { get; init; }

    /// <summary>Norms over the residual stream in a layer: 2, for Gemma 4.</summary>
    public int NormsPerLayer { get; init; } = 2;

    /// <summary>Number of layers.</summary>
    public int LayerCount => SlidingWindows.Count;

    /// <summary>Number of layers that attend to the whole sequence.</summary>
    public int GlobalLayerCount => SlidingWindows.Count(w => w == 0);

    /// <summary>Indices of the layers that attend to the whole sequence.</summary>
    public IReadOnlyList<int> GlobalLayers => [.. Enumerable.Range(0, LayerCount).Where(i => SlidingWindows[i] == 0)];

    /// <summary>Width of all queries of a token, and of the attention's output before its projection.</summary>
    public double QueryWidth => (double)QueryHeads * HeadDimension;

    /// <summary>Width of all keys of a token, or of all values.</summary>
    public double KvWidth => (double)KvHeads * HeadDimension;

    /// <summary>Weights of one layer.</summary>
    public double LayerParameterCount =>
        (2 * HiddenSize * QueryWidth) + (2 * HiddenSize * KvWidth) + (3.0 * HiddenSize * IntermediateSize) + ((double)NormsPerLayer * HiddenSize)
        + (QueryKeyValueBias ? QueryWidth + (2 * KvWidth) : 0) + (QueryKeyNorms ? 2 * HeadDimension : 0);

    /// <summary>Weights of the model, the embedding included once where it is shared.</summary>
    public double ParameterCount =>
        (LayerCount * LayerParameterCount) + HiddenSize + ((TiedEmbeddings ? 1.0 : 2.0) * VocabularySize * HiddenSize);

    /// <summary>The shape of a checkpoint.</summary>
    public static ModelShape From(string name, ModelConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return new ModelShape
        {
            Name = name,
            SlidingWindows = configuration.SlidingWindows,
            HiddenSize = configuration.HiddenSize,
            IntermediateSize = configuration.IntermediateSize,
            QueryHeads = configuration.QueryHeads,
            KvHeads = configuration.KvHeads,
            HeadDimension = configuration.HeadDimension,
            VocabularySize = configuration.VocabularySize,
            TiedEmbeddings = configuration.TiedEmbeddings,
            QueryKeyValueBias = configuration.QueryKeyValueBias,
            QueryKeyNorms = configuration.QueryKeyNorms,
            NormsPerLayer = configuration.IsGemma ? 4 : 2,
        };
    }
}
