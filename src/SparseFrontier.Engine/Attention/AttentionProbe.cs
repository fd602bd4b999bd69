using System.Numerics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>Where the dense attention of one query head lies, means over the measured rows; shares of the attention, which sums to 1 in every row.</summary>
/// <param name="FirstTokenMass">On the first <see cref="AttentionProbe.FirstTokens"/> keys.</param>
/// <param name="LocalMass">On the latest <see cref="AttentionProbe.LocalKeys"/> keys, the query's own among them.</param>
/// <param name="VerticalMass">On the <see cref="AttentionProbe.Lines"/> heaviest columns: keys that all rows weigh.</param>
/// <param name="SlashMass">On the <see cref="AttentionProbe.Lines"/> heaviest diagonals: distances that all rows weigh.</param>
/// <param name="KeysForMass">Keys that hold <see cref="AttentionProbe.Mass"/> of a row's attention, the heaviest first.</param>
/// <param name="KeyShareForMass">These keys over the keys that the row sees.</param>
internal sealed record HeadPattern(double FirstTokenMass, double LocalMass, double VerticalMass, double SlashMass, double KeysForMass, double KeyShareForMass);

/// <summary>What a query head keeps of the dense attention, means over the measured rows.</summary>
/// <param name="CapturedMass">Attention on the kept keys.</param>
/// <param name="OracleMass">Attention on as many keys, the heaviest of each row.</param>
/// <param name="OracleDistance">1 - common keys / all keys of the kept set and that oracle's (Jaccard distance).</param>
/// <param name="OutputError">‖sparse - dense output‖ / ‖dense output‖ over the measured rows.</param>
internal sealed record KeptQuality(double CapturedMass, double OracleMass, double OracleDistance, double OutputError);

/// <summary>
/// Compares what methods keep with dense attention, head by head, on some query rows of a layer: exact attention of a row costs its keys once,
/// so that a sample of the rows is enough for a long prompt. Memory: 45 bytes a key and thread.
/// </summary>
internal sealed unsafe class AttentionProbe(PromptLayer whole, IReadOnlyList<int> rows)
{
    /// <summary>Keys that count as the first.</summary>
    public const int FirstTokens = 4;

    /// <summary>Keys that count as local.</summary>
    public const int LocalKeys = 64;

    /// <summary>Columns, and diagonals, that are counted.</summary>
    public const int Lines = 64;

    /// <summary>Share of the attention whose keys are counted.</summary>
    public const double Mass = 0.95;

    // Keys multiplied at a time: a few hundred KB.
    private const int ChunkKeys = 1024;

    /// <summary>Measures one query head.</summary>
    /// <param name="queryHead">Query head.</param>
    /// <param name="selections">What methods keep; their rows are the probe's.</param>
    /// <returns>The pattern of dense attention, and the quality of each selection.</returns>
    public (HeadPattern Pattern, KeptQuality[] Qualities) MeasureHead(int queryHead, IReadOnlyList<KeptKeys> selections)
    {
        int length = rows[^1] + 1;
        int dimension = whole.Values.Dimension;
        var row = new RowAttention(length, dimension);
        double[] columns = new double[length];
        double[] diagonals = new double[length];
        bool[] kept = new bool[length];
        float[] output = new float[dimension];
        var sums = new QualitySums[selections.Count];
        double first = 0;
        double local = 0;
        double keys = 0;
        double share = 0;
        for (int index = 0; index < rows.Count; index++)
        {
            whole.CancellationToken.ThrowIfCancellationRequested();
            int position = rows[index];
            Attend(queryHead, position, row);
            for (int key = 0; key <= position; key++)
            {
                double weight = row.Weights[key];
                columns[key] += weight;
                diagonals[position - key] += weight;
                first += key < FirstTokens ? weight : 0;
                local += key > position - LocalKeys ? weight : 0;
            }

            int needed = row.KeysFor(Mass, position + 1);
            keys += needed;
            share += needed / (position + 1.0);
            for (int s = 0; s < selections.Count; s++)
            {
                Span<bool> marks = kept.AsSpan(0, position + 1);
                marks.Clear();
                selections[s].Mark(queryHead, index, marks);
                sums[s].Add(row, marks, output, whole.Values, queryHead / whole.GroupSize);
            }
        }

        double n = rows.Count;
        var pattern = new HeadPattern(first / n, local / n, Heaviest(columns) / n, Heaviest(diagonals) / n, keys / n, share / n);
        return (pattern, [.. sums.Select(s => s.Quality(n))]);
    }

    /// <summary>Dense attention of one row: weights, their order, the output.</summary>
    public void Attend(int queryHead, int position, RowAttention row)
    {
        int count = position + 1;
        int head = queryHead / whole.GroupSize;
        fixed (float* scores = row.Weights)
        {
            for (int start = 0; start < count; start += ChunkKeys)
            {
                whole.Kernels.MatMulTransposed(
                    whole.Queries.Row(queryHead, position),
                    whole.Queries.RowStride,
                    1,
                    whole.Keys.Row(head, start),
                    whole.Keys.RowStride,
                    Math.Min(ChunkKeys, count - start),
                    whole.Keys.Dimension,
                    scores + start);
            }
        }

        Span<float> weights = row.Weights.AsSpan(0, count);
        float largest = weights[0];
        foreach (float score in weights)
        {
            largest = Math.Max(largest, score);
        }

        double sum = 0;
        for (int key = 0; key < count; key++)
        {
            weights[key] = MathF.Exp(whole.Scale * (weights[key] - largest));
            sum += weights[key];
        }

        Array.Clear(row.Output);
        for (int key = 0; key < count; key++)
        {
            weights[key] = (float)(weights[key] / sum);
            AddScaled(weights[key], whole.Values.RowSpan(head, key), row.Output);
        }

        row.Sort(count);
    }

    private static double Heaviest(double[] lines)
    {
        double[] sorted = (double[])lines.Clone();
        Array.Sort(sorted);
        double sum = 0;
        for (int i = Math.Max(0, sorted.Length - Lines); i < sorted.Length; i++)
        {
            sum += sorted[i];
        }

        return sum;
    }

    private static void AddScaled(float weight, ReadOnlySpan<float> values, Span<float> sum)
    {
        int i = 0;
        if (Vector.IsHardwareAccelerated)
        {
            var factor = new Vector<float>(weight);
            for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            {
                (new Vector<float>(sum[i..]) + (factor * new Vector<float>(values[i..]))).CopyTo(sum[i..]);
            }
        }

        for (; i < values.Length; i++)
        {
            sum[i] += weight * values[i];
        }
    }

    /// <summary>Sums over rows behind a <see cref="KeptQuality"/>.</summary>
    private struct QualitySums
    {
        private double _captured;
        private double _oracle;
        private double _distance;
        private double _error;
        private double _norm;

        public void Add(RowAttention row, ReadOnlySpan<bool> kept, float[] output, HeadTensor values, int head)
        {
            int count = 0;
            double captured = 0;
            Array.Clear(output);
            for (int key = 0; key < kept.Length; key++)
            {
                if (kept[key])
                {
                    count++;
                    captured += row.Weights[key];
                    AddScaled(row.Weights[key], values.RowSpan(head, key), output);
                }
            }

            int common = 0;
            for (int key = 0; key < kept.Length; key++)
            {
                common += kept[key] && row.Ranks[key] < count ? 1 : 0;
            }

            _captured += captured;
            _oracle += row.MassOf(count);
            _distance += 1 - (common / (double)((2 * count) - common));
            for (int i = 0; i < output.Length; i++)
            {
                // Sparse attention divides by what it kept.
                double difference = (captured > 0 ? output[i] / captured : 0) - row.Output[i];
                _error += difference * difference;
                _norm += (double)row.Output[i] * row.Output[i];
            }
        }

        public readonly KeptQuality Quality(double rows) => new(_captured / rows, _oracle / rows, _distance / rows, _norm > 0 ? Math.Sqrt(_error / _norm) : 0);
    }
}

/// <summary>Room for the attention of one query.</summary>
/// <param name="length">Keys at most.</param>
/// <param name="dimension">Elements of a value.</param>
internal sealed class RowAttention(int length, int dimension)
{
    private readonly ulong[] _order = new ulong[length];
    private readonly double[] _mass = new double[length + 1];

    /// <summary>Attention by key; 1 in all.</summary>
    public float[] Weights { get; } = new float[length];

    /// <summary>Place of a key among the row's keys, the heaviest first, of equal ones the earlier.</summary>
    public int[] Ranks { get; } = new int[length];

    /// <summary>Weighted sum of the values.</summary>
    public float[] Output { get; } = new float[dimension];

    /// <summary>Puts the first keys in order of their weights.</summary>
    public void Sort(int count)
    {
        // Weights are not negative, so that their bits are in their order.
        for (int key = 0; key < count; key++)
        {
            _order[key] = ((ulong)(uint.MaxValue - BitConverter.SingleToUInt32Bits(Weights[key])) << 32) | (uint)key;
        }

        Array.Sort(_order, 0, count);
        for (int rank = 0; rank < count; rank++)
        {
            int key = (int)(uint)_order[rank];
            Ranks[key] = rank;
            _mass[rank + 1] = _mass[rank] + Weights[key];
        }
    }

    /// <summary>Attention on the heaviest keys.</summary>
    public double MassOf(int keys) => _mass[keys];

    /// <summary>The fewest keys that hold a share of the attention on the first <paramref name="count"/> keys.</summary>
    public int KeysFor(double share, int count)
    {
        int place = _mass.AsSpan(0, count + 1).BinarySearch(share * _mass[count]);
        return place >= 0 ? place : ~place;
    }
}
