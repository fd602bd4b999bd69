namespace SparseFrontier.Attention;

/// <summary>What a user's own method scores.</summary>
public enum ScoredUnit
{
    /// <summary>Blocks of keys, for each block of query rows and each query head: a prefill method.</summary>
    Blocks,

    /// <summary>Tokens of the prompt's cache, once for each KV head: a decode method that evicts.</summary>
    Tokens,

    /// <summary>Pages of cached tokens, at every step for each KV head: a decode method that keeps all and reads few.</summary>
    Pages,
}

/// <summary>A user's own importance estimate: derive from it, score, and register the class as a method.</summary>
public abstract class UnitScorer
{
    /// <summary>Scores units; those with the largest scores are kept, equal ones by lower index.</summary>
    /// <param name="context">What there is to score. It is the caller's: keep nothing of it.</param>
    /// <returns>One finite number for each of <see cref="ScoreContext.Count"/> units.</returns>
    public abstract double[] Score(ScoreContext context);
}

/// <summary>A question to a <see cref="UnitScorer"/>: some units of one head, and the query that they are scored for. Vectors are after rotary embedding.</summary>
public sealed class ScoreContext
{
    private readonly UnitVectors _vectors;
    private readonly float _scale;

    internal ScoreContext(UnitVectors vectors, float scale)
    {
        _vectors = vectors;
        _scale = scale;
    }

    /// <summary>Index of the layer.</summary>
    public required int Layer { get; init; }

    /// <summary>Index of the head: the query head of blocks, the KV head of tokens and pages.</summary>
    public required int Head { get; init; }

    /// <summary>Index of the block of query rows; of tokens and pages, the number of cached tokens.</summary>
    public required int Position { get; init; }

    /// <summary>Number of units to score.</summary>
    public required int Count { get; init; }

    /// <summary>Tokens of a unit.</summary>
    public required int UnitSize { get; init; }

    /// <summary>The query: the mean of the block's rows; of tokens, of the prompt's last 64 rows in the head's group; of pages, of the step in the head's group.</summary>
    public required float[] Query { get; init; }

    /// <summary>The mean key of a unit.</summary>
    public float[] Key(int unit) => _vectors.Mean(unit);

    /// <summary>The smallest value of every channel of a unit's keys.</summary>
    public float[] Smallest(int unit) => _vectors.Smallest(unit);

    /// <summary>The largest value of every channel of a unit's keys.</summary>
    public float[] Largest(int unit) => _vectors.Largest(unit);

    /// <summary>Query · mean key of every unit, scaled as attention scales it.</summary>
    public double[] Similarity()
    {
        double[] similarity = new double[Count];
        for (int unit = 0; unit < Count; unit++)
        {
            similarity[unit] = _vectors.Dot(unit, Query) * _scale;
        }

        return similarity;
    }
}

/// <summary>Mean, smallest and largest keys of units of tokens.</summary>
internal sealed class UnitVectors
{
    private readonly int _dimension;
    private readonly float[] _mean;
    private readonly float[] _smallest;
    private readonly float[] _largest;

    /// <summary>Summarises tokens.</summary>
    /// <param name="tokens">Number of tokens; the last unit may be short.</param>
    /// <param name="unitSize">Tokens of a unit.</param>
    /// <param name="dimension">Elements of a key.</param>
    /// <param name="read">Writes the key of a token.</param>
    public UnitVectors(int tokens, int unitSize, int dimension, Action<int, float[]> read)
    {
        int count = (tokens + unitSize - 1) / unitSize;
        _dimension = dimension;
        _mean = new float[(long)count * dimension];
        _smallest = new float[_mean.Length];
        _largest = new float[_mean.Length];
        float[] key = new float[dimension];
        for (int token = 0; token < tokens; token++)
        {
            read(token, key);
            int unit = token / unitSize;
            int members = Math.Min(unitSize, tokens - (unit * unitSize));
            bool first = token % unitSize == 0;
            for (int i = 0; i < dimension; i++)
            {
                int at = (unit * dimension) + i;
                _mean[at] += key[i] / members;
                _smallest[at] = first ? key[i] : Math.Min(_smallest[at], key[i]);
                _largest[at] = first ? key[i] : Math.Max(_largest[at], key[i]);
            }
        }
    }

    public float[] Mean(int unit) => Row(_mean, unit);

    public float[] Smallest(int unit) => Row(_smallest, unit);

    public float[] Largest(int unit) => Row(_largest, unit);

    public double Dot(int unit, float[] query)
    {
        double sum = 0;
        for (int i = 0; i < _dimension; i++)
        {
            sum += (double)query[i] * _mean[(unit * _dimension) + i];
        }

        return sum;
    }

    private float[] Row(float[] rows, int unit) => rows.AsSpan(unit * _dimension, _dimension).ToArray();
}
