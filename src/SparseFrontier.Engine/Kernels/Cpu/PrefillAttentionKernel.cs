using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Softmax attention of every row over the keys of its head's plan, without materialising the scores (flash attention; Dao et al. 2022).
/// Cost: 2 · dimension multiply-adds and one exponential a pair.
/// </summary>
/// <remarks>
/// A task is at most 64 rows of a plan's tile. Its keys, ranges and the columns between them, are taken in ascending order, 128 at a time: scores,
/// running maximum and sum by row, weights, then the weighted values are added to the output, which is rescaled on the way when a maximum
/// grew. Only chunks that reach beyond the first row (or behind the window of the last) are masked. Masked scores are -1e30, never -∞, and a
/// row whose maximum stays there has seen no key. What a task computes depends on its plan alone, so results are the same on any number of
/// threads.
/// </remarks>
internal static unsafe class PrefillAttentionKernel<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ChunkKeys = 128;
    private const int TaskRows = AttentionTiles<TSimd, TVector>.QueryStride;
    private const int Stride = AttentionTiles<TSimd, TVector>.QueryStride;
    private const float Masked = AttentionTiles<TSimd, TVector>.Masked;

    public static void Run(
        HeadTensor queries,
        HeadTensor keys,
        HeadTensor values,
        float scale,
        IReadOnlyList<AttentionPlan> plans,
        int slidingWindow,
        HeadTensor output,
        float* logSumExp,
        CancellationToken cancellationToken)
    {
        foreach (AttentionPlan plan in plans)
        {
            plan.RequireShape(queries, keys);
        }

        AttentionTask[] tasks = ListTasks(queries.Heads, plans, slidingWindow);
        WorkerPool.For(
            tasks.Length,
            i =>
            {
                AttentionTask task = tasks[i];
                AttentionPlan plan = plans[plans.Count == 1 ? 0 : task.Head];
                var state = new TaskState(task, queries, keys, values, scale, plan.FirstPosition, slidingWindow);
                AddKeys(ref state, plan, task, slidingWindow);
                state.Flush();
                state.StoreOutput(output, logSumExp is null ? null : logSumExp + ((long)task.Head * queries.Rows) + task.FirstRow);
            },
            cancellationToken);
    }

    /// <summary>Pairs that <see cref="Run"/> computes for a plan.</summary>
    public static long CountPairs(AttentionPlan plan, int slidingWindow)
    {
        long pairs = 0;
        for (int tile = 0; tile < plan.TileCount; tile++)
        {
            int end = Math.Min(plan.RowCount, (tile + 1) * plan.TileRows);
            for (int first = tile * plan.TileRows; first < end; first += TaskRows)
            {
                int rows = Math.Min(TaskRows, end - first);
                pairs += (long)RoundUp(rows, TSimd.Width) * RoundUp(CountKeys(plan, tile, first, rows, slidingWindow), AttentionTiles<TSimd, TVector>.KeyGroup);
            }
        }

        return pairs;
    }

    // All tasks, the longest first.
    private static AttentionTask[] ListTasks(int heads, IReadOnlyList<AttentionPlan> plans, int slidingWindow)
    {
        var tasks = new List<AttentionTask>();
        for (int head = 0; head < heads; head++)
        {
            AttentionPlan plan = plans[plans.Count == 1 ? 0 : head];
            for (int tile = 0; tile < plan.TileCount; tile++)
            {
                int end = Math.Min(plan.RowCount, (tile + 1) * plan.TileRows);
                for (int first = tile * plan.TileRows; first < end; first += TaskRows)
                {
                    int rows = Math.Min(TaskRows, end - first);
                    tasks.Add(new AttentionTask(head, tile, first, rows, (long)rows * CountKeys(plan, tile, first, rows, slidingWindow)));
                }
            }
        }

        tasks.Sort(static (a, b) => b.Cost.CompareTo(a.Cost));
        return [.. tasks];
    }

    // Keys of a tile that any of the task's rows may see: those of the ranges, and the columns between them.
    private static int CountKeys(AttentionPlan plan, int tile, int firstRow, int rows, int slidingWindow)
    {
        (int from, int to) = VisibleKeys(plan.FirstPosition + firstRow, rows, slidingWindow);
        int count = 0;
        int column = plan.FindColumn(from);
        for (int i = plan.RangeOffsets[tile]; i < plan.RangeOffsets[tile + 1]; i++)
        {
            int start = Math.Clamp(plan.Ranges[i].Start, from, to);
            int end = Math.Clamp(plan.Ranges[i].End, from, to);
            int first = plan.FindColumn(start, column);
            count += first - column + end - start;
            column = plan.FindColumn(end, first);
        }

        return count + plan.FindColumn(to, column) - column;
    }

    // The same keys in ascending order.
    private static void AddKeys(ref TaskState state, AttentionPlan plan, AttentionTask task, int slidingWindow)
    {
        (int from, int to) = VisibleKeys(plan.FirstPosition + task.FirstRow, task.Rows, slidingWindow);
        int[] columns = plan.Columns;
        int column = plan.FindColumn(from);
        for (int i = plan.RangeOffsets[task.Tile]; i < plan.RangeOffsets[task.Tile + 1]; i++)
        {
            int start = Math.Clamp(plan.Ranges[i].Start, from, to);
            int end = Math.Clamp(plan.Ranges[i].End, from, to);
            for (; column < columns.Length && columns[column] < start; column++)
            {
                state.AddKey(columns[column]);
            }

            state.AddKeys(start, end);
            column = plan.FindColumn(end, column);
        }

        for (; column < columns.Length && columns[column] < to; column++)
        {
            state.AddKey(columns[column]);
        }
    }

    private static (int From, int To) VisibleKeys(int firstPosition, int rows, int slidingWindow) =>
        (slidingWindow > 0 ? Math.Max(0, firstPosition - slidingWindow + 1) : 0, firstPosition + rows);

    private static int RoundUp(int a, int b) => (a + b - 1) / b * b;

    private readonly record struct AttentionTask(int Head, int Tile, int FirstRow, int Rows, long Cost);

    // The rows of a task in scratch memory, and the keys waiting to be attended to.
    private ref struct TaskState
    {
        private readonly AttentionTask _task;
        private readonly int _firstPosition;
        private readonly float* _keys;
        private readonly float* _values;
        private readonly long _keyStride;
        private readonly long _valueStride;
        private readonly int _dimension;
        private readonly int _paddedDimension;
        private readonly int _lanes;
        private readonly int _window;
        private readonly float* _transposed;
        private readonly float* _scores;
        private readonly float* _output;
        private readonly float* _maxima;
        private readonly float* _sums;
        private readonly float* _factors;
        private readonly float* _paddedValues;
        private readonly float** _keyAddresses;
        private readonly float** _valueAddresses;
        private readonly int* _indices;
        private int _count;
        private int _lowest;
        private int _highest;

        public TaskState(AttentionTask task, HeadTensor queries, HeadTensor keys, HeadTensor values, float scale, int firstPosition, int slidingWindow)
        {
            int kvHead = task.Head / (queries.Heads / keys.Heads);
            _task = task;
            _firstPosition = firstPosition + task.FirstRow;
            _keys = keys.Row(kvHead, 0);
            _values = values.Row(kvHead, 0);
            _keyStride = keys.RowStride;
            _valueStride = values.RowStride;
            _dimension = queries.Dimension;
            _paddedDimension = RoundUp(_dimension, TSimd.Width);
            _lanes = RoundUp(task.Rows, TSimd.Width);
            _window = slidingWindow > 0 ? slidingWindow : int.MaxValue;

            const int AddressFloats = ChunkKeys * sizeof(ulong) / sizeof(float);
            float* scratch = ThreadScratch.Rent(
                ((long)_dimension * Stride) + (ChunkKeys * Stride) + ((long)Stride * _paddedDimension) + (3 * Stride)
                + ((long)ChunkKeys * _paddedDimension) + (2 * AddressFloats) + ChunkKeys);
            _transposed = scratch;
            _scores = _transposed + ((long)_dimension * Stride);
            _output = _scores + (ChunkKeys * Stride);
            _maxima = _output + ((long)Stride * _paddedDimension);
            _sums = _maxima + Stride;
            _factors = _sums + Stride;
            _paddedValues = _factors + Stride;
            _keyAddresses = (float**)(_paddedValues + ((long)ChunkKeys * _paddedDimension));
            _valueAddresses = _keyAddresses + ChunkKeys;
            _indices = (int*)(_valueAddresses + ChunkKeys);
            AttentionTiles<TSimd, TVector>.TransposeQueries(queries, task.Head, task.FirstRow, task.Rows, scale, _transposed);
            new Span<float>(_output, Stride * _paddedDimension).Clear();
            new Span<float>(_sums, Stride).Clear();
            new Span<float>(_maxima, Stride).Fill(Masked);
            _count = 0;
            _lowest = int.MaxValue;
            _highest = -1;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void AddKeys(int start, int end)
        {
            while (start < end)
            {
                int length = Math.Min(end - start, ChunkKeys - _count);
                for (int i = 0; i < length; i++)
                {
                    _keyAddresses[_count + i] = _keys + ((start + i) * _keyStride);
                    _valueAddresses[_count + i] = _values + ((start + i) * _valueStride);
                    _indices[_count + i] = start + i;
                }

                _lowest = Math.Min(_lowest, start);
                start += length;
                _highest = Math.Max(_highest, start - 1);
                _count += length;
                if (_count == ChunkKeys)
                {
                    Flush();
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddKey(int key)
        {
            _keyAddresses[_count] = _keys + (key * _keyStride);
            _valueAddresses[_count] = _values + (key * _valueStride);
            _indices[_count] = key;
            _lowest = Math.Min(_lowest, key);
            _highest = Math.Max(_highest, key);
            if (++_count == ChunkKeys)
            {
                Flush();
            }
        }

        /// <summary>Attends to the waiting keys.</summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        public void Flush()
        {
            if (_count == 0)
            {
                return;
            }

            int lastPosition = _firstPosition + _task.Rows - 1;
            bool masks = _highest > _firstPosition || _lowest <= lastPosition - _window;

            // Fill up with copies of the last key that no row may see.
            while (_count % AttentionTiles<TSimd, TVector>.KeyGroup != 0)
            {
                _keyAddresses[_count] = _keyAddresses[_count - 1];
                _valueAddresses[_count] = _valueAddresses[_count - 1];
                _indices[_count] = int.MaxValue;
                _count++;
                masks = true;
            }

            AttentionTiles<TSimd, TVector>.Score(_transposed, _lanes, _keyAddresses, _count, _dimension, _scores);
            if (masks)
            {
                AttentionTiles<TSimd, TVector>.Mask(_scores, _lanes, _indices, _count, _firstPosition, lastPosition, _window);
            }

            Weigh(_scores, _lanes, _count, _maxima, _sums, _factors);
            if (_paddedDimension != _dimension)
            {
                CopyValues();
            }

            AttentionTiles<TSimd, TVector>.Accumulate(
                _scores, Stride, 1, Math.Min(Stride, RoundUp(_task.Rows, 4)), _factors, _valueAddresses, _count, _paddedDimension, _output);
            _count = 0;
            _lowest = int.MaxValue;
            _highest = -1;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void StoreOutput(HeadTensor output, float* logSumExp)
        {
            for (int r = 0; r < _task.Rows; r++)
            {
                float* source = _output + ((long)r * _paddedDimension);
                float* target = output.Row(_task.Head, _task.FirstRow + r);
                if (logSumExp is not null)
                {
                    // Scores are in units of ln 2.
                    logSumExp[r] = _maxima[r] <= Masked ? float.NegativeInfinity : (float)((_maxima[r] + Math.Log2(_sums[r])) * 0.6931471805599453);
                }

                if (_maxima[r] <= Masked)
                {
                    new Span<float>(target, _dimension).Clear();
                    continue;
                }

                float factor = 1 / _sums[r];
                TVector factors = TSimd.Broadcast(factor);
                int d = 0;
                for (; d + TSimd.Width <= _dimension; d += TSimd.Width)
                {
                    TSimd.Store(TSimd.Multiply(TSimd.Load(source + d), factors), target + d);
                }

                for (; d < _dimension; d++)
                {
                    target[d] = source[d] * factor;
                }
            }
        }

        // Copies of the values, padded with zeros to whole vectors.
        private readonly void CopyValues()
        {
            for (int k = 0; k < _count; k++)
            {
                float* copy = _paddedValues + ((long)k * _paddedDimension);
                new ReadOnlySpan<float>(_valueAddresses[k], _dimension).CopyTo(new Span<float>(copy, _dimension));
                new Span<float>(copy + _dimension, _paddedDimension - _dimension).Clear();
                _valueAddresses[k] = copy;
            }
        }
    }

    // One step of the running softmax: scores become weights 2^(score - maximum); maxima and sums are brought up to date, and factors are what
    // earlier sums and outputs must be multiplied with.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Weigh(float* scores, int lanes, int count, float* maxima, float* sums, float* factors)
    {
        for (int q = 0; q < lanes; q += TSimd.Width)
        {
            TVector before = TSimd.Load(maxima + q);
            TVector maximum = before;
            TVector other = before;
            for (int k = 0; k < count; k += 2)
            {
                maximum = TSimd.Max(maximum, TSimd.Load(scores + (k * Stride) + q));
                other = TSimd.Max(other, TSimd.Load(scores + ((k + 1) * Stride) + q));
            }

            maximum = TSimd.Max(maximum, other);
            TVector factor = SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(before, maximum));
            TVector sum = TSimd.Multiply(TSimd.Load(sums + q), factor);
            for (int k = 0; k < count; k++)
            {
                float* score = scores + (k * Stride) + q;
                TVector weight = SimdMath<TSimd, TVector>.Exp2(TSimd.Subtract(TSimd.Load(score), maximum));
                TSimd.Store(weight, score);
                sum = TSimd.Add(sum, weight);
            }

            TSimd.Store(maximum, maxima + q);
            TSimd.Store(sum, sums + q);
            TSimd.Store(factor, factors + q);
        }
    }
}
