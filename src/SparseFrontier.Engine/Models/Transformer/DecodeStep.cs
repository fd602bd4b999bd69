using SparseFrontier.Kernels;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer;

/// <summary>Runs rows of sequences through the decoder: the products for all rows at once, attention by sequence. Holds scratch memory; not thread-safe.</summary>
internal sealed unsafe class DecodeStep : IDisposable
{
    private readonly CountingKernels _kernels;
    private readonly ModelWeights _weights;
    private readonly ModelConfiguration _configuration;
    private readonly RotaryEmbedding _slidingEmbedding;
    private readonly bool _hasSlidingLayers;
    private readonly Forward _forward;
    private readonly NativeArray<float> _residual;
    private readonly NativeArray<float> _queries;
    private readonly NativeArray<float> _keys;
    private readonly NativeArray<float> _values;
    private readonly Angles _global;
    private readonly Angles _sliding;

    /// <summary>Allocates scratch memory.</summary>
    public DecodeStep(TransformerModel model, int maximumRows)
    {
        ModelConfiguration c = model.Configuration;
        _kernels = new CountingKernels(model.Kernels);
        _weights = model.Weights;
        _configuration = c;
        _slidingEmbedding = model.SlidingRotary;
        _hasSlidingLayers = c.GlobalLayerCount < c.LayerCount;
        _forward = new Forward(_kernels, _weights, c, maximumRows);
        _residual = new NativeArray<float>((long)maximumRows * c.HiddenSize);
        _queries = new NativeArray<float>((long)maximumRows * c.QueryHeads * c.HeadDimension);
        _keys = new NativeArray<float>((long)maximumRows * c.KvHeads * c.HeadDimension);
        _values = new NativeArray<float>((long)maximumRows * c.KvHeads * c.HeadDimension);
        _global = new Angles(maximumRows, c.HeadDimension / 2);
        _sliding = new Angles(maximumRows, c.HeadDimension / 2);
    }

    /// <summary>Most rows of a call.</summary>
    public int MaximumRows => _forward.MaximumRows;

    /// <summary>Runs one token of each row; the sequences advance when all layers are done.</summary>
    public void Run(ReadOnlySpan<StepRow> rows, float* logits, CancellationToken cancellationToken)
    {
        Group[] groups = GroupBySequence(rows);
        double before = _kernels.ProductOperations;
        for (int i = 0; i < rows.Length; i++)
        {
            _forward.Embed(rows[i].Token, _residual.Pointer + ((long)i * _configuration.HiddenSize));
        }

        try
        {
            FillAngles(groups);
            for (int layer = 0; layer < _configuration.LayerCount; layer++)
            {
                RunLayer(layer, groups, rows.Length, cancellationToken);
            }

            if (logits is not null)
            {
                _forward.Logits(_residual.Pointer, rows.Length, logits, cancellationToken);
            }
        }
        catch
        {
            foreach (Group group in groups)
            {
                group.Sequence.DropUnfinished();
                group.Sequence.Counters = group.CountersBefore;
            }

            throw;
        }

        foreach (Group group in groups)
        {
            group.Sequence.Advance(group.Rows.Length, (_kernels.ProductOperations - before) * group.Rows.Length / rows.Length);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _forward.Dispose();
        _residual.Dispose();
        _queries.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _global.Dispose();
        _sliding.Dispose();
    }

    private static Group[] GroupBySequence(ReadOnlySpan<StepRow> rows)
    {
        var bySequence = new Dictionary<DecodeSequence, List<int>>(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < rows.Length; i++)
        {
            if (!bySequence.TryGetValue(rows[i].Sequence, out List<int>? indices))
            {
                bySequence.Add(rows[i].Sequence, indices = []);
            }

            indices.Add(i);
        }

        // What takes longest is begun first, so that the threads end together.
        return [.. bySequence.Select(g => new Group(g.Key, [.. g.Value], g.Key.Counters)).OrderByDescending(g => g.Rows.Length * g.Sequence.TokensPerStep)];
    }

    private void FillAngles(Group[] groups)
    {
        foreach (Group group in groups)
        {
            for (int i = 0; i < group.Rows.Length; i++)
            {
                int position = group.Sequence.Length + i;
                group.Sequence.Rotary.Fill(position, _global.Cosines(group.Rows[i]), _global.Sines(group.Rows[i]));
                if (_hasSlidingLayers)
                {
                    _slidingEmbedding.Fill(position, _sliding.Cosines(group.Rows[i]), _sliding.Sines(group.Rows[i]));
                }
            }
        }
    }

    private void RunLayer(int layer, Group[] groups, int rows, CancellationToken cancellationToken)
    {
        LayerWeights<WeightMatrix, NativeArray<float>> weights = _weights.Layers[layer];
        Angles angles = _configuration.IsGlobal(layer) ? _global : _sliding;
        _forward.Project(weights, _residual.Pointer, rows, angles.Cosines(0), angles.Sines(0), _queries.Pointer, _keys.Pointer, _values.Pointer, cancellationToken);

        // With fewer sequences than threads the kernel spreads one sequence's heads over them instead.
        if (groups.Length >= WorkerPool.ThreadCount)
        {
            WorkerPool.For(groups.Length, i => Attend(layer, groups[i]), cancellationToken);
        }
        else
        {
            foreach (Group group in groups)
            {
                Attend(layer, group);
            }
        }

        _forward.Finish(weights, _queries.Pointer, _residual.Pointer, rows, cancellationToken);
    }

    private void Attend(int layer, Group group)
    {
        long queryWidth = (long)_configuration.QueryHeads * _configuration.HeadDimension;
        long keyWidth = (long)_configuration.KvHeads * _configuration.HeadDimension;
        foreach (int row in group.Rows)
        {
            float* queries = _queries.Pointer + (row * queryWidth);
            group.Sequence.Attend(layer, queries, _keys.Pointer + (row * keyWidth), _values.Pointer + (row * keyWidth), queries);
        }
    }

    private sealed record Group(DecodeSequence Sequence, int[] Rows, DecodeCounters CountersBefore);

    /// <summary>Cosines and sines of each row's position.</summary>
    private sealed class Angles(int rows, int width) : IDisposable
    {
        private readonly NativeArray<float> _cosines = new((long)rows * width);
        private readonly NativeArray<float> _sines = new((long)rows * width);

        public float* Cosines(int row) => _cosines.Pointer + ((long)row * width);

        public float* Sines(int row) => _sines.Pointer + ((long)row * width);

        public void Dispose()
        {
            _cosines.Dispose();
            _sines.Dispose();
        }
    }
}
