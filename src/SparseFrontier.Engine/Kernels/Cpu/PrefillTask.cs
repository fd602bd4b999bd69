using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>Some rows of one or more query heads of a KV head: what a thread takes at a time.</summary>
/// <param name="FirstHead">First query head.</param>
/// <param name="Heads">Query heads, all of one KV head.</param>
/// <param name="Tile">The plans' tile that the rows are of.</param>
/// <param name="FirstRow">First row.</param>
/// <param name="Rows">Number of rows, at most 64.</param>
/// <param name="Pairs">Query-key pairs, about.</param>
internal readonly record struct PrefillPlace(int FirstHead, int Heads, int Tile, int FirstRow, int Rows, long Pairs);

/// <summary>
/// Some rows of one or more query heads of a KV head, attending to the keys of their plans in ascending order: the running softmax of flash
/// attention. Lives in the scratch memory of its thread.
/// </summary>
/// <remarks>
/// <para>
/// Keys are taken 128 at a time: scores, running maximum and sum by row, weights, then the weighted values are added to the output, which is
/// rescaled on the way when a maximum grew; after the last keys it is divided by the sums and written where it belongs. Only chunks that reach beyond
/// the first row (or behind the window of the last) are masked, and rows are not computed with keys that come after all of their vector. Masked
/// scores are -1e30, never -∞, and a row whose maximum stays there has seen no key.
/// </para>
/// <para>
/// Heads that share a plan take a chunk together. Heads with plans of their own take chunks of their own, in the order of the chunks' first keys:
/// what several of them attend to is then read from memory once. While a chunk is computed, the next one is fetched into the second-level
/// cache, and so are the queries of a head that is about to begin and the lines that the outputs of a head at its last chunk will be written to.
/// Beside the last chunk it is what the thread's next task will probably begin with.
/// </para>
/// </remarks>
internal unsafe ref struct PrefillTask<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ChunkKeys = 128;
    private const int TaskRows = PrefillTiles<TSimd, TVector>.TaskRows;
    private const float Masked = PrefillTiles<TSimd, TVector>.Masked;

    // Vectors that are fetched beside a group of keys at most.
    private const int MaximumFetches = 16;

    // Rows that share a chunk's values, from which on packing these pays: fewer where values lie so far apart that a block of their elements, of all
    // the chunk's values, finds no room in the first-level cache, whose sets are chosen by the address.
    private const int PackingRows = 2 * TaskRows;
    private const int PackingRowsFarApart = TaskRows;
    private const int FarApart = 512 / sizeof(float);

    // Tiles of queries, and the first vector, end at multiples of this.
    private static int TileStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TSimd.HasManyRegisters ? Math.Min(PrefillTiles<TSimd, TVector>.QueryTile, TSimd.Width) : 2;
    }

    private readonly HeadTensor _queries;
    private readonly float _scale;
    private readonly IReadOnlyList<AttentionPlan> _plans;
    private readonly PrefillPlace _place;
    private readonly PrefillPlace? _upcoming;
    private readonly int _firstPosition;
    private readonly float* _keys;
    private readonly float* _values;
    private readonly long _keyStride;
    private readonly long _valueStride;
    private readonly int _dimension;
    private readonly int _paddedDimension;
    private readonly int _window;
    private readonly HeadTensor _target;
    private readonly float* _logSumExp;
    private readonly bool _packs;

    // A walk for each plan, and the heads of each.
    private readonly KeyWalk* _walks;
    private readonly int _walkCount;
    private readonly int _walkHeads;

    private readonly float* _transposed;
    private readonly float* _output;
    private readonly float* _maxima;
    private readonly float* _sums;
    private readonly float* _factors;
    private readonly float* _scores;
    private readonly float* _packed;
    private readonly float* _inverses;
    private readonly float* _zeros;
    private readonly int* _counts;
    private readonly float** _fetches;
    private int _fetchCount;

    /// <param name="queries">[query heads, rows, dimension].</param>
    /// <param name="keys">[KV heads, keys, dimension].</param>
    /// <param name="values">[KV heads, keys, dimension].</param>
    /// <param name="scale">Factor on query · key.</param>
    /// <param name="plans">One for all query heads, or one for each.</param>
    /// <param name="slidingWindow">0, or the number of latest keys that a row may see.</param>
    /// <param name="place">The rows and heads.</param>
    /// <param name="upcoming">Rows and heads that this thread will probably take next; or null.</param>
    /// <param name="output">[query heads, rows, dimension], written.</param>
    /// <param name="logSumExp">[query heads, rows], written; or null.</param>
    public PrefillTask(
        HeadTensor queries,
        HeadTensor keys,
        HeadTensor values,
        float scale,
        IReadOnlyList<AttentionPlan> plans,
        int slidingWindow,
        PrefillPlace place,
        PrefillPlace? upcoming,
        HeadTensor output,
        float* logSumExp)
    {
        int kvHead = place.FirstHead / (queries.Heads / keys.Heads);
        _queries = queries;
        _scale = scale;
        _plans = plans;
        _place = place;
        _upcoming = upcoming;
        _firstPosition = plans[0].FirstPosition + place.FirstRow;
        _keys = keys.Row(kvHead, 0);
        _values = values.Row(kvHead, 0);
        _keyStride = keys.RowStride;
        _valueStride = values.RowStride;
        _dimension = queries.Dimension;
        _paddedDimension = RoundUp(_dimension, PrefillTiles<TSimd, TVector>.LaneBlock);
        _window = slidingWindow > 0 ? slidingWindow : int.MaxValue;
        _target = output;
        _logSumExp = logSumExp;
        _walkCount = plans.Count == 1 ? 1 : place.Heads;
        _walkHeads = place.Heads / _walkCount;
        _packs = _walkHeads * place.Rows >= (_valueStride < FarApart ? PackingRows : PackingRowsFarApart) || _paddedDimension != _dimension;

        int heads = place.Heads;
        long transposedSize = (long)_dimension * TaskRows;
        long outputSize = (long)_paddedDimension * TaskRows;
        long scoresSize = (long)ChunkKeys * PrefillTiles<TSimd, TVector>.LaneBlock;
        long packedSize = (long)ChunkKeys * _paddedDimension;
        long walkSize = (sizeof(KeyWalk) / sizeof(float)) + (2 * KeyList.SizeInFloats);

        // At most: the first chunk's values, outputs, and a next task's queries, keys and values; and the last address repeated.
        long fetchSize = (sizeof(float*) / sizeof(float)) * ((3 * ChunkKeys) + (2L * heads * TaskRows) + MaximumFetches);
        float* scratch = ThreadScratch.Rent(
            (heads * (transposedSize + outputSize + (2 * TaskRows))) + scoresSize + packedSize + (4 * TaskRows) + fetchSize + (_walkCount * walkSize));
        _transposed = scratch;
        _output = _transposed + (heads * transposedSize);
        _scores = _output + (heads * outputSize);
        _packed = _scores + scoresSize;
        _maxima = _packed + packedSize;
        _sums = _maxima + ((long)heads * TaskRows);
        _factors = _sums + ((long)heads * TaskRows);
        _inverses = _factors + TaskRows;
        _zeros = _inverses + TaskRows;
        _counts = (int*)(_zeros + TaskRows);
        _fetches = (float**)(_counts + TaskRows);
        float* lists = (float*)_fetches + fetchSize;
        _walks = (KeyWalk*)(lists + (2L * _walkCount * KeyList.SizeInFloats));
        for (int walk = 0; walk < _walkCount; walk++)
        {
            float* memory = lists + (2L * walk * KeyList.SizeInFloats);
            _walks[walk] = new KeyWalk { Chunk = new KeyList(memory), Waiting = new KeyList(memory + KeyList.SizeInFloats) };
        }

        new Span<float>(_sums, heads * TaskRows).Clear();
        new Span<float>(_zeros, TaskRows).Clear();
        new Span<float>(_maxima, heads * TaskRows).Fill(Masked);
    }

    public static int RoundUp(int a, int b) => (a + b - 1) / b * b;

    /// <summary>Keys that any of some rows may see.</summary>
    public static (int From, int To) VisibleKeys(int firstPosition, int rows, int slidingWindow) =>
        (slidingWindow > 0 ? Math.Max(0, firstPosition - slidingWindow + 1) : 0, firstPosition + rows);

    /// <summary>Attends to all keys and writes the rows' outputs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run()
    {
        for (int walk = 0; walk < _walkCount; walk++)
        {
            Start(walk);
            for (int h = walk * _walkHeads; _walks[walk].Waiting.Count == 0 && h < (walk + 1) * _walkHeads; h++)
            {
                Finish(h, 0, _place.Rows, writes: true);
            }
        }

        int current = ChooseWalk();
        if (current < 0)
        {
            return;
        }

        // The queries are read while the first keys are fetched, and the first values beside the first scores.
        ref KeyList first = ref _walks[current].Waiting;
        PrefillTiles<TSimd, TVector>.Fetch(first.Keys, first.Count, _dimension);
        AddFetches(first.Values, first.Count);
        while (current >= 0)
        {
            ref KeyWalk walk = ref _walks[current];
            if (!walk.HasQueries)
            {
                ReadQueries(current);
            }

            (walk.Chunk, walk.Waiting) = (walk.Waiting, walk.Chunk);
            walk.Waiting.Count = 0;
            FillWaiting(current);
            int next = ChooseWalk();
            ListFetches(current, next);
            Compute(current);
            current = next;
        }
    }

    private readonly AttentionPlan Plan(int walk) => _plans[_plans.Count == 1 ? 0 : _place.FirstHead + walk];

    // Places a walk before the first key that its rows may see.
    private void Start(int index)
    {
        ref KeyWalk walk = ref _walks[index];
        AttentionPlan plan = Plan(index);
        (int from, int to) = VisibleKeys(_firstPosition, _place.Rows, _window == int.MaxValue ? 0 : _window);
        walk.From = from;
        walk.To = to;
        walk.Range = plan.RangeOffsets[_place.Tile];
        walk.Column = plan.FindColumn(from);
        walk.RangeStart = walk.Start = walk.End = from;
        FillWaiting(index);
    }

    // Lists the next keys of a walk: those of the ranges, and the columns between them, in ascending order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FillWaiting(int index)
    {
        ref KeyWalk walk = ref _walks[index];
        AttentionPlan plan = Plan(index);
        int[] columns = plan.Columns;
        int lastRange = plan.RangeOffsets[_place.Tile + 1];
        while (true)
        {
            for (; walk.Column < columns.Length && columns[walk.Column] < walk.RangeStart; walk.Column++)
            {
                if (walk.Waiting.Count == ChunkKeys)
                {
                    return;
                }

                AddKeys(ref walk.Waiting, columns[walk.Column], 1);
            }

            int length = Math.Min(walk.End - walk.Start, ChunkKeys - walk.Waiting.Count);
            AddKeys(ref walk.Waiting, walk.Start, length);
            walk.Start += length;
            if (walk.Start < walk.End || walk.Range > lastRange)
            {
                return;
            }

            // Columns in the range are done with it. After the last range an empty one stands for the end.
            walk.Column = plan.FindColumn(walk.End, walk.Column);
            walk.Start = walk.Range < lastRange ? Math.Clamp(plan.Ranges[walk.Range].Start, walk.From, walk.To) : walk.To;
            walk.End = walk.Range < lastRange ? Math.Clamp(plan.Ranges[walk.Range].End, walk.From, walk.To) : walk.To;
            walk.RangeStart = walk.Start;
            walk.Range++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void AddKeys(ref KeyList list, int start, int length)
    {
        int count = list.Count;
        ListAddresses(_keys + (start * _keyStride), _keyStride, length, list.Keys + count);
        ListAddresses(_values + (start * _valueStride), _valueStride, length, list.Values + count);
        int* indices = list.Indices + count;
        int i = 0;
        for (; Vector256.IsHardwareAccelerated && i + 8 <= length; i += 8)
        {
            Vector256.CreateSequence(start + i, 1).Store(indices + i);
        }

        for (; i < length; i++)
        {
            indices[i] = start + i;
        }

        list.Count = count + length;
    }

    // Addresses of vectors that lie a stride apart.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ListAddresses(float* first, long stride, int count, float** addresses)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated && count >= 8)
        {
            Vector512<long> vector = Vector512.Create((long)first) + (Vector512.CreateSequence(0L, 1) * (stride * sizeof(float)));
            Vector512<long> step = Vector512.Create(8 * stride * sizeof(float));
            for (; i + 8 <= count; i += 8)
            {
                vector.Store((long*)(addresses + i));
                vector += step;
            }
        }
        else if (Vector256.IsHardwareAccelerated && count >= 4)
        {
            Vector256<long> vector = Vector256.Create((long)first) + (Vector256.CreateSequence(0L, 1) * (stride * sizeof(float)));
            Vector256<long> step = Vector256.Create(4 * stride * sizeof(float));
            for (; i + 4 <= count; i += 4)
            {
                vector.Store((long*)(addresses + i));
                vector += step;
            }
        }

        for (first += i * stride; i < count; i++)
        {
            addresses[i] = first;
            first += stride;
        }
    }

    // The walk whose next key comes first; -1 if all are at their end.
    private readonly int ChooseWalk()
    {
        int best = -1;
        for (int walk = 0; walk < _walkCount; walk++)
        {
            if (_walks[walk].Waiting.Count > 0 && (best < 0 || _walks[walk].Waiting.Indices[0] < _walks[best].Waiting.Indices[0]))
            {
                best = walk;
            }
        }

        return best;
    }

    private void ReadQueries(int index)
    {
        _walks[index].HasQueries = true;
        int first = index * _walkHeads;
        for (int h = first; h < first + _walkHeads; h++)
        {
            PrefillTiles<TSimd, TVector>.TransposeQueries(
                _queries, _place.FirstHead + h, _place.FirstRow, _place.Rows, _scale, _transposed + ((long)h * _dimension * TaskRows));
        }
    }

    // What is needed after a chunk: the outputs of a walk that ends, the queries of one that begins, another chunk; what comes last finds no room beside
    // a small chunk.
    private void ListFetches(int current, int next)
    {
        // The first outputs are written before the last scores are computed.
        if (_walks[current].Waiting.Count == 0)
        {
            AddRowFetches(_target, current, _place);
        }

        if (next >= 0)
        {
            if (!_walks[next].HasQueries)
            {
                AddRowFetches(_queries, next, _place);
            }

            ref KeyList waiting = ref _walks[next].Waiting;
            AddFetches(waiting.Keys, waiting.Count);
            AddFetches(waiting.Values, waiting.Count);
        }
        else if (_upcoming is { } upcoming && upcoming.FirstHead == _place.FirstHead)
        {
            AddUpcomingFetches(upcoming);
        }
    }

    // What the thread's next task will probably begin with: the queries of the walk with the first range, and keys and values of that.
    private void AddUpcomingFetches(PrefillPlace place)
    {
        (int from, int to) = VisibleKeys(_plans[0].FirstPosition + place.FirstRow, place.Rows, _window == int.MaxValue ? 0 : _window);
        int first = 0;
        int start = to;
        int end = to;
        for (int walk = 0; walk < _walkCount; walk++)
        {
            AttentionPlan plan = Plan(walk);
            int range = plan.RangeOffsets[place.Tile];
            if (range < plan.RangeOffsets[place.Tile + 1] && Math.Max(from, plan.Ranges[range].Start) < start)
            {
                first = walk;
                start = Math.Max(from, plan.Ranges[range].Start);
                end = Math.Min(Math.Min(to, plan.Ranges[range].End), start + ChunkKeys);
            }
        }

        AddRowFetches(_queries, first, place);
        int keys = Math.Max(0, end - start);
        ListAddresses(_keys + (start * _keyStride), _keyStride, keys, _fetches + _fetchCount);
        ListAddresses(_values + (start * _valueStride), _valueStride, keys, _fetches + _fetchCount + keys);
        _fetchCount += 2 * keys;
    }

    private void AddFetches(float** addresses, int count)
    {
        new Span<nint>(addresses, count).CopyTo(new Span<nint>(_fetches + _fetchCount, count));
        _fetchCount += count;
    }

    private void AddRowFetches(HeadTensor tensor, int index, PrefillPlace place)
    {
        for (int h = place.FirstHead + (index * _walkHeads); h < place.FirstHead + ((index + 1) * _walkHeads); h++)
        {
            ListAddresses(tensor.Row(h, place.FirstRow), tensor.RowStride, place.Rows, _fetches + _fetchCount);
            _fetchCount += place.Rows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compute(int index)
    {
        int block = PrefillTiles<TSimd, TVector>.LaneBlock;
        ref KeyWalk walk = ref _walks[index];
        ref KeyList chunk = ref walk.Chunk;
        bool last = walk.Waiting.Count == 0;
        int keys = chunk.Count;
        chunk.Fill(PrefillTiles<TSimd, TVector>.KeyGroup);
        long blockStride = block;
        if (_packs)
        {
            blockStride = (long)ChunkKeys * block;
            PrefillTiles<TSimd, TVector>.PackValues(chunk.Values, keys, _dimension, _packed, blockStride);
        }

        // As few at once as suffice.
        int calls = _walkHeads * ((_place.Rows + block - 1) / block);
        int groups = chunk.Count / PrefillTiles<TSimd, TVector>.KeyGroup;
        int atOnce = 1;
        while (atOnce < MaximumFetches && atOnce * groups * calls < _fetchCount)
        {
            atOnce *= 2;
        }

        while (_fetchCount % atOnce != 0)
        {
            _fetches[_fetchCount] = _fetches[_fetchCount - 1];
            _fetchCount++;
        }

        int fetchGroups = _fetchCount / atOnce;
        float** fetches = _fetches;
        for (int lane = 0; lane < _place.Rows; lane += block)
        {
            // Rows of the block, and how many of the keys they see at most; later keys only the rows after them.
            int rows = Math.Min(block, _place.Rows - lane);
            int first = _firstPosition + lane;
            int seen = chunk.CountUpTo(first + rows - 1, keys);
            if (seen == 0)
            {
                for (int h = index * _walkHeads; last && h < (index + 1) * _walkHeads; h++)
                {
                    Finish(h, lane, rows, writes: true);
                }

                continue;
            }

            int count = RoundUp(seen, PrefillTiles<TSimd, TVector>.KeyGroup);
            int lanes = RoundUp(rows, TSimd.Width);
            bool starts = (walk.StartedBlocks >> (lane / block) & 1) == 0;
            walk.StartedBlocks |= 1 << (lane / block);
            bool masks = count > keys || chunk.Indices[count - 1] > first || chunk.Indices[0] <= first + rows - 1 - _window;
            int outputRows = RoundUp(rows, PrefillTiles<TSimd, TVector>.QueryTile);
            new Span<int>(_counts, outputRows).Fill(seen);
            for (int end = rows & -TileStep, rowSeen = seen; masks && end > 0; end -= TileStep)
            {
                // A tile asks for its last row's alone.
                rowSeen = chunk.CountUpTo(first + end - 1, rowSeen);
                _counts[end - 1] = rowSeen;
            }

            // Of two vectors of rows, the first does not see what comes after it.
            int firstCount = lanes > TSimd.Width ? RoundUp(_counts[TSimd.Width - 1], PrefillTiles<TSimd, TVector>.KeyGroup) : count;
            for (int h = index * _walkHeads; h < (index + 1) * _walkHeads; h++)
            {
                int share = Math.Min(fetchGroups, count / PrefillTiles<TSimd, TVector>.KeyGroup);
                long row = ((long)h * TaskRows) + lane;
                PrefillTiles<TSimd, TVector>.Score(
                    _transposed + (row * _dimension), lanes, chunk.Keys, firstCount, count, _dimension, _scores, fetches, share * atOnce, atOnce);
                fetches += share * atOnce;
                fetchGroups -= share;
                if (masks)
                {
                    PrefillTiles<TSimd, TVector>.Mask(_scores, lanes, chunk.Indices, firstCount, count, first, _window);
                }

                PrefillTiles<TSimd, TVector>.Weigh(_scores, lanes, firstCount, count, _maxima + row, _sums + row, _factors);

                // Outputs begin with zeros, and the last keys' are written at once to where they belong.
                float* output = _output + (row * _paddedDimension);
                bool writes = last && rows == outputRows && _dimension == _paddedDimension && Invert(row, rows);
                PrefillTiles<TSimd, TVector>.Accumulate(
                    _scores,
                    outputRows,
                    _counts,
                    _factors,
                    chunk.Values,
                    blockStride,
                    _paddedDimension,
                    starts ? _zeros : output,
                    starts ? 0 : _paddedDimension,
                    writes ? _target.Row(_place.FirstHead + h, _place.FirstRow + lane) : output,
                    writes ? _target.RowStride : _paddedDimension,
                    writes ? _inverses : null);
                if (last)
                {
                    Finish(h, lane, rows, !writes);
                }
            }
        }

        _fetchCount = 0;
    }

    // The reciprocals of some rows' sums; false if one of them has seen no key.
    private readonly bool Invert(long row, int rows)
    {
        // Whole vectors: lanes beyond the rows count too, which at worst refuses what could be written at once. A maximum that is no number is not taken over by x86's minimum.
        TVector one = TSimd.Broadcast(1);
        TVector least = TSimd.Broadcast(0);
        for (int i = 0; i < rows; i += TSimd.Width)
        {
            least = TSimd.Min(TSimd.Load(_maxima + row + i), least);
            TSimd.Store(TSimd.Divide(one, TSimd.Load(_sums + row + i)), _inverses + i);
        }

        return -TSimd.Maximum(TSimd.Subtract(TSimd.Broadcast(0), least)) > Masked;
    }

    // Writes what is asked of some rows of a head besides their outputs, and these where they are not written yet.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Finish(int h, int lane, int rows, bool writes)
    {
        for (int r = lane; r < lane + rows && (writes || _logSumExp is not null); r++)
        {
            float* source = _output + ((((long)h * TaskRows) + r) * _paddedDimension);
            float* target = _target.Row(_place.FirstHead + h, _place.FirstRow + r);
            float maximum = _maxima[(h * TaskRows) + r];
            float sum = _sums[(h * TaskRows) + r];
            if (_logSumExp is not null)
            {
                // Scores are in units of ln 2.
                _logSumExp[((long)(_place.FirstHead + h) * _target.Rows) + _place.FirstRow + r] =
                    maximum <= Masked ? float.NegativeInfinity : (float)((maximum + Math.Log2(sum)) * 0.6931471805599453);
            }

            if (!writes)
            {
                continue;
            }

            if (maximum <= Masked)
            {
                new Span<float>(target, _dimension).Clear();
                continue;
            }

            float factor = 1 / sum;
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

    // How far the keys of a plan have been listed.
    private struct KeyWalk
    {
        // Keys that rows may see.
        public int From;
        public int To;

        // The range at hand, what is left of it, the range after it, and the next column.
        public int RangeStart;
        public int Start;
        public int End;
        public int Range;
        public int Column;
        public bool HasQueries;

        // Blocks of rows, a bit for each, whose outputs have begun.
        public int StartedBlocks;

        // Keys to compute, and those after them.
        public KeyList Chunk;
        public KeyList Waiting;
    }

    // Keys to attend to together, ascending: their indices and the addresses of key and value.
    private struct KeyList(float* memory)
    {
        public const int SizeInFloats = 5 * ChunkKeys;

        public readonly float** Keys = (float**)memory;
        public readonly float** Values = (float**)memory + ChunkKeys;
        public readonly int* Indices = (int*)((float**)memory + (2 * ChunkKeys));
        public int Count;

        // Fills up to a multiple of a group with copies of the last key that no row may see.
        public void Fill(int group)
        {
            for (; Count % group != 0; Count++)
            {
                Keys[Count] = Keys[Count - 1];
                Values[Count] = Values[Count - 1];
                Indices[Count] = int.MaxValue;
            }
        }

        // How many of the first keys are not after a position.
        public readonly int CountUpTo(int position, int count)
        {
            while (count > 0 && Indices[count - 1] > position)
            {
                count--;
            }

            return count;
        }
    }
}
