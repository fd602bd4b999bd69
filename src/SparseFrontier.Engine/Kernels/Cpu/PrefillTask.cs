using System.Runtime.CompilerServices;
using SparseFrontier.Tensors;

namespace SparseFrontier.Kernels.Cpu;

/// <summary>
/// Some rows of one or more query heads of a KV head, attending to keys that are handed over in ascending order: the running softmax of flash
/// attention. Lives in the scratch memory of its thread.
/// </summary>
/// <remarks>
/// Keys are taken 128 at a time: scores, running maximum and sum by row, weights, then the weighted values are added to the output, which is
/// rescaled on the way when a maximum grew. Only chunks that reach beyond the first row (or behind the window of the last) are masked, and rows
/// are not computed with keys that come after all of their block. Masked scores are -1e30, never -∞, and a row whose maximum stays there has seen
/// no key. While a chunk is computed, the next one is fetched into the second-level cache.
/// </remarks>
internal unsafe ref struct PrefillTask<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int ChunkKeys = 128;
    private const int TaskRows = PrefillTiles<TSimd, TVector>.TaskRows;
    private const float Masked = PrefillTiles<TSimd, TVector>.Masked;

    // Rows that share a chunk's values, from which on packing these pays.
    private const int PackingRows = 2 * TaskRows;

    private readonly HeadTensor _queries;
    private readonly float _scale;
    private readonly int _firstHead;
    private readonly int _heads;
    private readonly int _firstRow;
    private readonly int _rows;
    private readonly int _firstPosition;
    private readonly float* _keys;
    private readonly float* _values;
    private readonly long _keyStride;
    private readonly long _valueStride;
    private readonly int _dimension;
    private readonly int _paddedDimension;
    private readonly int _window;
    private readonly bool _packs;
    private readonly float* _transposed;
    private readonly float* _output;
    private readonly float* _maxima;
    private readonly float* _sums;
    private readonly float* _factors;
    private readonly float* _scores;
    private readonly float* _packed;
    private readonly int* _tileCounts;
    private bool _begun;
    private KeyList _filling;
    private KeyList _waiting;

    public PrefillTask(
        HeadTensor queries, HeadTensor keys, HeadTensor values, float scale, int firstPosition, int slidingWindow, int firstHead, int heads, int firstRow, int rows)
    {
        int kvHead = firstHead / (queries.Heads / keys.Heads);
        _queries = queries;
        _scale = scale;
        _firstHead = firstHead;
        _heads = heads;
        _firstRow = firstRow;
        _rows = rows;
        _firstPosition = firstPosition + firstRow;
        _keys = keys.Row(kvHead, 0);
        _values = values.Row(kvHead, 0);
        _keyStride = keys.RowStride;
        _valueStride = values.RowStride;
        _dimension = queries.Dimension;
        _paddedDimension = RoundUp(_dimension, TSimd.Width);
        _window = slidingWindow > 0 ? slidingWindow : int.MaxValue;
        _packs = heads * rows >= PackingRows || _paddedDimension != _dimension;

        long transposedSize = (long)_dimension * TaskRows;
        long outputSize = (long)_paddedDimension * TaskRows;
        long scoresSize = (long)ChunkKeys * PrefillTiles<TSimd, TVector>.LaneBlock;
        long packedSize = (long)ChunkKeys * RoundUp(_dimension, PrefillTiles<TSimd, TVector>.LaneBlock);
        float* scratch = ThreadScratch.Rent(
            (heads * (transposedSize + outputSize + (2 * TaskRows))) + TaskRows + scoresSize + packedSize + TaskRows + (2 * KeyList.SizeInFloats));
        _transposed = scratch;
        _output = _transposed + (heads * transposedSize);
        _scores = _output + (heads * outputSize);
        _packed = _scores + scoresSize;
        _maxima = _packed + packedSize;
        _sums = _maxima + ((long)heads * TaskRows);
        _factors = _sums + ((long)heads * TaskRows);
        _tileCounts = (int*)(_factors + TaskRows);
        _filling = new KeyList(_factors + (2 * TaskRows));
        _waiting = new KeyList(_factors + (2 * TaskRows) + KeyList.SizeInFloats);
        new Span<float>(_output, (int)(heads * outputSize)).Clear();
        new Span<float>(_sums, heads * TaskRows).Clear();
        new Span<float>(_maxima, heads * TaskRows).Fill(Masked);
    }

    public static int RoundUp(int a, int b) => (a + b - 1) / b * b;

    /// <summary>Attends to consecutive keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddKeys(int start, int end)
    {
        while (start < end)
        {
            int length = Math.Min(end - start, ChunkKeys - _filling.Count);
            for (int i = 0; i < length; i++)
            {
                _filling.Add(start + i, _keys + ((start + i) * _keyStride), _values + ((start + i) * _valueStride));
            }

            start += length;
            if (_filling.Count == ChunkKeys)
            {
                NextChunk();
            }
        }
    }

    /// <summary>Attends to one key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddKey(int key)
    {
        _filling.Add(key, _keys + (key * _keyStride), _values + (key * _valueStride));
        if (_filling.Count == ChunkKeys)
        {
            NextChunk();
        }
    }

    /// <summary>Attends to the waiting keys and writes the rows' outputs.</summary>
    /// <param name="output">[query heads, rows, dimension].</param>
    /// <param name="logSumExp">[query heads, rows], or null.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Finish(HeadTensor output, float* logSumExp)
    {
        NextChunk();
        NextChunk();
        for (int i = 0; i < _heads * _rows; i++)
        {
            int h = i / _rows;
            int r = i % _rows;
            float* source = _output + (((long)h * TaskRows + r) * _paddedDimension);
            float* target = output.Row(_firstHead + h, _firstRow + r);
            float maximum = _maxima[(h * TaskRows) + r];
            float sum = _sums[(h * TaskRows) + r];
            if (logSumExp is not null)
            {
                // Scores are in units of ln 2.
                logSumExp[((long)(_firstHead + h) * output.Rows) + _firstRow + r] =
                    maximum <= Masked ? float.NegativeInfinity : (float)((maximum + Math.Log2(sum)) * 0.6931471805599453);
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

    // Computes the chunk that waits while the one just filled is fetched, which then waits.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void NextChunk()
    {
        if (_waiting.Count > 0)
        {
            Compute();
        }
        else if (!_begun)
        {
            Begin();
        }

        (_waiting, _filling) = (_filling, _waiting);
        _filling.Count = 0;
    }

    // Reads the queries while the first keys are fetched.
    private void Begin()
    {
        _begun = true;
        PrefillTiles<TSimd, TVector>.Fetch(_filling.Keys, _filling.Count, _dimension);
        for (int h = 0; h < _heads; h++)
        {
            PrefillTiles<TSimd, TVector>.TransposeQueries(_queries, _firstHead + h, _firstRow, _rows, _scale, _transposed + ((long)h * _dimension * TaskRows));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compute()
    {
        int block = PrefillTiles<TSimd, TVector>.LaneBlock;
        int tileRows = PrefillTiles<TSimd, TVector>.QueryTile;
        int keys = _waiting.Count;
        _waiting.Fill(PrefillTiles<TSimd, TVector>.KeyGroup);
        long blockStride = block;
        if (_packs)
        {
            blockStride = (long)ChunkKeys * block;
            PrefillTiles<TSimd, TVector>.PackValues(_waiting.Values, _waiting.Count, _dimension, _packed, blockStride);
        }

        bool fetchedKeys = false;
        bool fetchedValues = false;
        for (int lane = 0; lane < _rows; lane += block)
        {
            // Rows of the block, and how many of the keys they see at most; later keys only the rows after them.
            int rows = Math.Min(block, _rows - lane);
            int first = _firstPosition + lane;
            int seen = _waiting.CountUpTo(first + rows - 1, keys);
            if (seen == 0)
            {
                continue;
            }

            int count = RoundUp(seen, PrefillTiles<TSimd, TVector>.KeyGroup);
            int lanes = RoundUp(rows, TSimd.Width);
            bool masks = count > keys || _waiting.Indices[count - 1] > first || _waiting.Indices[0] <= first + rows - 1 - _window;
            int tiles = (rows + tileRows - 1) / tileRows;
            for (int tile = 0; tile < tiles; tile++)
            {
                _tileCounts[tile] = masks ? _waiting.CountUpTo(first + Math.Min(rows, (tile + 1) * tileRows) - 1, seen) : seen;
            }

            for (int h = 0; h < _heads; h++)
            {
                // The next chunk's keys are fetched beside the first scores, its values beside the second.
                float** next = fetchedKeys ? _filling.Values : _filling.Keys;
                int nextCount = fetchedValues ? 0 : _filling.Count;
                fetchedValues |= fetchedKeys;
                fetchedKeys = true;
                long row = ((long)h * TaskRows) + lane;
                PrefillTiles<TSimd, TVector>.Score(_transposed + (row * _dimension), lanes, _waiting.Keys, count, _dimension, _scores, next, nextCount);
                if (masks)
                {
                    PrefillTiles<TSimd, TVector>.Mask(_scores, lanes, _waiting.Indices, count, first, _window);
                }

                PrefillTiles<TSimd, TVector>.Weigh(_scores, lanes, count, _maxima + row, _sums + row, _factors);
                PrefillTiles<TSimd, TVector>.Accumulate(
                    _scores, tiles, _tileCounts, _factors, _waiting.Values, blockStride, _paddedDimension, _output + (row * _paddedDimension));
            }
        }
    }

    // Keys to attend to together, ascending: their indices and the addresses of key and value.
    private struct KeyList(float* memory)
    {
        public const int SizeInFloats = 5 * ChunkKeys;

        public readonly float** Keys = (float**)memory;
        public readonly float** Values = (float**)memory + ChunkKeys;
        public readonly int* Indices = (int*)((float**)memory + (2 * ChunkKeys));
        public int Count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(int index, float* key, float* value)
        {
            Keys[Count] = key;
            Values[Count] = value;
            Indices[Count] = index;
            Count++;
        }

        // Fills up to a multiple of a group with copies of the last key that no row may see.
        public void Fill(int group)
        {
            while (Count % group != 0)
            {
                Add(int.MaxValue, Keys[Count - 1], Values[Count - 1]);
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
