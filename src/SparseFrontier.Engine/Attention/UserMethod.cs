namespace SparseFrontier.Attention;

/// <summary>What the three kinds of a user's own methods have in common.</summary>
internal sealed record UserMethod(string Name, string Description, string CodeHash, UnitScorer Scorer)
{
    /// <summary>Shown as the source of the method.</summary>
    public string Source => $"Registered by the user; code {CodeHash[..8]}";

    /// <summary>The method of a unit.</summary>
    public AttentionMethod Create(ScoredUnit unit) => unit switch
    {
        ScoredUnit.Blocks => new UserBlockMethod(this),
        ScoredUnit.Tokens => new UserTokenMethod(this),
        _ => new UserPageMethod(this),
    };

    /// <summary>Asks the user's code and checks what it says.</summary>
    /// <param name="context">The question.</param>
    /// <param name="scores">[units], written.</param>
    /// <exception cref="SparseFrontierException">ScoresInvalid: it failed, or gave another number of scores, or one that is not finite.</exception>
    public void Score(ScoreContext context, Span<float> scores)
    {
        double[]? given;
        try
        {
            given = Scorer.Score(context);
        }
        catch (Exception e) when (e is not (SparseFrontierException or OperationCanceledException))
        {
            throw new SparseFrontierException(ErrorIds.ScoresInvalid, $"The code of the method {Name} failed: {e.Message}", Name, e);
        }

        if (given?.Length != scores.Length)
        {
            throw Invalid($"gave {Counted.Of(given?.Length ?? 0, "score")} for {Counted.Of(scores.Length, "unit")} of layer {context.Layer}, head {context.Head}. Give one for each");
        }

        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = double.IsFinite(given[i]) ? (float)given[i] : throw Invalid(FormattableString.Invariant($"gave {given[i]} for unit {i} of layer {context.Layer}. Give finite numbers"));
        }
    }

    private SparseFrontierException Invalid(string what) => new(ErrorIds.ScoresInvalid, $"The code of the method {Name} {what}.", Name);
}

/// <summary>A user's scores of key blocks.</summary>
internal sealed class UserBlockMethod(UserMethod user) : BlockMethod
{
    /// <inheritdoc/>
    public override string Name => user.Name;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("blocks", "the user's own code", "uniform", "not applicable");

    /// <inheritdoc/>
    public override string Description => user.Description;

    /// <inheritdoc/>
    public override string Source => user.Source;

    /// <inheritdoc/>
    public override string? CodeHash => user.CodeHash;

    /// <summary>Head by head on the calling thread: a script can run on one thread only.</summary>
    public override PrefillSelection Select(PromptLayer layer, MethodParameters parameters, int firstHead, int headCount)
    {
        ArgumentNullException.ThrowIfNull(layer);
        RequireFeasible(layer.Shape, parameters);
        return new PrefillSelection([.. Enumerable.Range(firstHead, headCount).Select(head => SelectHead(layer, head, parameters))]);
    }

    /// <inheritdoc/>
    internal override BlockScorer CreateScorer(PromptLayer layer, int queryHead, MethodParameters parameters) =>
        new Scorer(user, layer, queryHead, parameters.Integer(BlockSize));

    private sealed class Scorer : BlockScorer
    {
        private readonly UserMethod _user;
        private readonly PromptLayer _layer;
        private readonly int _head;
        private readonly int _size;
        private readonly UnitVectors _queries;
        private readonly UnitVectors _keys;

        public Scorer(UserMethod user, PromptLayer layer, int queryHead, int size)
        {
            _user = user;
            _layer = layer;
            _head = queryHead;
            _size = size;
            int dimension = layer.Keys.Dimension;
            _queries = new UnitVectors(layer.Length, size, dimension, (row, target) => layer.Queries.RowSpan(queryHead, row).CopyTo(target));
            _keys = new UnitVectors(layer.Length, size, dimension, (row, target) => layer.Keys.RowSpan(queryHead / layer.GroupSize, row).CopyTo(target));
        }

        public override void Score(int row, Span<float> scores) => _user.Score(
            new ScoreContext(_keys, _layer.Scale) { Layer = _layer.Layer, Head = _head, Position = row, Count = scores.Length, UnitSize = _size, Query = _queries.Mean(row) },
            scores);
    }
}

/// <summary>A user's scores of the prompt's tokens.</summary>
internal sealed class UserTokenMethod(UserMethod user) : EvictionMethod
{
    private const int QueryRows = 64;

    /// <inheritdoc/>
    public override string Name => user.Name;

    /// <inheritdoc/>
    public override MethodTaxonomy Taxonomy => new("tokens", "the user's own code", "uniform", "eviction");

    /// <inheritdoc/>
    public override string Description => user.Description;

    /// <inheritdoc/>
    public override string Source => user.Source;

    /// <inheritdoc/>
    public override string? CodeHash => user.CodeHash;

    /// <inheritdoc/>
    public override int QueriesNeeded(MethodParameters parameters) => QueryRows;

    /// <inheritdoc/>
    internal override float[][] ScoreTokens(PromptLayer layer, MethodParameters parameters)
    {
        float[][] scores = new float[layer.KvHeads][];
        layer.ForKvHeads((part, first, count) =>
        {
            for (int head = first; head < first + count; head++)
            {
                layer.CancellationToken.ThrowIfCancellationRequested();
                scores[head] = ScoreTokens(part, head);
            }
        });
        return scores;
    }

    private float[] ScoreTokens(PromptLayer layer, int head)
    {
        int rows = Math.Min(QueryRows, layer.Length);
        int dimension = layer.Keys.Dimension;
        var query = new UnitVectors(rows * layer.GroupSize, rows * layer.GroupSize, dimension, (i, target) =>
            layer.Queries.RowSpan((head * layer.GroupSize) + (i / rows), layer.Length - rows + (i % rows)).CopyTo(target));
        var keys = new UnitVectors(layer.Length, 1, dimension, (row, target) => layer.Keys.RowSpan(head, row).CopyTo(target));
        float[] scores = new float[layer.Length];
        user.Score(
            new ScoreContext(keys, layer.Scale) { Layer = layer.Layer, Head = head, Position = layer.Length, Count = layer.Length, UnitSize = 1, Query = query.Mean(0) },
            scores);
        return scores;
    }
}
