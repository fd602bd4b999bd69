using SparseFrontier.Kernels.Cuda;
using SparseFrontier.Tensors;

namespace SparseFrontier.Models.Transformer.Cuda;

/// <summary>
/// Runs rows of sequences through a GPU's layers: products for all rows at once; attention for all rows with the same kind of lists at once. The host tells the
/// device each row's sequence, token and length, and nothing else; launches depend on the step's shape alone and are recorded when a shape comes a second time. So that few
/// shapes come, the last row of a kind is repeated up to a round number: a repetition writes what its original writes.
/// </summary>
internal sealed unsafe class CudaStep : IDisposable
{
    private const int MostRecordings = 256;
    private const int ClocksOfLayer = 4;

    // Of a step's logits.
    private const long LogitBytes = 64L << 20;
    private const int RowsUnit = 64;
    private const long FewestScratchBytes = 1 << 20;
    private const int MostRowsOfStep = 512;

    private readonly CudaModel _model;
    private readonly CudaStage _stage;
    private readonly CudaDevice _device;
    private readonly ModelConfiguration _configuration;
    private readonly CudaStepDecoder _decoder;
    private readonly CudaMemory _windows;
    private readonly CudaMemory _rows;
    private readonly CudaMemory _tables;
    private readonly CudaMemory _places;
    private readonly CudaMemory _clocks;
    private readonly CudaMemory _choices;
    private readonly CudaMemory _draws;
    private readonly CudaMemory _questions;
    private readonly CudaMemory _answers;
    private readonly Dictionary<CudaStepShape, CudaGraph?> _recordings = [];
    private CudaMemory? _scratch;

    /// <summary>Allocates scratch memory.</summary>
    public CudaStep(CudaModel model, CudaStage stage)
    {
        _model = model;
        _stage = stage;
        _device = stage.Device;
        ModelConfiguration c = _configuration = model.Configuration;
        long rows = RepeatedRows(MostRows(c));
        long heads = rows * stage.Count * c.KvHeads;
        _decoder = new CudaStepDecoder(_device, model.Weights, c, (int)rows, stage.IsLast);
        _windows = CudaMemory.From<int>(_device, [.. c.SlidingWindows.Skip(stage.First).Take(stage.Count)]);
        _rows = CudaMemory.Allocate(_device, rows * sizeof(StepRowState));
        _tables = CudaMemory.Allocate(_device, heads * sizeof(CacheHead));
        _places = CudaMemory.Allocate(_device, heads * StepPlaces.BytesOfHead);
        _clocks = CudaMemory.Allocate(_device, rows * stage.Count * ClocksOfLayer * sizeof(ulong));
        _choices = CudaMemory.Allocate(_device, rows * sizeof(ulong));
        _draws = CudaMemory.Allocate(_device, rows * stage.Count * c.QueryHeads * sizeof(RandomState));
        _questions = CudaMemory.Allocate(_device, rows * sizeof(LogitQuestion));
        _answers = CudaMemory.Allocate(_device, rows * sizeof(LogitAnswer));
    }

    /// <summary>Gives the step to the device; nothing waits.</summary>
    /// <param name="rows">The rows, arranged.</param>
    /// <param name="shape">Of all of them.</param>
    /// <param name="questions">On the rows' logits, in the order in which they were given, where the shape compares.</param>
    /// <param name="before">The layers before these; null for the first.</param>
    public void Begin(CudaStepEntry[] rows, CudaStepShape shape, ReadOnlySpan<LogitQuestion> questions, CudaStep? before)
    {
        RequireScratch(shape);
        Upload(rows);
        if (shape.Result == StepResult.Comparisons && _stage.IsLast)
        {
            Ask(rows, questions);
        }

        if (before is not null)
        {
            _decoder.Residual.CopyFrom(before._decoder.Residual, (long)rows.Length * _configuration.HiddenSize * sizeof(float));
        }

        Launch(shape);
    }

    /// <summary>Logits of one row of a residual stream, [vocabulary].</summary>
    public float[] Logits(ulong residual)
    {
        _decoder.Residual.CopyFrom(residual, (long)_configuration.HiddenSize * sizeof(float));
        _decoder.MakeLogits(1);
        float[] logits = new float[_configuration.VocabularySize];
        fixed (float* target = logits)
        {
            _decoder.Logits!.Download(target, (long)logits.Length * sizeof(float));
        }

        return logits;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        _decoder.Dispose();
        _windows.Dispose();
        _rows.Dispose();
        _tables.Dispose();
        _places.Dispose();
        _clocks.Dispose();
        _choices.Dispose();
        _draws.Dispose();
        _questions.Dispose();
        _answers.Dispose();
        _scratch?.Dispose();
    }

    /// <summary>Rows with the same kind of token lists side by side, each sequence's in their order.</summary>
    internal static int[] Arrange((PageChoice Choice, int PageSize, bool SharesPages)[] kinds)
    {
        // Kinds are few and rows are many: a pass for each takes less than sorting.
        int[] order = new int[kinds.Length];
        int count = 0;
        foreach ((PageChoice Choice, int PageSize, bool SharesPages) kind in kinds.Distinct().Order())
        {
            for (int i = 0; i < kinds.Length; i++)
            {
                if (kinds[i] == kind)
                {
                    order[count++] = i;
                }
            }
        }

        return order;
    }

    /// <summary>The rows of a step, arranged, with repetitions.</summary>
    internal static CudaStepEntry[] Arrange(IReadOnlyList<(CudaSequence Sequence, int Token)> given)
    {
        for (int i = 0; i < given.Count; i++)
        {
            given[i].Sequence.Pending = 0;
        }

        var rows = new CudaStepEntry[given.Count];
        bool one = true;
        for (int i = 0; i < rows.Length; i++)
        {
            (CudaSequence sequence, int token) = given[i];
            rows[i] = new CudaStepEntry(sequence, token, i, sequence.GeneratedLength + ++sequence.Pending);
            one &= Kind(rows[i]) == Kind(rows[0]);
        }

        if (!one)
        {
            CudaStepEntry[] mixed = rows;
            rows = Array.ConvertAll(Arrange(Array.ConvertAll(rows, Kind)), i => mixed[i]);
        }

        return Repeat(rows);
    }

    /// <summary>Questions in the order of the arranged rows, which they name by their places there; none on repetitions.</summary>
    internal static LogitQuestion[] Arrange(CudaStepEntry[] rows, ReadOnlySpan<LogitQuestion> questions)
    {
        int[] rowAt = new int[questions.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i].Place >= 0)
            {
                rowAt[rows[i].Place] = i;
            }
        }

        var arranged = new LogitQuestion[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            (int token, int dense) = rows[i].Place >= 0 ? questions[rows[i].Place] : new LogitQuestion(-1, -1);
            arranged[i] = new LogitQuestion(token, dense < 0 ? -1 : rowAt[dense]);
        }

        return arranged;
    }

    /// <summary>Most rows of a step: many, where their logits are small.</summary>
    internal static int MostRows(ModelConfiguration configuration) =>
        (int)Math.Clamp(LogitBytes / (configuration.VocabularySize * sizeof(float)) / RowsUnit * RowsUnit, RowsUnit, MostRowsOfStep);

    /// <summary>Rows with their repetitions, at most.</summary>
    internal static int RepeatedRows(int rows) => rows + (rows / 8);

    private static (PageChoice Choice, int PageSize, bool SharesPages) Kind(CudaStepEntry row) => (row.Sequence.Choice, row.Sequence.PageSize, row.Sequence.SharesPages);

    private static CudaStepEntry[] Repeat(CudaStepEntry[] rows)
    {
        List<CudaStepEntry>? repeated = null;
        for (int first = 0, end; first < rows.Length; first = end)
        {
            end = first + 1;
            while (end < rows.Length && Kind(rows[end]) == Kind(rows[first]))
            {
                end++;
            }

            int count = CudaStepShape.RoundUpRows(end - first);
            if (repeated is null && count > end - first)
            {
                repeated = new List<CudaStepEntry>(RepeatedRows(rows.Length));
                repeated.AddRange(rows.AsSpan(0, first));
            }

            if (repeated is not null)
            {
                repeated.AddRange(rows.AsSpan(first, end - first));
                repeated.AddRange(Enumerable.Repeat(rows[end - 1] with { Place = CudaStepEntry.Repetition }, count - (end - first)));
            }
        }

        return repeated is null ? rows : [.. repeated];
    }

    private void Upload(CudaStepEntry[] rows)
    {
        // Before the first address is taken, because a longer table replaces the one that is there.
        for (int i = 0; i < rows.Length; i++)
        {
            _ = rows[i].Sequence.Angles(_stage, rows[i].Appended);
        }

        Span<StepRowState> states = stackalloc StepRowState[rows.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            (CudaSequence sequence, int token, _, int appended) = rows[i];
            ulong table = sequence.Table(_stage);
            if (table == 0)
            {
                // Budgets that depend on the step: a table of the row's own.
                long bytes = (long)_stage.Count * _configuration.KvHeads * sizeof(CacheHead);
                fixed (CacheHead* heads = sequence.Heads(_stage, appended))
                {
                    _tables.Upload(heads, bytes, i * bytes);
                }

                table = _tables.Address + (ulong)(i * bytes);
            }

            (ulong angles, ulong slidingAngles) = sequence.Angles(_stage, appended);
            states[i] = new StepRowState(table, angles, slidingAngles, token, appended, sequence.PromptPages, 0);
        }

        fixed (StepRowState* source = states)
        {
            _rows.Upload(source, (long)rows.Length * sizeof(StepRowState));
        }

        if (Array.Exists(rows, r => r.Sequence.Choice == PageChoice.Drawn))
        {
            UploadDraws(rows);
        }
    }

    private void Ask(CudaStepEntry[] rows, ReadOnlySpan<LogitQuestion> questions)
    {
        fixed (LogitQuestion* source = Arrange(rows, questions))
        {
            _questions.Upload(source, (long)rows.Length * sizeof(LogitQuestion));
        }
    }

    private void UploadDraws(CudaStepEntry[] rows)
    {
        var states = new RandomState[_stage.Count * rows.Length * _configuration.QueryHeads];
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i].Sequence.Choice == PageChoice.Drawn)
            {
                rows[i].Sequence.WriteDraws(_stage, states, rows.Length * _configuration.QueryHeads, i * _configuration.QueryHeads, rows[i].Appended);
            }
        }

        fixed (RandomState* source = states)
        {
            _draws.Upload(source, (long)states.Length * sizeof(RandomState));
        }
    }

    private void Launch(CudaStepShape shape)
    {
        if (!_recordings.TryGetValue(shape, out CudaGraph? recording))
        {
            // The first step of a shape loads its kernels, which cannot be recorded.
            if (_recordings.Count == MostRecordings)
            {
                Forget();
            }

            Give(shape);
            _recordings.Add(shape, null);
            return;
        }

        try
        {
            recording ??= _recordings[shape] = CudaGraph.Record(_device, () => Give(shape));

            // The first launch uploads it, for which memory may be short as well.
            recording.Launch();
        }
        catch (CudaException e) when (e.ErrorId == ErrorIds.DeviceOutOfMemory)
        {
            // Recordings save time and take memory: the step goes without.
            Forget();
            Give(shape);
        }
    }

    // All launches of a step.
    private void Give(CudaStepShape shape)
    {
        ModelConfiguration c = _configuration;
        int rows = shape.Rows;
        (string, int) type = ("TYPE", CudaVectors.TypeValue(_model.CacheType));
        _device.Function("step.cu", "place", type).Launch(
            (rows, _stage.Count, 1), 32, 0, _rows, _windows, _places, _clocks, shape.Groups.Length, _choices, c.KvHeads, c.HeadDimension);
        if (_stage.First == 0)
        {
            _decoder.Embed(_rows.Address, rows);
        }

        for (int layer = 0; layer < _stage.Count; layer++)
        {
            LayerWeights<CudaMatrix, CudaMemory> weights = _model.Weights.Layers[_stage.First + layer];
            bool sliding = !c.IsGlobal(_stage.First + layer);
            var places = new StepPlaces(_places.Address, (long)_stage.Count * rows * c.KvHeads, (long)layer * rows * c.KvHeads);
            _decoder.Project(weights, sliding, _rows.Address, rows, places.Caches, places.Counts);
            if (sliding)
            {
                Attend(new CudaStepGroup(0, rows, shape.Sliding, PageChoice.None, 0, true, 0, 0), places, 0, 0);
            }
            else
            {
                for (int g = 0; g < shape.Groups.Length; g++)
                {
                    long draws = (((long)layer * rows) + shape.Groups[g].First) * c.QueryHeads * sizeof(RandomState);
                    Attend(shape.Groups[g], places, _draws.Address + (ulong)draws, _clocks.Address + (ulong)((((long)g * _stage.Count) + layer) * ClocksOfLayer * sizeof(ulong)));
                }
            }

            _decoder.Finish(weights, rows);
        }

        if (shape.Result != StepResult.None && _stage.IsLast)
        {
            _decoder.MakeLogits(rows);
        }

        if (shape.Result == StepResult.Comparisons && _stage.IsLast)
        {
            _device.Function("step.cu", "compareLogits", type).Launch((rows, 1, 1), 256, 0, _decoder.Logits!, _questions, _answers, c.VocabularySize);
        }

        if (shape.Result == StepResult.Choices && _stage.IsLast)
        {
            _device.Function("step.cu", "chooseLargest", type).Launch(
                (Math.Min(32, (c.VocabularySize + 1023) / 1024), rows, 1), 256, 0, _decoder.Logits!, _choices, c.VocabularySize);
        }
    }

    private void Attend(CudaStepGroup group, StepPlaces layer, ulong draws, ulong clocks)
    {
        ModelConfiguration c = _configuration;
        int count = group.End - group.First;
        long firstHead = (long)group.First * c.KvHeads;
        int heads = count * c.KvHeads;
        int queriesOfHead = c.QueryHeads / c.KvHeads;
        ulong queries = _decoder.Queries.Address + (ulong)((long)group.First * c.QueryHeads * c.HeadDimension * 2);
        ulong paged = layer.Paged + (ulong)(firstHead * sizeof(PagedHead));
        CudaTokenListView lists = group.PageSize > 0
            ? CudaStepPages.Choose(
                _device, _model.CacheType, group, paged, heads, queriesOfHead, c.HeadDimension, c.AttentionScale, queries, draws, _scratch!.Address, clocks)
            : new CudaTokenListView(heads, group.Longest, 0, layer.Counts + (ulong)(firstHead * sizeof(int)), 0, 0, 0);
        CudaAttention.Decode(
            _device,
            _model.CacheType,
            c.HeadDimension,
            queries,
            count * c.QueryHeads,
            queriesOfHead,
            layer.CachesFrom(firstHead),
            c.HeadDimension,
            c.AttentionScale,
            lists,
            queries,
            null,
            _scratch!.Address + (ulong)CudaStepPages.ScratchBytes(group, heads, queriesOfHead),
            clocks == 0 ? 0 : clocks + (2 * sizeof(ulong)));
    }

    private void RequireScratch(CudaStepShape shape)
    {
        ModelConfiguration c = _configuration;
        long most = CudaAttention.DecodeScratchBytes(c.HeadDimension, shape.Rows * c.QueryHeads, Math.Max(1, shape.Sliding));
        foreach (CudaStepGroup group in shape.Groups)
        {
            most = Math.Max(most, CudaStepPages.ScratchBytes(group, (group.End - group.First) * c.KvHeads, c.QueryHeads / c.KvHeads) + CudaAttention.DecodeScratchBytes(c.HeadDimension, (group.End - group.First) * c.QueryHeads, group.Longest));
        }

        if (_scratch is null || most > _scratch.SizeInBytes)
        {
            // Recordings hold the old address. The old goes first, so that there need not be room for both; where there is none for the new, the next step asks again.
            Forget();
            _scratch?.Dispose();
            _scratch = null;
            _scratch = CudaMemory.Allocate(_device, Math.Max(FewestScratchBytes, most));
        }
    }

    private void Forget()
    {
        foreach (CudaGraph? recording in _recordings.Values)
        {
            recording?.Dispose();
        }

        _recordings.Clear();
    }

    /// <summary>Waits for the logits and writes them in the order in which the rows were given.</summary>
    public void Download(CudaStepEntry[] rows, Span<float> logits)
    {
        long rowBytes = (long)_configuration.VocabularySize * sizeof(float);
        fixed (float* target = logits)
        {
            // Rows that lie side by side as they were given are one copy.
            for (int first = 0, end; first < rows.Length; first = end)
            {
                end = first + 1;
                while (end < rows.Length && rows[end].Place == rows[end - 1].Place + 1)
                {
                    end++;
                }

                if (rows[first].Place >= 0)
                {
                    _decoder.Logits!.Download((byte*)target + (rows[first].Place * rowBytes), (end - first) * rowBytes, first * rowBytes);
                }
            }
        }
    }

    /// <summary>Waits for the chosen tokens and writes them in the order in which the rows were given; -1 where no logit is a number.</summary>
    public void Download(CudaStepEntry[] rows, Span<int> choices)
    {
        ulong* found = stackalloc ulong[rows.Length];
        _choices.Download(found, rows.Length * sizeof(ulong));
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i].Place >= 0)
            {
                choices[rows[i].Place] = found[i] == 0 ? -1 : (int)~(uint)found[i];
            }
        }
    }

    /// <summary>Waits for the answers and writes them in the order in which the rows were given.</summary>
    public void Download(CudaStepEntry[] rows, Span<LogitAnswer> answers)
    {
        LogitAnswer* found = stackalloc LogitAnswer[rows.Length];
        _answers.Download(found, rows.Length * sizeof(LogitAnswer));
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i].Place >= 0)
            {
                answers[rows[i].Place] = found[i];
            }
        }
    }

    /// <summary>Waits, and counts the seconds of attention and selection; rows that are computed together share them. Attention that begins while pages are still chosen counts from the last choice's end.</summary>
    public void ReadClocks(CudaStepEntry[] rows, CudaStepShape shape)
    {
        int layers = _stage.Count;
        ulong[] clocks = new ulong[shape.Groups.Length * layers * ClocksOfLayer];
        fixed (ulong* target = clocks)
        {
            _clocks.Download(target, clocks.Length * sizeof(ulong));
        }

        for (int g = 0; g < shape.Groups.Length; g++)
        {
            CudaStepGroup group = shape.Groups[g];
            double index = 0;
            double attention = 0;
            for (int layer = 0; layer < layers; layer++)
            {
                ReadOnlySpan<ulong> own = clocks.AsSpan(((g * layers) + layer) * ClocksOfLayer, ClocksOfLayer);
                index += Nanoseconds(own[0], own[1]);
                attention += Nanoseconds(Math.Max(own[1], own[2]), own[3]);
            }

            int count = 0;
            foreach (CudaStepEntry row in rows.AsSpan(group.First, group.End - group.First))
            {
                count += row.Place >= 0 ? 1 : 0;
            }

            foreach (CudaStepEntry row in rows.AsSpan(group.First, count))
            {
                row.Sequence.Counters.IndexSeconds += index * 1e-9 / count;
                row.Sequence.Counters.AttentionSeconds += attention * 1e-9 / count;
            }
        }

        static double Nanoseconds(ulong begun, ulong ended) => ended > begun ? ended - begun : 0;
    }
}

/// <summary>A row of a step.</summary>
/// <param name="Sequence">Whose.</param>
/// <param name="Token">Its token.</param>
/// <param name="Place">Its place among those given, or <see cref="Repetition"/>. The repetitions of a kind stand behind its rows.</param>
/// <param name="Appended">Tokens of its sequence's tail with its own.</param>
internal readonly record struct CudaStepEntry(CudaSequence Sequence, int Token, int Place, int Appended)
{
    /// <summary>Place of a row that repeats the one before it, whose results nobody reads.</summary>
    public const int Repetition = -2;
}
