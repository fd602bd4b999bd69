using SparseFrontier.Kernels.Cuda;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Runs rows of sequences through the decoder on a GPU: products for all rows at once; attention for all rows with the same kind of lists at once. What the kernels need to
/// know of the caches is packed on the host and copied once a step; nothing comes back before the logits.
/// </summary>
internal sealed unsafe class CudaStep : IDisposable
{
    private readonly CudaModel _model;
    private readonly CudaDevice _device;
    private readonly ModelConfiguration _configuration;
    private readonly CudaDecoder _decoder;
    private readonly CudaMemory _residual;
    private readonly CudaMemory _queries;
    private readonly CudaMemory _keys;
    private readonly CudaMemory _values;
    private readonly CudaMemory _logits;
    private readonly StepMemory _packed = new();
    private readonly CudaClock _clock;

    /// <summary>Allocates scratch memory.</summary>
    public CudaStep(CudaModel model)
    {
        _model = model;
        _device = model.Device;
        _clock = new CudaClock(_device);
        ModelConfiguration c = _configuration = model.Configuration;
        const int Rows = CudaProducts.FewRows;
        _decoder = new CudaDecoder(_device, model.Weights, c, Rows, few: true);
        _residual = CudaMemory.Allocate(_device, (long)Rows * c.HiddenSize * sizeof(float));
        _queries = CudaMemory.Allocate(_device, (long)Rows * c.QueryHeads * c.HeadDimension * 2);
        _keys = CudaMemory.Allocate(_device, (long)Rows * c.KvHeads * c.HeadDimension * 2);
        _values = CudaMemory.Allocate(_device, (long)Rows * c.KvHeads * c.HeadDimension * 2);
        _logits = CudaMemory.Allocate(_device, (long)Rows * c.VocabularySize * sizeof(float));
        _residual.Fill(0);
        _queries.Fill(0);
    }

    /// <summary>Runs one token of each row; the sequences advance when all layers are done.</summary>
    public void Run(IReadOnlyList<(CudaSequence Sequence, int Token)> given, Span<float> logits)
    {
        ModelConfiguration c = _configuration;
        Row[] rows = Arrange(given);
        foreach (var group in rows.GroupBy(r => r.Sequence))
        {
            group.Key.Reserve(group.Count());
        }

        CudaClock clock = _clock;
        clock.Forget();
        _packed.Clear();
        int tokens = _packed.Add<int>(Array.ConvertAll(rows, r => r.Token));
        (int global, int sliding) = PackAngles(rows);
        LayerPart[] layers = [.. Enumerable.Range(0, c.LayerCount).Select(layer => Pack(layer, rows))];
        using CudaMemory packed = _packed.Upload(_device);
        ulong base_ = packed.Address;
        _decoder.Embed(base_ + (ulong)tokens, rows.Length, _residual.Address);
        long angleBytes = (long)rows.Length * (c.HeadDimension / 2) * sizeof(float);
        for (int layer = 0; layer < c.LayerCount; layer++)
        {
            LayerWeights<CudaMatrix, CudaMemory> weights = _model.Weights.Layers[layer];
            nint cosines = (nint)(base_ + (ulong)(c.IsGlobal(layer) ? global : sliding));
            _decoder.Project(
                weights,
                (nint)_residual.Address,
                rows.Length,
                cosines,
                cosines + (nint)angleBytes,
                (nint)_queries.Address,
                (nint)_keys.Address,
                (nint)_values.Address,
                CancellationToken.None);
            _device.Function("decoder.cu", "appendRows", ("TYPE", CudaVectors.TypeValue(_model.CacheType))).Launch(
                (rows.Length, c.KvHeads, 1), 64, 0, _keys, _values, base_ + (ulong)layers[layer].Targets, c.HeadDimension);
            foreach (GroupPart group in layers[layer].Groups)
            {
                Attend(rows, layers[layer], group, base_, clock);
            }

            _decoder.Finish(weights, (nint)_queries.Address, (nint)_residual.Address, rows.Length, CancellationToken.None);
        }

        if (!logits.IsEmpty)
        {
            WriteLogits(rows, logits);
        }

        clock.Read();
        foreach (Row row in rows)
        {
            for (int layer = 0; layer < c.LayerCount; layer++)
            {
                if (c.IsGlobal(layer))
                {
                    row.Sequence.Count(layer, row.Generated);
                }
            }
        }

        foreach (Row row in rows)
        {
            row.Sequence.Advance(1);
        }
    }

    /// <summary>Logits of one row of a residual stream, [vocabulary].</summary>
    public float[] Logits(ulong residual)
    {
        _residual.CopyFrom(residual, (long)_configuration.HiddenSize * sizeof(float));
        _decoder.Logits((nint)_residual.Address, 1, (nint)_logits.Address, CancellationToken.None);
        float[] logits = new float[_configuration.VocabularySize];
        fixed (float* target = logits)
        {
            _logits.Download(target, (long)logits.Length * sizeof(float));
        }

        return logits;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock.Dispose();
        _decoder.Dispose();
        _residual.Dispose();
        _queries.Dispose();
        _keys.Dispose();
        _values.Dispose();
        _logits.Dispose();
    }

    /// <summary>Rows with the same kind of token lists side by side, each sequence's in their order.</summary>
    internal static int[] Arrange(IReadOnlyList<(int PageSize, bool SharesPages)> kinds) =>
        [.. Enumerable.Range(0, kinds.Count).OrderBy(i => kinds[i].PageSize).ThenBy(i => kinds[i].SharesPages)];

    private static Row[] Arrange(IReadOnlyList<(CudaSequence Sequence, int Token)> given)
    {
        var appended = new Dictionary<CudaSequence, int>();
        var rows = new Row[given.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            (CudaSequence sequence, int token) = given[i];
            int before = appended.GetValueOrDefault(sequence);
            appended[sequence] = before + 1;
            rows[i] = new Row(sequence, token, i, sequence.GeneratedLength + before + 1, sequence.Length + before);
        }

        return [.. Arrange([.. rows.Select(r => (r.Sequence.PageSize, r.Sequence.SharesPages))]).Select(i => rows[i])];
    }

    private (int Global, int Sliding) PackAngles(Row[] rows)
    {
        int half = _configuration.HeadDimension / 2;
        float[] angles = new float[2 * rows.Length * half];
        Fill(row => row.Sequence.Rotary);
        int global = _packed.Add<float>(angles);
        if (_configuration.GlobalLayerCount == _configuration.LayerCount)
        {
            return (global, global);
        }

        Fill(_ => _model.SlidingRotary);
        return (global, _packed.Add<float>(angles));

        void Fill(Func<Row, RotaryEmbedding> rotary)
        {
            fixed (float* cosines = angles)
            {
                float* sines = cosines + (rows.Length * half);
                for (int i = 0; i < rows.Length; i++)
                {
                    rotary(rows[i]).Fill(rows[i].Position, cosines + (i * half), sines + (i * half));
                }
            }
        }
    }

    // Where a layer's keys and values lie, by row and KV head.
    private LayerPart Pack(int layer, Row[] rows)
    {
        ModelConfiguration c = _configuration;
        int heads = c.KvHeads;
        ulong rowBytes = (ulong)c.HeadDimension * 2;
        int window = c.SlidingWindows[layer];
        ulong[] targets = new ulong[rows.Length * 3];
        ulong[] keys = new ulong[rows.Length * heads];
        ulong[] values = new ulong[keys.Length];
        ulong[] tailKeys = new ulong[keys.Length];
        ulong[] tailValues = new ulong[keys.Length];
        int[] splits = new int[keys.Length];
        int[] counts = new int[keys.Length];
        for (int r = 0; r < rows.Length; r++)
        {
            Row row = rows[r];
            CudaKeyValues block = row.Sequence.Block(layer);
            targets[r * 3] = row.Sequence.Tail(layer, false, 0, row.Generated - 1);
            targets[(r * 3) + 1] = row.Sequence.Tail(layer, true, 0, row.Generated - 1);
            targets[(r * 3) + 2] = (ulong)row.Sequence.TailHeadStride;
            for (int head = 0; head < heads; head++)
            {
                // A window begins so many tokens into the cache; tokens are then counted from there.
                int i = (r * heads) + head;
                int split = block.Lengths[head];
                int length = split + row.Generated;
                int skipped = window > 0 ? Math.Max(0, length - window) : 0;
                ulong back = (ulong)(skipped - split) * rowBytes;
                keys[i] = block.Key(head) + ((ulong)skipped * rowBytes);
                values[i] = block.Value(head) + ((ulong)skipped * rowBytes);
                tailKeys[i] = row.Sequence.Tail(layer, false, head, 0) + back;
                tailValues[i] = row.Sequence.Tail(layer, true, head, 0) + back;
                splits[i] = split - skipped;
                counts[i] = length - skipped;
            }
        }

        var part = new LayerPart(_packed.Add<ulong>(targets), _packed.Add<ulong>(keys), _packed.Add<ulong>(values), _packed.Add<ulong>(tailKeys), _packed.Add<ulong>(tailValues), _packed.Add<int>(splits));
        for (int first = 0; first < rows.Length;)
        {
            // Only global layers select pages.
            bool paged = window == 0 && rows[first].Sequence.PageSize > 0;
            int end = first + 1;
            while (end < rows.Length && (window > 0 || (rows[end].Sequence.PageSize == rows[first].Sequence.PageSize && rows[end].Sequence.SharesPages == rows[first].Sequence.SharesPages)))
            {
                end++;
            }

            int[] lists = counts.AsSpan(first * heads, (end - first) * heads).ToArray();
            part.Groups.Add(paged ? PackPages(layer, rows, first, end) : new GroupPart(first, end, lists.Max(), _packed.Add<int>(lists), null));
            first = end;
        }

        return part;
    }

    private GroupPart PackPages(int layer, Row[] rows, int first, int end)
    {
        int heads = _configuration.KvHeads;
        int size = rows[first].Sequence.PageSize;
        var paged = new PagedHead[(end - first) * heads];
        int most = 1;
        int width = 1;
        int longest = 1;
        for (int i = 0; i < paged.Length; i++)
        {
            Row row = rows[first + (i / heads)];
            PagedHead head = paged[i] = row.Sequence.Paged(layer, i % heads, row.Generated);
            int pages = (head.Length - 1) / size;
            int kept = Math.Min(pages, head.Budget);
            most = Math.Max(most, pages);
            width = Math.Max(width, kept + 1);
            longest = Math.Max(longest, (kept * size) + head.Length - (pages * size));
        }

        int lists = rows[first].Sequence.SharesPages ? paged.Length : (end - first) * _configuration.QueryHeads;
        long[] offsets = [.. Enumerable.Range(0, lists).Select(i => (long)i * width)];
        return new GroupPart(first, end, longest, _packed.Add<long>(offsets), new PagePart(_packed.Add<PagedHead>(paged), size, lists, most, width));
    }

    private void Attend(Row[] rows, LayerPart layer, GroupPart group, ulong packed, CudaClock clock)
    {
        ModelConfiguration c = _configuration;
        int count = group.End - group.First;
        ulong firstCache = (ulong)(group.First * c.KvHeads);
        ulong queries = _queries.Address + (ulong)((long)group.First * c.QueryHeads * c.HeadDimension * 2);
        var caches = new CudaCacheAddresses(
            packed + (ulong)layer.Keys + (firstCache * 8),
            packed + (ulong)layer.Values + (firstCache * 8),
            packed + (ulong)layer.TailKeys + (firstCache * 8),
            packed + (ulong)layer.TailValues + (firstCache * 8),
            packed + (ulong)layer.Splits + (firstCache * 4));
        using CudaMemory? tokens = group.Pages is null ? null : CudaMemory.Allocate(_device, group.Pages.Lists * sizeof(int));
        using CudaMemory? pages = group.Pages is null ? null : CudaMemory.Allocate(_device, (long)group.Pages.Lists * group.Pages.Width * sizeof(int));
        if (group.Pages is { } paged)
        {
            clock.Time(Share(s => s.Sequence.Counters.IndexSeconds += s.Seconds), () => SelectPages(paged, queries, count, packed, tokens!, pages!));
        }

        CudaTokenListView lists = group.Pages is { } chosen
            ? new CudaTokenListView(chosen.Lists, group.Longest, chosen.Size, tokens!.Address, packed + (ulong)group.Numbers, pages!.Address)
            : new CudaTokenListView(count * c.KvHeads, group.Longest, 0, packed + (ulong)group.Numbers, 0, 0);
        clock.Time(Share(s => s.Sequence.Counters.AttentionSeconds += s.Seconds), () => CudaAttention.Decode(
            _device,
            _model.CacheType,
            c.HeadDimension,
            queries,
            count * c.QueryHeads,
            c.QueryHeads / c.KvHeads,
            caches,
            c.HeadDimension,
            c.AttentionScale,
            lists,
            queries,
            null));

        // Rows that are computed together share the seconds.
        Action<double> Share(Action<(CudaSequence Sequence, double Seconds)> add) => seconds =>
        {
            for (int r = group.First; r < group.End; r++)
            {
                add((rows[r].Sequence, seconds / count));
            }
        };
    }

    private void SelectPages(PagePart paged, ulong queries, int rows, ulong packed, CudaMemory tokens, CudaMemory pages)
    {
        ModelConfiguration c = _configuration;
        (string, int) type = ("TYPE", CudaVectors.TypeValue(_model.CacheType));
        ulong heads = packed + (ulong)paged.Heads;
        int headCount = rows * c.KvHeads;
        int group = c.QueryHeads / c.KvHeads;
        int listsOfHead = paged.Lists / headCount;
        using var scores = CudaMemory.Allocate(_device, (long)paged.Lists * paged.Most * sizeof(float));
        using var candidates = CudaMemory.Allocate(_device, paged.Lists * sizeof(int));
        using var wanted = CudaMemory.Allocate(_device, paged.Lists * sizeof(int));
        _device.Function("quest.cu", "extendBounds", type).Launch((headCount, 1, 1), 64, 0, heads, paged.Size, c.HeadDimension, c.HeadDimension);
        _device.Function("quest.cu", "questCounts", type).Launch(((paged.Lists + 127) / 128, 1, 1), 128, 0, heads, paged.Lists, listsOfHead, paged.Size, candidates, wanted, tokens);
        _device.Function("quest.cu", "questScores", type).Launch(
            ((paged.Most + 7) / 8, headCount, 1),
            128,
            group * c.HeadDimension * sizeof(float),
            queries,
            heads,
            scores,
            paged.Size,
            group,
            c.HeadDimension,
            paged.Most,
            listsOfHead == 1 ? 1 : 0);
        _device.Function("select.cu", "selectLargest", ("TYPE", 0)).Launch(
            (paged.Lists, 1, 1), 512, 0, scores, (long)paged.Most, candidates, 0, 0, paged.Most, wanted, pages, paged.Width, 0UL, 0, 0);
        _device.Function("quest.cu", "finishPages", type).Launch((paged.Lists, 1, 1), 128, 0, heads, listsOfHead, paged.Size, pages, paged.Width);
    }

    private void WriteLogits(Row[] rows, Span<float> logits)
    {
        int vocabulary = _configuration.VocabularySize;
        _decoder.Logits((nint)_residual.Address, rows.Length, (nint)_logits.Address, CancellationToken.None);
        fixed (float* target = logits)
        {
            if (Array.TrueForAll(rows, r => r.Place == Array.IndexOf(rows, r)))
            {
                _logits.Download(target, (long)rows.Length * vocabulary * sizeof(float));
                return;
            }

            for (int i = 0; i < rows.Length; i++)
            {
                _logits.Download(target + ((long)rows[i].Place * vocabulary), (long)vocabulary * sizeof(float), (long)i * vocabulary * sizeof(float));
            }
        }
    }

    /// <summary>A row: its place among those given, tokens of its sequence's tail with its own, and its position.</summary>
    private sealed record Row(CudaSequence Sequence, int Token, int Place, int Generated, int Position);

    /// <summary>Where a layer's arrays begin in the packed memory.</summary>
    private sealed record LayerPart(int Targets, int Keys, int Values, int TailKeys, int TailValues, int Splits)
    {
        public List<GroupPart> Groups { get; } = [];
    }

    /// <summary>Rows with one kind of lists; Numbers: tokens of each list, or where each list's pages begin.</summary>
    private sealed record GroupPart(int First, int End, int Longest, int Numbers, PagePart? Pages);

    /// <summary>Pages of a group: candidates at most, and room for each list.</summary>
    private sealed record PagePart(int Heads, int Size, int Lists, int Most, int Width);
}
